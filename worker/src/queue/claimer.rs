//! Claiming: claims at most as many jobs as there are free slots, wakes when the bell rings or at
//! the promised time, and keeps trying while Redis is unavailable.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::TaskId;
use copydesk_common::clock;
use copydesk_common::queue::message::Message;
use copydesk_common::queue::{BATCH, Claimant, Claims, Leased, Next, Queue, QueueError, Settled};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::claim::Claim;
use super::lease::{Leases, Tenure};

/// The longest time that a connection blocks; a longer wait is split.
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// How long a claimer that shuts down waits for Redis.
const LEAVING: Duration = Duration::from_secs(2);
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const MAX_BACKOFF: Duration = Duration::from_secs(2);

/// The time of the queue's last answer, for the worker's readiness.
#[derive(Debug, Clone, Default)]
pub(super) struct LastAnswer(Arc<AtomicI64>);

impl LastAnswer {
    fn touch(&self) {
        self.0.store(clock::now().timestamp_millis(), Ordering::Relaxed);
    }

    pub(super) fn age(&self) -> Duration {
        let age_ms = clock::now().timestamp_millis() - self.0.load(Ordering::Relaxed);
        Duration::from_millis(u64::try_from(age_ms).unwrap_or(0))
    }
}

/// The claimer: one task for each worker.
#[derive(Debug)]
pub(super) struct Claimer {
    pub(super) queue: Queue,
    /// Its name on the roster of idle claimers.
    pub(super) name: String,
    pub(super) slots: Arc<Semaphore>,
    pub(super) leases: Leases,
    pub(super) lease_ms: u64,
    /// The concurrency cap of businesses without one of their own; 0 for none.
    pub(super) cap: u32,
    pub(super) tasks: mpsc::Sender<Task<Claim>>,
    pub(super) settled: mpsc::UnboundedSender<Settled>,
    pub(super) answered: LastAnswer,
    pub(super) stop: CancellationToken,
    pub(super) hold: watch::Receiver<bool>,
}

/// The result of one claim.
enum Step {
    /// There may be more jobs: claim again at once.
    Again,
    /// Nothing is left: wait for the bell, at most this long.
    Idle(Duration),
}

impl Claimer {
    /// Claims until told to stop.
    pub(super) async fn run(self) {
        let mut backoff = FIRST_BACKOFF;
        let mut was_idle = false;
        while !self.stop.is_cancelled() {
            match self.step(was_idle).await {
                Ok(is_idle) => (backoff, was_idle) = (FIRST_BACKOFF, is_idle),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "claiming failed and is tried again");
                    self.stop.run_until_cancelled(tokio::time::sleep(backoff)).await;
                    backoff = (backoff * 2).min(MAX_BACKOFF);
                }
            }
        }
        self.leave().await;
    }

    /// Waits for a free slot and until the worker is not on hold, claims what fits, and waits for
    /// the bell if nothing is left. Returns whether it waited for the bell. The waits end when the
    /// worker is told to stop. A claim that was sent to Redis is always completed and its jobs are
    /// handed on, so that no job is leased without the worker's knowledge.
    async fn step(&self, was_idle: bool) -> Result<bool, QueueError> {
        let Some(Ok(slot)) = self.stop.run_until_cancelled(Arc::clone(&self.slots).acquire_owned()).await else {
            return Ok(was_idle);
        };
        if self.stop.run_until_cancelled(self.released()).await.is_none() {
            return Ok(was_idle);
        }
        match self.claim_once(slot, was_idle).await? {
            Step::Again => Ok(false),
            Step::Idle(timeout) => {
                self.stop.run_until_cancelled(self.wait(timeout)).await.unwrap_or(Ok(()))?;
                Ok(true)
            }
        }
    }

    /// Ready while the worker is not on hold.
    async fn released(&self) {
        // If the sender is gone, the worker is no longer on hold.
        let _ = self.hold.clone().wait_for(|held| !held).await;
    }

    async fn claim_once(&self, slot: OwnedSemaphorePermit, was_idle: bool) -> Result<Step, QueueError> {
        let mut permits = vec![slot];
        while permits.len() < BATCH {
            let Ok(permit) = Arc::clone(&self.slots).try_acquire_owned() else { break };
            permits.push(permit);
        }
        let end = Instant::now() + Duration::from_millis(self.lease_ms);
        let claimer = Claimant { name: &self.name, was_idle };
        let Claims { leased, again_in } = self.queue.claim(claimer, permits.len(), self.lease_ms, self.cap).await?;
        self.answered.touch();
        for (leased, permit) in leased.into_iter().zip(permits) {
            self.hand_on(leased, permit, Tenure::until(end)).await;
        }
        Ok(if again_in.is_zero() { Step::Again } else { Step::Idle(again_in) })
    }

    async fn hand_on(&self, leased: Leased, permit: OwnedSemaphorePermit, tenure: Tenure) {
        let message = match Message::decode(&leased.message) {
            Ok(message) => Arc::new(message),
            Err(error) => {
                // The row is open and Redis forgets the message, so the sweep pushes it again.
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    job.id = %leased.lease.id,
                    "an unreadable message was dropped: the sweep will push its job again"
                );
                let _ = self.settled.send(Settled { lease: leased.lease, next: Next::Done });
                return;
            }
        };
        let task_id = TaskId::from_string(leased.lease.id.to_string());
        let lost = self.leases.hold(leased.lease, Arc::clone(&message), tenure.clone());
        let claim = Claim::new(message, leased.lease, lost, tenure, permit);
        // A closed channel means that the worker is gone: its leases expire.
        let _ = self.tasks.send(TaskBuilder::new(claim).task_id(task_id).build()).await;
    }

    /// Waits for the bell, at most `timeout`.
    async fn wait(&self, timeout: Duration) -> Result<(), QueueError> {
        let mut connection = self.queue.bell_connection().await?;
        let until = Instant::now() + timeout;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.queue.wait_for_bell(&mut connection, left.min(LONGEST_WAIT)).await? {
                return Ok(());
            }
            self.answered.touch();
        }
    }

    /// Removes this claimer from the roster, which wakes others in its place.
    async fn leave(&self) {
        let claimer = Claimant { name: &self.name, was_idle: false };
        let left = self.queue.claim(claimer, 0, self.lease_ms, self.cap);
        // Other claimers notice within two seconds where that fails.
        match tokio::time::timeout(LEAVING, left).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(error, "a claimer that shuts down could not be removed from the roster");
            }
            Err(_) => tracing::debug!("a claimer shuts down without Redis"),
        }
    }
}
