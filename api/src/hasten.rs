//! Lets jobs that wait for a provider ask it again: what they were told no longer holds. Behind the
//! answer: first those that stand in the provider's line in Redis, then all others that wait for it,
//! however many open jobs have to be looked at to find them.

use std::error::Error;
use std::sync::Arc;

use copydesk_common::queue::{Queue, QueueError};
use copydesk_common::quota::{Quota, QuotaError};
use copydesk_common::store::job::load;
use copydesk_common::store::{Store, StoreError};
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Jobs that ask again at once, at most: the others do so at their time.
const MOST: u16 = 10_000;

/// Why not all that wait were found, or told.
#[derive(Debug, thiserror::Error)]
enum HastenError {
    #[error("the line could not be read")]
    Quota(#[from] QuotaError),
    #[error("the open jobs could not be read")]
    Store(#[from] StoreError),
    #[error("the queue did not take it")]
    Queue(#[from] QueueError),
}

/// Lets waiting jobs ask again. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hastener {
    store: Store,
    queues: Arc<[Queue]>,
    closing: CancellationToken,
    work: TaskTracker,
    /// One looks at the open jobs at a time.
    looking: Arc<Mutex<()>>,
}

impl Hastener {
    /// For jobs of these queues. What is under way is tracked by `work`, and ends with `closing`.
    pub fn new(store: &Store, queues: &[Queue], closing: CancellationToken, work: &TaskTracker) -> Self {
        let looking = Arc::new(Mutex::new(()));
        Self { store: store.clone(), queues: queues.into(), closing, work: work.clone(), looking }
    }

    /// Lets the jobs that wait for this quota's provider ask again, without waiting for it.
    pub fn hasten(&self, quota: &Quota) {
        let (this, quota) = (self.clone(), quota.clone());
        self.work.spawn(async move {
            let told = tokio::select! {
                told = this.tell(&quota) => told,
                () = this.closing.cancelled() => return,
            };
            match told {
                Ok(jobs) => tracing::debug!(jobs, provider.name = quota.provider(), "waiting jobs ask again"),
                Err(error) => tracing::warn!(
                    error = &error as &dyn Error,
                    provider.name = quota.provider(),
                    "jobs that wait ask again at their time only"
                ),
            }
        });
    }

    async fn tell(&self, quota: &Quota) -> Result<u64, HastenError> {
        let line = quota.waiting_jobs(MOST).await?;
        let mut told = 0;
        for queue in self.queues.iter() {
            told += queue.hasten(&line).await?;
        }
        let _one = self.looking.lock().await;
        let (mut after, mut found) = (None, 0);
        loop {
            let waiting = load::waiting_for(&self.store, quota.provider(), after).await?;
            found += waiting.jobs.len();
            told += self.tell_each(&waiting.jobs).await?;
            after = waiting.more_after;
            if after.is_none() || found >= usize::from(MOST) {
                return Ok(told);
            }
        }
    }

    async fn tell_each(&self, jobs: &[(JobKind, JobId)]) -> Result<u64, QueueError> {
        let mut told = 0;
        for queue in self.queues.iter() {
            let of_kind: Vec<_> = jobs.iter().filter(|(kind, _)| *kind == queue.kind()).map(|(_, id)| *id).collect();
            told += queue.hasten(&of_kind).await?;
        }
        Ok(told)
    }
}
