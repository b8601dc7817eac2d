//! What a search of the web finds, whoever made it.

use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::CallError;

/// A page that a search found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WebPage {
    /// The page's title.
    #[serde(default)]
    pub title: String,
    /// Where it is.
    pub url: String,
    /// The part of it that fits the query.
    #[serde(default)]
    pub content: String,
    /// How well it fits, in the search's own words: comparable within one search only.
    #[serde(default)]
    pub score: Option<f32>,
}

/// The pages of a search's answer. A result without an address is none; what else one lacks costs it no more than
/// that. Where there are results and none of them has an address, the answer is no search's.
pub(super) fn all(answer: &Value) -> Result<Vec<WebPage>, CallError> {
    let malformed = |what: &str| CallError::Malformed(serde_json::Error::custom(what));
    let results = match answer.get("results") {
        Some(Value::Array(results)) => results,
        _ => return Err(malformed("the results are no list")),
    };
    let pages: Vec<_> = results.iter().filter_map(WebPage::of).collect();
    if pages.is_empty() && !results.is_empty() { Err(malformed("no result has an address")) } else { Ok(pages) }
}

impl WebPage {
    fn of(result: &Value) -> Option<Self> {
        let text = |name: &str| result.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let url = Some(text("url")).filter(|url| !url.trim().is_empty())?;
        let title = Some(text("title")).filter(|title| !title.trim().is_empty()).unwrap_or_else(|| url.clone());
        Some(Self { title, content: text("content"), score: score(result.get("score")), url })
    }
}

fn score(score: Option<&Value>) -> Option<f32> {
    let score = match score? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "a score, of which the first digits count")]
    Some(score as f32).filter(|score| score.is_finite())
}
