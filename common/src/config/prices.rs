//! Prices of models' tokens: the known ones of Groq, and those that an operator configures.

use std::collections::BTreeMap;

use super::by_model;
use crate::money::Price;

/// Prices by model. A model without a price counts as free, and is shown as free.
#[derive(Debug, Clone, PartialEq)]
pub struct Prices(BTreeMap<String, Price>);

/// Groq's prompt and completion prices of the default models, as of 2026.
const KNOWN: [(&str, f64, f64); 4] = [
    ("llama-3.3-70b-versatile", 0.59, 0.79),
    ("llama-3.1-8b-instant", 0.05, 0.08),
    ("openai/gpt-oss-20b", 0.075, 0.30),
    ("openai/gpt-oss-120b", 0.15, 0.60),
];
/// The price of a cached token as a part of the prompt price, at Groq.
const CACHED_PART: f64 = 0.5;

/// A list of prices that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no price: it takes model=prompt/completion or model=prompt/completion/cached, in US dollars a million tokens"
)]
pub struct NoPrice(String);

impl Default for Prices {
    /// The known prices.
    fn default() -> Self {
        let price = |prompt, completion| Price { prompt, cached: prompt * CACHED_PART, completion };
        Self(KNOWN.iter().map(|&(model, prompt, completion)| (model.to_owned(), price(prompt, completion))).collect())
    }
}

impl Prices {
    /// The known prices, replaced or extended by a list such as `my-model=0.5/1.5, other=0.5/1.5/0.25`.
    /// Without a third price, cached tokens cost half for the known models, else the full price.
    pub fn parse(list: &str) -> Result<Self, NoPrice> {
        let Self(mut prices) = Self::default();
        for (model, given) in by_model::parse(list, Given::parse).map_err(|entry| NoPrice(entry.to_owned()))? {
            let part = if prices.contains_key(&model) { CACHED_PART } else { 1.0 };
            let cached = given.cached.unwrap_or(given.prompt * part);
            prices.insert(model, Price { prompt: given.prompt, cached, completion: given.completion });
        }
        Ok(Self(prices))
    }

    /// The price of a model, if known.
    pub fn of(&self, model: &str) -> Option<Price> {
        self.0.get(model).copied()
    }
}

/// `0.5/1.5` or `0.5/1.5/0.25`.
struct Given {
    prompt: f64,
    completion: f64,
    cached: Option<f64>,
}

impl Given {
    fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|price| (0.0..1e6).contains(price));
        let numbers: Vec<f64> = text.split('/').map(number).collect::<Option<_>>()?;
        match numbers[..] {
            [prompt, completion] => Some(Self { prompt, completion, cached: None }),
            [prompt, completion, cached] => Some(Self { prompt, completion, cached: Some(cached) }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn prices_are_known_given_or_refused() {
        let prices = Prices::parse(" a/b:c = 0.5/1.5, openai/gpt-oss-20b=1/2, c=4/8/1 ,").unwrap();
        let price = |prompt, cached, completion| Some(Price { prompt, cached, completion });
        assert_eq!(prices.of("a/b:c"), price(0.5, 0.5, 1.5), "nobody said that cached ones cost less");
        assert_eq!(prices.of("openai/gpt-oss-20b"), price(1.0, 0.5, 2.0), "known to cost half");
        assert_eq!(prices.of("c"), price(4.0, 1.0, 8.0));
        assert_eq!(prices.of("llama-3.3-70b-versatile"), price(0.59, 0.295, 0.79));
        assert_eq!(prices.of("other"), None);
        for wrong in ["a", "a=1", "a=1/x", "=1/2", "a=-1/2", "a=1/NaN", "a=inf/1", "a=1/2/x", "a=1/2/-1", "a=1/2/3/4"] {
            assert_eq!(Prices::parse(wrong), Err(NoPrice(wrong.to_owned())));
        }
    }
}
