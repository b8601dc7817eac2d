//! Copydesk's HTTP API: accepts jobs durably, shows their state, and serves its own reference. The
//! workers run the jobs.

use std::time::Duration;

use axum::Router;
use copydesk_common::config::Config;
use copydesk_common::files;
use copydesk_common::redis::{Redis, RedisError, WrongMode};
use copydesk_common::store::Store;
use copydesk_common::telemetry;
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub mod accept;
pub mod accepted;
pub mod access;
pub mod announce;
pub mod audit;
pub mod auth;
pub mod budget;
pub mod drain;
pub mod entity_tag;
pub mod error;
pub mod extract;
pub mod faults;
pub mod hasten;
pub mod keys;
pub mod loads;
pub mod metric;
pub mod observe;
pub mod openapi;
pub mod outlook;
pub mod page;
pub mod parsing;
pub mod peer;
pub mod problem;
pub mod protect;
pub mod rate;
pub mod read;
pub mod readiness;
pub mod refusal;
pub mod representation;
pub mod request_id;
pub mod route;
pub mod router;
mod serve;
pub mod state;
pub mod trim;
pub mod validate;

use readiness::Readiness;
pub use serve::ServeError;
use serve::{Limits, Served};

/// How long requests may take to finish during shutdown.
const GRACE: Duration = Duration::from_secs(10);
/// The most connections of clients, if the configuration does not say.
const MOST_CONNECTIONS: usize = 10_000;
/// The fewest, however low the limit of open files is.
const LEAST_CONNECTIONS: usize = 32;
/// The files and sockets beside connections of clients and the pool: those to Redis, and some of the
/// process itself.
const OTHER_FILES: usize = 128;
/// How long the announcement of committed jobs may take before the process ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why the service could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The driver does not accept `POSTGRES_URI`.
    #[error("POSTGRES_URI cannot be used")]
    Postgres(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The driver does not accept `REDIS_URL`.
    #[error("REDIS_URL cannot be used")]
    Redis(#[from] RedisError),
}

/// The service, ready to be served.
#[derive(Debug)]
pub struct App {
    router: Router,
    /// The probes of the health, for the thread that accepts connections.
    probes: Router,
    readiness: Readiness,
    limits: Limits,
    redis: Redis,
    closing: CancellationToken,
    work: TaskTracker,
}

/// Builds the service. Connects to nothing yet: it starts while Postgres or Redis is unavailable,
/// and reports that it is not ready. Needs a tokio runtime.
pub fn build(config: &Config) -> Result<App, BuildError> {
    // Starts counting at the first request, not at the first scrape.
    let _ = telemetry::metrics();
    let store = Store::new(&config.postgres).map_err(|error| BuildError::Postgres(error.into()))?;
    let redis = Redis::new(&config.redis)?;
    let closing = CancellationToken::new();
    let work = TaskTracker::new();
    let services = state::Services::new(config, store, redis.clone(), closing.clone(), &work);
    let readiness = services.readiness.clone();
    let (router, probes) = router::routers(config, services);
    Ok(App { router, probes, readiness, limits: limits(config), redis, closing, work })
}

/// The limits of connections. Files are kept back for everything else: the pool, Redis, the store's
/// own connections, the listener, the logs.
fn limits(config: &Config) -> Limits {
    let pool = u64::from(config.postgres.pool_size) + u64::from(config.postgres.pool_overflow);
    let others = OTHER_FILES + usize::try_from(pool).unwrap_or(usize::MAX / 2);
    let room = files::limit().map_or(usize::MAX, |files| files.saturating_sub(others));
    // A quarter is for connections beyond the limit.
    let room = (room / 4 * 3).max(LEAST_CONNECTIONS);
    let connections = config.api.max_connections.unwrap_or(room.min(MOST_CONNECTIONS));
    if connections > room {
        tracing::warn!(
            connections = room,
            "the limit of open files has room for fewer connections than COPYDESK_API_MAX_CONNECTIONS"
        );
    }
    let connections = connections.min(room);
    Limits { connections, reserve: connections.div_ceil(3), per_peer: config.api.max_connections_per_peer }
}

impl App {
    /// The most connections of clients.
    pub fn max_connections(&self) -> usize {
        self.limits.connections
    }

    /// Checks that `REDIS_URL` matches the kind of server, if Redis answers.
    pub async fn check(&self) -> Result<(), WrongMode> {
        self.redis.check_mode().await
    }

    /// Serves until `stop`. Then it accepts no more connections, answers requests that wait for a
    /// job with the job's current state, and lets other requests finish, for at most 10 seconds.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let closing = self.closing.clone();
        let stopped = async move {
            stop.await;
            tracing::info!("shutting down");
            closing.cancel();
        };
        let Self { router: app, probes, readiness, limits, .. } = self;
        let served = Served { app, probes, readiness, limits, head_time: serve::HEAD_TIME };
        let outcome = tokio::select! {
            outcome = serve::serve(listener, served, stopped) => outcome,
            () = overdue(self.closing) => {
                tracing::warn!(grace_seconds = GRACE.as_secs(), "requests that had not finished were cut off");
                Ok(())
            }
        };
        self.work.close();
        // After the time limit, the workers' sweep finds the jobs that were not announced.
        let _ = timeout(LAST_WORDS, self.work.wait()).await;
        outcome
    }
}

async fn overdue(closing: CancellationToken) {
    closing.cancelled().await;
    tokio::time::sleep(GRACE).await;
}
