//! Reciprocal rank fusion: one ranking from several whose scores cannot be compared.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::Hash;

/// The constant of the formula: a larger one favours the first ranks less (Cormack, Clarke,
/// Büttcher: Reciprocal Rank Fusion, 2009).
const RRF_K: f32 = 60.0;

/// The score of each item: the sum of 1 / (60 + rank) over the rankings that contain it. Rankings
/// are given best first.
pub fn votes<T: Eq + Hash>(rankings: impl IntoIterator<Item: IntoIterator<Item = T>>) -> HashMap<T, f32> {
    let mut votes = HashMap::new();
    for ranking in rankings {
        for (rank, item) in (1_u16..).zip(ranking) {
            *votes.entry(item).or_default() += 1.0 / (RRF_K + f32::from(rank));
        }
    }
    votes
}

/// The `limit` places with the highest fused score, best first. `order` decides between equal ones.
pub(crate) fn fuse(
    rankings: [&[(usize, f32)]; 2],
    limit: usize,
    order: impl Fn(usize, usize) -> Ordering,
) -> Vec<(usize, f32)> {
    let places = rankings.map(|ranking| ranking.iter().map(|(place, _)| *place));
    let mut fused: Vec<_> = votes(places).into_iter().collect();
    fused.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then_with(|| order(a.0, b.0)));
    fused.truncate(limit);
    fused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fusion_adds_reciprocal_ranks() {
        let by_place = |a: usize, b: usize| a.cmp(&b);
        let words = [(7, 9.0), (1, 5.0), (2, 4.0)];
        let meaning = [(2, 0.9), (7, 0.8), (4, 0.7)];
        let fused = fuse([&words, &meaning], 3, by_place);
        assert_eq!(fused.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [7, 2, 1]);
        assert!((fused[0].1 - (1.0 / 61.0 + 1.0 / 62.0)).abs() < 1e-6);
        assert!((fused[2].1 - 1.0 / 62.0).abs() < 1e-6);
        assert_eq!(fuse([&words, &[]], 2, by_place).len(), 2);
    }
}
