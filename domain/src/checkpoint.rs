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
