//! The non-decreasing step function nearest to points, by pool-adjacent-violators (Ayer et al. 1955; Barlow et al.
//! 1972), made continuous between its steps. It knows nothing of scores.

use serde::{Deserialize, Serialize};

/// A continuous non-decreasing function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Isotonic {
    /// The centre of each block and its level: both ascending.
    blocks: Vec<(f64, f64)>,
}

impl Isotonic {
    /// Fits points, which must be finite. Points of the same `x` count as one, at their mean.
    pub(super) fn fit(points: &[(f64, f64)]) -> Self {
        let blocks = pooled(points).into_iter().map(|block| (block.centre(), block.level()));
        Self { blocks: blocks.collect() }
    }

    /// The level at `x`: on the line between the centres of the blocks beside it, and level beyond the outer ones.
    /// `x` itself where there were no points.
    pub(super) fn at(&self, x: f64) -> f64 {
        let right = self.blocks.partition_point(|(centre, _)| *centre < x);
        match (right.checked_sub(1).and_then(|left| self.blocks.get(left)), self.blocks.get(right)) {
            (Some((from, low)), Some((to, high))) => low + (high - low) * ((x - from) / (to - from)).clamp(0.0, 1.0),
            (Some((_, level)), None) | (None, Some((_, level))) => *level,
            (None, None) => x,
        }
    }

    /// The same function, with numbers that read back from JSON as they were written.
    pub(super) fn rounded(self, round: impl Fn(f64) -> f64) -> Self {
        Self { blocks: self.blocks.into_iter().map(|(centre, level)| (round(centre), round(level))).collect() }
    }
}

/// Neighbouring points that share a level.
#[derive(Debug, Clone, Copy)]
struct Block {
    points: usize,
    x: f64,
    y: f64,
}

impl Block {
    fn centre(self) -> f64 {
        self.x / self.points as f64
    }

    fn level(self) -> f64 {
        self.y / self.points as f64
    }

    fn with(self, other: Self) -> Self {
        Self { points: self.points + other.points, x: self.x + other.x, y: self.y + other.y }
    }
}

/// The blocks of the nearest non-decreasing function: in time linear in the points, once they are sorted.
fn pooled(points: &[(f64, f64)]) -> Vec<Block> {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut blocks: Vec<Block> = Vec::new();
    for same_x in sorted.chunk_by(|a, b| a.0 == b.0) {
        let each = same_x.iter().map(|(x, y)| Block { points: 1, x: *x, y: *y });
        let Some(mut block) = each.reduce(Block::with) else { continue };
        while let Some(before) = blocks.pop_if(|before| before.level() >= block.level()) {
            block = before.with(block);
        }
        blocks.push(block);
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    /// The least sum of squares of a non-decreasing function over points of ascending `x`: by trying every partition.
    fn least_squares_by_force(ys: &[f64]) -> Vec<f64> {
        let mut best = (f64::INFINITY, Vec::new());
        for cuts in 0..1_u32 << (ys.len() - 1) {
            let mut levels: Vec<f64> = Vec::new();
            let mut start = 0;
            for end in 1..=ys.len() {
                if end == ys.len() || cuts >> (end - 1) & 1 == 1 {
                    let mean = ys[start..end].iter().sum::<f64>() / (end - start) as f64;
                    levels.extend(std::iter::repeat_n(mean, end - start));
                    start = end;
                }
            }
            let squares: f64 = levels.iter().zip(ys).map(|(level, y)| (level - y).powi(2)).sum();
            if levels.is_sorted() && squares < best.0 {
                best = (squares, levels);
            }
        }
        best.1
    }

    proptest! {
        #[test]
        fn pooling_finds_what_trying_every_partition_finds(ys in prop::collection::vec(0.0..10.0_f64, 1..=8)) {
            let points: Vec<_> = ys.iter().enumerate().map(|(x, y)| (x as f64, *y)).collect();
            let mut found = Vec::new();
            for block in pooled(&points) {
                found.extend(std::iter::repeat_n(block.level(), block.points));
            }
            for (found, right) in found.iter().zip(least_squares_by_force(&ys)) {
                prop_assert!((found - right).abs() < 1e-9, "{found} {right}");
            }
        }

        #[test]
        fn the_function_never_falls_and_has_no_jumps(
            points in prop::collection::vec((0.0..10.0_f64, 0.0..10.0_f64), 1..40),
            at in -1.0..11.0_f64,
        ) {
            let fitted = Isotonic::fit(&points);
            prop_assert!(fitted.at(at) <= fitted.at(at + 0.1) + 1e-12);
            let steepest = fitted.blocks.windows(2).map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0));
            let steepest = steepest.fold(0.0, f64::max);
            prop_assert!(fitted.at(at + 1e-6) - fitted.at(at) <= steepest * 1e-6 + 1e-9);
        }

        #[test]
        fn the_order_of_the_points_does_not_matter(
            points in prop::collection::vec((0..5_i32, 0.0..10.0_f64), 0..20).prop_shuffle(),
        ) {
            let points: Vec<_> = points.into_iter().map(|(x, y)| (f64::from(x), y)).collect();
            let mut sorted = points.clone();
            sorted.sort_by(|a, b| a.1.total_cmp(&b.1));
            prop_assert_eq!(Isotonic::fit(&points), Isotonic::fit(&sorted));
        }
    }

    #[test]
    fn points_of_the_same_place_count_as_their_mean() {
        let fitted = Isotonic::fit(&[(1.0, 4.0), (1.0, 2.0), (3.0, 5.0)]);
        assert_eq!(fitted.blocks, [(1.0, 3.0), (3.0, 5.0)]);
        assert_eq!([fitted.at(0.0), fitted.at(2.0), fitted.at(9.0)], [3.0, 4.0, 5.0]);
        assert_eq!(Isotonic::fit(&[]).at(4.2), 4.2);
    }
}
