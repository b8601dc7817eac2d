//! One HTTP call to a provider: a JSON body out, a bounded JSON body in, and everything that can go
//! wrong between, sorted by what it says of the provider's health.

use std::time::Duration;

use copydesk_common::config::SecretUrl;
use copydesk_common::money::MicroUsd;
use copydesk_common::quota::{Health, Settlement};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;

use super::refusal::reason::{self, Reason};
use super::refusal::{self, ErrorBody};
use super::{ClientError, allowance, body, retry_after};

/// The largest body that is read, in bytes. Real answers stay far below.
pub(super) const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// How long a provider is left alone that says "too many" but not until when.
const DEFAULT_CLOSED_FOR: Duration = Duration::from_secs(5);
/// The shortest wait after a refusal. The quota lengthens it where refusals follow each other.
const MIN_CLOSED_FOR: Duration = Duration::from_millis(100);
/// A provider's word counts up to this: beyond, asking again costs less than being wrong.
const MAX_CLOSED_FOR: Duration = Duration::from_secs(3600);

/// How a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No answer in time.
    #[error("no answer in time: COPYDESK_CALL_TIMEOUT_MS is the longest that a call may take")]
    TimedOut(#[source] reqwest::Error),
    /// The connection could not be made, or broke.
    #[error("the connection failed")]
    Connection(#[source] reqwest::Error),
    /// A status other than 2xx, or what should have been one. Its text is a stranger's and is not shown.
    #[error("status {status}{}", .body.code_shown().map(|code| format!(" ({code})")).unwrap_or_default())]
    Status {
        /// The status.
        status: u16,
        /// Why, as far as it can be told.
        reason: Reason,
        /// How long the provider says that it takes no calls; never no time at all.
        retry_after: Option<Duration>,
        /// What it says of the error, bounded: for telling one refusal from another, not for logs.
        body: ErrorBody,
    },
    /// A streamed answer ended before all of it was said.
    #[error("the stream ended before the answer did")]
    CutShort,
    /// The body is larger than any sound answer.
    #[error("the answer is larger than any sound one")]
    TooLarge,
    /// The body is not what the protocol says.
    #[error("the answer is not what the protocol says")]
    Malformed(#[source] serde_json::Error),
    /// None of the engines behind a search answered.
    #[error("no engine of the search answered")]
    NoEngine,
    /// There are not as many vectors as inputs, or one of them is none.
    #[error("the answer holds other vectors than were asked for")]
    WrongVectors,
    /// The body is sound but says nothing.
    #[error("the answer holds no choice")]
    NoChoice,
}

impl CallError {
    pub(super) fn of(error: reqwest::Error) -> Self {
        // Its URL is configuration and may hold credentials.
        let error = error.without_url();
        if error.is_timeout() { Self::TimedOut(error) } else { Self::Connection(error) }
    }

    /// Why the provider refused, where it did.
    pub(super) fn reason(&self) -> Option<Reason> {
        match self {
            Self::Status { reason, .. } => Some(*reason),
            _ => None,
        }
    }

    /// What it says of the provider's health.
    pub(super) fn health(&self) -> Health {
        match self {
            Self::TimedOut(_) | Self::Connection(_) | Self::CutShort | Self::NoEngine => Health::Unhealthy,
            Self::Status { status: 408 | 500.., reason: Reason::Other, .. } => Health::Unhealthy,
            // It answered, if badly.
            _ => Health::Neutral,
        }
    }

    /// What the quota and the breaker are told.
    pub(super) fn settlement(&self) -> Settlement {
        // A refusal costs nothing; what became of a call without an answer is not known.
        let cost = matches!(self, Self::Status { .. }).then(MicroUsd::default);
        let is_refused = self.reason() == Some(Reason::Busy);
        Settlement { closed_for: self.closed_for(), cost, is_refused, ..Settlement::of(self.health()) }
    }

    /// How long the provider takes no calls, where that is what it said. 498 is Groq's "flex capacity exceeded".
    /// A wait that is over says nothing, and one that is next to none is lengthened: a refusal must not be answered
    /// by a storm.
    pub(super) fn closed_for(&self) -> Option<Duration> {
        let Self::Status { status, reason, retry_after, .. } = self else { return None };
        let wait = match (status, reason) {
            (_, Reason::Busy) => retry_after.unwrap_or(DEFAULT_CLOSED_FOR),
            (503, _) => (*retry_after)?,
            _ => return None,
        };
        Some(wait.clamp(MIN_CLOSED_FOR, MAX_CLOSED_FOR))
    }

    /// Whether an answer may have been written that did not come whole.
    pub(super) fn is_cut_off(&self) -> bool {
        match self {
            Self::TimedOut(_) | Self::CutShort | Self::TooLarge => true,
            Self::Connection(error) => !error.is_connect(),
            _ => false,
        }
    }

    /// The outcome as metrics name it.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::TimedOut(_) => "timeout",
            Self::Connection(_) | Self::CutShort => "connection",
            Self::Status { status: 429 | 498, .. } => "throttled",
            Self::Status { status: 500.., .. } | Self::NoEngine => "server_error",
            Self::Status { .. } => "refused",
            Self::TooLarge | Self::Malformed(_) | Self::WrongVectors | Self::NoChoice => "malformed",
        }
    }
}

/// Where a client posts its requests, and with which key. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    http: reqwest::Client,
    url: SecretUrl,
    headers: HeaderMap,
}

impl Endpoint {
    /// A path below the API's base URL. `variable` is what the key was read from.
    pub(super) fn new(
        http: reqwest::Client,
        base_url: &SecretUrl,
        path: &str,
        key: Option<&SecretString>,
        variable: &'static str,
    ) -> Result<Self, ClientError> {
        Ok(Self { http, url: base_url.endpoint(path), headers: bearer(key, variable)? })
    }

    pub(super) fn post(&self, body: &impl Serialize) -> RequestBuilder {
        self.http.post(self.url.expose().clone()).headers(self.headers.clone()).json(body)
    }
}

/// The `authorization` header of a key, kept out of `Debug`.
pub(super) fn bearer(key: Option<&SecretString>, variable: &'static str) -> Result<HeaderMap, ClientError> {
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose_secret()))
            .map_err(|_| ClientError::Key { variable })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// Sends a request and reads its answer, both within `timeout`. A sound answer has a list in the field `needed`.
pub(super) async fn send(request: RequestBuilder, timeout: Duration, needed: &str) -> Result<Value, CallError> {
    let response = open(request, timeout).await?;
    let headers = response.headers().clone();
    let body = body::json(&read(response, MAX_BODY_BYTES).await?).map_err(CallError::Malformed)?;
    sound(body, &headers, needed)
}

/// Sends a request, and waits for no more of its answer than that it is no refusal. `timeout` bounds
/// the reading of its body too.
pub(super) async fn open(request: RequestBuilder, timeout: Duration) -> Result<Response, CallError> {
    let response = request.timeout(timeout).send().await.map_err(CallError::of)?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let headers = response.headers().clone();
    let bytes = read(response, MAX_BODY_BYTES).await.unwrap_or_default();
    let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
    let error = ErrorBody::new(body::json(&bytes).unwrap_or_else(|_| text()));
    // A gate in front of the provider lets nobody through for now: its 403 says nothing of the key.
    let status = if status.as_u16() == 403 && reason::is_of_a_gate(&error) { 503 } else { status.as_u16() };
    Err(refused(status, &headers, error))
}

/// How long the provider takes no further calls, where an answer's headers say so.
pub(super) fn closed_for(headers: &HeaderMap) -> Option<Duration> {
    allowance::closed_for(headers).map(|wait| wait.min(MAX_CLOSED_FOR))
}

/// An answer that came with a status of success, unless it holds an error in place of what is needed.
pub(super) fn sound(mut body: Value, headers: &HeaderMap, needed: &str) -> Result<Value, CallError> {
    // Gateways put the answer into an envelope of their own.
    if body.get(needed).is_none() && body.pointer(&format!("/data/{needed}")).is_some_and(Value::is_array) {
        body = body["data"].take();
    }
    let is_there = body.get(needed).and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let is_empty = body.get(needed).is_some_and(Value::is_array);
    let error = match (is_there, is_empty) {
        (true, _) => None,
        (_, true) => refusal::in_answer(&body),
        _ => refusal::in_place_of_answer(&body),
    };
    error.map_or(Ok(body), |error| Err(told(error, headers)))
}

/// An error that came with a status of success, in one piece or in a stream, as its own status would be read.
pub(super) fn told(error: ErrorBody, headers: &HeaderMap) -> CallError {
    refused(error.status(), headers, error)
}

/// What an error says, be it an answer's status or an event in a stream.
fn refused(status: u16, headers: &HeaderMap, body: ErrorBody) -> CallError {
    // A wait that is over says nothing.
    let is_some_time = |wait: &Duration| !wait.is_zero();
    let told = retry_after::read(headers, &body.text()).filter(is_some_time);
    let delay = || body.retry_delay().and_then(retry_after::duration);
    let closed_for = || allowance::closed_for(headers).filter(is_some_time);
    let retry_after = told.or_else(delay).or_else(closed_for);
    CallError::Status { status, reason: reason::of(status, &body, retry_after.is_some()), retry_after, body }
}

/// The body, unless it is larger than any sound answer: no more of it is read than that.
pub(super) async fn read(response: Response, most: usize) -> Result<Vec<u8>, CallError> {
    read_on(Vec::new(), response, most).await
}

/// The same behind what was read before.
pub(super) async fn read_on(mut body: Vec<u8>, mut response: Response, most: usize) -> Result<Vec<u8>, CallError> {
    loop {
        let piece = match response.chunk().await {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            // A length that is wrong, or an end that is missing: the answer is there.
            Err(_) if body::is_whole_json(&body) => break,
            Err(error) => return Err(CallError::of(error)),
        };
        if body.len() + piece.len() > most {
            return Err(CallError::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    body::unpacked(body, most).ok_or(CallError::TooLarge)
}
