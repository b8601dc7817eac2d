//! A chat completion that comes as server-sent events, read piece by piece. What ends before the
//! message did is a broken call, and no answer.

use std::num::NonZeroUsize;

use reqwest::Response;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use sse_core::{MessageEvent, SseDecoder, SseEvent};

use super::{Said, Sink, WireContent, WireUsage};
use crate::provider::call::{self, CallError, MAX_BODY_BYTES};

/// The largest stream that is read, in bytes. A token comes with some 300 bytes around it.
const MAX_STREAM_BYTES: usize = 8 * MAX_BODY_BYTES;

/// Reads to the end of the message, and tells `sink` each piece of its text.
pub(super) async fn read(mut response: Response, sink: Sink<'_>) -> Result<Said, CallError> {
    let mut decoder = SseDecoder::with_limit(NonZeroUsize::MIN.saturating_add(MAX_BODY_BYTES));
    let mut message = Message { said: Said::default(), has_choice: false, sink };
    let mut bytes = 0;
    while let Some(mut piece) = response.chunk().await.map_err(CallError::of)? {
        bytes += piece.len();
        if bytes > MAX_STREAM_BYTES {
            return Err(CallError::TooLarge);
        }
        while let Some(event) = decoder.next(&mut piece) {
            match event.map_err(|_| CallError::TooLarge)? {
                SseEvent::Message(event) if event.data == "[DONE]" => return message.done(),
                SseEvent::Message(event) => message.take(&event)?,
                SseEvent::Retry(_) => {}
            }
        }
    }
    if message.said.finish_reason.is_some() { message.done() } else { Err(CallError::CutShort) }
}

/// A message that is being written.
struct Message<'a> {
    said: Said,
    has_choice: bool,
    sink: Sink<'a>,
}

impl Message<'_> {
    fn take(&mut self, event: &MessageEvent) -> Result<(), CallError> {
        if event.event == "error" {
            return Err(failure(serde_json::from_str(&event.data).unwrap_or_default()));
        }
        let chunk: WireChunk = serde_json::from_str(&event.data).map_err(CallError::Malformed)?;
        if let Some(error) = chunk.error {
            return Err(failure(serde_json::json!({ "error": error })));
        }
        // Groq's stands in a place of its own; others send theirs with the last chunk or behind it.
        let usage = chunk.usage.or(chunk.x_groq.and_then(|groq| groq.usage));
        self.said.usage = usage.or(self.said.usage.take());
        chunk.choices.into_iter().next().map_or(Ok(()), |choice| self.add(choice))
    }

    fn add(&mut self, choice: WireDelta) -> Result<(), CallError> {
        self.has_choice = true;
        self.said.is_refused |= choice.delta.is_refused();
        self.said.finish_reason = choice.finish_reason.or(self.said.finish_reason.take());
        let piece = choice.delta.content.unwrap_or_default();
        if self.said.text.len() + piece.len() > MAX_BODY_BYTES {
            return Err(CallError::TooLarge);
        }
        self.said.text += &piece;
        if !piece.is_empty() {
            (self.sink)(&piece);
        }
        Ok(())
    }

    fn done(self) -> Result<Said, CallError> {
        if self.has_choice { Ok(self.said) } else { Err(CallError::NoChoice) }
    }
}

/// The error that ends a stream, as its status would have told it. Groq names the status, others say
/// it in a code that is a number; the rest is the server's own failure.
fn failure(body: serde_json::Value) -> CallError {
    let number = |pointer: &str| body.pointer(pointer)?.as_u64()?.try_into().ok();
    let status = number("/error/status_code").or_else(|| number("/error/code"));
    let status = status.filter(|status| (400..=599).contains(status)).unwrap_or(500);
    call::refusal(status, &HeaderMap::new(), body)
}

#[derive(Deserialize)]
struct WireChunk {
    #[serde(default)]
    choices: Vec<WireDelta>,
    #[serde(default)]
    usage: Option<WireUsage>,
    #[serde(default)]
    x_groq: Option<WireGroq>,
    #[serde(default)]
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct WireDelta {
    #[serde(default)]
    delta: WireContent,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct WireGroq {
    #[serde(default)]
    usage: Option<WireUsage>,
}
