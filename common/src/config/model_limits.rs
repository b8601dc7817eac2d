//! What a provider takes of each model, where its vendor says so: calls and tokens, a minute and a day.

use std::collections::BTreeMap;

use super::by_model;

/// The most calls a minute that can be told apart from no limit.
const MOST_CALLS: u32 = 1_000_000;

/// Figures by model. A model that is not there shares its provider's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelLimits(BTreeMap<String, Figures>);

/// What a model takes; `None` for no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Calls in any 60 seconds.
    pub calls_per_minute: Option<u32>,
    /// Tokens in any 60 seconds.
    pub tokens_per_minute: Option<u32>,
    /// Calls on any day (UTC).
    pub calls_per_day: Option<u32>,
    /// Tokens on any day (UTC).
    pub tokens_per_day: Option<u32>,
}

/// A list of figures that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no limit: it takes model=30rpm/12000tpm/1000rpd/100000tpd, any of the four once, from 1")]
pub struct NoFigures(String);

impl ModelLimits {
    /// A list such as `my-model=30rpm/12000tpm/1000rpd/100000tpd, other=60rpm`.
    pub fn parse(list: &str) -> Result<Self, NoFigures> {
        let mut limits = BTreeMap::new();
        for (model, figures) in by_model::parse(list, Figures::parse).map_err(|entry| NoFigures(entry.to_owned()))? {
            if limits.insert(model.clone(), figures).is_some() {
                return Err(NoFigures(format!("{model} twice")));
            }
        }
        Ok(Self(limits))
    }

    /// The figures of a model that has its own.
    pub fn of(&self, model: &str) -> Option<Figures> {
        self.0.get(model).copied()
    }
}

impl Figures {
    fn parse(text: &str) -> Option<Self> {
        let mut figures = Self::default();
        for part in text.split('/').map(str::trim) {
            let (number, unit) = part.split_at_checked(part.len().checked_sub(3)?)?;
            let figure = match unit {
                "rpm" => &mut figures.calls_per_minute,
                "tpm" => &mut figures.tokens_per_minute,
                "rpd" => &mut figures.calls_per_day,
                "tpd" => &mut figures.tokens_per_day,
                _ => return None,
            };
            let number = number.trim().parse().ok().filter(|number| *number > 0)?;
            if figure.replace(number).is_some() {
                return None;
            }
        }
        let is_told_apart = figures.calls_per_minute.is_none_or(|calls| calls <= MOST_CALLS);
        is_told_apart.then_some(figures)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn figures_are_given_or_refused() {
        let limits = ModelLimits::parse(
            "llama-3.3-70b-versatile=30rpm/12000tpm/1000rpd/100000tpd, openai/gpt-oss-20b = 200000tpd / 8000tpm ,",
        )
        .unwrap();
        let all = Figures {
            calls_per_minute: Some(30),
            tokens_per_minute: Some(12_000),
            calls_per_day: Some(1_000),
            tokens_per_day: Some(100_000),
        };
        assert_eq!(limits.of("llama-3.3-70b-versatile"), Some(all));
        let some = Figures { tokens_per_minute: Some(8_000), tokens_per_day: Some(200_000), ..Figures::default() };
        assert_eq!((limits.of("openai/gpt-oss-20b"), limits.of("other")), (Some(some), None));
        assert_eq!(ModelLimits::parse(" ").unwrap(), ModelLimits::default());
        for wrong in
            ["a", "a=", "a=30", "a=rpm", "a=0rpm", "a=30rps", "a=1rpm/2rpm", "a=-1rpm", "a=1000001rpm", "=1rpm"]
        {
            let error = ModelLimits::parse(wrong).unwrap_err();
            assert_eq!(error, NoFigures(wrong.to_owned()));
        }
        assert!(ModelLimits::parse("a=1rpm,a=2rpm").unwrap_err().to_string().starts_with("\"a twice\" is no limit"));
    }
}
