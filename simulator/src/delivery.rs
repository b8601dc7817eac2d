//! How an answer's bytes reach the caller: at once, paced, dripped, or broken off; whole, cut or of
//! another shape, where a fault wants that. What they say is none of its business.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::faults::FaultKind;

/// A dripped JSON body comes in pieces of so many bytes.
const DRIP_BYTES: usize = 16;

/// An answer on its way.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) frames: VecDeque<Bytes>,
    /// The wait before each frame.
    pub(crate) pause: Duration,
    /// When the last frame was due: what sleeps take beyond their time does not add up.
    pub(crate) due: Option<Instant>,
    /// Breaks the connection off after the last frame, instead of ending the body.
    pub(crate) aborted: bool,
}

impl Delivery {
    /// A body in one piece.
    pub(crate) fn whole(body: impl Into<Bytes>) -> Self {
        Self { frames: VecDeque::from([body.into()]), ..Self::default() }
    }

    /// Cuts frames that are larger than a drip, and waits before each.
    pub(crate) fn dripped(self, pause: Duration) -> Self {
        let cut = |frame: Bytes| {
            let starts = (0..frame.len()).step_by(DRIP_BYTES);
            starts.map(|at| frame.slice(at..frame.len().min(at + DRIP_BYTES))).collect::<Vec<_>>()
        };
        let single = self.frames.len() == 1;
        let frames = if single { self.frames.into_iter().flat_map(cut).collect() } else { self.frames };
        Self { frames, pause: self.pause + pause, ..self }
    }

    /// Keeps the first half, and breaks off there.
    pub(crate) fn reset_midway(mut self) -> Self {
        match self.frames.make_contiguous() {
            [single] => single.truncate(single.len() / 2),
            several => {
                let half = several.len() / 2;
                self.frames.truncate(half);
            }
        }
        Self { aborted: true, ..self }
    }

    /// As a fault wants it to arrive.
    pub(crate) fn spoilt(self, fault: Option<&FaultKind>) -> Self {
        match fault {
            Some(FaultKind::SlowDrip { ms_per_chunk }) => self.dripped(Duration::from_millis(*ms_per_chunk)),
            Some(FaultKind::Reset) => self.reset_midway(),
            _ => self,
        }
    }

    pub(crate) fn into_body(mut self) -> Body {
        if self.pause.is_zero() && !self.aborted && self.frames.len() == 1 {
            return self.frames.pop_front().map_or_else(Body::empty, Body::from);
        }
        Body::from_stream(stream::unfold(self, Self::next))
    }

    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        if let Some(frame) = self.frames.pop_front() {
            if !self.pause.is_zero() {
                let due = self.due.unwrap_or_else(Instant::now) + self.pause;
                self.due = Some(due);
                tokio::time::sleep_until(due).await;
            }
            return Some((Ok(frame), self));
        }
        if !std::mem::take(&mut self.aborted) {
            return None;
        }
        // The server writes what it holds while it waits: the caller must see the first half.
        tokio::task::yield_now().await;
        Some((Err(io::ErrorKind::ConnectionReset.into()), self))
    }
}

/// An answer of one JSON object, as a fault wants it.
pub(crate) fn json_object(body: &Value, fault: Option<&FaultKind>) -> Response {
    let text = match fault {
        Some(FaultKind::TruncatedJson { .. }) => half(&body.to_string()),
        Some(FaultKind::WrongShape { .. }) => json!({ "data": { "items": [] } }).to_string(),
        Some(FaultKind::Dialect { name }) => name.text(body),
        _ => body.to_string(),
    };
    send("application/json", Delivery::whole(text), fault)
}

/// An answer as a fault wants it to arrive.
pub(crate) fn send(content_type: &'static str, delivery: Delivery, fault: Option<&FaultKind>) -> Response {
    let (delivery, header) = match fault {
        Some(FaultKind::Dialect { name }) => name.deliver(delivery),
        fault => (delivery.spoilt(fault), None),
    };
    let mut response = ([(header::CONTENT_TYPE, content_type)], delivery.into_body()).into_response();
    response.headers_mut().extend(header);
    response
}

/// An error's answer: a string as it is, anything else as JSON.
pub(crate) fn refusal(status: StatusCode, body: Value, headers: Vec<(&'static str, String)>) -> Response {
    let (body, content_type) = match body {
        Value::String(text) => (text, "text/plain; charset=utf-8"),
        json => (json.to_string(), "application/json"),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in headers {
        // A value that cannot be a header (a fault may ask for any text) is left out.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// The first half, cut where a character ends.
pub(crate) fn half(text: &str) -> String {
    text[..text.floor_char_boundary(text.len() / 2)].to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[tokio::test]
    async fn a_dripped_body_arrives_whole_in_small_pieces() {
        let delivery = Delivery::whole("x".repeat(40)).dripped(Duration::ZERO);
        assert_eq!(delivery.frames.len(), 3);
        let body = axum::body::to_bytes(delivery.into_body(), 100).await.unwrap();
        assert_eq!(body.len(), 40);
    }

    #[tokio::test]
    async fn a_reset_keeps_half_and_ends_in_an_error() {
        let delivery = Delivery::whole("0123456789").reset_midway();
        assert_eq!(delivery.frames[0], "01234");
        assert!(axum::body::to_bytes(delivery.into_body(), 100).await.is_err());
    }
}
