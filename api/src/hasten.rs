//! Makes jobs that wait for a provider ask again at once, after their wait has become obsolete.
//! Runs after the answer: first the jobs in the provider's line in Redis, then all others that wait
//! for it, however many open jobs must be read to find them.

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

/// The most jobs that ask again at once. The others ask at their time.
const MOST: u16 = 10_000;

/// Why some waiting jobs were not hastened.
#[derive(Debug, thiserror::Error)]
enum HastenError {
    #[error("the line could not be read")]
    Quota(#[from] QuotaError),
    #[error("the open jobs could not be read")]
    Store(#[from] StoreError),
    #[error("the queue could not be told")]
    Queue(#[from] QueueError),
}

/// Hastens waiting jobs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hastener {
    store: Store,
    queues: Arc<[Queue]>,
    closing: CancellationToken,
    work: TaskTracker,
    /// Only one task reads the open jobs at a time.
    looking: Arc<Mutex<()>>,
}

impl Hastener {
    /// For jobs of these queues. Running tasks are tracked by `work`, and end with `closing`.
    pub fn new(store: &Store, queues: &[Queue], closing: CancellationToken, work: &TaskTracker) -> Self {
        let looking = Arc::new(Mutex::new(()));
        Self { store: store.clone(), queues: queues.into(), closing, work: work.clone(), looking }
    }

    /// Makes the jobs that wait for this quota's provider ask again, in the background.
    pub fn hasten(&self, quota: &Quota) {
        let (this, quota) = (self.clone(), quota.clone());
        self.work.spawn(async move {
            let told = tokio::select! {
                told = this.tell(&quota) => told,
                () = this.closing.cancelled() => return,
            };
            match told {
                Ok(jobs) => tracing::debug!(jobs, provider.name = %quota.provider(), "waiting jobs ask again"),
                Err(error) => tracing::warn!(
                    error = &error as &dyn Error,
                    provider.name = %quota.provider(),
                    "waiting jobs could not be hastened: they ask again at their time"
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
