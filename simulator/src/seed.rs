//! Randomness that depends on nothing but a seed and what is asked: the same request gets the same
//! answer, in whatever order requests come in.

use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};

/// A named algorithm, so that answers stay the same over releases of the library.
pub(crate) type Rng = rand::rngs::Xoshiro256PlusPlus;

/// The generator for one question: `parts` tell questions apart.
pub(crate) fn rng(seed: u64, parts: &[&str]) -> Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    for part in parts {
        // The length in front keeps ("ab", "c") and ("a", "bc") apart.
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    Rng::from_seed(hash.finalize().into())
}

/// A UUID drawn from `rng`.
pub(crate) fn uuid(rng: &mut Rng) -> uuid::Uuid {
    uuid::Builder::from_random_bytes(rng.random()).into_uuid()
}

/// A number with two decimals from `low` to `high`.
pub(crate) fn two_decimals(rng: &mut Rng, low: f64, high: f64) -> f64 {
    (rng.random_range(low..=high) * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_draws_the_same_numbers() {
        let draw = |seed, parts: &[&str]| rng(seed, parts).random::<u64>();
        assert_eq!(draw(7, &["a", "b"]), draw(7, &["a", "b"]));
        assert_ne!(draw(7, &["a", "b"]), draw(8, &["a", "b"]));
        assert_ne!(draw(7, &["ab", "c"]), draw(7, &["a", "bc"]));
    }
}
