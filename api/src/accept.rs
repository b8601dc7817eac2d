//! Accepts jobs: a job's row is committed before the 202 is sent, and the job is pushed to Redis
//! afterwards. Concurrent requests share one statement.

use std::sync::Arc;
use std::time::Duration;

use copydesk_common::batch::{self, BatchError, Batcher, Limits};
use copydesk_common::store::job::{self, Earlier, Submission};
use copydesk_common::store::{Store, StoreError};
use copydesk_domain::job::NewJob;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::task::TaskTracker;

use crate::announce::Announcer;
use crate::error::ApiError;
use crate::metric;

/// Two lanes: one collects items while the other commits. A batch costs the database about as much
/// as forty single rows. The waiting line has room for a few rounds of full batches. The patience
/// is long enough for one retry after a restart of Postgres, and short enough to tell a client that
/// Postgres is unavailable.
const LIMITS: Limits = Limits { lanes: 2, batch: 256, waiting: 16 * 256, patience: Duration::from_secs(10) };

/// Why a job was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The commit failed, or its result is not known.
    #[error("the job was not accepted")]
    Batch(#[from] BatchError),
}

impl From<AcceptError> for ApiError {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::KeyReused => Self::KeyReused,
            AcceptError::Batch(error) => error.into(),
        }
    }
}

/// A job that is committed.
#[derive(Debug)]
pub struct AcceptedJob {
    /// The job, as it was accepted.
    pub job: NewJob,
    /// Whether it was accepted before, for an earlier request with the same key.
    pub replayed: bool,
}

impl AcceptedJob {
    /// The answer for a job, from the store's result.
    pub fn of(job: NewJob, acceptance: job::Acceptance) -> Result<Self, AcceptError> {
        match acceptance {
            job::Acceptance::New => Ok(Self { job, replayed: false }),
            job::Acceptance::Before(earlier) => Ok(Self { job: as_before(job, earlier), replayed: true }),
            job::Acceptance::KeyReused => Err(AcceptError::KeyReused),
        }
    }
}

/// Accepts jobs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Acceptor {
    committer: Committer,
    batcher: Batcher<Submission, job::Acceptance>,
}

impl Acceptor {
    /// Starts the lanes. They end once the last clone of the handle is dropped and all waiting
    /// items are answered.
    pub fn start(store: &Store, announcer: &Announcer, lanes: &TaskTracker) -> Self {
        let committer = Committer { store: store.clone(), announcer: announcer.clone() };
        let batcher = Batcher::start(LIMITS, committer.clone(), Committer::commit, lanes);
        Self { committer, batcher }
    }

    /// Returns once the job is committed. If the call is dropped, a commit that has begun still
    /// completes, and the job is announced.
    pub async fn accept(&self, submission: Submission) -> Result<AcceptedJob, AcceptError> {
        let (Submission { job, .. }, acceptance) = self.batcher.commit(submission).await?;
        AcceptedJob::of(job, acceptance)
    }

    /// Accepts the jobs of one request as a batch of its own.
    pub async fn accept_each(&self, submissions: &[Submission]) -> Vec<Result<job::Acceptance, Arc<StoreError>>> {
        batch::commit_each(&self.committer, submissions, Committer::commit).await
    }
}

/// Commits jobs, and then announces them.
#[derive(Debug, Clone)]
struct Committer {
    store: Store,
    announcer: Announcer,
}

impl Committer {
    fn commit<'a>(&'a self, submissions: &'a [Submission]) -> BoxFuture<'a, Result<Vec<job::Acceptance>, StoreError>> {
        async move {
            let accepted = job::accept(&self.store, submissions).await?;
            metrics::counter!(metric::ACCEPT_BATCHES).increment(1);
            let new = submissions.iter().zip(&accepted).filter(|(_, accepted)| **accepted == job::Acceptance::New);
            self.announcer.announce_new(new.map(|(submission, _)| &submission.job));
            Ok(accepted)
        }
        .boxed()
    }
}

/// The job that was accepted before for the same request: everything that the client chose is the
/// same.
fn as_before(job: NewJob, earlier: Earlier) -> NewJob {
    NewJob { id: earlier.id, generation_id: earlier.generation_id, created_at: earlier.created_at, ..job }
}
