#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
//! The guarantees of a batcher. Each test blocks the commits and releases them one by one, so that
//! nothing depends on the machine's speed.

use std::sync::Mutex as StdMutex;

use tokio::task::{JoinHandle, yield_now};

use super::*;

const LIMITS: Limits = Limits { lanes: 1, batch: 100, waiting: 100, patience: Duration::from_secs(60) };

/// The database refuses a statement with this item.
const REFUSED: u32 = 13;
/// The database is unavailable for this item.
const AWAY: u32 = 99;
/// The commit panics with this item.
const PANICS: u32 = 66;

/// Doubles numbers, one batch for each permit.
#[derive(Debug, Clone)]
struct Database {
    permits: Arc<Semaphore>,
    begun: Arc<StdMutex<Vec<Vec<u32>>>>,
    done: Arc<StdMutex<Vec<u32>>>,
}

impl Database {
    fn commit<'a>(&'a self, items: &'a [u32]) -> BoxFuture<'a, Result<Vec<u32>, StoreError>> {
        async move {
            self.begun.lock().unwrap().push(items.to_vec());
            self.permits.acquire().await.unwrap().forget();
            assert!(!items.contains(&PANICS));
            if items.contains(&AWAY) {
                return Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut));
            }
            if items.contains(&REFUSED) {
                return Err(StoreError::Refused(sqlx::Error::RowNotFound));
            }
            self.done.lock().unwrap().extend(items);
            Ok(items.iter().map(|item| item * 2).collect())
        }
        .boxed()
    }
}

type Answer = JoinHandle<Result<(u32, u32), BatchError>>;

/// A batcher over a database that commits nothing yet.
struct Setting {
    batcher: Batcher<u32, u32>,
    database: Database,
    lanes: TaskTracker,
}

impl Setting {
    fn new(limits: Limits) -> Self {
        let permits = Arc::new(Semaphore::new(0));
        let (database, lanes) = (Database { permits, begun: Arc::default(), done: Arc::default() }, TaskTracker::new());
        Self { batcher: Batcher::start(limits, database.clone(), Database::commit, &lanes), database, lanes }
    }

    /// Requests these items in this order, and lets the lanes run as far as they can.
    async fn ask(&self, items: impl IntoIterator<Item = u32>) -> Vec<Answer> {
        let ask = |item| {
            let batcher = self.batcher.clone();
            tokio::spawn(async move {
                let answer = batcher.commit(item).await;
                answer.inspect(|answer| assert_eq!(*answer, (item, item * 2), "each has its own answer"))
            })
        };
        let asked = items.into_iter().map(ask).collect();
        settle().await;
        asked
    }

    /// The batches so far.
    fn begun(&self) -> Vec<Vec<u32>> {
        self.database.begun.lock().unwrap().clone()
    }

    async fn let_commit(&self, batches: usize) {
        self.database.permits.add_permits(batches);
        settle().await;
    }
}

/// Lets every task run until none can continue: on one thread, yielding often enough gives each
/// task its steps.
async fn settle() {
    for _ in 0..100 {
        yield_now().await;
    }
}

/// The answers, which must have arrived.
async fn answers(asked: Vec<Answer>) -> Vec<Result<u32, BatchError>> {
    let mut answers = Vec::new();
    for answer in asked {
        assert!(answer.is_finished(), "somebody still waits");
        answers.push(answer.await.unwrap().map(|(item, _)| item));
    }
    answers
}

#[tokio::test]
async fn a_lone_item_is_committed_at_once() {
    let setting = Setting::new(LIMITS);
    setting.database.permits.add_permits(1);
    let asked = setting.ask([4]).await;
    assert_eq!(answers(asked).await[0].as_ref().unwrap(), &4);
}

#[tokio::test]
async fn what_comes_while_all_lanes_commit_is_committed_together() {
    let setting = Setting::new(Limits { lanes: 2, ..LIMITS });
    let mut asked = setting.ask([1]).await;
    asked.extend(setting.ask(20..=50).await.into_iter().chain(setting.ask(100..=120).await));
    let second: Vec<u32> = (20..=50).collect();
    assert_eq!(setting.begun(), [vec![1], second.clone()], "one gathers while the other commits");
    setting.let_commit(1).await;
    assert_eq!(setting.begun(), [vec![1], second, (100..=120).collect()]);
    setting.let_commit(2).await;
    assert_eq!(
        answers(asked).await.into_iter().map(Result::unwrap).sum::<u32>(),
        1 + (20..=50).chain(100..=120).sum::<u32>()
    );
}

#[tokio::test]
async fn no_batch_is_larger_than_it_may_be() {
    let setting = Setting::new(Limits { batch: 4, ..LIMITS });
    let asked = setting.ask(20..31).await;
    setting.let_commit(3).await;
    assert_eq!(setting.begun().iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 3]);
    assert!(answers(asked).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn more_than_may_wait_are_told_so() {
    let setting = Setting::new(Limits { waiting: 3, ..LIMITS });
    let first = setting.ask([1]).await;
    let asked = setting.ask(2..=6).await;
    setting.let_commit(2).await;
    let answers = answers(first.into_iter().chain(asked).collect()).await;
    assert!(answers[..4].iter().all(Result::is_ok));
    assert!(answers[4..].iter().all(|answer| matches!(answer, Err(BatchError::Full))), "{answers:?}");
}

#[tokio::test]
async fn an_item_that_is_refused_fails_alone() {
    let setting = Setting::new(LIMITS);
    let asked = setting.ask(1..=16).await;
    setting.let_commit(100).await;
    for (item, answer) in (1..).zip(answers(asked).await) {
        let is_refused = matches!(&answer, Err(BatchError::Store(error)) if matches!(**error, StoreError::Refused(_)));
        assert_eq!((answer.is_ok(), is_refused), (item != REFUSED, item == REFUSED), "{item}");
    }
    assert_eq!(setting.begun().len(), 1 + 2 * 4, "halves, not one by one");
}

#[tokio::test]
async fn an_outage_is_no_items_fault_and_is_told_to_all() {
    let setting = Setting::new(LIMITS);
    let asked = setting.ask([1, AWAY, 2]).await;
    setting.let_commit(100).await;
    for answer in answers(asked).await {
        assert!(matches!(&answer, Err(BatchError::Store(error)) if error.is_unavailable()), "{answer:?}");
    }
    assert_eq!(setting.begun().len(), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_nothing_from_the_others() {
    let setting = Setting::new(LIMITS);
    let first = setting.ask([1]).await;
    let asked = setting.ask([2, 3, 4]).await;
    asked[1].abort();
    setting.let_commit(1).await;
    assert_eq!(setting.begun(), [vec![1], vec![2, 4]], "nobody waits for 3 any more");
    asked[0].abort();
    setting.let_commit(1).await;
    assert_eq!(*setting.database.done.lock().unwrap(), [1, 2, 4], "what was taken is committed");
    let [_, _, last] = asked.try_into().unwrap();
    assert!(answers(first.into_iter().chain([last]).collect()).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn the_lanes_end_with_the_last_handle_once_all_that_waits_is_answered() {
    let setting = Setting::new(Limits { lanes: 2, ..LIMITS });
    let asked: Vec<_> = setting.ask([1]).await.into_iter().chain(setting.ask(2..=9).await).collect();
    let Setting { batcher, database, lanes } = setting;
    drop(batcher);
    lanes.close();
    settle().await;
    assert_eq!(lanes.len(), 2, "they are needed");
    database.permits.add_permits(2);
    settle().await;
    assert!(answers(asked).await.iter().all(Result::is_ok));
    assert!(lanes.is_empty());
}

#[tokio::test]
async fn who_has_waited_for_too_long_is_told_so_and_not_committed() {
    let setting = Setting::new(Limits { patience: Duration::ZERO, ..LIMITS });
    let asked = setting.ask([1]).await;
    assert!(matches!(answers(asked).await[..], [Err(BatchError::Late)]));
    assert!(setting.begun().is_empty());
    assert_eq!(setting.lanes.len(), 1, "the lane goes on");
}

#[tokio::test]
async fn a_commit_that_takes_too_long_is_given_up() {
    let setting = Setting::new(Limits { patience: Duration::from_millis(50), ..LIMITS });
    let held_up = timeout(Duration::from_secs(5), setting.batcher.commit(1)).await;
    assert!(matches!(held_up, Ok(Err(BatchError::Late))), "no permit ever comes: {held_up:?}");
    assert_eq!(setting.begun(), [[1]]);
    setting.let_commit(1).await;
    assert_eq!(setting.batcher.commit(2).await.unwrap(), (2, 4), "the lane goes on");
}

#[tokio::test]
async fn a_commit_that_panics_costs_its_batch_and_no_more() {
    let setting = Setting::new(LIMITS);
    setting.let_commit(2).await;
    assert!(matches!(setting.batcher.commit(PANICS).await, Err(BatchError::Late)));
    assert_eq!(setting.batcher.commit(1).await.unwrap(), (1, 2));
}
