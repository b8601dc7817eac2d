//! Counts of jobs for operators. Counting reads every open job. If that is quick, each request gets
//! a new count. If it takes long, requests get the last count, and the next one is made in the
//! background. So requests do not wait and Postgres is not overloaded, however many jobs there are.

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

/// The pace of counting.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// A count that takes at most this long is made for each request.
    quick: Duration,
    /// The interval of slower counts, as a multiple of their duration.
    apart: u32,
    /// The oldest count that is shown; after it, requests wait for the next one.
    max_age: Duration,
    /// How long counts are kept fresh after the last request.
    watched: Duration,
}

const USUAL: Pace = Pace {
    quick: Duration::from_millis(10),
    apart: 10,
    max_age: Duration::from_secs(60),
    watched: Duration::from_secs(300),
};

/// A count of the jobs at one moment.
#[derive(Debug)]
pub struct Count {
    /// The counts.
    pub loads: Loads,
    /// When they were made.
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

    /// Whether it can answer a request of that time.
    fn answers(&self, asked: Instant) -> bool {
        let max_age = self.pace.max_age.max(2 * self.pace.apart * self.took);
        self.began >= asked || (!self.is_quick() && self.began.elapsed() <= max_age)
    }
}

/// Why there is no count. Shared by the requests that waited for it.
#[derive(Debug, thiserror::Error)]
pub enum CountError {
    /// The database failed.
    #[error("the jobs could not be counted")]
    Store(#[from] StoreError),
    /// The counting task ended early.
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

/// Counts the jobs. Cheap to clone; clones share their counts.
#[derive(Debug, Clone)]
pub struct Counter(Arc<State>);

#[derive(Debug)]
struct State {
    store: Store,
    pace: Pace,
    closing: CancellationToken,
    last: watch::Sender<Option<Arc<Count>>>,
    /// Only one task counts at a time.
    counting: Mutex<()>,
    /// The time of the last request.
    asked: watch::Sender<Instant>,
    /// Whether a background task keeps the count fresh.
    kept_fresh: AtomicBool,
}

impl Counter {
    /// Makes a counter. It counts nothing before the first request.
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

    /// The current count, or the last one if counting takes long.
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

    /// Counts, unless another task does so first. Continues if the caller is dropped, so that the
    /// next caller finds the result.
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

    /// Counts repeatedly in the background, as long as there are requests and counting takes long.
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

    /// Makes one count when it is due. False if no more are needed.
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
