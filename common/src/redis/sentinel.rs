//! The primary of Redis Sentinel. If a connection is lost or its server has become a replica, a new
//! one is opened to the current primary. No command is sent on it before the change of the server
//! has been recorded.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::sentinel::{SentinelClient, SentinelServerType};
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisFuture, RedisResult, ScriptInvocation, Value};
use uuid::Uuid;

use super::keys::Keys;
use super::outage::is_read_only;
use super::script::SENTINEL_NOTICE;
use crate::config::Sentinels;

/// The time-out of a search for the primary.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(5);
/// The shortest pause between searches, however many callers wait.
const SEARCH_PAUSE: Duration = Duration::from_millis(50);

impl Sentinels {
    /// The primary: the first sentinel that answers names it, and the server itself must confirm
    /// it.
    pub(super) async fn primary(&self) -> RedisResult<Client> {
        let (nodes, servers) = (self.nodes.clone(), self.servers.clone());
        let mut sentinels = SentinelClient::build(nodes, &self.service, Some(servers), SentinelServerType::Master)?;
        let named = tokio::time::timeout(SEARCH_TIMEOUT, sentinels.async_get_client()).await;
        named.map_err(std::io::Error::from)?
    }

    /// A new connection to it.
    pub(super) async fn connect(&self, config: &AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        self.primary().await?.get_multiplexed_async_connection_with_config(config).await
    }
}

/// A shared connection to the primary. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Primary {
    how: Arc<How>,
    current: Arc<Mutex<Opening>>,
}

/// How a connection is opened.
struct How {
    sentinels: Sentinels,
    config: AsyncConnectionConfig,
    keys: Keys,
}

/// A connection that is opened by the first caller; other callers wait for the result.
type Opening = Shared<BoxFuture<'static, RedisResult<MultiplexedConnection>>>;

impl Primary {
    /// Makes a handle without opening a connection.
    pub(super) fn new(sentinels: Sentinels, config: AsyncConnectionConfig, keys: Keys) -> Self {
        let how = Arc::new(How { sentinels, config, keys });
        Self { current: Arc::new(Mutex::new(open(Arc::clone(&how)))), how }
    }

    pub(super) fn sentinels(&self) -> &Sentinels {
        &self.how.sentinels
    }

    /// The current connection, and the handle for giving it up.
    async fn opened(&self) -> RedisResult<(MultiplexedConnection, Opening)> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match current.clone().await {
            Ok(opened) => Ok((opened, current)),
            Err(error) => {
                self.give_up(&current);
                Err(error)
            }
        }
    }

    /// Gives up a connection; the next caller opens another one.
    fn give_up(&self, lost: &Opening) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.ptr_eq(lost) {
            *current = open(Arc::clone(&self.how));
        }
    }
}

fn open(how: Arc<How>) -> Opening {
    let opened = async move {
        let opened = async {
            let mut primary = how.sentinels.connect(&how.config).await?;
            notice(&how.keys).invoke_async::<()>(&mut primary).await?;
            Ok(primary)
        }
        .await;
        if opened.is_err() {
            tokio::time::sleep(SEARCH_PAUSE).await;
        }
        opened
    };
    opened.boxed().shared()
}

/// Detects that another server has become the primary. This is treated as a flush, since the last
/// writes may be missing on it.
pub(super) fn notice(keys: &Keys) -> ScriptInvocation<'static> {
    let mut call = SENTINEL_NOTICE.key(keys.quota_memory());
    for key in keys.of_passes() {
        call.key(key);
    }
    call.arg(Uuid::now_v7().to_string());
    call
}

/// Whether a connection is lost. A time-out counts too: if the server's machine is gone, the
/// connection does not break.
fn is_lost<T>(answer: &RedisResult<T>) -> bool {
    answer.as_ref().is_err_and(|error| error.is_unrecoverable_error() || error.is_io_error())
}

impl ConnectionLike for Primary {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        async move {
            let (mut opened, current) = self.opened().await?;
            let answer = opened.req_packed_command(cmd).await;
            if is_lost(&answer) || is_read_only(&answer) {
                self.give_up(&current);
            }
            answer
        }
        .boxed()
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        async move {
            let (mut opened, current) = self.opened().await?;
            let answers = opened.req_packed_commands(cmd, offset, count).await;
            if is_lost(&answers) {
                self.give_up(&current);
            }
            answers
        }
        .boxed()
    }

    fn get_db(&self) -> i64 {
        0
    }
}
