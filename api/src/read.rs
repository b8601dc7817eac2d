//! Reads jobs for clients. Concurrent requests share one read, and requests for the same job share
//! its row and representation.
//!
//! This is not a cache: a read begins after all requests that it answers have arrived, so that no
//! client sees an older state than any client was shown before.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use copydesk_common::batch::{BatchError, Batcher, Limits};
use copydesk_common::store::{Store, StoreError, generation, job};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::{GenerationId, JobId};
use copydesk_domain::job::{Job, JobKind, JobStatus};
use futures_util::FutureExt;
use tokio_util::task::TaskTracker;

use crate::entity_tag::{Tagged, Unwritable};
use crate::representation::JobBody;

/// The patience is the time that a client waits for the store.
const LIMITS: Limits = Limits { lanes: 4, batch: 128, waiting: 16 * 1024, patience: Duration::from_secs(10) };

/// The state of a job at one moment, shared by all requests for it.
#[derive(Debug)]
pub struct Standing {
    /// The job, with its text if it made one.
    pub body: JobBody,
    shown: OnceLock<Tagged>,
}

impl Standing {
    /// Its representation for clients, made at the first request.
    pub fn shown(&self) -> Result<&Tagged, Unwritable> {
        if let Some(shown) = self.shown.get() {
            return Ok(shown);
        }
        let shown = Tagged::of(&self.body)?;
        Ok(self.shown.get_or_init(|| shown))
    }
}

/// The requested job, if it exists; an error if its row cannot be read.
type Found = Result<Option<Arc<Standing>>, Arc<StoreError>>;

/// Reads jobs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reader(Batcher<JobId, Found>);

impl Reader {
    /// Starts the lanes. They end once the last clone of the handle is dropped.
    pub fn start(store: &Store, lanes: &TaskTracker) -> Self {
        Self(Batcher::start(LIMITS, store.clone(), |store, ids| read(store, ids).boxed(), lanes))
    }

    /// The current state of a job of any business, if it exists.
    pub async fn read(&self, id: JobId) -> Result<Option<Arc<Standing>>, BatchError> {
        let (_, found) = self.0.commit(id).await?;
        found.map_err(BatchError::Store)
    }
}

/// Reads jobs, each once, however often it is requested.
async fn read(store: &Store, asked: &[JobId]) -> Result<Vec<Found>, StoreError> {
    let mut ids = asked.to_vec();
    ids.sort_unstable();
    ids.dedup();
    let jobs = job::get(store, &ids).await?;
    let with_text: Vec<_> = jobs.iter().filter_map(|(_, job)| text_of(job.as_ref().ok()?)).collect();
    let mut texts = HashMap::new();
    if !with_text.is_empty() {
        texts.extend(generation::of_businesses(store, &with_text).await?);
    }
    let mut standing = |job: Job| {
        let text = text_of(&job).and_then(|(id, _)| texts.remove(&id)).transpose()?;
        Ok(Arc::new(Standing { body: JobBody::of(job, text), shown: OnceLock::new() }))
    };
    let found: HashMap<_, _> =
        jobs.into_iter().map(|(id, job)| (id, job.and_then(&mut standing).map_err(Arc::new))).collect();
    Ok(asked.iter().map(|id| found.get(id).cloned().transpose()).collect())
}

/// The text that the job made, and its business.
fn text_of(job: &Job) -> Option<(GenerationId, BusinessId)> {
    let made_one = job.kind == JobKind::Generate && job.status == JobStatus::Succeeded;
    Some((job.generation_id.filter(|_| made_one)?, job.business_id.clone()))
}
