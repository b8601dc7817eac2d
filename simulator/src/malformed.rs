//! The share of a model's answers that is malformed, whatever the fault rules are: empty, cut in half,
//! or of another shape, each as often. In every stretch of calls that should hold one there is one, so
//! that runs of few calls compare.

use std::sync::atomic::{AtomicU64, Ordering};

use rand::RngExt;

use crate::faults::{FaultKind, Part};
use crate::seed;

/// Decides over the chat calls, the n-th one always alike.
#[derive(Debug)]
pub(crate) struct Malformed {
    seed: u64,
    rate: f64,
    calls: AtomicU64,
}

impl Malformed {
    /// Takes a share from 0 to 1; what is beyond is cut.
    pub(crate) fn new(seed: u64, rate: f64) -> Self {
        Self { seed, rate: if rate > 0.0 { rate.min(1.0) } else { 0.0 }, calls: AtomicU64::new(0) }
    }

    /// How the next call's answer is malformed, if it is.
    pub(crate) fn draw(&self) -> Option<FaultKind> {
        if self.rate == 0.0 {
            return None;
        }
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let stretch = whole(call as f64 * self.rate);
        let begin_of = |stretch: u64| whole((stretch as f64 / self.rate).ceil());
        let (begin, end) = (begin_of(stretch), begin_of(stretch + 1));
        let mut rng = seed::rng(self.seed, &["malformed", &stretch.to_string()]);
        // Rounding may leave a stretch empty where every call is one.
        let chosen = rng.random_range(begin..end.max(begin + 1));
        let part = Some(Part::Content);
        let kind = match (self.seed % 3 + stretch % 3) % 3 {
            0 => FaultKind::TruncatedJson { part },
            1 => FaultKind::WrongShape { part },
            _ => FaultKind::EmptyText,
        };
        (call == chosen).then_some(kind)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of calls")]
fn whole(calls: f64) -> u64 {
    calls.floor() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, rate: f64, calls: usize) -> Vec<Option<FaultKind>> {
        let malformed = Malformed::new(seed, rate);
        (0..calls).map(|_| malformed.draw()).collect()
    }

    fn count(drawn: &[Option<FaultKind>]) -> usize {
        drawn.iter().flatten().count()
    }

    #[test]
    fn every_stretch_has_its_share_and_the_kinds_take_turns() {
        for seed in 0..20 {
            let answers = drawn(seed, 0.03, 3_000);
            assert!((89..=90).contains(&count(&answers)), "seed {seed}: {}", count(&answers));
            for run in answers.chunks(200) {
                assert!((5..=7).contains(&count(run)), "seed {seed}: {}", count(run));
            }
            let empty = answers.iter().flatten().filter(|kind| **kind == FaultKind::EmptyText).count();
            assert!((29..=30).contains(&empty), "seed {seed}: {empty}");
        }
    }

    #[test]
    fn the_seed_says_which() {
        assert_eq!(drawn(7, 0.3, 100), drawn(7, 0.3, 100));
        assert_ne!(drawn(7, 0.3, 100), drawn(8, 0.3, 100));
    }

    #[test]
    fn none_or_all_may_be() {
        assert_eq!(count(&drawn(7, 0.0, 100)), 0);
        assert_eq!(count(&drawn(7, 1.0, 100)), 100);
        assert_eq!(count(&drawn(7, f64::NAN, 100)), 0);
    }
}
