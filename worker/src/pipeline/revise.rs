//! The text with the review's points mended. A revision that cannot be made leaves the text as it
//! was: it is never worse than before.

use copydesk_domain::stage::Stage;
use serde::{Deserialize, Serialize};

use super::calls::Calls;
use super::error::StageError;
use super::prompt::Task;
use super::writing;
use crate::provider::chain::AnsweredBy;

/// A revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revised {
    /// The new text; `None` where there is none, and the one before stands.
    pub text: Option<String>,
    /// Who wrote it.
    #[serde(default)]
    pub by: Option<AnsweredBy>,
}

/// Mends the task's draft.
pub async fn run(calls: &Calls, task: &Task<'_>) -> Result<Revised, StageError> {
    match writing::write(calls, Stage::Revise, task).await {
        Ok((text, by)) => Ok(Revised { text: Some(text), by: Some(by) }),
        Err(error) if error.is_about_the_answer() || calls.must_fall_back(&error) => {
            Calls::note_fallback(Stage::Revise, None, Some(&error));
            Ok(Revised { text: None, by: None })
        }
        Err(error) => Err(error),
    }
}
