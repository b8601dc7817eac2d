//! Counts how often this process has found Redis unavailable: writes of this and other processes
//! may be missing since. The sweep acts on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redis::aio::ConnectionLike;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, ServerErrorKind, Value};

/// Errors of a server that is reachable but accepts no writes or no commands.
const AWAY: [&str; 8] =
    ["LOADING", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "OOM", "MISCONF", "NOREPLICAS"];

/// Whether a server that was the primary has been made a replica.
pub(super) fn is_read_only(answer: &RedisResult<Value>) -> bool {
    match answer {
        Ok(Value::ServerError(error)) => error.kind() == Some(ServerErrorKind::ReadOnly),
        Ok(_) => false,
        Err(error) => error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly),
    }
}

/// The number of commands that failed because Redis was unavailable. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(super) struct Outages(Arc<AtomicU64>);

impl Outages {
    pub(super) fn seen(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self, is_away: bool) {
        if is_away {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A connection whose failures are counted.
#[derive(Clone)]
pub(crate) struct Watched<C> {
    pub(super) connection: C,
    pub(super) outages: Outages,
}

impl<C: ConnectionLike + Send> ConnectionLike for Watched<C> {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let answer = self.connection.req_packed_command(cmd).await;
            self.outages.note(match &answer {
                Ok(value) => says_away(value),
                Err(error) => is_away(error),
            });
            answer
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async move {
            let answers = self.connection.req_packed_commands(cmd, offset, count).await;
            self.outages.note(match &answers {
                Ok(values) => values.iter().any(says_away),
                Err(error) => is_away(error),
            });
            answers
        })
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

fn says_away(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if AWAY.contains(&error.code()))
}

fn is_away(error: &RedisError) -> bool {
    let kinds = [
        ErrorKind::Io,
        ErrorKind::AuthenticationFailed,
        ErrorKind::ClusterConnectionNotFound,
        ErrorKind::MasterNameNotFoundBySentinel,
    ];
    kinds.contains(&error.kind()) || error.code().is_some_and(|code| AWAY.contains(&code))
}

#[cfg(test)]
mod tests {
    use redis::{ServerErrorKind, make_extension_error};

    use super::*;

    #[test]
    fn only_what_says_that_redis_was_away_counts() {
        assert!(is_away(&RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe))));
        assert!(is_away(&make_extension_error("OOM".to_owned(), None)));
        assert!(is_away(&RedisError::from((ErrorKind::Server(ServerErrorKind::BusyLoading), "loading"))));
        assert!(is_away(&RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "no primary"))));
        assert!(!is_away(&RedisError::from((ErrorKind::Server(ServerErrorKind::NoScript), "unknown"))));
        assert!(!is_away(&make_extension_error("WRONGTYPE".to_owned(), None)), "a mistake is no outage");
    }
}
