//! The leases that this worker holds: renewed on a timer, given up when lost, ended in batches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use copydesk_domain::id::JobId;
use copydesk_domain::job::LeaseEpoch;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::message::Message;
use super::{BATCH, Entry, Next, Queue, QueueError, Renewal};

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
    epoch: LeaseEpoch,
    message: Arc<Message>,
    lost: CancellationToken,
    tenure: Tenure,
}

impl Held {
    fn entry(&self) -> Entry {
        Entry { message: Message::clone(&self.message), not_before: None }
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
    pub(super) fn hold(&self, message: Arc<Message>, epoch: LeaseEpoch, tenure: Tenure) -> CancellationToken {
        let lost = CancellationToken::new();
        let id = message.job_id();
        let held = Held { epoch, lost: lost.clone(), message, tenure };
        if let Some(previous) = self.lock().insert(id, held) {
            // Redis leased us the same job again, so the earlier lease has run out.
            previous.lost.cancel();
        }
        lost
    }

    fn drop_lease(&self, id: JobId, epoch: LeaseEpoch) -> Option<Held> {
        remove(&mut self.lock(), id, epoch)
    }

    fn drop_all(&self, ended: &[(JobId, LeaseEpoch, Next)]) {
        let mut held = self.lock();
        for (id, epoch, _) in ended {
            remove(&mut held, *id, *epoch);
        }
    }

    fn extend(&self, id: JobId, epoch: LeaseEpoch, end: Instant) {
        if let Some(lease) = self.lock().get(&id).filter(|lease| lease.epoch == epoch) {
            lease.tenure.extend(end);
        }
    }

    fn snapshot(&self) -> Vec<(JobId, LeaseEpoch)> {
        self.lock().iter().map(|(id, lease)| (*id, lease.epoch)).collect()
    }
}

/// Removes a job whose lease is still this one.
fn remove(held: &mut HashMap<JobId, Held>, id: JobId, epoch: LeaseEpoch) -> Option<Held> {
    if held.get(&id).is_some_and(|lease| lease.epoch == epoch) { held.remove(&id) } else { None }
}

/// A lease that ends, and with what.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) id: JobId,
    pub(super) epoch: LeaseEpoch,
    pub(super) next: Next,
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
        let mut batch = Vec::with_capacity(BATCH);
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
        for (&(id, epoch), renewal) in held.iter().zip(renewals) {
            match renewal {
                Renewal::Extended => self.leases.extend(id, epoch, end),
                Renewal::Lost => self.give_up(id, epoch),
                Renewal::Unknown => forgotten.push((id, epoch)),
            }
        }
        self.readopt(&forgotten).await
    }

    async fn readopt(&self, forgotten: &[(JobId, LeaseEpoch)]) -> Result<(), QueueError> {
        let jobs: Vec<(LeaseEpoch, Entry)> = {
            let held = self.leases.lock();
            let still_held = |(id, epoch): &(JobId, LeaseEpoch)| {
                held.get(id).filter(|lease| lease.epoch == *epoch).map(|lease| (*epoch, lease.entry()))
            };
            forgotten.iter().filter_map(still_held).collect()
        };
        let end = Instant::now() + Duration::from_millis(self.lease_ms);
        let readopted = self.queue.readopt(&jobs, self.lease_ms).await?;
        for ((epoch, entry), readopted) in jobs.iter().zip(readopted) {
            let id = entry.message.job_id();
            if readopted {
                self.leases.extend(id, *epoch, end);
            } else {
                self.give_up(id, *epoch);
            }
        }
        Ok(())
    }

    fn give_up(&self, id: JobId, epoch: LeaseEpoch) {
        if let Some(lease) = self.leases.drop_lease(id, epoch) {
            tracing::warn!(job.id = %id, "the lease was lost: the job is left to another worker");
            lease.lost.cancel();
        }
    }

    /// Tells Redis of ended leases. While Redis is away it tries again for the length of a lease;
    /// after that they have run out by themselves, and the rows say where the jobs stand.
    async fn settle(&self, batch: &mut Vec<Settled>) {
        let ended: Vec<_> = batch.drain(..).map(|settled| (settled.id, settled.epoch, settled.next)).collect();
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
