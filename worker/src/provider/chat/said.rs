//! What a message came to, in one piece or in many. The text is needed and read strictly. All else is read
//! leniently: servers differ in it, and a paid answer is not thrown away over a field that nobody needs.

use copydesk_common::quota::ToldLimits;
use serde::de::Error as _;
use serde_json::Value;

use super::Answer;
use crate::provider::call::CallError;
use crate::provider::refusal::{self, ErrorBody};
use crate::tokens;

/// Why a message ended for want of room, in small letters.
const CUT: [&str; 4] = ["length", "max_tokens", "model_length", "max_output_tokens"];
/// Why the server gave it up, in the middle of it.
const FAILED: [&str; 3] = ["error", "insufficient_system_resource", "abort"];
/// Why a filter ended it.
const FILTERED: [&str; 7] =
    ["content_filter", "content_filtered", "safety", "prohibited_content", "blocklist", "refusal", "recitation"];

/// Tokenizers differ, and templates add some: a prompt of more than so many times the tokens that are counted here, and
/// so many beside, is not believed.
const MOST_OF_COUNTED: u64 = 16;
const MOST_BESIDE: u64 = 4_096;
/// No model writes or thinks more tokens in one answer.
const MOST_WRITTEN: u64 = 1_000_000;

/// What a message came to.
#[derive(Default)]
pub(super) struct Said {
    pub(super) text: String,
    /// Whether there was a message at all.
    pub(super) has_choice: bool,
    /// Whether the server said that the message is at its end.
    pub(super) has_ended: bool,
    is_refused: bool,
    finish_reason: Option<String>,
    usage: Usage,
    /// Whether nothing came behind the usage: some servers end with it, and do not say that they do.
    pub(super) ends_with_usage: bool,
    /// Which of several messages it is: the first one that was seen.
    index: Option<u64>,
}

/// How a message is sent.
#[derive(Clone, Copy)]
pub(super) enum Sent {
    /// In one piece.
    Whole,
    /// Piece by piece.
    Streamed,
}

impl Said {
    /// Takes an answer in one piece, or a chunk of a stream; returns the piece of text in it. The outer error
    /// is what the call ends with, the inner one what the server put into its answer.
    pub(super) fn take(&mut self, body: &Value, sent: Sent) -> Result<Result<String, ErrorBody>, CallError> {
        // Groq's stands in a place of its own; others send theirs with the last chunk or behind it.
        let usage = [body.get("usage"), body.pointer("/x_groq/usage")].into_iter().flatten();
        let usage = usage.filter(|usage| usage.is_object()).map(Usage::of).find(Usage::is_told);
        self.usage = usage.unwrap_or(self.usage);
        let choices = match body.get("choices") {
            None | Some(Value::Null) => &[][..],
            Some(Value::Array(choices)) => choices,
            Some(_) => return Err(malformed("choices are no list")),
        };
        let objects = || choices.iter().filter(|choice| choice.is_object());
        let Some(choice) = objects().find(|choice| self.is_ours(choice)) else {
            // A stream's last chunk may hold nothing else.
            self.ends_with_usage = usage.is_some() && self.has_choice && objects().next().is_none();
            return Ok(Self::error_without_choice(body).map_or_else(|| Ok(String::new()), Err));
        };
        (self.has_choice, self.ends_with_usage) = (true, false);
        let piece = self.choice(choice, sent)?;
        let is_failed = self.finish_reason.as_deref().is_some_and(|reason| FAILED.contains(&reason));
        let error = refusal::in_answer(choice).or_else(|| refusal::in_answer(body));
        match error {
            // Beside a whole text, it is a remark.
            Some(error) if is_failed || piece.is_empty() || matches!(sent, Sent::Streamed) => Ok(Err(error)),
            None if is_failed => Ok(Err(ErrorBody::default())),
            _ => Ok(Ok(piece)),
        }
    }

    /// What a chunk without a choice says went wrong. In one without anything that is a message's, mere words may say
    /// so; or that the server is at work.
    fn error_without_choice(body: &Value) -> Option<ErrorBody> {
        let in_words = || {
            let is_of_a_message = ["choices", "usage"].iter().any(|name| body.get(name).is_some());
            refusal::in_place_of_answer(body).filter(|error| !is_of_a_message && error.is_of_a_call())
        };
        refusal::in_answer(body).or_else(in_words)
    }

    /// Whether a choice is of the message that is read: a server may send others, which nobody asked for.
    fn is_ours(&mut self, choice: &Value) -> bool {
        let index = choice.get("index").and_then(Value::as_u64);
        index.is_none_or(|index| *self.index.get_or_insert(index) == index)
    }

    fn choice(&mut self, choice: &Value, sent: Sent) -> Result<String, CallError> {
        let (first, second) = match sent {
            Sent::Whole => ("message", "delta"),
            Sent::Streamed => ("delta", "message"),
        };
        let there = |name: &str| choice.get(name).filter(|message| !message.is_null());
        // What a stream repeats whole at its end was told before.
        let message = there(first).or_else(|| there(second).filter(|_| self.text.is_empty()));
        let content = message.map_or_else(|| choice.get("text"), |message| message.get("content"));
        let mut piece = String::new();
        self.content(content.unwrap_or(&Value::Null), &mut piece)?;
        let refusal = message.and_then(|message| message.get("refusal")).and_then(Value::as_str);
        self.is_refused |= refusal.is_some_and(|refusal| !refusal.trim().is_empty());
        let reason = choice.get("finish_reason").filter(|reason| refusal::says(reason) && *reason != "null");
        self.has_ended |= reason.is_some();
        self.finish_reason = reason.and_then(Value::as_str).map(str::to_lowercase).or(self.finish_reason.take());
        self.text += &piece;
        Ok(piece)
    }

    /// The text of a content: a string, or a list of parts, of which those that hold the model's thoughts are
    /// none.
    fn content(&mut self, content: &Value, text: &mut String) -> Result<(), CallError> {
        match content {
            Value::Null => Ok(()),
            Value::String(content) => {
                text.push_str(content);
                Ok(())
            }
            Value::Array(parts) => parts.iter().try_for_each(|part| self.content(part, text)),
            Value::Object(part) => {
                let kind = part.get("type").and_then(Value::as_str).unwrap_or("text");
                self.is_refused |= kind == "refusal";
                match part.get("text").or_else(|| part.get("value")).or_else(|| part.get("content")) {
                    Some(within) if matches!(kind, "text" | "output_text") => self.content(within, text),
                    // JSON that was asked for, and is not put into a string.
                    None if !part.is_empty() && !part.contains_key("type") => {
                        text.push_str(&content.to_string());
                        Ok(())
                    }
                    _ => Ok(()),
                }
            }
            Value::Bool(_) | Value::Number(_) => Err(malformed("the content is no text")),
        }
    }

    /// It is ended here, without an end of its own.
    pub(super) fn cut(&mut self) {
        self.has_ended = true;
        self.finish_reason = Some(CUT[0].to_owned());
    }

    /// Not every server says what an answer took: then it is counted.
    pub(super) fn into_answer(self, prompt_tokens: u32) -> Answer {
        let counted = || u64::try_from(tokens::count(&self.text)).unwrap_or(u64::MAX);
        let prompt_tokens = u64::from(prompt_tokens);
        let most = prompt_tokens.saturating_mul(MOST_OF_COUNTED).saturating_add(MOST_BESIDE);
        let prompt_tokens = self.usage.prompt.filter(|told| *told <= most).unwrap_or(prompt_tokens);
        let completion_tokens = self.usage.completion.filter(|told| *told <= MOST_WRITTEN).unwrap_or_else(counted);
        let finish = |reasons: &[&str]| self.finish_reason.as_deref().is_some_and(|reason| reasons.contains(&reason));
        Answer {
            is_cut: finish(&CUT),
            is_refused: self.is_refused || finish(&FILTERED),
            prompt_tokens,
            cached_tokens: self.usage.cached.min(prompt_tokens),
            completion_tokens,
            text: self.text,
            closed_for: None,
            told: ToldLimits::default(),
        }
    }
}

fn malformed(what: &str) -> CallError {
    CallError::Malformed(serde_json::Error::custom(what))
}

/// What a server says that an answer took, as far as it can be believed.
#[derive(Debug, Default, Clone, Copy)]
struct Usage {
    prompt: Option<u64>,
    completion: Option<u64>,
    /// Tokens of the prompt that were in the provider's cache.
    cached: u64,
}

impl Usage {
    fn of(usage: &Value) -> Self {
        let prompt = count(usage, &["prompt_tokens", "input_tokens"]);
        let completion = count(usage, &["completion_tokens", "output_tokens"]);
        let total = count(usage, &["total_tokens"]);
        // Servers differ in what they put here: whatever is no whole number of cached tokens says nothing.
        let cached = usage.pointer("/prompt_tokens_details/cached_tokens").and_then(Value::as_u64).unwrap_or(0);
        Self { prompt, completion: completion.or_else(|| total?.checked_sub(prompt?)), cached }
    }

    fn is_told(&self) -> bool {
        self.prompt.is_some() || self.completion.is_some()
    }
}

/// A count of tokens in whatever form. None at all, less than none and more than any are not believed.
fn count(usage: &Value, names: &[&str]) -> Option<u64> {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let tokens = names.iter().find_map(|name| usage.get(name)).and_then(number)?.round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within these bounds")]
    (1.0..=f64::from(u32::MAX)).contains(&tokens).then_some(tokens as u64)
}
