//! Gathers what is asked for at the same time into one commit: one statement, one round trip and one
//! wait for the disk for many jobs, instead of one for each.
//!
//! A few lanes each take all that waits, commit it, and answer. Nothing but a lane's being busy makes
//! an item wait: a lone one is committed at once, and while all lanes are busy the next batch gathers
//! by itself. No timer is involved.
//!
//! An item that a lane has taken is committed to its end and answered, whatever becomes of those who
//! asked: a caller that goes away takes nothing from the others of its batch, and the lanes end only
//! after the last handle is gone and all that waited is answered.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use crate::store::StoreError;

#[cfg(test)]
mod tests;

/// Commits all items or none, in one round trip where it can. The answers are in the items' order. It
/// must be harmless when repeated: after an error that is no outage, halves of the batch are tried.
pub type Commit<C, T, R> = for<'a> fn(&'a C, &'a [T]) -> BoxFuture<'a, Result<Vec<R>, StoreError>>;

/// How much is taken on.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Commits under way at once. More of them make the batches smaller.
    pub lanes: usize,
    /// Items of one commit, at most.
    pub batch: usize,
    /// Items that wait for a lane, at most.
    pub waiting: usize,
    /// How long an item waits for a lane, and then for its commit, at most.
    pub patience: Duration,
}

/// Why an item has no answer of its own.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BatchError {
    /// More wait than can be served in time. The item was not committed.
    #[error("too many wait for the database")]
    Full,
    /// The time is up, or this process is ending. Whether the item was committed is not known.
    #[error("the database did not answer in time")]
    Late,
    /// The database said no: to this item, or, where it is away, to all of the batch.
    #[error(transparent)]
    Store(Arc<StoreError>),
}

/// An item that waits for a lane.
#[derive(Debug)]
struct Pending<T, R> {
    item: T,
    since: Instant,
    answer: oneshot::Sender<Result<(T, R), BatchError>>,
}

/// The way to the lanes. Cheap to clone.
#[derive(Debug)]
pub struct Batcher<T, R> {
    waiting: mpsc::Sender<Pending<T, R>>,
}

impl<T, R> Clone for Batcher<T, R> {
    fn clone(&self) -> Self {
        Self { waiting: self.waiting.clone() }
    }
}

impl<T: Send + Sync + 'static, R: Send + 'static> Batcher<T, R> {
    /// Starts the lanes. They end once the last clone of this is gone and all that waits is answered.
    pub fn start<C>(limits: Limits, context: C, commit: Commit<C, T, R>, lanes: &TaskTracker) -> Self
    where
        C: Send + Sync + 'static,
    {
        let (sender, receiver) = mpsc::channel(limits.waiting.min(Semaphore::MAX_PERMITS));
        let (context, waiting) = (Arc::new(context), Arc::new(Mutex::new(receiver)));
        for _ in 0..limits.lanes {
            let lane = Lane { limits, context: Arc::clone(&context), commit, waiting: Arc::clone(&waiting) };
            lanes.spawn(lane.run());
        }
        Self { waiting: sender }
    }

    /// Commits an item together with what waits beside it. It comes back with its answer, so that no
    /// caller keeps a copy. One that is dropped before its turn has come is not committed.
    pub async fn commit(&self, item: T) -> Result<(T, R), BatchError> {
        let (answer, answered) = oneshot::channel();
        let waiting = Pending { item, since: Instant::now(), answer };
        self.waiting.try_send(waiting).map_err(|_| BatchError::Full)?;
        answered.await.unwrap_or(Err(BatchError::Late))
    }
}

/// Takes what waits, one batch after the other.
struct Lane<C, T, R> {
    limits: Limits,
    context: Arc<C>,
    commit: Commit<C, T, R>,
    waiting: Arc<Mutex<mpsc::Receiver<Pending<T, R>>>>,
}

impl<C, T, R> Lane<C, T, R> {
    async fn run(self) {
        while self.run_once().await {}
    }

    /// Serves one batch. False once there will be no more.
    async fn run_once(&self) -> bool {
        let mut batch = Vec::new();
        if self.waiting.lock().await.recv_many(&mut batch, self.limits.batch).await == 0 {
            return false;
        }
        // Not worth a commit: nobody waits for it any more, or its client is told to come again.
        batch.retain(|item| !item.answer.is_closed() && item.since.elapsed() <= self.limits.patience);
        let (items, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|item| (item.item, item.answer)).unzip();
        if items.is_empty() {
            return true;
        }
        let committed = timeout(self.limits.patience, commit_each(&*self.context, &items, self.commit));
        // Out of time, or after a panic, the answers are dropped: late. The lane goes on.
        if let Ok(Ok(outcomes)) = AssertUnwindSafe(committed).catch_unwind().await {
            for ((item, outcome), answer) in items.into_iter().zip(outcomes).zip(answers) {
                // Nobody may be there any more to hear it.
                let _ = answer.send(outcome.map(|outcome| (item, outcome)).map_err(BatchError::Store));
            }
        }
        true
    }
}

/// Commits items, as many at once as the database takes. One that it refuses, or whose row cannot be
/// read, is parted from the others by halving, so that it fails alone; an outage fails all at once.
pub async fn commit_each<C, T, R>(
    context: &C,
    items: &[T],
    commit: Commit<C, T, R>,
) -> Vec<Result<R, Arc<StoreError>>> {
    let mut outcomes = Vec::with_capacity(items.len());
    let mut parts = vec![items];
    while let Some(part) = parts.pop() {
        match commit(context, part).await {
            Ok(answers) => outcomes.extend(answers.into_iter().map(Ok)),
            Err(error) if part.len() > 1 && !error.is_unavailable() => {
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
