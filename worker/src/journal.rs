//! The writes that jobs of this process make together: what comes while a statement is under way
//! goes into the next one, so that many jobs share a commit and a lone one waits for nobody. Each
//! keeps its own fencing and its own answer. The statements are the store's.

use std::future::Future;
use std::slice;
use std::sync::Arc;

use copydesk_common::store::generation::{self, Ending};
use copydesk_common::store::job::{self, Checkpoint, Fenced};
use copydesk_common::store::{Store, StoreError};
use copydesk_domain::job::{LeaseRef, StartedJob};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::outcome::Interruption;

/// Statements of one kind under way at once, so that their commits overlap.
const LANES: usize = 4;
/// Jobs that one statement takes at most.
const BATCH: usize = 256;

/// A write was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// The store failed, for all jobs of the statement.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// The lanes have ended: this process is about to.
    #[error("this process is ending")]
    Ended,
}

impl From<JournalError> for Interruption {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Store(error) if error.is_unavailable() => Self::store_away(&error),
            error => Self::Retry(error.into()),
        }
    }
}

/// Writes together what jobs of this process begin, finish and end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Journal {
    begins: Lanes<LeaseRef, Option<StartedJob>>,
    checkpoints: Lanes<Checkpoint, Fenced>,
    endings: Lanes<Ending, Fenced>,
}

impl Journal {
    /// Starts the lanes; they end with the last clone of this. `owner` names this process in leases.
    /// Needs a tokio runtime.
    pub fn start(store: &Store, owner: &str) -> Self {
        let owner: Arc<str> = owner.into();
        Self {
            begins: Lanes::start(Begin { store: store.clone(), owner }),
            checkpoints: Lanes::start(StoreStages(store.clone())),
            endings: Lanes::start(End(store.clone())),
        }
    }

    /// Begins a job: [`job::begin`].
    pub async fn begin(&self, lease: LeaseRef) -> Result<Option<StartedJob>, JournalError> {
        self.begins.write(lease).await
    }

    /// Stores finished stages: [`job::checkpoint_all`].
    pub async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<(), Interruption> {
        held(self.checkpoints.write(checkpoint).await?)
    }

    /// Ends a job with its text: [`generation::settle_all`].
    pub async fn settle(&self, ending: Ending) -> Result<(), Interruption> {
        held(self.endings.write(ending).await?)
    }
}

fn held(fenced: Fenced) -> Result<(), Interruption> {
    match fenced {
        Fenced::Written => Ok(()),
        Fenced::Superseded => Err(Interruption::Superseded),
    }
}

/// One statement for many.
trait Write: Send + Sync + 'static {
    type Item: Send + Sync + 'static;
    type Outcome: Send + 'static;

    /// The outcomes in the order of the items.
    fn write(&self, items: &[Self::Item]) -> impl Future<Output = Result<Vec<Self::Outcome>, StoreError>> + Send;
}

struct Begin {
    store: Store,
    owner: Arc<str>,
}

impl Write for Begin {
    type Item = LeaseRef;
    type Outcome = Option<StartedJob>;

    async fn write(&self, items: &[LeaseRef]) -> Result<Vec<Option<StartedJob>>, StoreError> {
        job::begin_all(&self.store, items, &self.owner).await
    }
}

struct StoreStages(Store);

impl Write for StoreStages {
    type Item = Checkpoint;
    type Outcome = Fenced;

    async fn write(&self, items: &[Checkpoint]) -> Result<Vec<Fenced>, StoreError> {
        job::checkpoint_all(&self.0, items).await
    }
}

struct End(Store);

impl Write for End {
    type Item = Ending;
    type Outcome = Fenced;

    async fn write(&self, items: &[Ending]) -> Result<Vec<Fenced>, StoreError> {
        generation::settle_all(&self.0, items).await
    }
}

/// An item that waits for its statement.
#[derive(Debug)]
struct Waiting<T, R> {
    item: T,
    answer: oneshot::Sender<Result<R, JournalError>>,
}

type Queue<T, R> = Arc<Mutex<mpsc::UnboundedReceiver<Waiting<T, R>>>>;

/// The way to the lanes of one kind of write. What waits is bounded by the jobs in hand.
#[derive(Debug)]
struct Lanes<T, R> {
    waiting: mpsc::UnboundedSender<Waiting<T, R>>,
}

impl<T, R> Clone for Lanes<T, R> {
    fn clone(&self) -> Self {
        Self { waiting: self.waiting.clone() }
    }
}

impl<T: Send + Sync + 'static, R: Send + 'static> Lanes<T, R> {
    fn start(write: impl Write<Item = T, Outcome = R>) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (receiver, write) = (Arc::new(Mutex::new(receiver)), Arc::new(write));
        for _ in 0..LANES {
            let (receiver, write) = (Arc::clone(&receiver), Arc::clone(&write));
            tokio::spawn(async move { while run_once(&*write, &receiver).await {} });
        }
        Self { waiting: sender }
    }

    async fn write(&self, item: T) -> Result<R, JournalError> {
        let (answer, answered) = oneshot::channel();
        self.waiting.send(Waiting { item, answer }).map_err(|_| JournalError::Ended)?;
        answered.await.unwrap_or(Err(JournalError::Ended))
    }
}

/// Writes one batch. False once there will be no more.
async fn run_once<W: Write>(write: &W, waiting: &Queue<W::Item, W::Outcome>) -> bool {
    let mut batch = Vec::new();
    if waiting.lock().await.recv_many(&mut batch, BATCH).await == 0 {
        return false;
    }
    // A job that was dropped meanwhile has lost its lease, or was cancelled.
    batch.retain(|waiting| !waiting.answer.is_closed());
    let (items, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|waiting| (waiting.item, waiting.answer)).unzip();
    if items.is_empty() {
        return true;
    }
    for (outcome, answer) in written(write, &items).await.into_iter().zip(answers) {
        // Nobody may be there any more to hear it.
        let _ = answer.send(outcome);
    }
    true
}

/// What became of each item. A statement that Postgres refuses for one item is made anew for each.
async fn written<W: Write>(write: &W, items: &[W::Item]) -> Vec<Result<W::Outcome, JournalError>> {
    match write.write(items).await {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(error) if error.is_unavailable() => {
            let error = Arc::new(error);
            items.iter().map(|_| Err(JournalError::Store(Arc::clone(&error)))).collect()
        }
        Err(error) if items.len() == 1 => vec![Err(JournalError::Store(Arc::new(error)))],
        Err(_) => {
            let mut outcomes = Vec::with_capacity(items.len());
            for item in items {
                let outcome = write.write(slice::from_ref(item)).await;
                let outcome = outcome.map_err(|error| JournalError::Store(Arc::new(error)));
                outcomes.push(outcome.and_then(|mut outcomes| outcomes.pop().ok_or(JournalError::Ended)));
            }
            outcomes
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::sync::Mutex as StdMutex;

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;

    /// Doubles numbers; refuses any batch that holds a 13.
    struct Double {
        batches: Arc<StdMutex<Vec<usize>>>,
        gate: Arc<Semaphore>,
    }

    impl Write for Double {
        type Item = u32;
        type Outcome = u32;

        async fn write(&self, items: &[u32]) -> Result<Vec<u32>, StoreError> {
            let _open = self.gate.acquire().await;
            self.batches.lock().unwrap().push(items.len());
            if items.contains(&13) {
                return Err(StoreError::Refused(sqlx::Error::RowNotFound));
            }
            Ok(items.iter().map(|item| item * 2).collect())
        }
    }

    /// How many items each statement had.
    type Batches = Arc<StdMutex<Vec<usize>>>;

    fn lanes(open: usize) -> (Lanes<u32, u32>, Batches, Arc<Semaphore>) {
        let (batches, gate) = (Batches::default(), Arc::new(Semaphore::new(open)));
        (Lanes::start(Double { batches: Arc::clone(&batches), gate: Arc::clone(&gate) }), batches, gate)
    }

    #[tokio::test]
    async fn what_comes_together_is_written_together_and_a_lone_one_waits_for_nobody() {
        let (lone, batches, _) = lanes(LANES);
        assert_eq!(lone.write(4).await.unwrap(), 8);
        assert_eq!(*batches.lock().unwrap(), [1]);

        let (many, batches, gate) = lanes(0);
        let writes = tokio::spawn(async move { join_all((100..1_100).map(|n| many.write(n))).await });
        tokio::task::yield_now().await;
        gate.add_permits(LANES);
        let written: Vec<u32> = writes.await.unwrap().into_iter().map(Result::unwrap).collect();
        assert_eq!(written, (100..1_100).map(|n| n * 2).collect::<Vec<_>>(), "each has its own answer");
        assert!(batches.lock().unwrap().len() <= LANES + 1_000_usize.div_ceil(BATCH), "{:?}", batches.lock());
    }

    #[tokio::test]
    async fn a_write_that_is_refused_fails_alone() {
        let (lanes, _, _) = lanes(LANES);
        let written = join_all([1, 13, 3].map(|n| lanes.write(n))).await;
        assert_eq!(*written[0].as_ref().unwrap(), 2);
        assert!(matches!(&written[1], Err(JournalError::Store(error)) if matches!(**error, StoreError::Refused(_))));
        assert_eq!(*written[2].as_ref().unwrap(), 6);
    }
}
