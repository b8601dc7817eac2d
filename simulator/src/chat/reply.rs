//! The wire format of a completion: one JSON body, or server-sent events up to `[DONE]`, with Groq's
//! usage and rate-limit headers. Also applies the faults that spoil the wire and not the words.

use std::collections::VecDeque;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use super::error::GroqError;
use super::request::{self, ChatRequest};
use crate::delivery::{self, Delivery};
use crate::dialect::Dialect;
use crate::faults::{FaultKind, Finish, Part};
use crate::ledger::Tokens;
use crate::limits::{Allowance, Remaining};

/// Words in a streamed chunk.
const CHUNK_WORDS: usize = 3;
/// Tokens a second that the usage tells of where nothing is paced.
const NOMINAL_TOKENS_PER_SECOND: f64 = 750.0;
const PROMPT_TOKENS_PER_SECOND: f64 = 20_000.0;

/// A message with what belongs to it.
#[derive(Debug, Clone)]
pub(super) struct Completion {
    pub(super) id: String,
    pub(super) request_id: String,
    /// Seconds since the epoch.
    pub(super) created: u64,
    pub(super) text: String,
    pub(super) finish: Finish,
    pub(super) prompt_tokens: u32,
    /// Of these the ones at the start that the provider still held.
    pub(super) cached_tokens: u32,
    pub(super) queue_seconds: f64,
    pub(super) completion_seconds: f64,
    /// How long the writing really takes.
    pub(super) takes: Duration,
}

impl Finish {
    /// As the wire names it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
        }
    }
}

impl Completion {
    /// Ends before the first of the stop sequences.
    pub(super) fn cut_at_stop(&mut self, stops: &[String]) {
        let end = stops.iter().filter_map(|stop| self.text.find(stop.as_str())).min();
        self.text.truncate(end.unwrap_or(self.text.len()));
    }

    /// Ends at the limit, wherever that is.
    pub(super) fn cut_at_tokens(&mut self, max_tokens: Option<u32>) {
        let max_chars = max_tokens.and_then(|max| usize::try_from(max).ok()).map(|max| max.saturating_mul(4));
        let end = max_chars.and_then(|max| self.text.char_indices().nth(max)).map(|(at, _)| at);
        if let Some(end) = end {
            self.text.truncate(end);
            self.finish = Finish::Length;
        }
    }

    /// Sets how long the writing takes.
    pub(super) fn pace(&mut self, tokens_per_second: Option<f64>) {
        let rate = tokens_per_second.unwrap_or(NOMINAL_TOKENS_PER_SECOND);
        self.completion_seconds = f64::from(self.completion_tokens()) / rate;
        if tokens_per_second.is_some() {
            self.takes = Duration::from_secs_f64(self.completion_seconds);
        }
    }

    fn completion_tokens(&self) -> u32 {
        request::tokens(&self.text)
    }

    fn total_tokens(&self) -> u32 {
        self.prompt_tokens.saturating_add(self.completion_tokens())
    }

    pub(super) fn tokens(&self) -> Tokens {
        Tokens { prompt: self.prompt_tokens, cached: self.cached_tokens, completion: self.completion_tokens() }
    }

    fn usage(&self) -> Value {
        let prompt_seconds = f64::from(self.prompt_tokens - self.cached_tokens) / PROMPT_TOKENS_PER_SECOND;
        json!({
            "queue_time": self.queue_seconds,
            "prompt_tokens": self.prompt_tokens,
            "prompt_time": prompt_seconds,
            "completion_tokens": self.completion_tokens(),
            "completion_time": self.completion_seconds,
            "total_tokens": self.total_tokens(),
            "total_time": prompt_seconds + self.completion_seconds,
            "prompt_tokens_details": { "cached_tokens": self.cached_tokens },
        })
    }
}

/// The answer to a request, with the faults that spoil the wire.
pub(super) fn send(completion: &Completion, request: &ChatRequest, fault: Option<&FaultKind>) -> Response {
    let is_turned = matches!(fault, Some(FaultKind::Dialect { name: Dialect::OtherWay }));
    let (content_type, delivery) = match request.stream != is_turned {
        true => ("text/event-stream", stream(completion, request, fault)),
        false => ("application/json", Delivery::whole(body(completion, request, fault))),
    };
    delivery::send(content_type, delivery, fault)
}

fn body(completion: &Completion, request: &ChatRequest, fault: Option<&FaultKind>) -> String {
    let whole = json!({
        "id": completion.id,
        "object": "chat.completion",
        "created": completion.created,
        "model": request.model,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": completion.text },
            "logprobs": null,
            "finish_reason": completion.finish.as_str(),
        }],
        "usage": completion.usage(),
        "usage_breakdown": null,
        "system_fingerprint": "fp_simulated",
        "x_groq": { "id": completion.request_id },
        "service_tier": "on_demand",
    });
    match body_fault(fault, request) {
        Some(FaultKind::TruncatedJson { .. }) => delivery::half(&whole.to_string()),
        Some(FaultKind::WrongShape { .. }) => json!({ "id": completion.id, "output": [] }).to_string(),
        _ => match fault {
            Some(FaultKind::Dialect { name }) => name.text(&whole),
            _ => whole.to_string(),
        },
    }
}

/// The fault, if it is one that spoils this request's body and not its message.
fn body_fault<'a>(fault: Option<&'a FaultKind>, request: &ChatRequest) -> Option<&'a FaultKind> {
    fault.filter(|kind| spoilt_part(kind, request) == Some(Part::Body))
}

/// The part that a fault spoils, for those that can spoil either.
pub(super) fn spoilt_part(fault: &FaultKind, request: &ChatRequest) -> Option<Part> {
    let (FaultKind::TruncatedJson { part } | FaultKind::WrongShape { part }) = fault else { return None };
    Some(part.unwrap_or(if request.wants_json() { Part::Content } else { Part::Body }))
}

fn stream(completion: &Completion, request: &ChatRequest, fault: Option<&FaultKind>) -> Delivery {
    let mut frames: VecDeque<Bytes> = events(completion, request).into();
    match (body_fault(fault, request), fault) {
        (Some(FaultKind::TruncatedJson { .. }), _) => cut_in_an_event(&mut frames),
        (Some(FaultKind::WrongShape { .. }), _) => {
            frames = VecDeque::from([event(&json!({ "output": [] })), Bytes::from_static(b"data: [DONE]\n\n")]);
        }
        (_, Some(FaultKind::Dialect { name })) => frames = name.events(frames),
        (_, Some(FaultKind::StreamError { as_event })) => end_in_an_error(&mut frames, *as_event),
        _ => {}
    }
    let count = u32::try_from(frames.len()).unwrap_or(u32::MAX).max(1);
    Delivery { frames, pause: completion.takes / count, ..Delivery::default() }
}

fn events(completion: &Completion, request: &ChatRequest) -> Vec<Bytes> {
    let choice = |delta: Value, finish: Option<Finish>, x_groq: Value| {
        let finish = finish.map(Finish::as_str);
        let choices = json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]);
        event(&chunk(completion, request, &choices, "x_groq", x_groq))
    };
    let id = json!({ "id": completion.request_id });
    let last = json!({ "id": completion.request_id, "usage": completion.usage() });
    let mut events = vec![choice(json!({ "role": "assistant", "content": "" }), None, id)];
    events.extend(content_events(completion, request));
    events.push(choice(json!({}), Some(completion.finish), last));
    if request.includes_usage {
        // In OpenAI's place, behind the last choice.
        events.push(event(&chunk(completion, request, &json!([]), "usage", completion.usage())));
    }
    events.push(Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

/// A chunk, with one field beside the usual ones.
fn chunk(completion: &Completion, request: &ChatRequest, choices: &Value, field: &str, value: Value) -> Value {
    let mut chunk = json!({
        "id": completion.id,
        "object": "chat.completion.chunk",
        "created": completion.created,
        "model": request.model,
        "system_fingerprint": "fp_simulated",
        "choices": choices,
    });
    chunk[field] = value;
    chunk
}

/// The text's events. A text has hundreds, so what they share is put together once.
fn content_events(completion: &Completion, request: &ChatRequest) -> impl Iterator<Item = Bytes> {
    let head = format!(
        "data: {{\"id\":{},\"object\":\"chat.completion.chunk\",\"created\":{},\"model\":{},\
         \"system_fingerprint\":\"fp_simulated\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":",
        json!(completion.id),
        completion.created,
        json!(request.model),
    );
    let tail = "},\"logprobs\":null,\"finish_reason\":null}]}\n\n";
    pieces(&completion.text).map(move |piece| format!("{head}{}{tail}", Value::from(piece)).into())
}

fn event(data: &Value) -> Bytes {
    format!("data: {data}\n\n").into()
}

/// The text in pieces of a few words, each with the blank that follows.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut words = text.split_inclusive(' ');
    let mut rest = text;
    std::iter::from_fn(move || {
        let length = words.by_ref().take(CHUNK_WORDS).map(str::len).sum();
        let (piece, behind) = rest.split_at(length);
        rest = behind;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The stream ends inside an event, half way.
fn cut_in_an_event(frames: &mut VecDeque<Bytes>) {
    frames.truncate((frames.len() / 2).max(1));
    if let Some(last) = frames.back_mut() {
        last.truncate(last.len() / 2);
    }
}

/// The stream ends half way, in an error.
fn end_in_an_error(frames: &mut VecDeque<Bytes>, as_event: bool) {
    frames.truncate((frames.len() / 2).max(1));
    let error = event(&GroqError::mid_stream());
    frames.push_back(match as_event {
        true => [b"event: error\n", &error[..]].concat().into(),
        false => error,
    });
}

/// Adds the rate-limit headers.
pub(super) fn with_limits(mut response: Response, allowance: Allowance) -> Response {
    let headers = response.headers_mut();
    if let Some(requests) = allowance.requests {
        let names = ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
        insert(headers, names, requests);
    }
    if let Some(tokens) = allowance.tokens {
        let names = ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];
        insert(headers, names, tokens);
    }
    response
}

fn insert(headers: &mut HeaderMap, names: [&'static str; 3], remaining: Remaining) {
    let values = [remaining.limit.to_string(), remaining.remaining.to_string(), duration(remaining.reset_ms)];
    for (name, value) in names.into_iter().zip(values) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
}

/// Groq's durations: `2m59.56s`, `7.66s`, `120ms`.
fn duration(ms: u64) -> String {
    if (1..1_000).contains(&ms) {
        return format!("{ms}ms");
    }
    let (hours, minutes, rest_ms) = (ms / 3_600_000, ms / 60_000 % 60, ms % 60_000);
    let seconds = rest_ms as f64 / 1_000.0;
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_groqs() {
        let cases = [
            (0, "0s"),
            (120, "120ms"),
            (7_660, "7.66s"),
            (179_560, "2m59.56s"),
            (60_000, "1m0s"),
            (28_800_000, "8h0m0s"),
        ];
        for (ms, expected) in cases {
            assert_eq!(duration(ms), expected);
        }
    }

    #[test]
    fn pieces_add_up_to_the_text() {
        for text in ["", "one", "one two  three four\n\nfive six seven.", "ends in a blank "] {
            assert_eq!(pieces(text).collect::<String>(), text);
        }
        assert_eq!(pieces("a b c d").collect::<Vec<_>>(), ["a b c ", "d"]);
    }

    #[test]
    fn the_token_limit_and_stop_sequences_cut_the_text() {
        let mut completion = Completion {
            id: String::new(),
            request_id: String::new(),
            created: 0,
            text: "größer als ein Wort, END und mehr".into(),
            finish: Finish::Stop,
            prompt_tokens: 1,
            cached_tokens: 0,
            queue_seconds: 0.0,
            completion_seconds: 0.0,
            takes: Duration::ZERO,
        };
        completion.cut_at_stop(&["END".into(), "never".into()]);
        assert_eq!(completion.text, "größer als ein Wort, ");
        completion.cut_at_tokens(Some(100));
        assert_eq!(completion.finish, Finish::Stop);
        completion.cut_at_tokens(Some(1));
        assert_eq!((completion.text.as_str(), completion.finish), ("größ", Finish::Length));
    }
}
