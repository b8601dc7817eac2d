//! Cancelled jobs: hears at once that a client cancelled one, so that its call under way is dropped.
//! A word that is lost costs time only: the row has ended, and refuses every later write.

use copydesk_common::notify::{Listener, Subscription};
use copydesk_common::redis::Redis;
use copydesk_domain::id::JobId;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Hears of cancelled jobs, over one connection a process, until dropped.
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

    /// Hears from now on whether the job is cancelled.
    pub fn of(&self, id: JobId) -> Cancellation {
        Cancellation(self.listener.subscribe(id))
    }
}

/// Whether one job is cancelled.
#[derive(Debug)]
pub struct Cancellation(Subscription);

impl Cancellation {
    /// Returns once it is.
    pub async fn requested(&mut self) {
        self.0.changed().await;
    }
}
