//! How far scores are from people's as they are shown, on pairs that are drawn: an editor who flatters, `0.6·h + 3` with
//! noise. Each score is predicted from the pairs before it, and then seen.

use copydesk_domain::format::Format;
use copydesk_learning::calibration::{Calibrator, Pair};
use rand::RngExt as _;

use super::course::normal;
use super::{figures, rng};

/// Raters that are drawn.
pub(super) const RATERS: u64 = 1_000;
/// Texts of each.
pub(super) const TEXTS: usize = 40;
/// Texts after which nothing may have been lost.
pub(super) const FEW: usize = 5;

/// Errors of the n-th text, from 0: of the editor's score, and of the one that was shown; a list for each rater.
pub(super) type Errors = Vec<Vec<[f64; 2]>>;

/// Draws the raters, and corrects the scores of each.
pub(super) fn errors() -> Errors {
    (0..RATERS).map(|seed| path(&pairs(seed))).collect()
}

fn pairs(seed: u64) -> Vec<Pair> {
    let mut rng = rng(seed, "calibration");
    let pair = |_| {
        let human = rng.random_range(0.0..=10.0);
        Pair { content_type: Format::LinkedIn, estimate: 0.6 * human + 3.0 + 0.5 * normal(&mut rng), human }
    };
    (0..TEXTS).map(pair).collect()
}

fn path(pairs: &[Pair]) -> Vec<[f64; 2]> {
    let error = |(n, pair): (usize, &Pair)| {
        let shown = Calibrator::fit(&pairs[..n], pair.content_type).apply(pair.estimate);
        [pair.estimate, shown].map(|score| (score - pair.human).abs())
    };
    pairs.iter().enumerate().map(error).collect()
}

/// Mean errors of the first `n` texts: of the editor's scores, and of those that were shown.
pub(super) fn by(errors: &Errors, n: usize) -> [f64; 2] {
    [0, 1].map(|of| figures::mean(errors.iter().flat_map(|rater| rater.iter().take(n).map(move |pair| pair[of]))))
}

/// How much worse the scores that were shown are than the editor's after so many texts, of the rater whom it is worst
/// for.
pub(super) fn worst(errors: &Errors, n: usize) -> f64 {
    let worse =
        |rater: &Vec<[f64; 2]>, n: usize| rater.iter().take(n).map(|[raw, shown]| shown - raw).sum::<f64>() / n as f64;
    errors.iter().map(|rater| worse(rater, n)).fold(f64::NEG_INFINITY, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_score_is_predicted_from_those_before_it() {
        let path = path(&pairs(1));
        assert_eq!(path.len(), TEXTS);
        assert_eq!(path[0][0], path[0][1], "nothing is known before the first");
        assert!(path.iter().skip(20).any(|[raw, shown]| raw != shown));
    }
}
