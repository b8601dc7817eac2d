//! The faults that spoil a message's words: what models really do when they fail.

use serde_json::{Value, json};

use super::reply;
use super::request::ChatRequest;
use crate::delivery;
use crate::faults::{FaultKind, Part};
use crate::prompt::Prompt;

/// Sentences in a language that nobody asked for.
const FOREIGN: &str = "Ce texte est écrit dans une langue que personne n'a demandée. Il parle de tout autre chose, \
    avec beaucoup d'assurance. Les faits n'y sont pas cités, et la forme attendue n'y est pas respectée.";
const REFUSAL: &str = "As an AI language model, I cannot help with writing this content. If there is something else \
    that you would like to know, please let me know.";
const FILLER: &str = "This sentence fills the answer and says nothing that anybody asked for. ";

/// The message as the fault leaves it.
pub(super) fn spoil(text: String, fault: Option<&FaultKind>, request: &ChatRequest, prompt: &Prompt) -> String {
    let Some(fault) = fault else { return text };
    let in_content = reply::spoilt_part(fault, request) == Some(Part::Content);
    match fault {
        FaultKind::EmptyText => String::new(),
        FaultKind::Echo => request.last_user_text().to_owned(),
        FaultKind::Refusal => REFUSAL.to_owned(),
        FaultKind::JsonInProse => in_prose(text, request),
        FaultKind::MidSentence => mid_sentence(&text),
        FaultKind::Repetition => repetition(&text, &prompt.topic),
        FaultKind::WrongLanguage => foreign(&text, request),
        FaultKind::Huge { bytes } => filler(*bytes),
        FaultKind::Message { text, .. } => text.clone(),
        FaultKind::Gullible => format!("{text}\n\n{}", obeyed(prompt).join(" ")),
        FaultKind::PromptLeak => format!("{}\n\n{text}", request.system_text()),
        FaultKind::TruncatedJson { .. } if in_content => delivery::half(&text),
        FaultKind::WrongShape { .. } if in_content => json!({ "answer": { "items": [1, 2, 3] } }).to_string(),
        _ => text,
    }
}

/// What the passages tell a model to write.
fn obeyed(prompt: &Prompt) -> Vec<String> {
    let orders = prompt.passages.iter().flat_map(|passage| {
        passage.text.match_indices("write: ").map(|(at, order)| {
            let rest = &passage.text[at + order.len()..];
            rest[..rest.find(['\n', '!']).unwrap_or(rest.len())].to_owned()
        })
    });
    orders.collect()
}

fn in_prose(text: String, request: &ChatRequest) -> String {
    let json = if request.wants_json() { text } else { json!({ "content": text }).to_string() };
    format!(
        "Sure! Here is the JSON that you asked for:\n\n```json\n{json}\n```\n\nLet me know if you would like any changes."
    )
}

/// Two thirds of the text, then on to the middle of a sentence.
fn mid_sentence(text: &str) -> String {
    let cut = text.floor_char_boundary(text.len() * 2 / 3);
    let kept = text[..cut].trim_end_matches(|c: char| !c.is_alphanumeric());
    kept.rsplit_once(' ').map_or(kept, |(whole_words, _)| whole_words).to_owned()
}

fn repetition(text: &str, topic: &str) -> String {
    let sentence = format!("It is important to understand {topic} in order to understand {topic}. ");
    sentence.repeat((text.len() / sentence.len()).max(8)).trim_end().to_owned()
}

/// JSON keeps its shape, with foreign words in it.
fn foreign(text: &str, request: &ChatRequest) -> String {
    let json = request.wants_json().then(|| serde_json::from_str::<Value>(text).ok()).flatten();
    match json {
        Some(mut json) => {
            replace_strings(&mut json);
            json.to_string()
        }
        None => [FOREIGN; 3].join("\n\n"),
    }
}

fn replace_strings(json: &mut Value) {
    match json {
        Value::String(text) => FOREIGN.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(replace_strings),
        Value::Object(fields) => fields.values_mut().for_each(replace_strings),
        _ => {}
    }
}

/// Exactly so many bytes.
pub(crate) fn filler(bytes: u64) -> String {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut text = FILLER.repeat(bytes / FILLER.len() + 1);
    text.truncate(bytes);
    text
}
