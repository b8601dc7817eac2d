//! How good a text is, as far as it is known. What makes a text good is `copydesk-editorial`'s to say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is known of how good the text is in its final form: what a reviewer said of it, and what code can check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Review {
    /// 0 to 10: the mean of the criteria, as the reviewer gave them; null where no reviewer read the text.
    #[schema(required = true)]
    pub score: Option<f64>,
    /// The score after correction by people's verdicts; the same where there are too few.
    #[schema(required = true)]
    pub calibrated_score: Option<f64>,
    /// Each criterion's score, 0 to 10; empty where no reviewer read the text.
    pub criteria: BTreeMap<String, f64>,
    /// Revisions made.
    pub rounds: u16,
    /// What the reviewer said.
    pub comments: String,
    /// What code can check: the format's shape, the length, citations, the voice and more.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// 0 to 10: how well the text keeps to the voice of the business's own documents; null where they
    /// are too few to tell.
    #[serde(default)]
    #[schema(required = true)]
    pub voice_score: Option<f64>,
}

/// A check of a text that needs no opinion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// Its stable name, such as `length` or `dateline`.
    pub name: String,
    /// Whether the text passed it.
    pub passed: bool,
    /// What is to be mended; empty where it passed.
    pub detail: String,
}
