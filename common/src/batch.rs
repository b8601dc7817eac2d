//! Batches concurrent requests into one commit: one statement, one round trip and one disk flush
//! for many jobs, instead of one for each.
//!
//! A few lanes each take all waiting items, commit them, and answer. An item waits only while all
//! lanes are busy; meanwhile the next batch collects. A single item is committed at once. There is
//! no timer.
//!
//! Once a lane has taken an item, it is committed and answered even if its caller goes away:
//! cancelling one caller does not affect the others of its batch. The lanes end only after the last
//! handle is dropped and all waiting items are answered.

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

/// Commits all items or none, in one round trip if possible. The answers are in the order of the
/// items. It must be idempotent: after an error that is not an outage, halves of the batch are
/// tried.
pub type Commit<C, T, R> = for<'a> fn(&'a C, &'a [T]) -> BoxFuture<'a, Result<Vec<R>, StoreError>>;

/// The limits of a batcher.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most concurrent commits. More of them make the batches smaller.
    pub lanes: usize,
    /// The most items of one commit.
    pub batch: usize,
    /// The most items that wait for a lane.
    pub waiting: usize,
    /// The longest wait for a lane, and then for the commit.
    pub patience: Duration,
}

/// Why an item has no answer of its own.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BatchError {
    /// More items wait than can be served in time. The item was not committed.
    #[error("too many requests wait for the database")]
    Full,
    /// The time limit has passed, or this process is ending. It is not known whether the item was
    /// committed.
    #[error("the database did not answer in time")]
    Late,
    /// The database refused this item, or it is unavailable for the whole batch.
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

/// A handle to the lanes. Cheap to clone.
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
    /// Starts the lanes. They end once the last clone of the handle is dropped and all waiting
    /// items are answered.
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

    /// Commits an item together with others that wait. The item is returned with its answer, so
    /// that callers need no copy. If the call is dropped before a lane takes the item, it is not
    /// committed.
    pub async fn commit(&self, item: T) -> Result<(T, R), BatchError> {
        let (answer, answered) = oneshot::channel();
        let waiting = Pending { item, since: Instant::now(), answer };
        self.waiting.try_send(waiting).map_err(|_| BatchError::Full)?;
        answered.await.unwrap_or(Err(BatchError::Late))
    }
}

/// Commits one batch after the other.
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

    /// Commits one batch. False if there will be no more.
    async fn run_once(&self) -> bool {
        let mut batch = Vec::new();
        if self.waiting.lock().await.recv_many(&mut batch, self.limits.batch).await == 0 {
            return false;
        }
        // Drops items whose caller is gone or has been told to try again.
        batch.retain(|item| !item.answer.is_closed() && item.since.elapsed() <= self.limits.patience);
        let (items, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|item| (item.item, item.answer)).unzip();
        if items.is_empty() {
            return true;
        }
        let committed = timeout(self.limits.patience, commit_each(&*self.context, &items, self.commit));
        // After a time-out or a panic, the answers are dropped and callers get `Late`. The lane
        // continues.
        if let Ok(Ok(outcomes)) = AssertUnwindSafe(committed).catch_unwind().await {
            for ((item, outcome), answer) in items.into_iter().zip(outcomes).zip(answers) {
                // The caller may be gone.
                let _ = answer.send(outcome.map(|outcome| (item, outcome)).map_err(BatchError::Store));
            }
        }
        true
    }
}

/// Commits items, as many at once as the database accepts. An item that is refused, or whose row
/// cannot be read, is isolated by halving, so that only this one fails. An outage fails all at
/// once.
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
