//! Where jobs stand, for whoever asks. Requests that come together are read together: a few lanes each
//! take all that waits, read it in one statement, and answer. Many who ask for one job share its row
//! and its representation.
//!
//! No cache: a read begins after every request that it answers has come, so that a client never sees
//! less than what it, or anybody, was told before.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use copydesk_common::store::{Store, StoreError, generation, job};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::{GenerationId, JobId};
use copydesk_domain::job::{Job, JobKind, JobStatus};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::entity_tag::{Tagged, Unwritable};
use crate::error::ApiError;
use crate::representation::JobBody;

/// Reads under way at once.
const LANES: usize = 4;
/// Jobs that one statement reads at most.
const BATCH: usize = 128;
/// Requests that wait for a lane at most.
const MAX_WAITING: usize = 16 * 1024;
/// How long a read takes at most: what its clients wait for it.
const MAX_TIME: Duration = Duration::from_secs(10);

/// Why a job was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// More requests wait than can be served in time.
    #[error("too many requests wait to be read")]
    Full,
    /// The database did not answer in time.
    #[error("the job was not read in time")]
    Late,
    /// The database said no. Shared by all requests of the batch.
    #[error("the database did not read the job")]
    Store(#[source] Arc<StoreError>),
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Full => Self::Overloaded,
            ReadError::Late => Self::Unavailable(None),
            ReadError::Store(error) => error.into(),
        }
    }
}

/// A job as it stood at one moment. Shared by all who asked for it then.
#[derive(Debug)]
pub struct Standing {
    /// The job, with the text where it made one.
    pub body: JobBody,
    shown: OnceLock<Tagged>,
}

impl Standing {
    /// As clients see it: made by the first who asks.
    pub fn shown(&self) -> Result<&Tagged, Unwritable> {
        if let Some(shown) = self.shown.get() {
            return Ok(shown);
        }
        let shown = Tagged::of(&self.body)?;
        Ok(self.shown.get_or_init(|| shown))
    }
}

type Answer = Result<Option<Arc<Standing>>, ReadError>;

/// A request that waits for a read.
#[derive(Debug)]
struct Waiting {
    id: JobId,
    answer: oneshot::Sender<Answer>,
}

/// Reads jobs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reader {
    waiting: mpsc::Sender<Waiting>,
}

impl Reader {
    /// Starts the lanes. They end once the last clone of this is gone.
    pub fn start(store: &Store, lanes: &TaskTracker) -> Self {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..LANES {
            let lane = Lane { store: store.clone(), waiting: Arc::clone(&receiver) };
            lanes.spawn(lane.run());
        }
        Self { waiting: sender }
    }

    /// The job as it stands now, where there is one, whosever it is.
    pub async fn read(&self, id: JobId) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.waiting.try_send(Waiting { id, answer }).map_err(|_| ReadError::Full)?;
        answered.await.unwrap_or(Err(ReadError::Late))
    }
}

/// Takes what waits, one batch after the other.
struct Lane {
    store: Store,
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
        batch.retain(|waiting| !waiting.answer.is_closed());
        let mut ids: Vec<_> = batch.iter().map(|waiting| waiting.id).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return true;
        }
        // Out of time, the answers are dropped with the batch: late.
        if let Ok(found) = timeout(MAX_TIME, read_each(&self.store, &ids)).await {
            for Waiting { id, answer } in batch {
                let job = found.get(&id).cloned().transpose().map_err(ReadError::Store);
                // Nobody may be there any more to hear it.
                let _ = answer.send(job);
            }
        }
        true
    }
}

type Found = HashMap<JobId, Result<Arc<Standing>, Arc<StoreError>>>;

/// Reads jobs, as many in one statement as can be read: a row that cannot is parted from the others
/// by halving, so that it fails alone.
async fn read_each(store: &Store, ids: &[JobId]) -> Found {
    let mut found = Found::with_capacity(ids.len());
    let mut parts = vec![ids];
    while let Some(part) = parts.pop() {
        match read(store, part).await {
            Ok(jobs) => found.extend(jobs),
            Err(StoreError::Refused(_)) if part.len() > 1 => {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
            Err(error) => {
                let error = Arc::new(error);
                found.extend(part.iter().map(|id| (*id, Err(Arc::clone(&error)))));
            }
        }
    }
    found
}

async fn read(store: &Store, ids: &[JobId]) -> Result<Found, StoreError> {
    let jobs = job::get(store, ids).await?;
    let asked: Vec<_> = jobs.iter().filter_map(|(_, job)| text_of(job.as_ref().ok()?)).collect();
    let mut texts = HashMap::new();
    if !asked.is_empty() {
        texts.extend(generation::of_businesses(store, &asked).await?);
    }
    let mut standing = |job: Job| {
        let text = text_of(&job).and_then(|(id, _)| texts.remove(&id)).transpose()?;
        Ok(Arc::new(Standing { body: JobBody::of(job, text), shown: OnceLock::new() }))
    };
    Ok(jobs.into_iter().map(|(id, job)| (id, job.and_then(&mut standing).map_err(Arc::new))).collect())
}

/// The text that the job made, and whose it is.
fn text_of(job: &Job) -> Option<(GenerationId, BusinessId)> {
    let made_one = job.kind == JobKind::Generate && job.status == JobStatus::Succeeded;
    Some((job.generation_id.filter(|_| made_one)?, job.business_id.clone()))
}
