//! A round of edits: an editor, another model than the writer's where one is configured, reads the text once, scores
//! it, and answers with its edits by paragraph. They are applied here, and the result is read and checked like any
//! text. Edits that cannot be used leave the text as it was: it is never worse than before.

use copydesk_common::draft::Piece;
use copydesk_domain::generation::Degradation;
use copydesk_domain::stage::Stage;
use copydesk_editorial::answer::is_order;
use copydesk_editorial::edits;
use copydesk_editorial::text::language;
use serde::{Deserialize, Serialize};

use super::brief::Brief;
use super::calls::Calls;
use super::error::StageError;
use super::lessons::Lessons;
use super::prompt::{Prompt, Task};
use super::reading::Reader;
use super::review::{self, Reviewed, Rubric};
use super::room::Room;
use super::structured::{self, Asking};
use crate::provider::ProviderError;
use crate::provider::chain::AnsweredBy;

mod answer;

use answer::Answer;

/// So far below `min_score` a text is worth another call: between "publishable after edits" and "after rewriting" lie
/// two points of the rubric, and one round of edits lifts a text by more than one. What is nearer than this was most
/// likely lifted over it by the edits, and a call only to hear so would be paid for by another text.
const FAR_BELOW: f64 = 1.5;
/// Room for edits, of which most change less than half of a text, for the scores, and for models that think first.
const ROOM: Room = Room { english_word: 1, other_word: 2, spare: 2_500, most: 8_000 };
/// Checks that no edit may break, whatever it mends.
const NEVER_BROKEN: [&str; 4] = ["banned_phrases", "language", "placeholders", "subject"];
/// Scores and corrections are not worded freely.
const TEMPERATURE: f32 = 0.2;

/// What a round of edits made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edited {
    /// The text with the edits; `None` where it is as it was.
    pub text: Option<String>,
    /// What the editor said of the text that it read; `None` where there was no editor.
    pub rubric: Option<Rubric>,
    /// Why edits were not made, as an instruction to the editor.
    #[serde(default)]
    pub dropped: Option<String>,
    /// What code finds of the text as it is now.
    pub reviewed: Reviewed,
    /// Who edited; `None` where no model did.
    #[serde(default)]
    pub by: Option<AnsweredBy>,
}

/// Has the task's draft edited; `before` is what code finds of it.
pub async fn run(calls: &Calls, task: &Task<'_>, before: &Reviewed) -> Result<Edited, StageError> {
    let asking = Asking {
        stage: Stage::Edit,
        chain: calls.reviewer(),
        max_completion_tokens: ROOM.of(task.brief),
        temperature: TEMPERATURE,
    };
    let prompt = task.prompt(Stage::Edit, &asking.chain.window(), asking.max_completion_tokens)?;
    match structured::ask::<Answer>(calls, &asking, &prompt).await {
        Ok((answer, by)) => {
            let edited = Edited { by: Some(by), ..edited(answer, task, &prompt, before) };
            show(calls, task, edited.text.as_deref());
            Ok(edited)
        }
        // A text that was paid for is worth more than no text: a reviewer that nobody knows is an operator's to mend.
        Err(error) if error.is_about_the_answer() || is_no_reviewer(&error) || calls.must_fall_back(&error) => {
            Calls::note_fallback(Stage::Edit, Some(Degradation::ReviewUnavailable), Some(&error));
            Ok(Edited { text: None, rubric: None, dropped: None, reviewed: before.clone(), by: None })
        }
        Err(error) => Err(error),
    }
}

/// Whether the provider does not know the model that reviews.
fn is_no_reviewer(error: &StageError) -> bool {
    matches!(error, StageError::Provider(ProviderError::Misconfigured { variable: "COPYDESK_REVIEW_MODEL", .. }))
}

/// The text with the edits, where it can be used and fails no more checks than before.
fn edited(answer: Answer, task: &Task<'_>, prompt: &Prompt, before: &Reviewed) -> Edited {
    let draft = task.draft.unwrap_or_default();
    let rubric = Some(review::fit_to_show(answer.rubric, prompt, task));
    let as_it_was =
        |dropped| Edited { text: None, rubric: rubric.clone(), dropped, reviewed: before.clone(), by: None };
    let is_unfit = |text: &str| {
        prompt.is_quoted_in(text, task.lessons)
            || is_order(text, &task.brief.topic)
            || language::other_than(&task.brief.language, text).is_some()
    };
    let edits = answer::sound(answer.edits, is_unfit);
    let text = edits::apply(draft, &edits);
    if text == draft {
        return as_it_was(None);
    }
    let text = match Reader::of(task, prompt).usable(&text, false) {
        Ok(text) if text == draft => return as_it_was(None),
        Ok(text) => text,
        Err(defect) => {
            tracing::info!(%defect, "edits were dropped: the text with them cannot be used");
            return as_it_was(Some(format!("Your last edits were not made. {defect}")));
        }
    };
    let reviewed = review::checked(task, &text);
    if is_worse(&reviewed, before) {
        tracing::info!(
            before = before.failed_checks,
            after = reviewed.failed_checks,
            "edits were dropped: they broke a check"
        );
        let broken = broken(&reviewed, before);
        return as_it_was(Some(format!("Your last edits were not made, since they broke this: {broken}")));
    }
    Edited { text: Some(text), reviewed, ..as_it_was(None) }
}

/// Whether the edits broke more than they mended. Nothing outweighs a check of [`NEVER_BROKEN`].
fn is_worse(now: &Reviewed, before: &Reviewed) -> bool {
    let mends_more = now.failed_checks < before.failed_checks;
    let mut new = now.checks.iter().filter(|check| !check.passed && passed(before, &check.name));
    now.failed_checks > before.failed_checks
        || new.any(|check| !mends_more || NEVER_BROKEN.contains(&check.name.as_str()))
}

fn passed(reviewed: &Reviewed, name: &str) -> bool {
    reviewed.checks.iter().all(|check| check.name != name || check.passed)
}

/// What of the checks fails now and did not before.
fn broken<'a>(now: &'a Reviewed, before: &Reviewed) -> &'a str {
    let failed = now.checks.iter().filter(|check| !check.passed);
    let new = failed.clone().find(|check| passed(before, &check.name));
    let new = new.or_else(|| failed.clone().find(|check| !before.checks.contains(check)));
    new.map_or("", |check| check.detail.as_str())
}

/// Those who follow the job see the edited text at once.
fn show(calls: &Calls, task: &Task<'_>, text: Option<&str>) {
    if let (Some(text), Some(audience)) = (text, calls.audience()) {
        // The first round makes the first version behind the draft.
        audience.show(Piece { stage: Stage::Edit, round: task.round + 1, reset: true, text: text.to_owned() });
    }
}

/// Another round where one is left and the last one changed something, or was told why it did not; and where the
/// text that it read was poor, as people would judge it, or the text that it made fails checks that an editor can mend. No round only hears a
/// better score.
pub fn next(edited: &Edited, round: u16, brief: &Brief, lessons: &Lessons) -> Stage {
    let is_left = round + 1 < brief.max_rounds;
    let is_moving = edited.text.is_some() || edited.dropped.is_some();
    let score = edited.rubric.as_ref().map(|rubric| lessons.calibrated(rubric.score()));
    let is_poor = score.is_some_and(|score| score < brief.min_score - FAR_BELOW);
    let is_heard = edited.rubric.is_some();
    let wants_more = is_poor || edited.reviewed.wants_edits();
    if is_left && is_heard && is_moving && wants_more { Stage::Edit } else { Stage::Finish }
}

#[cfg(test)]
mod tests {
    use copydesk_domain::format::Format;

    use super::super::brief::tests::brief;
    use super::super::review::tests::{failing, rubric};
    use super::*;

    fn edited(score: f64, failed: &[&str]) -> Edited {
        let text = Some("A text.".to_owned());
        Edited { text, rubric: Some(rubric(score)), dropped: None, reviewed: failing(failed), by: None }
    }

    #[test]
    fn edits_that_break_a_check_are_worse_unless_they_mend_more() {
        let is_worse = |now: &[&str], before: &[&str]| is_worse(&failing(now), &failing(before));
        assert!(!is_worse(&["length"], &["length"]) && !is_worse(&[], &["length"]));
        assert!(is_worse(&["keywords"], &["length"]), "one for another");
        assert!(!is_worse(&["keywords"], &["length", "shape"]));
        assert!(is_worse(&["banned_phrases"], &["length", "shape"]), "nothing outweighs it");
        assert!(is_worse(&["length", "keywords"], &["length"]));
    }

    #[test]
    fn another_round_needs_a_reason_and_a_round_that_is_left() {
        let brief = brief(Format::Blog);
        assert_eq!(next(&edited(5.9, &[]), 0, &brief, &Lessons::default()), Stage::Edit, "far below");
        assert_eq!(next(&edited(6.0, &[]), 0, &brief, &Lessons::default()), Stage::Finish, "the edits have lifted it");
        assert_eq!(
            next(&edited(9.0, &["length"]), 0, &brief, &Lessons::default()),
            Stage::Edit,
            "checks need no opinion"
        );
        assert_eq!(
            next(&edited(9.0, &["citations_supported", "language"]), 0, &brief, &Lessons::default()),
            Stage::Finish
        );
        assert_eq!(
            next(&edited(2.0, &["length"]), 1, &brief, &Lessons::default()),
            Stage::Finish,
            "two rounds are all"
        );
        let same = Edited { text: None, ..edited(2.0, &["length"]) };
        assert_eq!(
            next(&same, 0, &brief, &Lessons::default()),
            Stage::Finish,
            "who had nothing to say has nothing to say"
        );
        let dropped = Edited { dropped: Some("Say each thing once.".into()), ..same };
        assert_eq!(next(&dropped, 0, &brief, &Lessons::default()), Stage::Edit, "it is told why");
        let unheard = Edited { rubric: None, ..edited(2.0, &["length"]) };
        assert_eq!(next(&unheard, 0, &brief, &Lessons::default()), Stage::Finish, "no editor answers");
    }
}
