//! Gives back memory that is not in use any more. Only a thread itself can do it for its own heap:
//! see [`copydesk_heap`]. From time to time each thread of the runtime does, before it sleeps.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;

/// The pause between two times.
const EVERY: Duration = Duration::from_secs(10);

/// The number of the current time.
static ROUND: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The last time at which this thread took part.
    static SEEN: Cell<u64> = const { Cell::new(0) };
}

/// Takes part, once each time. Every thread of a runtime calls it before it sleeps.
pub fn before_sleep() {
    let round = ROUND.load(Ordering::Relaxed);
    if SEEN.replace(round) != round {
        copydesk_heap::collect();
    }
}

/// Begins the next time, for ever.
pub async fn keep() {
    let mut tick = tokio::time::interval(EVERY);
    loop {
        tick.tick().await;
        ROUND.fetch_add(1, Ordering::Relaxed);
        // A thread with nothing to do sleeps on: some tasks wake it.
        for _ in 0..4 * Handle::current().metrics().num_workers() {
            tokio::spawn(tokio::task::yield_now());
        }
    }
}
