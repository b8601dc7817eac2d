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
    /// Prompt tokens that the provider has in its cache.
    pub cached: f64,
    /// Completion tokens.
    pub completion: f64,
}

impl Price {
    /// The cost of a call; `cached_tokens` of the prompt are from the provider's cache.
    #[expect(clippy::cast_precision_loss, reason = "a call has fewer tokens than floats have digits")]
    pub fn of(&self, prompt_tokens: u64, cached_tokens: u64, completion_tokens: u64) -> MicroUsd {
        let new = prompt_tokens.saturating_sub(cached_tokens) as f64 * self.prompt;
        let cached = cached_tokens.min(prompt_tokens) as f64 * self.cached;
        MicroUsd::from_usd((new + cached + completion_tokens as f64 * self.completion) / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_costs_what_its_tokens_cost() {
        let price = Price { prompt: 0.59, cached: 0.295, completion: 0.79 };
        assert_eq!(price.of(1_000_000, 0, 1_000_000), MicroUsd(1_380_000));
        assert_eq!(price.of(1_000_000, 500_000, 1_000_000), MicroUsd(1_232_500));
        assert_eq!(price.of(912, 0, 208), MicroUsd(703), "rounded up");
        assert_eq!(price.of(10, 20, 0), price.of(10, 10, 0), "no more is cached than is read");
        assert_eq!(MicroUsd::from_usd(0.008), MicroUsd(8_000));
        assert_eq!(MicroUsd::from_usd(f64::NAN), MicroUsd(0));
        assert_eq!(MicroUsd::from_usd(1e300), MicroUsd(u64::MAX));
        assert_eq!(MicroUsd(703).usd(), 0.000_703);
    }
}
