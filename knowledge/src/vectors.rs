//! Passages' vectors, compared one by one with a query's: exact, and at the sizes of one business faster than
//! asking for the query's vector was. And the fusion of two rankings whose scores cannot be compared.

use std::collections::HashMap;

use copydesk_common::embedding::Vector;

/// How much the first ranks count before the later ones (Cormack, Clarke, Büttcher: Reciprocal Rank Fusion, 2009).
const RRF_K: f32 = 60.0;

/// The vectors of those passages that have one, all of one dimension.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    dimension: usize,
    /// Whose they are: the passages' places, ascending.
    places: Vec<u32>,
    /// One vector after the other.
    numbers: Vec<f32>,
}

impl Vectors {
    /// Adds the vector of the passage at `place`; one of another dimension than the first is not taken.
    pub(crate) fn push(&mut self, place: usize, vector: &Vector) {
        if self.places.is_empty() {
            self.dimension = vector.dimension();
        }
        if let (true, Ok(place)) = (vector.dimension() == self.dimension, u32::try_from(place)) {
            self.places.push(place);
            self.numbers.extend_from_slice(vector.numbers());
        }
    }

    /// The dimension of all of them; `None` where there are none.
    pub(crate) fn dimension(&self) -> Option<usize> {
        (!self.places.is_empty()).then_some(self.dimension)
    }

    pub(crate) fn has(&self, place: usize) -> bool {
        u32::try_from(place).is_ok_and(|place| self.places.binary_search(&place).is_ok())
    }

    /// What they take in memory, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        size_of_val(self.places.as_slice()) + size_of_val(self.numbers.as_slice())
    }

    /// The cosine of each passage's angle with the query, with the passage's place. Nothing where the query's
    /// vector has another dimension: they say nothing beside each other.
    pub(crate) fn likeness(&self, query: &Vector) -> impl Iterator<Item = (usize, f32)> {
        let comparable = if query.dimension() == self.dimension { self.places.as_slice() } else { &[] };
        let vectors = self.numbers.chunks_exact(self.dimension.max(1));
        comparable.iter().zip(vectors).map(|(&place, vector)| (place as usize, dot(vector, query.numbers())))
    }
}

/// In eight lanes, which the compiler adds side by side; one sum would have to keep its order.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

/// One ranking of several: each counts 1 / (60 + rank). Best first, equal ones by place.
pub(crate) fn fuse(rankings: [&[(usize, f32)]; 2], limit: usize) -> Vec<(usize, f32)> {
    let mut sums: HashMap<usize, f32> = HashMap::new();
    for ranking in rankings {
        for (rank, (place, _)) in (1_u16..).zip(ranking) {
            *sums.entry(*place).or_default() += 1.0 / (RRF_K + f32::from(rank));
        }
    }
    let mut fused: Vec<_> = sums.into_iter().collect();
    fused.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    fused.truncate(limit);
    fused
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn vector(numbers: &[f32]) -> Vector {
        Vector::parse(numbers.to_vec()).unwrap()
    }

    #[test]
    fn likeness_is_the_cosine() {
        let mut vectors = Vectors::default();
        vectors.push(0, &vector(&[1.0, 0.0]));
        vectors.push(3, &vector(&[1.0, 1.0]));
        let likeness: Vec<_> = vectors.likeness(&vector(&[2.0, 0.0])).collect();
        assert_eq!(likeness[0], (0, 1.0));
        assert_eq!(likeness[1].0, 3);
        assert!((likeness[1].1 - 0.5_f32.sqrt()).abs() < 1e-6);
        assert!(vectors.has(3) && !vectors.has(1));
    }

    #[test]
    fn long_vectors_are_compared_whole() {
        let numbers: Vec<f32> = (1_u8..=19).map(f32::from).collect();
        let mut vectors = Vectors::default();
        vectors.push(0, &vector(&numbers));
        assert!((vectors.likeness(&vector(&numbers)).next().unwrap().1 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn dimensions_are_not_mixed() {
        let mut vectors = Vectors::default();
        assert_eq!(vectors.dimension(), None);
        vectors.push(0, &vector(&[1.0, 0.0]));
        vectors.push(1, &vector(&[1.0, 0.0, 0.0]));
        assert_eq!((vectors.dimension(), vectors.has(1)), (Some(2), false));
        assert_eq!(vectors.likeness(&vector(&[1.0, 0.0, 0.0])).count(), 0);
    }

    #[test]
    fn fusion_adds_reciprocal_ranks() {
        let words = [(7, 9.0), (1, 5.0), (2, 4.0)];
        let meaning = [(2, 0.9), (7, 0.8), (4, 0.7)];
        let fused = fuse([&words, &meaning], 3);
        assert_eq!(fused.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [7, 2, 1]);
        assert!((fused[0].1 - (1.0 / 61.0 + 1.0 / 62.0)).abs() < 1e-6);
        assert!((fused[2].1 - 1.0 / 62.0).abs() < 1e-6);
        assert_eq!(fuse([&words, &[]], 2).len(), 2);
    }
}
