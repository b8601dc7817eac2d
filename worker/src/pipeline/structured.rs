//! Answers that are JSON of a known shape: by a schema where the model takes one, else by asking for
//! an object, else in plain text; dug out of prose, checked, and asked for once more where they are
//! wrong.

use copydesk_domain::stage::Stage;
use copydesk_editorial::answer::is_refusal as is_refusal_in_words;
use copydesk_words::unicode;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::calls::Calls;
use super::error::StageError;
use super::prompt::Prompt;
use crate::metric;
use crate::provider::chain::{AnsweredBy, Chain};
use crate::provider::chat::{Answer, Form};
use crate::provider::{ProviderError, body};

/// Places at which an object is looked for: an answer that hides it better is asked for again.
const MAX_CANDIDATES: usize = 32;

/// A longer answer is none, in bytes.
const MAX_ANSWER_BYTES: usize = 256 * 1024;

/// A shape of answers.
pub trait Shape: DeserializeOwned {
    /// The schema's name.
    const NAME: &'static str;

    /// The JSON schema, as strict as providers take them: every property required, no others.
    fn schema() -> Value;

    /// Puts the answer in order, or says what is wrong with it, as instructions to the model.
    fn checked(self) -> Result<Self, Vec<String>>;
}

/// How an answer is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// For the metrics.
    pub stage: Stage,
    /// Who answers.
    pub chain: &'a Chain,
    /// The longest answer, in tokens.
    pub max_completion_tokens: u32,
    /// How freely it words, 0 to 2.
    pub temperature: f32,
}

/// One checked answer, and whose it is; [`StageError::Unusable`] where the second one is wrong too.
pub async fn ask<T: Shape>(calls: &Calls, asking: &Asking<'_>, prompt: &Prompt) -> Result<(T, AnsweredBy), StageError> {
    tracing::debug!(prompt.version, "a model is asked");
    let (answer, by) = complete::<T>(calls, asking, prompt).await?;
    let whose = |by| AnsweredBy { lacked_room: prompt.lacks_room, ..by };
    let wrong = match read::<T>(&answer) {
        Ok(shape) => return Ok((shape, whose(by))),
        Err(wrong) => wrong,
    };
    metric::answer_repaired(asking.stage);
    let (answer, by) = complete::<T>(calls, asking, &prompt.repair(&wrong)).await?;
    read::<T>(&answer)
        .map(|shape| (shape, whose(by)))
        .map_err(|wrong| if is_refusal(&answer) { StageError::ContentRefused } else { StageError::Unusable(wrong) })
}

fn is_refusal(answer: &Answer) -> bool {
    answer.is_refused || is_refusal_in_words(&answer.text)
}

async fn complete<T: Shape>(
    calls: &Calls,
    asking: &Asking<'_>,
    prompt: &Prompt,
) -> Result<(Answer, AnsweredBy), StageError> {
    let mut form = Form::JsonSchema { name: T::NAME, schema: T::schema() };
    let mut refusals = Vec::new();
    loop {
        let request = prompt.request(form, asking.max_completion_tokens, asking.temperature);
        match calls.complete(asking.chain, &request, None).await {
            Err(StageError::Provider(ProviderError::FormRefused { model, form: refused, .. })) => {
                form = refused.simpler();
                refusals.push((model, refused));
            }
            Ok((answer, by)) => {
                // Not before the same model took the same question in a simpler form: the form may not
                // be the reason.
                let its = refusals.iter().filter(|(model, _)| *model == by.model);
                its.for_each(|(model, form)| asking.chain.note_refused(model, form));
                return Ok((answer, by));
            }
            Err(error) => return Err(error),
        }
    }
}

fn read<T: Shape>(answer: &Answer) -> Result<T, Vec<String>> {
    if answer.text.trim().is_empty() {
        return Err(vec!["The answer was empty.".to_owned()]);
    }
    if answer.text.len() > MAX_ANSWER_BYTES {
        return Err(vec!["The answer was far too long.".to_owned()]);
    }
    let why = if answer.is_cut { "The answer broke off: keep it shorter." } else { "The answer held no JSON object." };
    let mut wrong = vec![why.to_owned()];
    // What a model thinks aloud is no answer, unless there is no other.
    let text = unicode::clean(&answer.text);
    let behind = THOUGHTS.iter().filter_map(|end| Some(text.rfind(end)? + end.len())).max();
    let texts = behind.map(|at| &text[at..]).into_iter().chain([&*text]);
    for (place, object) in texts.flat_map(objects).enumerate() {
        let shape = serde_json::from_value::<T>(object)
            .map_err(|error| vec![format!("The JSON object had another shape than asked for: {}.", bounded(&error))]);
        match shape.and_then(T::checked) {
            Ok(shape) => return Ok(shape),
            // The outermost object was meant: what is wrong with it tells the model most.
            Err(why) if place == 0 => wrong = why,
            Err(_) => {}
        }
    }
    Err(wrong)
}

/// Where thoughts end that a model puts in front of its answer.
const THOUGHTS: [&str; 4] = ["</think>", "</thinking>", "[/THINK]", "</reasoning>"];

/// What was wrong, without the model's own words: serde quotes them.
fn bounded(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let plain = if text.contains("missing field") { text } else { format!("{:?} error", error.classify()) };
    plain.chars().take(120).collect()
}

/// The balanced JSON objects of a text, in order: the text itself, what stands in prose or a fence,
/// and what is wrapped in another object.
/// What only some models get wrong in them is mended; the last of two members of one name counts.
fn objects(text: &str) -> impl Iterator<Item = Value> {
    let starts = text.match_indices('{').map(|(start, _)| start).take(MAX_CANDIDATES);
    let candidates = starts.filter_map(|start| Some(&text[start..start + balanced_end(&text[start..])?]));
    candidates.filter_map(|candidate| body::json(candidate.as_bytes()).ok())
}

/// The length of the object that begins here, braces in strings not counted.
fn balanced_end(text: &str) -> Option<usize> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' if !in_string => depth += 1,
            b'}' if !in_string => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_wherever_they_stand() {
        for (text, expected) in [
            (r#"{"a": 1}"#, Some(r#"{"a": 1}"#)),
            ("Sure! Here it is:\n```json\n{\"a\": \"}\\\"{\"}\n```\nDone {x}.", Some("{\"a\": \"}\\\"{\"}")),
            ("First {not json} then {\"a\": {\"b\": 2}} end", Some("{\"a\": {\"b\": 2}}")),
            ("{\"a\": 1", None),
            ("nothing", None),
            ("", None),
            ("}{", None),
        ] {
            let expected: Option<Value> = expected.and_then(|json| serde_json::from_str(json).ok());
            assert_eq!(objects(text).next(), expected, "{text}");
        }
    }

    #[test]
    fn hostile_texts_cost_little() {
        for hostile in ["{".repeat(50_000), "{\"".repeat(25_000), "{}x".repeat(20_000), "ü{".repeat(20_000)] {
            let began = std::time::Instant::now();
            let _ = objects(&hostile).count();
            assert!(began.elapsed().as_secs() < 5);
        }
    }
}
