//! What the jobs are doing, counted for operators. Counting looks at every open job: where that is quick,
//! each request gets a count that begins after it; where it takes long, requests share the last one, and
//! the next begins behind them, so that however many jobs there are, nobody waits and Postgres has time
//! for other things.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use copydesk_common::clock;
use copydesk_common::store::job::load::{self, Loads};
use copydesk_common::store::{Store, StoreError};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;

#[cfg(test)]
mod tests;

/// How often the jobs are counted.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// A count that takes no longer is made anew for each request.
    quick: Duration,
    /// Counts that take longer are this many times as far apart as they take.
    apart: u32,
    /// An older count is shown to nobody: who asks waits for the next.
    max_age: Duration,
    /// Counts are kept fresh for so long after somebody asked.
    watched: Duration,
}

const USUAL: Pace = Pace {
    quick: Duration::from_millis(10),
    apart: 10,
    max_age: Duration::from_secs(60),
    watched: Duration::from_secs(300),
};

/// What the jobs were doing at one moment.
#[derive(Debug)]
pub struct Count {
    /// What they were doing.
    pub loads: Loads,
    /// When that was.
    pub counted_at: DateTime<Utc>,
    began: Instant,
    took: Duration,
    pace: Pace,
}

impl Count {
    fn is_quick(&self) -> bool {
        self.took <= self.pace.quick
    }

    fn is_due(&self) -> bool {
        self.began.elapsed() >= self.took * self.pace.apart
    }

    /// Whether it answers a request of that time.
    fn answers(&self, asked: Instant) -> bool {
        let max_age = self.pace.max_age.max(2 * self.pace.apart * self.took);
        self.began >= asked || (!self.is_quick() && self.began.elapsed() <= max_age)
    }
}

/// Why there is no count. Shared by those who waited for it.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// The database said no.
    #[error("the jobs could not be counted")]
    Store(#[from] StoreError),
    /// The task that counted is gone.
    #[error("the jobs were not counted")]
    Gone,
}

impl From<CountError> for ApiError {
    fn from(error: CountError) -> Self {
        match error {
            CountError::Store(error) => error.into(),
            error @ CountError::Gone => Self::Internal(error.into()),
        }
    }
}

/// Counts what the jobs are doing. Cheap to clone; clones share their counts.
#[derive(Debug, Clone)]
pub struct Counter(Arc<State>);

#[derive(Debug)]
struct State {
    store: Store,
    pace: Pace,
    closing: CancellationToken,
    last: watch::Sender<Option<Arc<Count>>>,
    /// One counts at a time.
    counting: Mutex<()>,
    /// When somebody asked last.
    asked: watch::Sender<Instant>,
    /// Whether a task keeps the count fresh.
    kept_fresh: AtomicBool,
}

impl Counter {
    /// Counts nothing before somebody asks.
    pub fn new(store: &Store, closing: CancellationToken) -> Self {
        Self::at(USUAL, store, closing)
    }

    fn at(pace: Pace, store: &Store, closing: CancellationToken) -> Self {
        Self(Arc::new(State {
            store: store.clone(),
            pace,
            closing,
            last: watch::Sender::new(None),
            counting: Mutex::new(()),
            asked: watch::Sender::new(Instant::now()),
            kept_fresh: AtomicBool::new(false),
        }))
    }

    /// What the jobs are doing: now, or where counting takes long, when they were last counted.
    pub async fn read(&self) -> Result<Arc<Count>, CountError> {
        let asked = Instant::now();
        self.0.asked.send_replace(asked);
        let count = match self.last_for(asked) {
            Some(count) => count,
            None => self.counted_since(asked).await?,
        };
        if !count.is_quick() {
            self.keep_fresh();
        }
        Ok(count)
    }

    fn last_for(&self, asked: Instant) -> Option<Arc<Count>> {
        self.0.last.borrow().clone().filter(|count| count.answers(asked))
    }

    /// Counts, unless somebody else does so first. Goes on where its caller gives up: the next one finds it done.
    async fn counted_since(&self, asked: Instant) -> Result<Arc<Count>, CountError> {
        let counter = self.clone();
        let counted = tokio::spawn(async move {
            let _one = counter.0.counting.lock().await;
            match counter.last_for(asked) {
                Some(count) => Ok(count),
                None => counter.count().await,
            }
        });
        counted.await.map_err(|_| CountError::Gone)?
    }

    async fn count(&self) -> Result<Arc<Count>, CountError> {
        let (began, counted_at) = (Instant::now(), clock::now());
        let loads = load::all(&self.0.store).await?;
        let count = Arc::new(Count { loads, counted_at, began, took: began.elapsed(), pace: self.0.pace });
        self.0.last.send_replace(Some(Arc::clone(&count)));
        Ok(count)
    }

    /// Counts again and again in the background, as long as somebody asks and it takes long.
    fn keep_fresh(&self) {
        if self.0.kept_fresh.swap(true, Ordering::AcqRel) {
            return;
        }
        let counter = self.clone();
        tokio::spawn(async move {
            while counter.freshen().await {}
            counter.0.kept_fresh.store(false, Ordering::Release);
        });
    }

    /// One count at its time. False once there is no need for more.
    async fn freshen(&self) -> bool {
        let Some(last) = self.0.last.borrow().clone() else { return false };
        if last.is_quick() || self.0.asked.borrow().elapsed() > self.0.pace.watched {
            return false;
        }
        tokio::select! {
            () = sleep((last.took * last.pace.apart).saturating_sub(last.began.elapsed())) => {}
            () = self.0.closing.cancelled() => return false,
        }
        let _one = self.0.counting.lock().await;
        if last.is_due()
            && let Err(error) = self.count().await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "the jobs could not be counted");
            return false;
        }
        true
    }
}
