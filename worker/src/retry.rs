//! The only retry loop, that of the job: how long a job waits after a failed attempt.

use std::time::Duration;

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(600);
/// The factor by which the wait grows with each attempt.
const GROWTH: u32 = 4;

/// The wait after `failed` attempts (from 1): `first`, then four times as long each, at most 10
/// minutes. Jitter of up to a quarter keeps jobs that failed together from coming back together.
pub(crate) fn backoff(first: Duration, failed: u16) -> Duration {
    let factor = GROWTH.saturating_pow(u32::from(failed.saturating_sub(1)));
    first.saturating_mul(factor).min(LONGEST).mul_f64(0.75 + rand::random::<f64>() / 2.0)
}

/// The wait after a job's `nth` failure in a row that is taken for its provider's: a second more each time. Five of a
/// lone job open the provider's breaker within a quarter of a minute.
pub(crate) fn after_setback(nth: u32) -> Duration {
    Duration::from_secs(nth.clamp(1, 5).into()).mul_f64(0.75 + rand::random::<f64>() / 2.0)
}

/// The wait before a suspect runs again, after `takeovers` in a row that are more than chance. One
/// of the suspects kills its workers. Run apart from it, the others finish a stage, which sets
/// their count to 0.
pub(crate) fn suspicion(takeovers: u16) -> Option<Duration> {
    let beyond_chance = u32::from(takeovers.checked_sub(2)?);
    Some(
        Duration::from_secs(2).saturating_mul(2_u32.saturating_pow(beyond_chance)).mul_f64(0.5 + rand::random::<f64>()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_scatter() {
        let first = Duration::from_secs(5);
        for (failed, ideal) in [(1, 5.0), (2, 20.0), (3, 80.0), (9, 600.0)] {
            let wait = backoff(first, failed).as_secs_f64();
            assert!((ideal * 0.75..=ideal * 1.25).contains(&wait), "after {failed}: {wait}");
        }
    }

    #[test]
    fn one_lost_worker_is_chance_and_more_of_them_keep_suspects_apart() {
        assert_eq!((suspicion(0), suspicion(1)), (None, None));
        for (takeovers, ideal) in [(2, 2.0), (3, 4.0), (5, 16.0)] {
            let wait = suspicion(takeovers).map_or(0.0, |wait| wait.as_secs_f64());
            assert!((ideal * 0.5..=ideal * 1.5).contains(&wait), "after {takeovers}: {wait}");
        }
    }
}
