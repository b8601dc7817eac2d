//! Cancelled jobs: a hint says at once that a client cancelled a job, so that its current call is
//! dropped. A lost hint costs only time: the row has ended, and refuses every later write.

use copydesk_common::notify::{Listener, Subscription};
use copydesk_common::redis::Redis;
use copydesk_domain::id::JobId;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Receives hints of cancelled jobs, over one connection for each process, until dropped.
#[derive(Debug)]
pub struct Cancellations {
    listener: Listener,
    _stop: DropGuard,
}

impl Cancellations {
    /// Starts to listen.
    pub fn listen(redis: &Redis) -> Self {
        let stop = CancellationToken::new();
        Self { listener: Listener::of_cancellations(redis.clone(), stop.clone()), _stop: stop.drop_guard() }
    }

    /// Watches from now on whether the job is cancelled.
    pub fn of(&self, id: JobId) -> Cancellation {
        Cancellation(self.listener.subscribe(id))
    }
}

/// Whether one job is cancelled.
#[derive(Debug)]
pub struct Cancellation(Subscription);

impl Cancellation {
    /// Returns once it is cancelled.
    pub async fn requested(&mut self) {
        self.0.changed().await;
    }
}
