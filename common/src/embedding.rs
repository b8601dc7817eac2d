//! Embeddings: passages and queries as vectors; a smaller angle means a closer meaning. The calls
//! of the model and the comparison are in other modules.

use sha2::{Digest, Sha256};

/// The largest dimension of a vector. Known models stay below 5,000.
pub const MAX_DIMENSION: usize = 16_384;

/// The input of a passage's vector. It includes the headings, because they say what the passage is
/// about.
pub fn input(heading_path: &str, text: &str) -> String {
    format!("{heading_path}\n{text}")
}

/// The hash of a vector's input. The table `embeddings` and its queries compute the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InputHash(pub [u8; 32]);

impl InputHash {
    /// The hash of a passage.
    pub fn of(heading_path: &str, text: &str) -> Self {
        Self(Sha256::digest(input(heading_path, text)).into())
    }
}

/// A vector of length one: the dot product of two is the cosine of their angle.
#[derive(Clone, PartialEq)]
pub struct Vector(Vec<f32>);

impl std::fmt::Debug for Vector {
    /// Shows no numbers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vector").field("dimension", &self.dimension()).finish()
    }
}

/// The numbers are not a valid vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAVector {
    /// There are none, or more than any model makes.
    #[error("{0} numbers are not a vector: it has 1 to {MAX_DIMENSION}")]
    Dimension(usize),
    /// One of them is infinite or NaN, or all are 0.
    #[error("the vector has no direction: a number is not finite, or all are 0")]
    Direction,
    /// The bytes are not a whole number of 32-bit floats.
    #[error("{0} bytes are not a whole number of 32-bit floats")]
    Bytes(usize),
}

impl Vector {
    /// Scales numbers to length one.
    pub fn parse(mut numbers: Vec<f32>) -> Result<Self, NotAVector> {
        if !(1..=MAX_DIMENSION).contains(&numbers.len()) {
            return Err(NotAVector::Dimension(numbers.len()));
        }
        let length = numbers.iter().map(|&number| f64::from(number) * f64::from(number)).sum::<f64>().sqrt();
        if !length.is_finite() || length <= 0.0 {
            return Err(NotAVector::Direction);
        }
        #[expect(clippy::cast_possible_truncation, reason = "a share of one")]
        numbers.iter_mut().for_each(|number| *number = (f64::from(*number) / length) as f32);
        Ok(Self(numbers))
    }

    /// The number of its components.
    pub fn dimension(&self) -> usize {
        self.0.len()
    }

    /// The components.
    pub fn numbers(&self) -> &[f32] {
        &self.0
    }

    /// The stored form.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    /// Reads the stored form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAVector> {
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(NotAVector::Bytes(bytes.len()));
        }
        Self::parse(numbers.iter().map(|&number| f32::from_le_bytes(number)).collect())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn vectors_have_length_one_and_survive_storage() {
        let vector = Vector::parse(vec![3.0, -4.0]).unwrap();
        assert_eq!(vector.numbers(), [0.6, -0.8]);
        assert_eq!(vector.to_bytes().len(), 8);
        assert_eq!(Vector::from_bytes(&vector.to_bytes()).unwrap().numbers(), [0.6, -0.8]);
    }

    #[test]
    fn what_has_no_direction_is_no_vector() {
        assert_eq!(Vector::parse(Vec::new()), Err(NotAVector::Dimension(0)));
        assert_eq!(Vector::parse(vec![1.0; MAX_DIMENSION + 1]), Err(NotAVector::Dimension(MAX_DIMENSION + 1)));
        for numbers in [[0.0, 0.0], [f32::NAN, 1.0], [f32::INFINITY, 1.0]] {
            assert_eq!(Vector::parse(numbers.to_vec()), Err(NotAVector::Direction));
        }
        assert_eq!(Vector::from_bytes(&[0; 7]), Err(NotAVector::Bytes(7)));
    }

    #[test]
    fn the_heading_is_part_of_what_is_hashed() {
        assert_eq!(InputHash::of("Prices", "90"), InputHash::of("Prices", "90"));
        assert_ne!(InputHash::of("Prices", "90"), InputHash::of("Hours", "90"));
    }
}
