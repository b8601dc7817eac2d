//! Answers that are a text: taken out of what models put around it, checked, and asked for once
//! more where they cannot be used.

use copydesk_domain::stage::Stage;
use copydesk_editorial::answer::Defect;

use super::brief::Brief;
use super::calls::{Calls, Listener};
use super::error::StageError;
use super::live::Live;
use super::prompt::{Prompt, Task};
use super::reading::{Read, Reader, Wrong};
use super::room::Room;
use crate::metric;
use crate::provider::chain::AnsweredBy;
use crate::provider::chat::{Answer, ChatRequest, Form};

/// Room for a text, with its headings and citations, and for models that think first.
const ROOM: Room = Room { english_word: 2, other_word: 4, spare: 1_500, most: 16_000 };
/// Wording a text is no lookup: some freedom, little enough to stay with the passages.
const TEMPERATURE: f32 = 0.6;
/// What gets small models out of a loop, and leaves a text its terms.
const AGAINST_LOOPS: f32 = 0.5;

/// A text that can be used and shown, and who wrote it; [`StageError::Unusable`] or [`StageError::ContentRefused`]
/// where the second answer cannot be either.
pub(super) async fn write(calls: &Calls, stage: Stage, task: &Task<'_>) -> Result<(Read, AnsweredBy), StageError> {
    let prompt = task.prompt(stage, &calls.writer().window(), ROOM.of(task.brief))?;
    tracing::debug!(prompt.version, "a model is asked");
    let reader = Reader::of(task, &prompt);
    let live = calls.audience().map(|audience| Live::new(&reader, audience, stage, task.round));
    let written = twice(calls, stage, &prompt, &reader, live.as_ref()).await;
    live.inspect(|live| match &written {
        Ok((read, _)) => live.accepted(&read.text),
        Err(_) => live.discarded(),
    });
    written
}

/// The text of the first answer that can be used, of two. A text of another shape than asked for is better than none.
async fn twice(
    calls: &Calls,
    stage: Stage,
    prompt: &Prompt,
    reader: &Reader<'_>,
    live: Option<&Live<'_>>,
) -> Result<(Read, AnsweredBy), StageError> {
    let (answer, by) = complete(calls, prompt, 0.0, reader.brief, live).await?;
    let wrong = match reader.read(&answer) {
        Ok(read) => return Ok((read, by)),
        Err(wrong) => wrong,
    };
    metric::answer_repaired(stage);
    live.inspect(|live| live.discarded());
    let again = again(calls, prompt, &wrong, reader, live).await;
    match (again, wrong) {
        (Err(error), Wrong::Shape { read, .. }) => {
            tracing::info!(%error, "a text of another shape than asked for stands: the second answer was none");
            Ok((read, by))
        }
        (again, _) => again,
    }
}

/// The text of the answer to the prompt that also says what was wrong with the first one.
async fn again(
    calls: &Calls,
    prompt: &Prompt,
    wrong: &Wrong,
    reader: &Reader<'_>,
    live: Option<&Live<'_>>,
) -> Result<(Read, AnsweredBy), StageError> {
    let fixes = wrong.fixes();
    let penalty = if matches!(wrong, Wrong::Defect(Defect::Repetition)) { AGAINST_LOOPS } else { 0.0 };
    let (answer, by) = complete(calls, &prompt.repair(&fixes), penalty, reader.brief, live).await?;
    match reader.told(&fixes).read(&answer) {
        // A text of another shape is a text all the same: its checks say what it lacks.
        Ok(read) | Err(Wrong::Shape { read, .. }) => Ok((read, by)),
        Err(Wrong::Defect(defect)) if defect.is_refusal() => Err(StageError::ContentRefused),
        Err(Wrong::Defect(defect)) => Err(StageError::Unusable(vec![defect.to_string()])),
    }
}

async fn complete(
    calls: &Calls,
    prompt: &Prompt,
    frequency_penalty: f32,
    brief: &Brief,
    live: Option<&Live<'_>>,
) -> Result<(Answer, AnsweredBy), StageError> {
    let request = prompt.request(Form::Text, ROOM.of(brief), TEMPERATURE);
    let request = ChatRequest { frequency_penalty, ..request };
    let listener = live.map(|live| live as &dyn Listener);
    let (answer, by) = calls.complete(calls.writer(), &request, listener).await?;
    Ok((answer, AnsweredBy { lacked_room: prompt.lacks_room, ..by }))
}
