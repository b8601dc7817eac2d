//! The leases that this worker holds: renewed on a timer, given up when lost, ended in batches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use copydesk_common::queue::message::Message;
use copydesk_common::queue::{BATCH, Entry, Queue, QueueError, Renewal, Settled};
use copydesk_domain::id::JobId;
use copydesk_domain::job::LeaseRef;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Leases are renewed at least this often: a flush is noticed, and the jobs taken back, before the
/// sweep hands them to others.
const RENEWAL: Duration = Duration::from_secs(2);
/// The wait before a failed settlement is tried again. The lease bounds how long that makes sense.
const SETTLE_RETRY: Duration = Duration::from_millis(200);

/// Until when a lease is ours for certain, by the clock of this process: a worker that stood still, or
/// was cut off from Redis, for longer finds that out before it hears it from anybody.
#[derive(Debug, Clone)]
pub(super) struct Tenure(Arc<Mutex<Instant>>);

impl Tenure {
    pub(super) fn until(end: Instant) -> Self {
        Self(Arc::new(Mutex::new(end)))
    }

    fn extend(&self, end: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One job in this worker's hands.
#[derive(Debug)]
struct Held {
    lease: LeaseRef,
    message: Arc<Message>,
    lost: CancellationToken,
    tenure: Tenure,
}

impl Held {
    fn entry(&self) -> Entry {
        Entry { message: Message::clone(&self.message), not_before: None, begun: None }
    }
}

/// Every job in this worker's hands.
#[derive(Debug, Clone, Default)]
pub(super) struct Leases(Arc<Mutex<HashMap<JobId, Held>>>);

impl Leases {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job. The token is cancelled when its lease is lost.
    pub(super) fn hold(&self, lease: LeaseRef, message: Arc<Message>, tenure: Tenure) -> CancellationToken {
        let lost = CancellationToken::new();
        let held = Held { lease, lost: lost.clone(), message, tenure };
        if let Some(previous) = self.lock().insert(lease.id, held) {
            // Redis leased us the same job again, so the earlier lease has run out.
            previous.lost.cancel();
        }
        lost
    }

    fn drop_lease(&self, lease: LeaseRef) -> Option<Held> {
        remove(&mut self.lock(), lease)
    }

    fn drop_all(&self, ended: &[Settled]) {
        let mut held = self.lock();
        for settled in ended {
            remove(&mut held, settled.lease);
        }
    }

    fn extend(&self, lease: LeaseRef, end: Instant) {
        if let Some(held) = still(&self.lock(), lease) {
            held.tenure.extend(end);
        }
    }

    fn snapshot(&self) -> Vec<LeaseRef> {
        self.lock().values().map(|held| held.lease).collect()
    }
}

/// The job in hand whose lease is still this one.
fn still(held: &HashMap<JobId, Held>, lease: LeaseRef) -> Option<&Held> {
    held.get(&lease.id).filter(|held| held.lease == lease)
}

fn remove(held: &mut HashMap<JobId, Held>, lease: LeaseRef) -> Option<Held> {
    still(held, lease)?;
    held.remove(&lease.id)
}

/// Renews and settles: one task a worker.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) queue: Queue,
    pub(super) leases: Leases,
    pub(super) lease_ms: u64,
    pub(super) settled: mpsc::UnboundedReceiver<Settled>,
    /// Cancelled once no handler runs any more: what has been reported is all there will be.
    pub(super) close: CancellationToken,
}

impl Keeper {
    /// Works until it is closed and the last settlement is made.
    pub(super) async fn run(mut self) {
        let mut renewal = tokio::time::interval(RENEWAL.min(Duration::from_millis(self.lease_ms / 3)));
        renewal.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                () = self.close.cancelled(), if !self.settled.is_closed() => self.settled.close(),
                _ = renewal.tick() => {
                    if let Err(error) = self.renew_once().await {
                        tracing::warn!(error = &error as &dyn std::error::Error, "leases were not renewed");
                    }
                }
                received = self.settled.recv_many(&mut batch, BATCH) => {
                    if received == 0 {
                        return;
                    }
                    self.settle(&mut batch).await;
                }
            }
        }
    }

    /// Renews every lease; gives up those that were lost, and takes back those that a flush made
    /// Redis forget.
    async fn renew_once(&self) -> Result<(), QueueError> {
        let held = self.leases.snapshot();
        if held.is_empty() {
            return Ok(());
        }
        // From when we ask, not from the answer: Redis counts from somewhere in between.
        let end = Instant::now() + Duration::from_millis(self.lease_ms);
        let renewals = self.queue.renew(&held, self.lease_ms).await?;
        let mut forgotten = Vec::new();
        for (&lease, renewal) in held.iter().zip(renewals) {
            match renewal {
                Renewal::Extended => self.leases.extend(lease, end),
                Renewal::Lost => self.give_up(lease),
                Renewal::Unknown => forgotten.push(lease),
            }
        }
        self.readopt(&forgotten).await
    }

    async fn readopt(&self, forgotten: &[LeaseRef]) -> Result<(), QueueError> {
        let jobs: Vec<(LeaseRef, Entry)> = {
            let held = self.leases.lock();
            forgotten.iter().filter_map(|&lease| Some((lease, still(&held, lease)?.entry()))).collect()
        };
        let end = Instant::now() + Duration::from_millis(self.lease_ms);
        let readopted = self.queue.readopt(&jobs, self.lease_ms).await?;
        for (&(lease, _), readopted) in jobs.iter().zip(readopted) {
            if readopted {
                self.leases.extend(lease, end);
            } else {
                self.give_up(lease);
            }
        }
        Ok(())
    }

    fn give_up(&self, lease: LeaseRef) {
        if let Some(held) = self.leases.drop_lease(lease) {
            tracing::warn!(job.id = %lease.id, "the lease was lost: the job is left to another worker");
            held.lost.cancel();
        }
    }

    /// Tells Redis of ended leases. While Redis is away it tries again for the length of a lease;
    /// after that they have run out by themselves, and the rows say where the jobs stand.
    async fn settle(&self, batch: &mut Vec<Settled>) {
        let ended = std::mem::take(batch);
        self.leases.drop_all(&ended);
        let give_up_at = tokio::time::Instant::now() + Duration::from_millis(self.lease_ms);
        while let Err(error) = self.queue.settle(&ended).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                jobs = ended.len(),
                "ended leases were not settled"
            );
            if tokio::time::Instant::now() >= give_up_at {
                return;
            }
            tokio::time::sleep(SETTLE_RETRY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenure_is_over_once_it_was_not_extended_in_time() {
        let now = Instant::now();
        let tenure = Tenure::until(now);
        assert!(tenure.is_over());
        tenure.extend(now + Duration::from_secs(60));
        assert!(!tenure.is_over());
    }
}
