//! Prices of models' tokens: the known ones of Groq, and those that an operator configures.

use std::collections::BTreeMap;

use super::by_model;
use crate::money::Price;

/// Prices by model. A model without a price counts as free, and is shown as free.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices(BTreeMap<String, Price>);

/// Groq's prices of the default models, as of 2026.
const KNOWN: [(&str, Price); 4] = [
    ("llama-3.3-70b-versatile", Price { prompt: 0.59, completion: 0.79 }),
    ("llama-3.1-8b-instant", Price { prompt: 0.05, completion: 0.08 }),
    ("openai/gpt-oss-20b", Price { prompt: 0.075, completion: 0.30 }),
    ("openai/gpt-oss-120b", Price { prompt: 0.15, completion: 0.60 }),
];

/// A list of prices that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no price: it takes model=prompt/completion, in US dollars a million tokens")]
pub struct NoPrice(String);

impl Default for Prices {
    /// The known prices.
    fn default() -> Self {
        Self(KNOWN.iter().map(|(model, price)| ((*model).to_owned(), *price)).collect())
    }
}

impl Prices {
    /// The known prices, replaced or extended by a list such as `my-model=0.5/1.5, other=0/0`.
    pub fn parse(list: &str) -> Result<Self, NoPrice> {
        let Self(mut prices) = Self::default();
        prices.extend(by_model::parse(list, parse_price).map_err(|entry| NoPrice(entry.to_owned()))?);
        Ok(Self(prices))
    }

    /// The price of a model, if known.
    pub fn of(&self, model: &str) -> Option<Price> {
        self.0.get(model).copied()
    }
}

/// `0.5/1.5`.
fn parse_price(text: &str) -> Option<Price> {
    let (prompt, completion) = text.split_once('/')?;
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|price| (0.0..1e6).contains(price));
    Some(Price { prompt: number(prompt)?, completion: number(completion)? })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn prices_are_known_given_or_refused() {
        let prices = Prices::parse(" a/b:c = 0.5/1.5, openai/gpt-oss-20b=1/2 ,").unwrap();
        assert_eq!(prices.of("a/b:c"), Some(Price { prompt: 0.5, completion: 1.5 }));
        assert_eq!(prices.of("openai/gpt-oss-20b"), Some(Price { prompt: 1.0, completion: 2.0 }));
        assert!(prices.of("llama-3.3-70b-versatile").is_some());
        assert_eq!(prices.of("other"), None);
        for wrong in ["a", "a=1", "a=1/x", "=1/2", "a=-1/2", "a=1/NaN", "a=inf/1"] {
            assert_eq!(Prices::parse(wrong), Err(NoPrice(wrong.to_owned())));
        }
    }
}
