//! What is believed of a model for a while, and found out anew after it: each process for itself.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Something that holds until a moment, where it was noted at all.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Option<Instant>>);

impl Memory {
    /// Notes that it holds for so long.
    pub(super) fn keep(&self, long: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + long);
    }

    /// Whether it holds.
    pub(super) fn holds(&self) -> bool {
        self.holds_at(Instant::now())
    }

    fn holds_at(&self, now: Instant) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_fades() {
        let memory = Memory::default();
        assert!(!memory.holds());
        memory.keep(Duration::from_secs(60));
        assert!(memory.holds() && memory.holds_at(Instant::now() + Duration::from_secs(59)));
        assert!(!memory.holds_at(Instant::now() + Duration::from_secs(60)));
    }
}
