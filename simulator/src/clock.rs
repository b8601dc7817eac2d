//! The simulator's clock, in milliseconds since the epoch: the system's, or one that a test moves
//! by hand. It times the limits; pauses (delays, pacing) always take real time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the time of the limits comes from. Clones share a manual clock.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    /// Read once from the wall, then monotonic: a stepped wall clock must not bend a window.
    System {
        started: Instant,
        started_ms: u64,
    },
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The system's time.
    pub fn system() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(Source::System { started: Instant::now(), started_ms: whole_ms(since_epoch) })
    }

    /// A clock that stands at `ms` since the epoch until it is advanced.
    pub fn manual(ms: u64) -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(ms))))
    }

    /// Moves a manual clock on; the system's clock is not to be moved and stays.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(ms) = &self.0 {
            ms.fetch_add(whole_ms(by), Ordering::SeqCst);
        }
    }

    /// Now, in milliseconds since the epoch.
    pub fn now_ms(&self) -> u64 {
        match &self.0 {
            Source::System { started, started_ms } => started_ms + whole_ms(started.elapsed()),
            Source::Manual(ms) => ms.load(Ordering::SeqCst),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

/// Whole milliseconds; a duration beyond 500 million years is cut.
pub(crate) fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand_and_for_every_clone() {
        let clock = Clock::manual(1_000);
        let other = clock.clone();
        clock.advance(Duration::from_millis(250));
        assert_eq!((clock.now_ms(), other.now_ms()), (1_250, 1_250));
    }

    #[test]
    fn the_system_clock_is_not_moved() {
        let clock = Clock::system();
        let before = clock.now_ms();
        clock.advance(Duration::from_secs(3_600));
        assert!(clock.now_ms() < before + 3_600_000);
    }
}
