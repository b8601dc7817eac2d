//! Copydesk's worker: takes jobs from the queue and runs them to their end.
//!
//! [`consume`] claims jobs, [`execute`] makes their transitions, [`handler`] does their work:
//! [`pipeline`] writes a text, [`ingest`] and [`feedback`] handle the other kinds. [`sweep`] pushes
//! jobs that Redis does not know.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use copydesk_common::clock;
use copydesk_common::config::Config;
use copydesk_common::notify::Notifier;
use copydesk_common::presence::WorkerInfo;
use copydesk_common::redis::{Redis, RedisError, WrongMode};
use copydesk_common::store::Store;
use copydesk_common::telemetry;
use tokio_util::sync::CancellationToken;

pub mod broadcast;
pub mod cancel;
pub mod consume;
pub mod context;
mod distill;
pub mod embed;
mod erase;
mod execute;
pub mod feedback;
pub mod handler;
mod health;
pub mod ingest;
pub mod journal;
mod metric;
pub mod outcome;
pub mod pipeline;
mod presence;
mod problem;
pub mod provider;
pub mod queue;
mod retry;
pub mod sweep;
mod timekeeping;
pub mod tokens;
mod unused_limits;

use broadcast::Broadcast;
use cancel::Cancellations;
use consume::Receiving;
use context::{Context, Leaving};
use handler::{Handler, Handlers};
use journal::Journal;
use queue::backend::BackendOptions;
use sweep::Sweep;

/// How long a job's write waits while Postgres is unavailable before the stage's result is given
/// up: a restart takes seconds, a failover up to a minute.
const STORE_PATIENCE: Duration = Duration::from_secs(60);

/// How long a worker that shuts down waits until its entry in the overview is removed, and what
/// stopped jobs used is stored. Without Redis, the missing heartbeats have the same effect.
const TELLING_TIME: Duration = Duration::from_secs(2);

/// The worker cannot be started, or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// `POSTGRES_URI` is not a valid URI.
    #[error("POSTGRES_URI cannot be used")]
    Postgres(#[source] sqlx::Error),
    /// `REDIS_URL` is not a valid URL.
    #[error("REDIS_URL cannot be used")]
    Redis(#[from] RedisError),
    /// `REDIS_URL` does not match the kind of Redis server.
    #[error(transparent)]
    RedisMode(#[from] WrongMode),
    /// The clients of the providers cannot be created.
    #[error("the clients of the providers cannot be created")]
    Providers(#[from] provider::ClientError),
    /// The port of `/metrics` and `/health` cannot be opened.
    #[error("COPYDESK_WORKER_LISTEN: cannot listen at {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// apalis' monitor ended with an error.
    #[error("the workers stopped")]
    Monitor(#[from] apalis::prelude::MonitorError),
}

/// A worker, ready to run.
#[derive(Debug)]
pub struct Worker {
    config: Config,
    context: Arc<Context>,
    handler: Arc<dyn Handler>,
    receiving: Receiving,
}

/// Makes a worker from its configuration, without connecting to anything. Needs a tokio runtime.
pub fn build(config: Config) -> Result<Worker, WorkerError> {
    let context = context(&config)?;
    let handler = Arc::new(Handlers::new(&config, &context)?);
    Ok(Worker { config, context: Arc::new(context), handler, receiving: Receiving::default() })
}

/// The same with another handler for all kinds; jobs are claimed, begun, renewed and settled as
/// usual. Used to measure the overhead of a job.
pub fn build_with(config: Config, handler: Arc<dyn Handler>) -> Result<Worker, WorkerError> {
    let context = Arc::new(context(&config)?);
    Ok(Worker { config, context, handler, receiving: Receiving::default() })
}

fn context(config: &Config) -> Result<Context, WorkerError> {
    let leaving = Leaving::default();
    let store = Store::new(&config.postgres).map_err(WorkerError::Postgres)?;
    let store = store.patient(STORE_PATIENCE, leaving.grace_over.clone());
    let redis = Redis::new(&config.redis)?;
    let owner = Context::process_name();
    Ok(Context {
        journal: Journal::start(&store, &owner),
        store,
        cancellations: Cancellations::listen(&redis),
        notifier: Notifier::new(&redis),
        broadcast: Broadcast::start(&redis),
        redis,
        owner,
        first_backoff: Duration::from_millis(config.worker.first_backoff_ms),
        longest_call: config.providers.call_timeout(),
        leaving,
    })
}

impl Worker {
    /// Whether it can receive jobs.
    pub fn receiving(&self) -> Receiving {
        self.receiving.clone()
    }

    /// Works until `signal`, then shuts down: it claims no new jobs; running stages end within the
    /// grace period or their jobs are given back. This spends no attempt.
    pub async fn run(self, signal: impl Future<Output = ()> + Send + 'static) -> Result<(), WorkerError> {
        self.context.redis.check_mode().await?;
        timekeeping::begin(&self.context.redis).await;
        let stopped = CancellationToken::new();
        let _stop = stopped.clone().drop_guard();
        let Leaving { draining, grace_over, accounts } = self.context.leaving.clone();
        let ops = self.serve_ops(stopped.clone());
        let sweep = Sweep::new(
            self.context.store.clone(),
            self.context.redis.clone(),
            self.context.owner.clone(),
            Duration::from_millis(self.config.worker.sweep_ms),
        )
        .keeping(self.config.retention.clone());
        let unused = unused_limits::warn(self.context.store.clone(), self.config.providers.clone());
        tokio::spawn(draining.clone().run_until_cancelled_owned(unused));
        tokio::task::spawn_blocking(tokens::load);
        tokio::spawn(draining.clone().run_until_cancelled_owned(sweep.run()));
        tokio::spawn(stopped.clone().run_until_cancelled_owned(telemetry::upkeep()));
        tokio::spawn(stopped.clone().run_until_cancelled_owned(timekeeping::keep(self.context.redis.clone())));
        let presence = tokio::spawn(presence::tell(self.context.redis.clone(), self.present(), draining.clone()));
        let options = BackendOptions {
            concurrency: usize::from(self.config.worker.concurrency),
            lease_ms: self.config.worker.lease_ms,
            business_jobs_at_once: self.config.worker.business_jobs_at_once,
            stop: draining.clone(),
            // While the breaker is open, a claimed job could not even be started.
            hold: self.context.store.watch_breaker(),
        };
        let grace = Duration::from_millis(self.config.worker.drain_ms);
        let workers = consume::workers(&self.context, &self.handler, &options, &self.receiving);
        tracing::info!(worker.name = self.context.owner, "the worker has started");
        let leave = async move {
            signal.await;
            tracing::info!("the worker is shutting down");
            draining.cancel();
            tokio::spawn(stopped.run_until_cancelled_owned(async move {
                tokio::time::sleep(grace).await;
                grace_over.cancel();
            }));
            Ok(())
        };
        tokio::select! {
            ended = workers.run_with_signal(leave) => ended?,
            Err(error) = ops => return Err(error),
        }
        // Waits for the removal from the overview: else operators would see the worker for half a
        // minute more.
        self.context.leaving.draining.cancel();
        accounts.close();
        let _ = tokio::time::timeout(TELLING_TIME, async { tokio::join!(presence, accounts.wait()) }).await;
        tracing::info!("the worker has shut down");
        Ok(())
    }

    fn present(&self) -> WorkerInfo {
        WorkerInfo {
            id: self.context.owner.clone(),
            host: Context::host_name(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            concurrency: self.config.worker.concurrency,
            started_at: clock::now(),
        }
    }

    async fn serve_ops(&self, stop: CancellationToken) -> Result<std::convert::Infallible, WorkerError> {
        if let Some(address) = self.config.worker.listen() {
            let draining = self.context.leaving.draining.clone();
            health::serve(address, self.context.store.clone(), self.receiving.clone(), draining, stop)
                .await
                .map_err(|source| WorkerError::Listen { address, source })?;
        }
        std::future::pending().await
    }
}
