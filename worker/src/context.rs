//! The context that all handlers of this process share. Made once, at the start.

use std::time::Duration;

use copydesk_common::notify::Notifier;
use copydesk_common::redis::Redis;
use copydesk_common::store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::broadcast::Broadcast;
use crate::cancel::Cancellations;
use crate::journal::Journal;

/// The context of all handlers.
#[derive(Debug)]
pub struct Context {
    /// Postgres.
    pub store: Store,
    /// Batches the jobs' writes to Postgres.
    pub journal: Journal,
    /// Redis.
    pub redis: Redis,
    /// Wakes clients that wait for a job.
    pub notifier: Notifier,
    /// Publishes hints and drafts to followers of jobs.
    pub broadcast: Broadcast,
    /// Receives hints of cancelled jobs.
    pub cancellations: Cancellations,
    /// The unique name of this process in leases: host, process id and a random part.
    pub owner: String,
    /// The wait before the second attempt of a job.
    pub first_backoff: Duration,
    /// The longest that a call to a provider may take. A job needs this much time before its
    /// deadline to end with a fallback.
    pub longest_call: Duration,
    /// The shutdown of the worker.
    pub leaving: Leaving,
}

/// The two steps of a worker's shutdown.
#[derive(Debug, Clone, Default)]
pub struct Leaving {
    /// Claims no new jobs, and no job starts its next stage.
    pub draining: CancellationToken,
    /// The grace period is over: jobs that still run are given back.
    pub grace_over: CancellationToken,
    /// What is still to be stored of jobs that were stopped midway.
    pub accounts: TaskTracker,
}

impl Context {
    /// The name of this process: host, process id, and a part that differs after a restart.
    pub fn process_name() -> String {
        format!("{}-{}-{:08x}", Self::host_name(), std::process::id(), rand::random::<u32>())
    }

    /// The name of this machine, as far as its environment tells.
    pub fn host_name() -> String {
        std::env::var("HOSTNAME").unwrap_or_else(|_| "worker".into())
    }
}
