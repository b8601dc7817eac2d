//! The leases of this worker: renewed on a timer, given up when lost, settled in batches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use copydesk_common::queue::message::Message;
use copydesk_common::queue::{BATCH, Entry, Queue, QueueError, Renewal, Settled};
use copydesk_domain::id::JobId;
use copydesk_domain::job::LeaseRef;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// The longest interval of renewals: short enough to notice a flush and readopt the jobs before the
/// sweep hands them to others.
const RENEWAL: Duration = Duration::from_secs(2);
/// How long a worker that leaves tries to settle its leases.
const LEAVING: Duration = Duration::from_secs(2);
/// The wait before a failed settlement is retried. Retries end with the length of the lease.
const SETTLE_RETRY: Duration = Duration::from_millis(200);

/// Until when a lease is certainly this worker's own, by the clock of this process. A worker that
/// was stopped or cut off from Redis for longer notices it by this, before Redis reports it.
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

/// One job of this worker.
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

/// All jobs of this worker.
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
            // Redis leased the same job to this worker again, so the earlier lease has expired.
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

/// The held job, if its lease is still this one.
fn still(held: &HashMap<JobId, Held>, lease: LeaseRef) -> Option<&Held> {
    held.get(&lease.id).filter(|held| held.lease == lease)
}

fn remove(held: &mut HashMap<JobId, Held>, lease: LeaseRef) -> Option<Held> {
    still(held, lease)?;
    held.remove(&lease.id)
}

/// The task that renews and settles leases: one for each worker.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) queue: Queue,
    pub(super) leases: Leases,
    pub(super) lease_ms: u64,
    pub(super) settled: mpsc::UnboundedReceiver<Settled>,
    /// Cancelled once no handler runs any more, so nothing more will be reported.
    pub(super) close: CancellationToken,
}

impl Keeper {
    /// Runs until it is closed and the last settlement is made.
    pub(super) async fn run(mut self) {
        let mut renewal = tokio::time::interval(RENEWAL.min(Duration::from_millis(self.lease_ms / 3)));
        renewal.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                () = self.close.cancelled(), if !self.settled.is_closed() => self.settled.close(),
                _ = renewal.tick() => {
                    if let Err(error) = self.renew_once().await {
                        tracing::warn!(error = &error as &dyn std::error::Error, "could not renew the leases");
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

    /// Renews every lease, gives up lost ones, and readopts those that Redis forgot in a flush.
    async fn renew_once(&self) -> Result<(), QueueError> {
        let held = self.leases.snapshot();
        if held.is_empty() {
            return Ok(());
        }
        // Counted from the request, not from the answer: Redis counts from a moment in between.
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
            tracing::warn!(job.id = %lease.id, "the lease was lost: this worker stops running the job");
            held.lost.cancel();
        }
    }

    /// Settles ended leases. While Redis is unavailable, it retries for the length of a lease.
    /// After that the leases have expired, and the rows have the jobs' states.
    async fn settle(&self, batch: &mut Vec<Settled>) {
        let ended = std::mem::take(batch);
        self.leases.drop_all(&ended);
        let patience = Duration::from_millis(self.lease_ms);
        // A worker that leaves does not stay for Redis: its leases expire, and the rows have the jobs' states.
        let told = async {
            self.close.cancelled().await;
            tokio::time::sleep(LEAVING).await;
        };
        tokio::select! {
            () = self.settle_within(&ended, patience) => {}
            () = told => tracing::warn!(jobs = ended.len(), "the worker leaves without settling its leases: they expire"),
        }
    }

    async fn settle_within(&self, ended: &[Settled], patience: Duration) {
        let give_up_at = tokio::time::Instant::now() + patience;
        while let Err(error) = self.queue.settle(ended).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                jobs = ended.len(),
                "could not settle ended leases: they expire by themselves"
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
