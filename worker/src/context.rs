//! What every handler of this process shares. Made once, at the start.

use std::time::Duration;

use copydesk_common::notify::Notifier;
use copydesk_common::redis::Redis;
use copydesk_common::store::Store;
use tokio_util::sync::CancellationToken;

use crate::broadcast::Broadcast;
use crate::cancel::Cancellations;
use crate::journal::Journal;

/// What every handler of this process shares.
#[derive(Debug)]
pub struct Context {
    /// Postgres.
    pub store: Store,
    /// What jobs write there together.
    pub journal: Journal,
    /// Redis.
    pub redis: Redis,
    /// Wakes clients that wait for a job.
    pub notifier: Notifier,
    /// Tells those who follow a job what happens to it.
    pub broadcast: Broadcast,
    /// Hears of jobs that were cancelled.
    pub cancellations: Cancellations,
    /// Names this process in leases: host, process and a random part, so that no two are alike.
    pub owner: String,
    /// The wait before the second attempt of a job.
    pub first_backoff: Duration,
    /// The longest that a call to a provider may take: what a job needs before its deadline to end
    /// with a fallback.
    pub longest_call: Duration,
    /// How the worker leaves.
    pub leaving: Leaving,
}

/// The two steps in which a worker leaves.
#[derive(Debug, Clone, Default)]
pub struct Leaving {
    /// No new jobs, and none goes on to its next stage.
    pub draining: CancellationToken,
    /// The grace is over: what still runs is given back as it is.
    pub grace_over: CancellationToken,
}

impl Context {
    /// The name of this process: host, process id, and a part that no restart repeats.
    pub fn process_name() -> String {
        format!("{}-{}-{:08x}", Self::host_name(), std::process::id(), rand::random::<u32>())
    }

    /// The name of this machine, as far as its environment tells.
    pub fn host_name() -> String {
        std::env::var("HOSTNAME").unwrap_or_else(|_| "worker".into())
    }
}
