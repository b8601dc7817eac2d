//! Passages' vectors, compared one by one with a query's: exact, and at the sizes of one business faster than
//! asking for the query's vector was.

use copydesk_common::embedding::Vector;

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

    /// How many there are of a dimension.
    pub(crate) fn count(&self, dimension: usize) -> usize {
        if self.dimension() == Some(dimension) { self.places.len() } else { 0 }
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
}
