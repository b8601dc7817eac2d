//! The promise behind a 202: the job's row is committed before the answer is made, and Redis hears
//! of the job afterwards, if it is there.
//!
//! Requests that come together are accepted together: a few lanes each take all that waits, insert
//! it in one statement, answer, and announce the jobs. While all lanes wait for their commits the
//! next batch gathers by itself, so that no timer ever holds up a lone request.

use std::sync::Arc;
use std::time::Duration;

use copydesk_common::store::job::{self, Earlier, Submission};
use copydesk_common::store::{Store, StoreError};
use copydesk_domain::job::NewJob;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use crate::announce::{self, Announcer};
use crate::error::ApiError;
use crate::metric;

/// Inserts under way at once: one gathers while the other commits. More of them would make batches
/// smaller, and a batch costs the database about what forty rows do.
const LANES: usize = 2;
/// Jobs that one statement inserts at most.
const BATCH: usize = 256;
/// Requests that wait for a lane at most: a few rounds of full batches.
const MAX_WAITING: usize = 16 * BATCH;
/// How long a request waits for a lane, and then for its commit, at most. Long enough for one retry
/// after a restart of Postgres, short enough that a client learns that it is away.
const MAX_TIME: Duration = Duration::from_secs(10);

/// Why a job was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// More requests wait than can be served in time.
    #[error("too many requests wait to be accepted")]
    Full,
    /// The database did not answer in time.
    #[error("the job was not accepted in time")]
    Late,
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The database said no. Shared by all requests of the batch.
    #[error("the database did not accept the job")]
    Store(#[source] Arc<StoreError>),
}

impl From<AcceptError> for ApiError {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::Full => Self::Overloaded,
            AcceptError::Late => Self::Unavailable(None),
            AcceptError::KeyReused => Self::KeyReused,
            AcceptError::Store(error) => error.into(),
        }
    }
}

/// A job that is committed.
#[derive(Debug)]
pub struct AcceptedJob {
    /// The job, as it was accepted.
    pub job: NewJob,
    /// It was accepted before, for an earlier request of the same key.
    pub replayed: bool,
}

/// A request that waits for its commit.
#[derive(Debug)]
struct Waiting {
    submission: Submission,
    since: Instant,
    answer: oneshot::Sender<Result<AcceptedJob, AcceptError>>,
}

/// Accepts jobs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Acceptor {
    waiting: mpsc::Sender<Waiting>,
}

impl Acceptor {
    /// Starts the lanes. They end once the last clone of this is gone and all that waits is answered.
    pub fn start(store: &Store, announcer: &Announcer, lanes: &TaskTracker) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..LANES {
            let lane = Lane { store: store.clone(), announcer: announcer.clone(), waiting: Arc::clone(&receiver) };
            lanes.spawn(lane.run());
        }
        Self { waiting: sender }
    }

    /// Returns once the job is committed. A caller that is dropped meanwhile changes nothing: what
    /// is being committed is, and is announced.
    pub async fn accept(&self, submission: Submission) -> Result<AcceptedJob, AcceptError> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { submission, since: Instant::now(), answer };
        self.waiting.try_send(waiting).map_err(|_| AcceptError::Full)?;
        answered.await.unwrap_or(Err(AcceptError::Late))
    }
}

/// Takes what waits, one batch after the other.
struct Lane {
    store: Store,
    announcer: Announcer,
    waiting: Arc<Mutex<mpsc::Receiver<Waiting>>>,
}

impl Lane {
    async fn run(self) {
        while self.run_once().await {}
    }

    /// Serves one batch. False once there will be no more.
    async fn run_once(&self) -> bool {
        let mut batch = Vec::new();
        if self.waiting.lock().await.recv_many(&mut batch, BATCH).await == 0 {
            return false;
        }
        let (submissions, answers) = in_time(batch);
        if submissions.is_empty() {
            return true;
        }
        metrics::counter!(metric::ACCEPT_BATCHES).increment(1);
        let Ok(outcomes) = timeout(MAX_TIME, insert(&self.store, &submissions)).await else {
            answers.into_iter().for_each(|answer| drop(answer.send(Err(AcceptError::Late))));
            return true;
        };
        let mut entries = Vec::new();
        for ((submission, outcome), answer) in submissions.into_iter().zip(outcomes).zip(answers) {
            if matches!(outcome, Ok(job::Accepted::New)) {
                entries.push(announce::of_new(&submission.job));
            }
            // Nobody may be there any more to hear it.
            let _ = answer.send(accepted(submission.job, outcome));
        }
        metric::count_accepted(&entries.iter().map(|entry| entry.message.kind()));
        self.announcer.announce(entries);
        true
    }
}

/// Splits off what is not worth inserting: nobody waits for it, or its client is told to come again.
fn in_time(batch: Vec<Waiting>) -> (Vec<Submission>, Vec<oneshot::Sender<Result<AcceptedJob, AcceptError>>>) {
    let (mut submissions, mut answers) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
    for waiting in batch.into_iter().filter(|waiting| !waiting.answer.is_closed()) {
        if waiting.since.elapsed() > MAX_TIME {
            let _ = waiting.answer.send(Err(AcceptError::Late));
        } else {
            submissions.push(waiting.submission);
            answers.push(waiting.answer);
        }
    }
    (submissions, answers)
}

/// Inserts jobs, as many in one statement as the database takes: a row that it refuses is parted from
/// the others by halving, so that it fails alone.
pub async fn insert(store: &Store, submissions: &[Submission]) -> Vec<Result<job::Accepted, Arc<StoreError>>> {
    let mut outcomes = Vec::with_capacity(submissions.len());
    let mut parts = vec![submissions];
    while let Some(part) = parts.pop() {
        match job::accept(store, part).await {
            Ok(accepted) => outcomes.extend(accepted.into_iter().map(Ok)),
            Err(StoreError::Refused(_)) if part.len() > 1 => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            Err(error) => {
                let error = Arc::new(error);
                outcomes.extend(part.iter().map(|_| Err(Arc::clone(&error))));
            }
        }
    }
    outcomes
}

/// The job as its client is told of it.
fn accepted(job: NewJob, outcome: Result<job::Accepted, Arc<StoreError>>) -> Result<AcceptedJob, AcceptError> {
    match outcome {
        Ok(job::Accepted::New) => Ok(AcceptedJob { job, replayed: false }),
        Ok(job::Accepted::Before(earlier)) => Ok(AcceptedJob { job: as_before(job, earlier), replayed: true }),
        Ok(job::Accepted::KeyReused) => Err(AcceptError::KeyReused),
        Err(error) => Err(AcceptError::Store(error)),
    }
}

/// The job that was accepted before for the same request: what the client chose is the same in both.
fn as_before(job: NewJob, earlier: Earlier) -> NewJob {
    NewJob { id: earlier.id, generation_id: earlier.generation_id, created_at: earlier.created_at, ..job }
}
