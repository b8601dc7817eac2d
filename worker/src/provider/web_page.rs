//! What a search of the web finds, whoever made it.

use serde::{Deserialize, Serialize};

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
