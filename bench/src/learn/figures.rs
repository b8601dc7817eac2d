//! Means of courses, with their intervals.

use super::conditions::Courses;
use super::course::Round;

/// The 97.5% quantile of Student's t distribution by degrees of freedom, from 1; beyond them the normal one's.
const T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
const Z: f64 = 1.96;

/// The mean; NaN without values.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    crate::measure::mean(values)
}

/// Half of the mean's 95% interval; NaN below two values.
pub(super) fn half_interval(values: &[f64]) -> f64 {
    let (n, mean) = (values.len() as f64, mean(values.iter().copied()));
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let t = values.len().checked_sub(2).and_then(|at| T.get(at)).copied().unwrap_or(Z);
    t * (variance / n).sqrt()
}

/// A figure's mean over some rounds, of each seed.
pub(super) fn by_seed(courses: &Courses, rounds: std::ops::Range<usize>, of: impl Fn(&Round) -> f64) -> Vec<f64> {
    let seed = |course: &Vec<Round>| {
        let last = rounds.end.min(course.len());
        mean(course[rounds.start.min(last)..last].iter().map(&of))
    };
    courses.iter().map(seed).collect()
}

/// The same over all seeds.
pub(super) fn over(courses: &Courses, rounds: std::ops::Range<usize>, of: impl Fn(&Round) -> f64) -> f64 {
    mean(by_seed(courses, rounds, of))
}

/// A figure of each round over the seeds: the mean, and half of its 95% interval.
pub(super) fn by_round(courses: &Courses, of: impl Fn(&Round) -> f64) -> Vec<(f64, f64)> {
    let rounds = courses.iter().map(Vec::len).min().unwrap_or(0);
    let at = |round: usize| {
        let values: Vec<f64> = courses.iter().map(|course| of(&course[round])).collect();
        (mean(values.iter().copied()), half_interval(&values))
    };
    (0..rounds).map(at).collect()
}

/// What a round cost its rater: preferences that the text breaks.
pub(super) fn regret(round: &Round) -> f64 {
    round.regret as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(regrets: &[usize]) -> Vec<Round> {
        regrets.iter().map(|&regret| Round { regret, ..Round::default() }).collect()
    }

    #[test]
    fn means_are_of_seeds_and_of_rounds() {
        let courses = vec![course(&[4, 2, 0]), course(&[6, 4, 2])];
        assert_eq!(by_seed(&courses, 1..3, regret), [1.0, 3.0]);
        assert_eq!(over(&courses, 0..9, regret), 3.0);
        assert_eq!(by_round(&courses, regret).iter().map(|(mean, _)| *mean).collect::<Vec<_>>(), [5.0, 3.0, 1.0]);
    }

    #[test]
    fn an_interval_is_students() {
        // Of 1 to 5: a deviation of 1.5811, and 2.776 by 4 degrees of freedom.
        assert!((half_interval(&[1.0, 2.0, 3.0, 4.0, 5.0]) - 1.9629).abs() < 1e-3);
        assert!(half_interval(&[1.0]).is_nan());
    }
}
