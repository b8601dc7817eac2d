//! The breaker of Postgres. After several failures in a row, operations fail at once instead of
//! waiting for a connection, until a probe finds that Postgres answers again. Each process has its
//! own breaker in memory: whether Postgres is reachable depends on the process's own network path,
//! and must be known without Redis. [`Store`](super::Store) decides about retries.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::watch;
use tokio::time::timeout;

/// The number of failures in a row that opens it.
const THRESHOLD: u32 = 5;
/// An operation without an answer for this long triggers a probe: if a connection is refused, the
/// pool retries without reporting it, up to its own time-out.
const SUSPICIOUS: Duration = Duration::from_secs(1);
/// The interval of probes while it is closed: an outage of less than two seconds does not open it.
const BETWEEN_SUSPICIONS: Duration = Duration::from_millis(500);
/// The interval of probes while it is open. A restart of Postgres takes one or two seconds, a
/// failover some tens of seconds. A probe is one connection for each process, so frequent probes
/// are cheap.
const OPEN_FOR: Duration = Duration::from_secs(2);
/// The time-out of a probe.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Gauge: 1 while the breaker is open, else 0.
const OPEN: &str = "copydesk_postgres_breaker_open";

/// Whether a failure counts against Postgres' health: it is unreachable, no connection is free in
/// time, or it refuses connections. A server that cannot write (a standby, a full disk) still
/// reads, and a refused statement is an answer.
fn speaks_of_health(error: &sqlx::Error) -> bool {
    match error {
        // A proxy without a server closes the connection midway, which is a protocol error.
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(database) => database.code().is_some_and(|code| {
            // 08 connection, 53300 too many of them, 57P01 to 57P03 shutting down, crashed, starting.
            code.starts_with("08") || matches!(&*code, "53300" | "57P01" | "57P02" | "57P03")
        }),
        _ => false,
    }
}

/// The breaker. Cheap to clone; clones share the state.
#[derive(Debug, Clone)]
pub(super) struct Breaker(Arc<State>);

#[derive(Debug)]
struct State {
    failures: AtomicU32,
    open: watch::Sender<bool>,
    /// Whether a task is probing.
    probed: AtomicBool,
}

impl Default for Breaker {
    fn default() -> Self {
        metrics::gauge!(OPEN).set(0.0);
        let state =
            State { failures: AtomicU32::new(0), open: watch::Sender::new(false), probed: AtomicBool::new(false) };
        Self(Arc::new(state))
    }
}

impl Breaker {
    /// Whether it is open, with notifications of changes.
    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.0.open.subscribe()
    }

    pub(super) fn is_open(&self) -> bool {
        *self.0.open.borrow()
    }

    /// Waits until it is closed.
    pub(super) async fn closed(&self) {
        // Cannot fail: the breaker owns the sender.
        let _ = self.watch().wait_for(|open| !open).await;
    }

    /// Runs one attempt of an operation, and updates the breaker by its result and duration.
    pub(super) async fn watched<T>(
        &self,
        pool: &PgPool,
        operation: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let mut operation = std::pin::pin!(operation);
        let result = match timeout(SUSPICIOUS, &mut operation).await {
            Ok(result) => result,
            Err(_) => {
                self.suspect(pool);
                operation.await
            }
        };
        match &result {
            Err(error) if speaks_of_health(error) => {
                self.failed(error);
                self.suspect(pool);
            }
            _ => self.0.failures.store(0, Ordering::Relaxed),
        }
        result
    }

    fn failed(&self, error: &sqlx::Error) {
        if self.0.failures.fetch_add(1, Ordering::Relaxed) + 1 >= THRESHOLD && !self.0.open.send_replace(true) {
            metrics::gauge!(OPEN).set(1.0);
            tracing::error!(
                error = error as &dyn std::error::Error,
                failures = THRESHOLD,
                "Postgres is unavailable: its breaker opened, and a probe tries it every two seconds"
            );
        }
    }

    fn close(&self) {
        self.0.failures.store(0, Ordering::Relaxed);
        if self.0.open.send_replace(false) {
            metrics::gauge!(OPEN).set(0.0);
            tracing::info!("Postgres is available again: its breaker closed");
        }
    }

    /// Probes until Postgres answers, on a separate connection: those of the pool may be broken or
    /// all in use. One task for each process; it ends with the last handle of the store.
    fn suspect(&self, pool: &PgPool) {
        if self.0.probed.swap(true, Ordering::AcqRel) {
            return;
        }
        let (state, options) = (Arc::downgrade(&self.0), pool.connect_options());
        let mut was_open = self.is_open();
        let mut wait = if was_open { OPEN_FOR } else { Duration::ZERO };
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(wait).await;
                let answer = probe(&options).await;
                let Some(breaker) = state.upgrade().map(Self) else { return };
                if breaker.learn(was_open, answer).is_break() {
                    return;
                }
                was_open = breaker.is_open();
                wait = if was_open { OPEN_FOR } else { BETWEEN_SUSPICIONS };
            }
        });
    }

    /// Handles the result of a probe. Probing stops when Postgres answers. A probe that began
    /// before the breaker opened does not close it.
    fn learn(&self, was_open: bool, answer: Result<(), sqlx::Error>) -> ControlFlow<()> {
        match answer {
            Err(error) if speaks_of_health(&error) => {
                self.failed(&error);
                return ControlFlow::Continue(());
            }
            // Any answer counts, also an error.
            _ if was_open => self.close(),
            _ => {}
        }
        self.0.probed.swap(false, Ordering::AcqRel);
        // The breaker may have opened just now, relying on this task.
        if self.is_open() && !self.0.probed.swap(true, Ordering::AcqRel) {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(())
    }
}

async fn probe(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let ask = async {
        let mut connection = PgConnection::connect_with(options).await?;
        connection.ping().await?;
        connection.close().await
    };
    timeout(PROBE_TIMEOUT, ask).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// Makes Postgres raise an error with this SQLSTATE.
    async fn raise(pool: &PgPool, code: &str) -> Result<(), sqlx::Error> {
        let statement = format!("do $$ begin raise exception using errcode = '{code}'; end $$");
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(pool).await.map(drop)
    }

    #[sqlx::test(migrations = false)]
    async fn only_what_speaks_of_postgres_health_counts(pool: PgPool) {
        for code in ["08006", "53300", "57P01", "57P02", "57P03"] {
            assert!(speaks_of_health(&raise(&pool, code).await.unwrap_err()), "{code}");
        }
        for code in ["23505", "25006", "40001", "53100", "55P03", "57014", "42601"] {
            assert!(!speaks_of_health(&raise(&pool, code).await.unwrap_err()), "{code}");
        }
        assert!(speaks_of_health(&sqlx::Error::PoolTimedOut));
        assert!(speaks_of_health(&sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into())));
        assert!(!speaks_of_health(&sqlx::Error::RowNotFound));
    }

    #[sqlx::test(migrations = false)]
    async fn five_failures_in_a_row_open_it_and_a_probe_closes_it(pool: PgPool) {
        let breaker = Breaker::default();
        let fail = |code| breaker.watched(&pool, raise(&pool, code));
        for _ in 0..4 {
            fail("57P03").await.unwrap_err();
        }
        fail("23505").await.unwrap_err();
        for _ in 0..4 {
            fail("57P03").await.unwrap_err();
        }
        assert!(!breaker.is_open(), "the one between was an answer");
        let began = std::time::Instant::now();
        fail("57P03").await.unwrap_err();
        assert!(breaker.is_open());
        timeout(4 * OPEN_FOR, breaker.closed()).await.unwrap();
        assert!(began.elapsed() >= OPEN_FOR, "a probe that was under way does not close it");
        for _ in 0..4 {
            fail("57P03").await.unwrap_err();
        }
        assert!(!breaker.is_open(), "it counts anew");
    }

    #[tokio::test]
    async fn connections_that_are_refused_open_it_before_the_pool_gives_up() {
        let nobody = sqlx::postgres::PgPoolOptions::new().connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap();
        let breaker = Breaker::default();
        let mut opened = breaker.watch();
        let operation = breaker.watched(&nobody, async { nobody.acquire().await.map(drop) });
        tokio::select! {
            _ = operation => panic!("the pool waits for half a minute"),
            opened = timeout(Duration::from_secs(10), opened.wait_for(|open| *open)) => drop(opened.unwrap().unwrap()),
        }
        assert!(breaker.is_open());
    }
}
