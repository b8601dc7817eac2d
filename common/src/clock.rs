//! The process's clock, in the units that the rest of the code uses. Times on which many processes
//! must agree come from Redis or Postgres instead. This clock gives the times that one process
//! writes and another waits for. A machine's clock may be minutes off, so a worker corrects this
//! one by Redis' clock ([`set_right`]).

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

static PROCESS: Clock = Clock::new();

/// The deviation that is not corrected: below it, the correction would only follow the network's
/// jitter.
const TOLERATED: TimeDelta = TimeDelta::milliseconds(250);

/// Now, with the microsecond precision of Postgres, so that a stored value is read back unchanged.
pub fn now() -> DateTime<Utc> {
    PROCESS.now()
}

/// Corrects the clock by another one, which shows `theirs` about now. If the system's clock
/// deviates by more than the tolerance, returns how far it is ahead.
pub fn set_right(theirs: DateTime<Utc>) -> Option<TimeDelta> {
    PROCESS.set_right(theirs)
}

/// Makes the system's clock appear this far ahead (behind, if negative). For tests with wrong
/// clocks.
pub fn pretend_ahead(seconds: i64) {
    PROCESS.pretended_us.store(seconds.saturating_mul(1_000_000), Ordering::Relaxed);
}

/// The time at `ms` milliseconds since the epoch; the epoch itself if that is out of range.
pub fn from_millis(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or_default()
}

fn from_micros(us: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(us).unwrap_or_default()
}

#[derive(Debug)]
struct Clock {
    /// The deliberate error of the system's clock, in microseconds.
    pretended_us: AtomicI64,
    /// The correction of the system's clock, in microseconds.
    correction_us: AtomicI64,
}

impl Clock {
    const fn new() -> Self {
        Self { pretended_us: AtomicI64::new(0), correction_us: AtomicI64::new(0) }
    }

    fn now(&self) -> DateTime<Utc> {
        from_micros(self.system_us() + self.correction_us.load(Ordering::Relaxed))
    }

    fn set_right(&self, theirs: DateTime<Utc>) -> Option<TimeDelta> {
        let ahead = from_micros(self.system_us()) - theirs;
        let is_off = ahead.abs() > TOLERATED;
        let correction = if is_off { -ahead.num_microseconds().unwrap_or(0) } else { 0 };
        self.correction_us.store(correction, Ordering::Relaxed);
        is_off.then_some(ahead)
    }

    fn system_us(&self) -> i64 {
        Utc::now().timestamp_micros() + self.pretended_us.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_set_right_and_a_right_one_is_left_alone() {
        let clock = Clock::new();
        let is_right = || (clock.now() - Utc::now()).abs() < TimeDelta::seconds(1);
        clock.pretended_us.store(-300_000_000, Ordering::Relaxed);
        assert!(!is_right());
        let ahead = clock.set_right(Utc::now()).map(|ahead| ahead.num_seconds());
        assert!(matches!(ahead, Some(-301..=-299)), "{ahead:?}");
        assert!(is_right());
        // The system's clock was corrected meanwhile: the correction is removed.
        clock.pretended_us.store(0, Ordering::Relaxed);
        assert!(!is_right());
        assert_eq!(clock.set_right(Utc::now() + TimeDelta::milliseconds(20)), None);
        assert!(is_right());
    }
}
