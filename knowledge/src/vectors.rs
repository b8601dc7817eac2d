//! The vectors of passages, each compared with the query's. The comparison is exact and, for one
//! business's passages, faster than the call that embeds the query.

use std::sync::Arc;

use copydesk_common::embedding::Vector;

/// The vectors of a segment's passages by position, all of one dimension. Clones share the numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Vectors {
    /// Ends at the last position with a vector.
    by_place: Vec<Option<Arc<[f32]>>>,
    count: usize,
}

impl Vectors {
    /// Sets the vector of the passage at position `place`.
    pub(crate) fn set(&mut self, place: usize, numbers: Arc<[f32]>) {
        if self.by_place.len() <= place {
            self.by_place.resize(place + 1, None);
        }
        if let Some(slot) = self.by_place.get_mut(place) {
            self.count += usize::from(slot.replace(numbers).is_none());
        }
    }

    /// Removes the vector of the passage at position `place`, if it has one.
    pub(crate) fn remove(&mut self, place: usize) {
        let removed = self.by_place.get_mut(place).and_then(Option::take);
        self.count -= usize::from(removed.is_some());
    }

    /// The vector of the passage at position `place`.
    pub(crate) fn get(&self, place: usize) -> Option<&Arc<[f32]>> {
        self.by_place.get(place)?.as_ref()
    }

    /// The number of vectors.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The size in memory, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        let numbers = self.by_place.iter().flatten().map(|numbers| COUNTS_BYTES + size_of_val(&**numbers));
        self.by_place.capacity() * size_of::<Option<Arc<[f32]>>>() + numbers.sum::<usize>()
    }

    /// The cosine similarity of each passage with the query, with the passage's position.
    pub(crate) fn likeness(&self, query: &Vector) -> impl Iterator<Item = (usize, f32)> {
        let vectors = self.by_place.iter().enumerate();
        vectors.filter_map(|(place, numbers)| Some((place, dot(numbers.as_ref()?, query.numbers()))))
    }
}

/// The reference counts in front of a vector's numbers.
const COUNTS_BYTES: usize = 2 * size_of::<usize>();

/// Sums in eight lanes, which the compiler vectorises; a single sum would have to keep its order.
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
        vectors.set(0, vector(&[1.0, 0.0]).numbers().into());
        vectors.set(3, vector(&[1.0, 1.0]).numbers().into());
        let likeness: Vec<_> = vectors.likeness(&vector(&[2.0, 0.0])).collect();
        assert_eq!(likeness[0], (0, 1.0));
        assert_eq!(likeness[1].0, 3);
        assert!((likeness[1].1 - 0.5_f32.sqrt()).abs() < 1e-6);
        assert!(vectors.get(3).is_some() && vectors.get(1).is_none());
    }

    #[test]
    fn long_vectors_are_compared_whole() {
        let numbers: Vec<f32> = (1_u8..=19).map(f32::from).collect();
        let mut vectors = Vectors::default();
        vectors.set(0, vector(&numbers).numbers().into());
        assert!((vectors.likeness(&vector(&numbers)).next().unwrap().1 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_vector_that_is_taken_away_is_not_compared() {
        let mut vectors = Vectors::default();
        vectors.set(1, vector(&[1.0, 0.0]).numbers().into());
        vectors.set(1, vector(&[0.0, 1.0]).numbers().into());
        assert_eq!(vectors.count(), 1);
        vectors.remove(1);
        vectors.remove(7);
        assert_eq!((vectors.count(), vectors.likeness(&vector(&[1.0, 0.0])).count()), (0, 0));
    }
}
