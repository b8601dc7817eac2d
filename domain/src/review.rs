//! The quality of a text, as far as it is known. The rules of a good text are in
//! `copydesk-editorial`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::named_enum;

named_enum! {
    /// Which version of a text a score speaks of.
    Scored {
        /// The text as the client has it.
        Final = "final",
        /// The text before its last edits: the editor that scored it also mended it.
        Draft = "draft",
    }
}

/// What is known of how good the text is: what an editor said of it, and what code can check of its final form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Review {
    /// 0 to 10: the mean of the criteria, as the editor gave them; null where no editor read the text.
    #[schema(required = true)]
    pub score: Option<f64>,
    /// Which version the score and the criteria speak of; null where there is no score.
    #[serde(default)]
    #[schema(required = true)]
    pub scored: Option<Scored>,
    /// The score after correction by people's verdicts; the same where there are too few.
    #[schema(required = true)]
    pub calibrated_score: Option<f64>,
    /// Each criterion's score, 0 to 10; empty where no editor read the text.
    pub criteria: BTreeMap<String, f64>,
    /// Rounds of edits that changed the text.
    pub rounds: u16,
    /// What the editor said.
    pub comments: String,
    /// The checks made by code: the format's shape, the length, citations, the voice and more.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// 0 to 10: how well the text matches the voice of the business's own documents; null if there
    /// are too few documents, or too little text, to tell.
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

impl Review {
    /// With what releases left out that scored no other version than the final one.
    #[must_use]
    pub fn completed(self) -> Self {
        let scored = self.scored.or(self.score.map(|_| Scored::Final));
        Self { scored, ..self }
    }

    /// The score, where it speaks of the text as people read it: with no other can their verdicts be compared.
    pub fn score_of_final(&self) -> Option<f64> {
        self.score.filter(|_| self.scored != Some(Scored::Draft))
    }
}
