//! Hints by Redis' publish and subscribe: that a job changed (from workers to waiting clients), and
//! that a job was cancelled (from clients to workers). A hint can be lost, so waiting code also
//! reads Postgres from time to time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use copydesk_domain::id::JobId;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::redis::{Redis, RedisError};

/// The wait before a lost subscription is renewed.
const RESUBSCRIBE_AFTER: Duration = Duration::from_millis(200);

/// Publishes hints.
#[derive(Debug, Clone)]
pub struct Notifier {
    redis: Redis,
    changes: String,
    cancellations: String,
}

impl Notifier {
    /// Publishes on this installation's channels.
    pub fn new(redis: &Redis) -> Self {
        let keys = redis.keys();
        Self { redis: redis.clone(), changes: keys.job_events(), cancellations: keys.job_cancellations() }
    }

    /// Tells waiting clients that the job changed. A failure is only logged: the change itself is
    /// in Postgres.
    pub async fn publish(&self, id: JobId) {
        self.tell(&self.changes, id).await;
    }

    /// The same, without waiting for Redis. Needs a tokio runtime.
    pub fn publish_soon(&self, id: JobId) {
        let notifier = self.clone();
        tokio::spawn(async move { notifier.publish(id).await });
    }

    /// Tells the job's worker and waiting clients that it was cancelled. A failure is only logged:
    /// the worker's next write is refused.
    pub async fn cancelled(&self, id: JobId) {
        tokio::join!(self.tell(&self.cancellations, id), self.tell(&self.changes, id));
    }

    async fn tell(&self, channel: &str, id: JobId) {
        if let Err(error) = self.redis.publish(channel, &id.to_string()).await {
            tracing::debug!(error = &error as &dyn std::error::Error, job.id = %id, "a hint was not published");
        }
    }
}

type Waiters = Arc<Mutex<HashMap<JobId, watch::Sender<()>>>>;

/// Receives hints of changed jobs, over one connection for each process.
#[derive(Debug, Clone)]
pub struct Listener {
    waiters: Waiters,
}

impl Listener {
    /// Receives every hint of a change until `stop`; reconnects forever.
    pub fn start(redis: Redis, stop: CancellationToken) -> Self {
        let changes = redis.keys().job_events();
        Self::of(redis, changes, stop)
    }

    /// Receives only cancellations.
    pub fn of_cancellations(redis: Redis, stop: CancellationToken) -> Self {
        let cancellations = redis.keys().job_cancellations();
        Self::of(redis, cancellations, stop)
    }

    fn of(redis: Redis, channel: String, stop: CancellationToken) -> Self {
        let waiters = Waiters::default();
        let heard = Arc::clone(&waiters);
        hear(redis, channel, stop, move |payload| {
            let Ok(id) = payload.parse::<JobId>() else { return };
            if let Some(waiter) = heard.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
                waiter.send_replace(());
            }
        });
        Self { waiters }
    }

    /// Subscribes to changes of one job.
    pub fn subscribe(&self, id: JobId) -> Subscription {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = waiters.entry(id).or_insert_with(|| watch::channel(()).0).subscribe();
        Subscription { id, changed: Some(changed), waiters: Arc::clone(&self.waiters) }
    }
}

/// Calls `heard` with each message of a channel until `stop`; renews a lost subscription forever.
pub(crate) fn hear(
    redis: Redis,
    channel: String,
    stop: CancellationToken,
    heard: impl Fn(&str) + Send + Sync + 'static,
) {
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        loop {
            if let Err(error) = hear_once(&redis, &channel, &heard).await {
                tracing::debug!(error = &error as &dyn std::error::Error, channel, "a subscription broke");
            }
            tokio::time::sleep(RESUBSCRIBE_AFTER).await;
        }
    }));
}

async fn hear_once(redis: &Redis, channel: &str, heard: &(impl Fn(&str) + Send + Sync)) -> Result<(), RedisError> {
    let mut subscriber = redis.subscriber().await?;
    subscriber.subscribe(channel).await?;
    let mut messages = subscriber.on_message();
    while let Some(message) = messages.next().await {
        if let Ok(payload) = message.get_payload::<String>() {
            heard(&payload);
        }
    }
    Ok(())
}

/// A subscription to changes of one job. Dropping it frees everything.
#[derive(Debug)]
pub struct Subscription {
    id: JobId,
    changed: Option<watch::Receiver<()>>,
    waiters: Waiters,
}

impl Subscription {
    /// Returns once the job has changed since the subscription or since the last return.
    pub async fn changed(&mut self) {
        if let Some(changed) = &mut self.changed {
            // Cannot fail: the sender lives in the map as long as the subscription.
            let _ = changed.changed().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed = None;
        if waiters.get(&self.id).is_some_and(|waiter| waiter.receiver_count() == 0) {
            waiters.remove(&self.id);
        }
    }
}
