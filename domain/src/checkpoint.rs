//! Checkpoints: what is stored of a finished stage, so that a job resumes after it and never pays
//! for it again.

use chrono::{DateTime, Utc};

use crate::stage::Stage;
use crate::usage::Usage;

/// A finished stage as it is stored. Unique for a job, a stage and a round.
#[derive(Debug, Clone)]
pub struct StageResult {
    /// The stage.
    pub stage: Stage,
    /// 0 for the first pass; each further round of edits counts one up.
    pub round: u16,
    /// The stage's own output type as JSON.
    pub output: serde_json::Value,
    /// What it used.
    pub usage: Usage,
    /// When it began.
    pub started_at: DateTime<Utc>,
}

impl StageResult {
    /// The name and the round under which it is stored. Edits are stored as the revisions that the release before
    /// knows: its workers take the edited text from them, where a job comes to them during a rollout. They could not
    /// read a row of a stage that they do not have.
    pub fn stored_as(&self) -> (Stage, u16) {
        match self.stage {
            Stage::Edit => (Stage::Revise, self.round + 1),
            stage => (stage, self.round),
        }
    }

    /// The stage and the round of a stored row: an edit says what code found of its text, a revision does not.
    pub fn read_as(stage: Stage, round: u16, output: &serde_json::Value) -> (Stage, u16) {
        let is_edit = stage == Stage::Revise && output.get("reviewed").is_some();
        if is_edit { (Stage::Edit, round.saturating_sub(1)) } else { (stage, round) }
    }
}
