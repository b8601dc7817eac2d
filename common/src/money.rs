//! Money: amounts in US dollars, and prices of tokens. Prices are configured, the quota counts
//! costs, and the API shows them.

/// An amount in millionths of a US dollar. Integers add up without rounding errors, in Redis too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MicroUsd(pub u64);

impl MicroUsd {
    /// An amount from dollars, rounded up; 0 for a negative number or NaN.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
    pub fn from_usd(usd: f64) -> Self {
        // A smaller difference is a rounding error of floats.
        Self((usd * 1e6 - 1e-6).ceil() as u64)
    }

    /// The amount in dollars.
    #[expect(clippy::cast_precision_loss, reason = "exact up to nine billion dollars")]
    pub fn usd(self) -> f64 {
        self.0 as f64 / 1e6
    }
}

/// The price of a model, in US dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// Prompt tokens.
    pub prompt: f64,
    /// Completion tokens.
    pub completion: f64,
}

impl Price {
    /// The cost of a call.
    #[expect(clippy::cast_precision_loss, reason = "a call has fewer tokens than floats have digits")]
    pub fn of(&self, prompt_tokens: u64, completion_tokens: u64) -> MicroUsd {
        MicroUsd::from_usd((prompt_tokens as f64 * self.prompt + completion_tokens as f64 * self.completion) / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_costs_what_its_tokens_cost() {
        let price = Price { prompt: 0.59, completion: 0.79 };
        assert_eq!(price.of(1_000_000, 1_000_000), MicroUsd(1_380_000));
        assert_eq!(price.of(912, 208), MicroUsd(703), "rounded up");
        assert_eq!(MicroUsd::from_usd(0.008), MicroUsd(8_000));
        assert_eq!(MicroUsd::from_usd(f64::NAN), MicroUsd(0));
        assert_eq!(MicroUsd::from_usd(1e300), MicroUsd(u64::MAX));
        assert_eq!(MicroUsd(703).usd(), 0.000_703);
    }
}
