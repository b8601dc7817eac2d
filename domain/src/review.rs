//! The quality of a text, as far as it is known. The rules of a good text are in
//! `copydesk-editorial`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The quality of the text in its final form: the reviewer's scores and comments, and the checks
/// made by code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Review {
    /// 0 to 10: the mean of the reviewer's criteria; null if no reviewer read the text.
    #[schema(required = true)]
    pub score: Option<f64>,
    /// The score after correction by people's verdicts; uncorrected if there are too few verdicts.
    #[schema(required = true)]
    pub calibrated_score: Option<f64>,
    /// Each criterion's score, 0 to 10; empty if no reviewer read the text.
    pub criteria: BTreeMap<String, f64>,
    /// Revisions made.
    pub rounds: u16,
    /// What the reviewer said.
    pub comments: String,
    /// The checks made by code: the format's shape, the length, citations, the voice and more.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// 0 to 10: how well the text matches the voice of the business's own documents; null if there
    /// are too few documents to tell.
    #[serde(default)]
    #[schema(required = true)]
    pub voice_score: Option<f64>,
}

/// A check of a text that is made by code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// Its stable name, such as `length` or `dateline`.
    pub name: String,
    /// Whether the text passed it.
    pub passed: bool,
    /// What to fix; empty if it passed.
    pub detail: String,
}
