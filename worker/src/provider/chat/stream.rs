//! A chat completion that comes as server-sent events, read piece by piece. What ends before the
//! message did is a broken call, and no answer.

use std::num::NonZeroUsize;
use std::time::Duration;

use copydesk_editorial::answer;
use reqwest::Response;
use reqwest::header::HeaderMap;
use sse_core::{MessageEvent, SseDecoder, SseEvent};
use tokio::time::timeout;

use super::Sink;
use super::said::{Said, Sent};
use crate::provider::body;
use crate::provider::call::{self, CallError, MAX_BODY_BYTES};
use crate::provider::refusal::ErrorBody;

/// The largest stream that is read, in bytes. A token comes with some 300 bytes around it.
const MAX_STREAM_BYTES: usize = 8 * MAX_BODY_BYTES;

/// How long the end of a stream is waited for when its text is whole: the usage may follow.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// A text is looked at for a loop each time it has grown by so many bytes.
const LOOKED_AT_EVERY: usize = 256;
/// Or by such a part of itself, where that is more.
const LOOKED_AT_SHARE: usize = 16;

/// What ends a stream.
const DONE: &str = "[DONE]";

/// A chunk without any of these says nothing that is read here.
const READ: [&str; 5] = ["choices", "usage", "error", "message", "detail"];

/// Reads to the end of the message, and tells `sink` each piece of its text. A server that does not know how to
/// stream answers in one piece; its body says so, and its headers may not.
pub(super) async fn read(mut response: Response, sink: Sink<'_>) -> Result<Said, CallError> {
    let headers = response.headers().clone();
    let mut head = Vec::new();
    while body::without_mark(&head).is_empty() {
        let Some(piece) = response.chunk().await.map_err(CallError::of)? else { break };
        head.extend_from_slice(&piece);
        if head.len() > MAX_BODY_BYTES {
            return Err(CallError::TooLarge);
        }
    }
    if body::begins_like_json(&head) || body::is_packed(&head) {
        let body = call::read_on(head, response, MAX_BODY_BYTES).await?;
        return whole(&body, &headers, Some(sink));
    }
    let mut message = Message::new(&headers, Some(sink));
    message.feed(&head)?;
    while !message.is_done {
        let chunk = response.chunk();
        // The text is paid for: what follows its end is not worth more than a moment.
        let chunk = match message.is_whole() {
            true => match timeout(AFTERWARDS, chunk).await {
                Ok(Ok(chunk)) => chunk,
                Ok(Err(_)) | Err(_) => break,
            },
            false => chunk.await.map_err(CallError::of)?,
        };
        let Some(piece) = chunk else { break };
        message.feed(&piece)?;
    }
    message.end()
}

/// A body that is there: JSON, or all of a stream at once, which some servers send unasked.
pub(super) fn whole(body: &[u8], headers: &HeaderMap, sink: Option<Sink<'_>>) -> Result<Said, CallError> {
    if body::begins_like_events(body) {
        let mut message = Message::new(headers, sink);
        message.feed(body)?;
        return message.end();
    }
    let answer = call::sound(body::json(body).map_err(CallError::Malformed)?, headers, "choices")?;
    let mut said = Said::default();
    let piece = said.take(&answer, Sent::Whole)?.map_err(|error| call::told(error, headers))?;
    if !said.has_choice {
        return Err(CallError::NoChoice);
    }
    if let Some(sink) = sink.filter(|_| !piece.is_empty()) {
        sink(&piece);
    }
    Ok(said)
}

/// A message that is being written.
struct Message<'a> {
    decoder: SseDecoder,
    bytes: usize,
    said: Said,
    is_done: bool,
    /// The length at which the text was last looked at for a loop.
    looked_at: usize,
    headers: &'a HeaderMap,
    sink: Option<Sink<'a>>,
}

impl<'a> Message<'a> {
    fn new(headers: &'a HeaderMap, sink: Option<Sink<'a>>) -> Self {
        let decoder = SseDecoder::with_limit(NonZeroUsize::MIN.saturating_add(MAX_BODY_BYTES));
        Self { decoder, bytes: 0, said: Said::default(), is_done: false, looked_at: 0, headers, sink }
    }

    fn feed(&mut self, mut piece: &[u8]) -> Result<(), CallError> {
        self.bytes += piece.len();
        if self.bytes > MAX_STREAM_BYTES {
            return Err(CallError::TooLarge);
        }
        while let Some(event) = self.decoder.next(&mut piece).filter(|_| !self.is_done) {
            if let SseEvent::Message(event) = event.map_err(|_| CallError::TooLarge)? {
                self.take(&event)?;
            }
        }
        Ok(())
    }

    /// Whether the text is there, and at its end.
    fn is_whole(&self) -> bool {
        self.said.has_ended && !self.said.text.trim().is_empty()
    }

    fn take(&mut self, event: &MessageEvent) -> Result<(), CallError> {
        let was_whole = self.is_whole();
        self.take_all(event).or_else(|error| if was_whole { Ok(()) } else { Err(error) })
    }

    /// Some servers forget the empty line between two events: then there is one with a line of data for each.
    fn take_all(&mut self, event: &MessageEvent) -> Result<(), CallError> {
        let mut lines = event.data.lines().map(str::trim).filter(|line| !line.is_empty());
        if lines.clone().count() < 2 || !lines.clone().all(|line| line.starts_with('{') || line == DONE) {
            return self.take_any(event, event.data.trim());
        }
        lines.try_for_each(|line| if self.is_done { Ok(()) } else { self.take_any(event, line) })
    }

    fn take_any(&mut self, event: &MessageEvent, data: &str) -> Result<(), CallError> {
        if data == DONE {
            self.is_done = true;
            return Ok(());
        }
        if event.event == "error" {
            let error = body::json(data.as_bytes()).unwrap_or_else(|_| data.into());
            return Err(call::told(ErrorBody::new(error), self.headers));
        }
        // A server that has nothing to say yet may say so in any words.
        let is_read = READ.iter().any(|name| data.contains(name));
        if !is_read || !body::begins_like_json(data.as_bytes()) {
            return Ok(());
        }
        let chunk = body::json(data.as_bytes()).map_err(CallError::Malformed)?;
        let chunk = chunk.as_array().and_then(|chunks| chunks.first()).unwrap_or(&chunk);
        let piece = self.said.take(chunk, Sent::Streamed)?.map_err(|error| call::told(error, self.headers))?;
        if self.said.text.len() > MAX_BODY_BYTES {
            return Err(CallError::TooLarge);
        }
        if let Some(sink) = self.sink.filter(|_| !piece.is_empty()) {
            sink(&piece);
        }
        self.end_loop();
        Ok(())
    }

    /// A model in a loop would go on until it has no room left: what it says is known, and what it takes is paid for.
    fn end_loop(&mut self) {
        let length = self.said.text.len();
        // Each look reads the whole text: a long one is looked at as much more rarely.
        if length < self.looked_at + LOOKED_AT_EVERY.max(self.looked_at / LOOKED_AT_SHARE) {
            return;
        }
        self.looked_at = length;
        if answer::is_loop(&self.said.text) {
            tracing::info!(text_bytes = length, "a model ran into a loop: its answer was ended");
            self.said.cut();
            self.is_done = true;
        }
    }

    /// The connection is at its end, or the server said that the message is.
    fn end(mut self) -> Result<Said, CallError> {
        if !self.is_done {
            // The last event's blank line may be missing; or half of the event, which then is none.
            match self.feed(b"\n\n") {
                Err(CallError::Malformed(_)) => return Err(CallError::CutShort),
                ended => ended?,
            }
        }
        match (self.is_done || self.said.has_ended || self.said.ends_with_usage, self.said.has_choice) {
            (true, true) => Ok(self.said),
            (true, false) => Err(CallError::NoChoice),
            (false, _) => Err(CallError::CutShort),
        }
    }
}
