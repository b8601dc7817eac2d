//! Answers that are a text: taken out of what models put around it, checked, and asked for once
//! more where they cannot be used.

use copydesk_common::stage::Stage;

use super::calls::{Calls, StageError};
use crate::format::answer::{self, Asked};
use crate::format::{self, Rules};
use crate::metric;
use crate::pipeline::brief::Brief;
use crate::prompt::{Prompt, Task};
use crate::provider::chat::{Answer, ChatRequest, Form};

/// Tokens that a word takes, about, in languages that models know less well.
const TOKENS_PER_WORD: u32 = 4;
/// Tokens beyond that, for headings and citations and for models that think first.
const SPARE_TOKENS: u32 = 1_500;
/// The longest answer that models take orders for, in tokens.
const MAX_TOKENS: u32 = 16_000;
/// Wording a text is no lookup: some freedom, little enough to stay with the passages.
const TEMPERATURE: f32 = 0.6;

/// What a text is held against.
pub(super) fn rules(brief: &Brief) -> Rules<'_> {
    Rules {
        business_name: &brief.business_name,
        language: &brief.language,
        words: brief.words,
        banned_phrases: &brief.banned_phrases,
    }
}

/// A text that can be used; [`StageError::Unusable`] where the second answer cannot be either.
pub(super) async fn write(calls: &Calls, stage: Stage, task: &Task<'_>) -> Result<String, StageError> {
    let prompt = task.prompt(stage)?;
    tracing::debug!(prompt.version, "a model is asked");
    let answer = complete(calls, &prompt, task.brief).await?;
    let wrong = match read(&answer, &prompt, task.brief) {
        Ok(text) => return Ok(text),
        Err(wrong) => wrong,
    };
    metric::answer_repaired(stage);
    let prompt = prompt.repair(&wrong);
    let answer = complete(calls, &prompt, task.brief).await?;
    match read(&answer, &prompt, task.brief) {
        Ok(text) => Ok(text),
        // A text of another shape is a text all the same, and the review's to judge.
        Err(_) if defect(&answer, &prompt, task.brief).is_none() => Ok(tidy(&answer)),
        Err(wrong) => Err(StageError::Unusable(wrong)),
    }
}

async fn complete(calls: &Calls, prompt: &Prompt, brief: &Brief) -> Result<Answer, StageError> {
    let request = ChatRequest {
        system: prompt.system.clone(),
        user: prompt.user.clone(),
        max_completion_tokens: (u32::from(brief.words) * TOKENS_PER_WORD + SPARE_TOKENS).min(MAX_TOKENS),
        temperature: TEMPERATURE,
        form: Form::Text,
    };
    calls.complete(calls.writer(), &request).await
}

fn read(answer: &Answer, prompt: &Prompt, brief: &Brief) -> Result<String, Vec<String>> {
    if let Some(defect) = defect(answer, prompt, brief) {
        return Err(vec![defect.to_string()]);
    }
    let text = tidy(answer);
    // Where no revision follows, this is the only chance to mend the shape.
    let wrong = if brief.max_rounds == 0 { format::shape(brief.format, &text, &rules(brief)) } else { Vec::new() };
    if wrong.is_empty() { Ok(text) } else { Err(wrong) }
}

fn defect(answer: &Answer, prompt: &Prompt, brief: &Brief) -> Option<answer::Defect> {
    let asked = Asked { instructions: &prompt.prose, language: &brief.language };
    answer::defect(answer::unwrap(&answer.text), answer.is_cut, &asked)
}

/// The text alone, without what Postgres cannot store.
fn tidy(answer: &Answer) -> String {
    answer::unwrap(&answer.text).replace('\0', "").trim().to_owned()
}
