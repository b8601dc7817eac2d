//! Postgres, the source of truth: the pool, its breaker, retries of transient failures, and one
//! module for each table.
//!
//! Every query is a checked macro. Every query on tenant data takes a
//! [`BusinessId`](copydesk_domain::business::BusinessId) or a fenced job. No query is held open
//! across a call to another service. Writes under a lease name its epoch and return
//! [`StoreError::Superseded`] if another lease has taken over.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgPoolOptions;
use sqlx::{Connection, PgPool};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::PostgresConfig;

pub mod audit;
mod breaker;
pub mod business;
pub mod document;
pub mod embedding;
pub mod erase;
pub mod export;
pub mod feedback;
pub mod generation;
pub mod heartbeat;
pub mod history;
pub mod idempotency;
pub mod intake;
pub mod job;
pub mod key;
pub mod knowledge;
pub mod learning;
pub mod limit;
pub mod retention;
pub mod session;
pub mod share;

use breaker::Breaker;

/// The schema's migrations, embedded.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// Attempts of an operation that fails for a transient reason.
const ATTEMPTS: u32 = 3;
/// The wait before the second attempt; it doubles for each further one, up to [`MAX_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_secs(2);
const MAX_BACKOFF: Duration = Duration::from_secs(8);
/// A connection that was idle for longer is pinged before it is used. Pinging one that was just in
/// use would double the round trips of a busy pool.
const TEST_AFTER_IDLE: Duration = Duration::from_secs(1);

/// Why an operation of the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Postgres is unavailable or overloaded, also after retries. Try again later.
    #[error("the database is not available")]
    Unavailable(#[source] sqlx::Error),
    /// Postgres was unavailable a moment ago, and is not called until a probe succeeds. Try again
    /// later.
    #[error("the database is unavailable: its breaker is open")]
    BreakerOpen,
    /// Another lease runs the job, or the job has ended. Stop working on it.
    #[error("the job has ended or runs under another lease")]
    Superseded,
    /// A row has a value that this version cannot read.
    #[error("a row of {table} cannot be read")]
    Unreadable {
        /// The table.
        table: &'static str,
        /// What was wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The statement failed and would fail again.
    #[error("the database refused a statement")]
    Refused(#[source] sqlx::Error),
}

impl StoreError {
    fn unreadable(table: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unreadable { table, source: source.into() }
    }

    /// Whether the same operation may succeed later.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::BreakerOpen)
    }

    /// The constraint that the statement violated, if any.
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Refused(error) => error.as_database_error()?.constraint(),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if is_transient(&error) { Self::Unavailable(error) } else { Self::Refused(error) }
    }
}

/// Whether the same statement may soon succeed: the connection was lost, the server is starting,
/// full or shutting down, or the transaction was rolled back by a serialization failure or a
/// deadlock.
fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(database) => database.code().is_some_and(|code| {
            // 08 connection, 40 rollback, 53 resources, 57P operator intervention, 25006 a primary
            // that has become a read-only standby, 55P03 lock not available.
            code.starts_with("08")
                || code.starts_with("40")
                || code.starts_with("53")
                || matches!(&*code, "57P01" | "57P02" | "57P03" | "57P05" | "25006" | "55P03")
        }),
        _ => false,
    }
}

/// A handle on Postgres. Cheap to clone: clones share one pool.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    core_connections: u32,
    breaker: Breaker,
    patience: Patience,
    /// The row that changes of this handle write.
    audit: Option<Arc<audit::Entry>>,
}

/// How long an operation waits for an open breaker.
#[derive(Debug, Clone, Default)]
struct Patience {
    most: Duration,
    /// Cancelled when no operation should wait any longer.
    over: CancellationToken,
}

/// The pool as `/health` shows it, with the field names of the service that this one replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStatus {
    /// Connections of the pool in normal operation.
    pub size: u32,
    /// In use.
    pub checked_out: u32,
    /// Open and idle.
    pub checked_in: u32,
    /// Open beyond `size`.
    pub overflow: u32,
}

/// Settings of each connection. JIT compilation is off: it takes Postgres up to 100 ms, and no
/// statement here runs long enough to be worth it. Random reads are priced for SSDs, so that pages
/// are read through indexes: at the default prices the planner prefers reading tens of thousands of
/// rows sequentially to two thousand random ones.
const SETTINGS: [(&str, &str); 4] =
    [("statement_timeout", "30s"), ("timezone", "UTC"), ("jit", "off"), ("random_page_cost", "1.1")];

impl Store {
    /// Creates the pool without connecting: a process starts while Postgres is unavailable, and
    /// reports that it is not ready.
    pub fn new(config: &PostgresConfig) -> Result<Self, sqlx::Error> {
        let (options, ignored) = config.options().map_err(|error| sqlx::Error::Configuration(error.into()))?;
        if !ignored.is_empty() {
            tracing::warn!(parameters = ignored.join(", "), "some parameters of POSTGRES_URI have no effect");
        }
        let options = options.application_name("copydesk").options(SETTINGS);
        let pool = PgPoolOptions::new()
            .max_connections(config.pool_size + config.pool_overflow)
            .acquire_timeout(Duration::from_secs(config.acquire_timeout_seconds))
            .max_lifetime(Duration::from_secs(config.recycle_seconds))
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move { Ok(meta.idle_for < TEST_AFTER_IDLE || connection.ping().await.is_ok()) })
            })
            .connect_lazy_with(options);
        Ok(Self::with(pool, config.pool_size))
    }

    /// Uses an existing pool, such as that of a test.
    pub fn from_pool(pool: PgPool) -> Self {
        let core_connections = pool.options().get_max_connections();
        Self::with(pool, core_connections)
    }

    fn with(pool: PgPool, core_connections: u32) -> Self {
        Self { pool, core_connections, breaker: Breaker::default(), patience: Patience::default(), audit: None }
    }

    /// Makes operations of this handle wait for an open breaker, each for at most `most` and until
    /// `over`, instead of failing at once. For work whose result would otherwise be lost.
    #[must_use]
    pub fn patient(self, most: Duration, over: CancellationToken) -> Self {
        Self { patience: Patience { most, over }, ..self }
    }

    /// Whether the breaker is open. Meanwhile, Postgres is not called.
    pub fn is_breaker_open(&self) -> bool {
        self.breaker.is_open()
    }

    /// The state of the breaker, for waiting for changes.
    pub fn watch_breaker(&self) -> watch::Receiver<bool> {
        self.breaker.watch()
    }

    /// Applies migrations, however long each statement takes: an index of a large table may need
    /// minutes. Other connections keep their limit.
    pub async fn migrate(&self, migrator: &Migrator) -> Result<(), MigrateError> {
        let mut connection = self.pool.acquire().await?.detach();
        sqlx::query("set statement_timeout = 0").execute(&mut connection).await?;
        migrator.run(&mut connection).await
    }

    /// The pool, for tests.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Fails if Postgres does not answer. One round trip, without retries.
    pub async fn ping(&self) -> Result<(), StoreError> {
        if self.breaker.is_open() {
            return Err(StoreError::BreakerOpen);
        }
        let ping = async { sqlx::query!("select 1 as one").fetch_one(&self.pool).await };
        self.breaker.watched(&self.pool, ping).await?;
        Ok(())
    }

    /// The current numbers of the pool's connections.
    pub fn pool_status(&self) -> PoolStatus {
        let open = self.pool.size();
        let checked_in = u32::try_from(self.pool.num_idle()).unwrap_or(open).min(open);
        PoolStatus {
            size: self.core_connections,
            checked_out: open - checked_in,
            checked_in,
            overflow: open.saturating_sub(self.core_connections),
        }
    }

    /// Runs `operation`, with retries after transient failures: 3 attempts in total, 2 and 4
    /// seconds apart with jitter. No attempt is made while the breaker is open. The operation must
    /// be idempotent, because after a lost connection it is not known whether the statement took
    /// effect.
    async fn retry<T, F>(&self, mut operation: impl FnMut() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        self.retry_told(|_| operation()).await
    }

    /// Waits for an open breaker as long as this handle's patience allows.
    async fn pass_breaker(&self, give_up: Instant) -> Result<(), StoreError> {
        if !self.breaker.is_open() {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = self.breaker.closed() => Ok(()),
            () = self.patience.over.cancelled() => Err(StoreError::BreakerOpen),
            () = tokio::time::sleep_until(give_up) => Err(StoreError::BreakerOpen),
        }
    }

    /// The same for an operation whose result depends on the state that it finds. Its argument says
    /// whether this is a retry, when that state may be its own effect.
    async fn retry_told<T, F>(&self, mut operation: impl FnMut(bool) -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        let mut backoff = FIRST_BACKOFF;
        let give_up = Instant::now() + self.patience.most;
        for attempt in 1.. {
            self.pass_breaker(give_up).await?;
            let operation = pin!(operation(attempt > 1));
            let result = self.breaker.watched(&self.pool, operation).await;
            match result.map_err(StoreError::from) {
                Err(StoreError::Unavailable(error)) if attempt < ATTEMPTS => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        attempt,
                        "a database operation failed and is tried again"
                    );
                    tokio::time::sleep(backoff.mul_f64(0.5 + rand::random::<f64>())).await;
                    backoff = (backoff * 2).min(MAX_BACKOFF);
                }
                result => return result,
            }
        }
        unreachable!("the last attempt returns")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use sqlx::SqlSafeStr;
    use sqlx::migrate::{Migration, MigrationType};
    use sqlx::postgres::PgConnectOptions;

    use super::*;

    /// A large index takes longer than a request may.
    #[tokio::test]
    async fn a_migration_may_take_as_long_as_it_needs() {
        let options: PgConnectOptions = copydesk_testkit::empty_database().await.parse().unwrap();
        let options = options.options([("statement_timeout", "20")]);
        let store = Store::from_pool(PgPoolOptions::new().connect_lazy_with(options));
        let slow = "select pg_sleep(0.1)".into_sql_str();
        let migration = Migration::new(1, "slow".into(), MigrationType::Simple, slow, false);
        store.migrate(&Migrator::with_migrations(vec![migration])).await.unwrap();
        sqlx::query("select pg_sleep(0.1)").execute(store.pool()).await.unwrap_err();
    }

    #[test]
    fn only_failures_that_may_pass_are_retried() {
        assert!(is_transient(&sqlx::Error::PoolTimedOut));
        assert!(is_transient(&sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())));
        assert!(!is_transient(&sqlx::Error::RowNotFound));
        assert!(!is_transient(&sqlx::Error::ColumnNotFound("x".into())));
    }
}
