//! Whether requests should be sent to this process. It is found out all the time, on a connection
//! of its own, so that the answer to a probe waits for nothing: neither for Postgres, nor for a
//! connection of the pool.

use std::sync::Arc;
use std::time::Duration;

use copydesk_common::store::Store;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The time-out of a look; after it, Postgres counts as down.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);
/// The pause between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// The state, at most three seconds old. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Readiness(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    store: Store,
    closing: CancellationToken,
    /// Whether Postgres answered; `None` before the first look.
    answers: watch::Sender<Option<bool>>,
}

impl Readiness {
    /// The state before the first look.
    pub fn new(store: Store, closing: CancellationToken) -> Self {
        Self(Arc::new(Parts { store, closing, answers: watch::Sender::new(None) }))
    }

    /// Looks, for ever.
    pub async fn keep(&self) {
        let mut heartbeat = self.0.store.heartbeat();
        loop {
            let answers = matches!(timeout(LOOK_TIMEOUT, heartbeat.beat()).await, Ok(Ok(())));
            self.0.answers.send_replace(Some(answers));
            sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Whether the process is not shutting down, and Postgres answers. Waits only for the first
    /// look.
    pub async fn is_ready(&self) -> bool {
        let mut answers = self.0.answers.subscribe();
        let looked = timeout(LOOK_TIMEOUT, answers.wait_for(Option::is_some)).await;
        let answers = matches!(looked, Ok(Ok(answers)) if *answers == Some(true));
        answers && !self.0.closing.is_cancelled() && !self.0.store.is_breaker_open()
    }
}
