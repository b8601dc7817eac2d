//! Announces committed jobs to the workers, after the answer and with one call for each kind. While
//! Redis is unavailable, the workers' sweep finds the jobs later.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use copydesk_common::queue::message::Message;
use copydesk_common::queue::{Entry, Queue, QueueError};
use copydesk_common::store::job::OpenJob;
use copydesk_domain::job::NewJob;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::metric;

/// The time-out of a push: after it, the workers' sweep is about as fast.
const MAX_TIME: Duration = Duration::from_secs(2);

/// Announces committed jobs to the workers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Announcer {
    queues: Arc<[Queue]>,
    work: TaskTracker,
}

impl Announcer {
    /// Announces to these queues. Running calls are tracked by `work`.
    pub fn new(queues: &[Queue], work: &TaskTracker) -> Self {
        Self { queues: queues.into(), work: work.clone() }
    }

    /// Counts jobs that were just accepted, and announces them.
    pub fn announce_new<'a>(&self, jobs: impl Iterator<Item = &'a NewJob> + Clone) {
        metric::count_accepted(&jobs.clone().map(|job| job.kind));
        self.announce(jobs.map(of_new).collect());
    }

    /// Announces jobs in the background.
    pub fn announce(&self, entries: Vec<Entry>) {
        if !entries.is_empty() {
            let queues = Arc::clone(&self.queues);
            self.work.spawn(async move { announce(&queues, entries).await });
        }
    }
}

/// The queue's entry for a new job.
fn of_new(job: &NewJob) -> Entry {
    Entry { message: Message::of(job), not_before: job.waits_until(), begun: None }
}

/// The queue's entry for a reopened job.
pub fn of_open(job: &OpenJob) -> Entry {
    Entry { message: Message::of_open(job), not_before: job.not_before, begun: None }
}

async fn announce(queues: &[Queue], entries: Vec<Entry>) {
    let mut left = entries;
    for queue in queues {
        let (of_kind, others): (Vec<_>, _) = left.into_iter().partition(|entry| entry.message.kind() == queue.kind());
        if !of_kind.is_empty() {
            announce_to(queue, &of_kind).await;
        }
        left = others;
    }
}

async fn announce_to(queue: &Queue, entries: &[Entry]) {
    let error = match timeout(MAX_TIME, queue.push(entries)).await {
        Ok(Ok(_)) => return,
        Ok(Err(error)) => Unannounced::Refused(error),
        Err(elapsed) => Unannounced::Late(elapsed),
    };
    let jobs = entries.len();
    metrics::counter!(metric::JOBS_UNANNOUNCED, metric::KIND => queue.kind().as_str())
        .increment(u64::try_from(jobs).unwrap_or(u64::MAX));
    tracing::warn!(
        error = &error as &dyn Error,
        job.kind = %queue.kind(),
        jobs,
        "accepted jobs could not be announced: the sweep will push them"
    );
}

/// Why jobs were not announced.
#[derive(Debug, thiserror::Error)]
enum Unannounced {
    #[error("the queue refused the jobs")]
    Refused(#[source] QueueError),
    #[error("the queue did not answer in time")]
    Late(#[source] tokio::time::error::Elapsed),
}
