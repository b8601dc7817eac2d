//! Which request gets which count. The pace defines what takes long. While a test locks the table,
//! no count can be made.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use sqlx::{PgPool, Postgres, Transaction};
use tokio::time::timeout;

use super::*;

/// Fails the test rather than hanging it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Counting always takes long.
const SLOW: Pace = Pace { quick: Duration::ZERO, ..USUAL };

fn counter(pool: &PgPool, pace: Pace) -> Counter {
    Counter::at(pace, &Store::from_pool(pool.clone()), CancellationToken::new())
}

/// Blocks all reads of jobs until it is dropped.
async fn hold(pool: &PgPool) -> Transaction<'_, Postgres> {
    let mut lock = pool.begin().await.unwrap();
    sqlx::query("lock table jobs in access exclusive mode").execute(&mut *lock).await.unwrap();
    lock
}

async fn read(counter: &Counter) -> Arc<Count> {
    timeout(PATIENCE, counter.read()).await.unwrap().unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn where_counting_is_quick_each_request_gets_a_count_of_its_own(pool: PgPool) {
    let counter = counter(&pool, Pace { quick: Duration::MAX, ..USUAL });
    for _ in 0..3 {
        let asked = Instant::now();
        assert!(read(&counter).await.began >= asked);
    }
    assert!(!counter.0.kept_fresh.load(Ordering::Acquire), "nobody counts in the background");
}

#[sqlx::test(migrations = "../migrations")]
async fn where_counting_takes_long_requests_share_the_last_count_and_wait_for_none(pool: PgPool) {
    let counter = counter(&pool, SLOW);
    read(&counter).await;
    let held = hold(&pool).await;
    let asked = Instant::now();
    for _ in 0..3 {
        assert!(read(&counter).await.began < asked, "nobody can have counted since");
    }
    held.rollback().await.unwrap();
}

#[sqlx::test(migrations = "../migrations")]
async fn a_count_that_takes_long_is_kept_fresh_in_the_background(pool: PgPool) {
    let counter = counter(&pool, SLOW);
    let mut counts = counter.0.last.subscribe();
    let first = read(&counter).await;
    // There are no more requests.
    let later = counts.wait_for(|count| count.as_ref().is_some_and(|count| count.began > first.began));
    assert!(timeout(PATIENCE, later).await.unwrap().is_ok());
}

#[sqlx::test(migrations = "../migrations")]
async fn once_nobody_has_asked_for_long_nobody_counts(pool: PgPool) {
    let counter = counter(&pool, Pace { watched: Duration::ZERO, ..SLOW });
    read(&counter).await;
    let ended = async {
        while counter.0.kept_fresh.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
    };
    assert!(timeout(PATIENCE, ended).await.is_ok());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_count_that_is_too_old_is_shown_to_nobody(pool: PgPool) {
    let counter = counter(&pool, Pace { max_age: Duration::ZERO, apart: 0, ..SLOW });
    read(&counter).await;
    let held = hold(&pool).await;
    let asked = Instant::now();
    let (count, ()) = tokio::join!(read(&counter), async { held.rollback().await.unwrap() });
    assert!(count.began >= asked, "it waited for the next");
}
