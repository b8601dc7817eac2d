//! What people said of the business's earlier texts of this format: the writer is shown their latest
//! comments. Taken down once, so that every later stage of the job works from the same ones.

use copydesk_common::store::{self, Store};
use copydesk_domain::business::BusinessId;
use copydesk_domain::format::Format;
use copydesk_domain::generation::AppliedLesson;
use copydesk_editorial::text::clip::clip;
use serde::{Deserialize, Serialize};

use super::error::StageError;

/// Comments that the writer is shown.
const MAX_LESSONS: u8 = 5;
/// A comment's length, in characters.
const MAX_LESSON_CHARS: usize = 500;

/// What was learned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lessons {
    /// The comments, newest first.
    pub applied: Vec<AppliedLesson>,
}

/// Reads the latest comments.
pub async fn run(store: &Store, business_id: &BusinessId, format: Format) -> Result<Lessons, StageError> {
    let comments = store::feedback::recent_comments(store, business_id, format, MAX_LESSONS).await?;
    let cut = |lesson: AppliedLesson| AppliedLesson { text: clip(&lesson.text, MAX_LESSON_CHARS).to_owned(), ..lesson };
    Ok(Lessons { applied: comments.into_iter().map(cut).filter(|lesson| !lesson.text.is_empty()).collect() })
}
