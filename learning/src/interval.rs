//! Intervals: how far a figure may be from what is true. All are of 95%, and none needs a model of people.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// How often a difference of means is drawn again.
const RESAMPLES: usize = 2_000;
/// The values of an arm that are drawn from: the last ones.
const VALUES: usize = 1_000;
/// Where the draws start: a figure that is computed again is the same.
const SEED: u64 = 0x5eed;
/// What is left out at each end.
const TAIL: f64 = 0.025;

/// Wilson's score interval of a proportion: unlike the normal one it stays within 0 to 1, and means something at small
/// counts (Wilson 1927; Brown, Cai and DasGupta 2001). `None` without trials, or with more successes than trials.
pub fn wilson(successes: u64, trials: u64) -> Option<[f64; 2]> {
    let p = proportion(successes, trials)?;
    let (n, z) = (float(trials), Normal::standard().inverse_cdf(1.0 - TAIL));
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / (1.0 + z * z / n);
    Some([(centre - half).clamp(0.0, p), (centre + half).clamp(p, 1.0)])
}

/// Newcombe's interval of the difference of two independent proportions, `on − off`, each as (successes, trials): made
/// of both Wilson intervals (Newcombe 1998, method 10). `None` where either has none.
pub fn newcombe(on: (u64, u64), off: (u64, u64)) -> Option<[f64; 2]> {
    let (p, q) = (proportion(on.0, on.1)?, proportion(off.0, off.1)?);
    let ([low, high], [off_low, off_high]) = (wilson(on.0, on.1)?, wilson(off.0, off.1)?);
    let below = (p - low).hypot(off_high - q);
    let above = (high - p).hypot(q - off_low);
    Some([(p - q - below).max(-1.0), (p - q + above).min(1.0)])
}

/// The percentile bootstrap of a difference of means, `on − off` (Efron 1979): 2,000 resamples of the last 1,000 finite
/// values of each arm, always drawn the same way. `None` where an arm has no values.
pub fn bootstrap_difference(on: &[f64], off: &[f64]) -> Option<[f64; 2]> {
    let (on, off) = (last(on), last(off));
    if on.is_empty() || off.is_empty() {
        return None;
    }
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut drawn: Vec<_> =
        (0..RESAMPLES).map(|_| resampled_mean(&on, &mut rng) - resampled_mean(&off, &mut rng)).collect();
    drawn.sort_by(f64::total_cmp);
    let left_out = RESAMPLES / 40;
    Some([*drawn.get(left_out)?, *drawn.get(RESAMPLES - 1 - left_out)?])
}

/// The slope of the least-squares line through points, and its interval by Student's t. The deviations are taken as
/// independent of each other. `None` below 3 points, or where `x` never varies.
pub fn slope(points: &[(f64, f64)]) -> Option<(f64, [f64; 2])> {
    let n = float(u64::try_from(points.len()).ok().filter(|n| *n > 2)?);
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let slope = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread;
    let left: f64 = points.iter().map(|point| (point.1 - y - slope * (point.0 - x)).powi(2)).sum();
    let t = StudentsT::new(0.0, 1.0, n - 2.0).ok()?.inverse_cdf(1.0 - TAIL);
    let half = t * (left / (n - 2.0) / spread).sqrt();
    (slope.is_finite() && half.is_finite()).then_some((slope, [slope - half, slope + half]))
}

/// The last finite values, in a fixed order: the interval does not depend on theirs.
fn last(values: &[f64]) -> Vec<f64> {
    let finite: Vec<_> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let mut last = finite[finite.len().saturating_sub(VALUES)..].to_vec();
    last.sort_by(f64::total_cmp);
    last
}

fn resampled_mean(values: &[f64], rng: &mut Xoshiro256PlusPlus) -> f64 {
    let drawn = (0..values.len()).filter_map(|_| values.get(rng.random_range(0..values.len())));
    drawn.sum::<f64>() / values.len() as f64
}

fn proportion(successes: u64, trials: u64) -> Option<f64> {
    (trials > 0 && successes <= trials).then(|| float(successes) / float(trials))
}

#[expect(clippy::cast_precision_loss, reason = "counts of verdicts are far below 2^52")]
const fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    use proptest::prelude::*;

    fn near(found: [f64; 2], right: [f64; 2], by: f64) {
        assert!((found[0] - right[0]).abs() < by && (found[1] - right[1]).abs() < by, "{found:?} {right:?}");
    }

    #[test]
    fn wilson_intervals_match_the_published_values() {
        // Brown, Cai and DasGupta (2001), and R's `binom::binom.wilson`.
        near(wilson(8, 10).unwrap(), [0.490_162, 0.943_318], 1e-5);
        near(wilson(0, 5).unwrap(), [0.0, 0.434_482], 1e-5);
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(2, 1), None);
    }

    #[test]
    fn newcombe_intervals_match_the_published_values() {
        // Newcombe (1998), table II, method 10: 56/70 − 48/80, 9/10 − 3/10, 10/10 − 0/10.
        near(newcombe((56, 70), (48, 80)).unwrap(), [0.0524, 0.3339], 1e-4);
        near(newcombe((9, 10), (3, 10)).unwrap(), [0.1705, 0.8090], 1e-4);
        near(newcombe((10, 10), (0, 10)).unwrap(), [0.6075, 1.0], 1e-4);
        assert_eq!(newcombe((1, 1), (0, 0)), None);
    }

    #[test]
    fn slopes_match_the_published_values() {
        // Wikipedia's example of simple linear regression: masses of women by their heights in metres.
        let heights = [1.47, 1.50, 1.52, 1.55, 1.57, 1.60, 1.63, 1.65, 1.68, 1.70, 1.73, 1.75, 1.78, 1.80, 1.83];
        let weights =
            [52.21, 53.12, 54.48, 55.84, 57.20, 58.57, 59.93, 61.29, 63.11, 64.47, 66.28, 68.10, 69.92, 72.19, 74.46];
        let points: Vec<_> = heights.into_iter().zip(weights).collect();
        let (slope, interval) = slope(&points).unwrap();
        assert!((slope - 61.272).abs() < 1e-3, "{slope}");
        near(interval, [57.4, 65.1], 0.06);
        assert_eq!(super::slope(&points[..2]), None);
        assert_eq!(super::slope(&[(1.0, 2.0); 5]), None);
    }

    /// In 19 of 20 worlds the difference is inside. Of small samples the percentile bootstrap is a little too sure.
    #[test]
    fn the_difference_of_large_samples_is_inside() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let inside = (0..100).filter(|_| {
            let mut values = |mean: f64| (0..60).map(|_| mean + rng.random_range(-3.0..3.0)).collect::<Vec<f64>>();
            let [low, high] = bootstrap_difference(&values(7.0), &values(6.0)).unwrap();
            (low..high).contains(&1.0)
        });
        let inside = inside.count();
        assert!((88..100).contains(&inside), "{inside}");
    }

    #[test]
    fn only_the_last_values_are_drawn_from() {
        let mut long = vec![9.0; 50];
        long.extend(vec![3.0; VALUES]);
        assert_eq!(bootstrap_difference(&long, &[1.0, f64::NAN]), Some([2.0, 2.0]));
        assert_eq!(bootstrap_difference(&[f64::INFINITY], &[1.0]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_bootstrap_is_ordered_and_the_same_in_any_order(
            on in prop::collection::vec(0.0..10.0_f64, 1..30),
            off in prop::collection::vec(0.0..10.0_f64, 1..30),
        ) {
            let [low, high] = bootstrap_difference(&on, &off).unwrap();
            prop_assert!((-10.0..=high).contains(&low) && high <= 10.0);
            let turned: Vec<_> = on.iter().rev().copied().collect();
            prop_assert_eq!(bootstrap_difference(&turned, &off), Some([low, high]));
        }

        #[test]
        fn proportions_lie_in_their_intervals(trials in 1..500_u64, others in 1..500_u64, a in 0..=100_u64, b in 0..=100_u64) {
            let part = |percent: u64, of: u64| percent * of / 100;
            let (on, off) = ((part(a, trials), trials), (part(b, others), others));
            let p = on.0 as f64 / on.1 as f64;
            let [low, high] = wilson(on.0, on.1).unwrap();
            prop_assert!(0.0 <= low && low <= p && p <= high && high <= 1.0);
            let [low, high] = newcombe(on, off).unwrap();
            let difference = p - off.0 as f64 / off.1 as f64;
            prop_assert!(-1.0 <= low && low <= difference && difference <= high && high <= 1.0);
            let [low_turned, high_turned] = newcombe(off, on).unwrap();
            prop_assert!((low + high_turned).abs() < 1e-12 && (high + low_turned).abs() < 1e-12);
        }
    }
}
