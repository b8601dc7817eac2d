//! One HTTP call to a provider: a JSON body out, a bounded JSON body in, and everything that can go
//! wrong between, sorted by what it says of the provider's health.

use std::time::Duration;

use copydesk_common::money::MicroUsd;
use copydesk_common::quota::{Health, Settlement};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::{ClientError, allowance, retry_after};

/// The largest body that is read, in bytes. Real answers stay far below.
pub(super) const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// How long a provider is left alone that says "too many" but not until when.
const DEFAULT_CLOSED_FOR: Duration = Duration::from_secs(5);
/// A provider's word counts up to this: beyond, asking again costs less than being wrong.
const MAX_CLOSED_FOR: Duration = Duration::from_secs(3600);

/// How a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut(#[source] reqwest::Error),
    /// The connection could not be made, or broke.
    #[error("the connection failed")]
    Connection(#[source] reqwest::Error),
    /// A status other than 2xx. Its text is a stranger's and is not shown.
    #[error("status {status}")]
    Status {
        /// The status.
        status: u16,
        /// How long the provider says that it takes no calls.
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

/// An error's body. Its text does not show in `Debug`: it may quote the prompt.
#[derive(Clone, Default)]
pub struct ErrorBody(pub serde_json::Value);

impl ErrorBody {
    /// What the error is called, where it says so.
    pub(super) fn code(&self) -> Option<&str> {
        self.0.pointer("/error/code")?.as_str()
    }
}

impl std::fmt::Debug for ErrorBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ErrorBody(…)")
    }
}

impl CallError {
    pub(super) fn of(error: reqwest::Error) -> Self {
        // Its URL is configuration and may hold credentials.
        let error = error.without_url();
        if error.is_timeout() { Self::TimedOut(error) } else { Self::Connection(error) }
    }

    /// What the quota and the breaker are told.
    pub(super) fn settlement(&self) -> Settlement {
        let health = match self {
            Self::TimedOut(_) | Self::Connection(_) | Self::CutShort | Self::NoEngine => Health::Unhealthy,
            Self::Status { status: 408 | 500.., .. } => Health::Unhealthy,
            Self::Status { .. } => Health::Neutral,
            // It answered, if badly.
            Self::TooLarge | Self::Malformed(_) | Self::WrongVectors | Self::NoChoice => Health::Neutral,
        };
        // A refusal costs nothing; what became of a call without an answer is not known.
        let cost = matches!(self, Self::Status { .. }).then(MicroUsd::default);
        Settlement { closed_for: self.closed_for(), cost, ..Settlement::of(health) }
    }

    /// How long the provider takes no calls, where that is what it said. 498 is Groq's "flex
    /// capacity exceeded".
    pub(super) fn closed_for(&self) -> Option<Duration> {
        match self {
            Self::Status { status: 429 | 498, retry_after, .. } => {
                Some(retry_after.unwrap_or(DEFAULT_CLOSED_FOR).min(MAX_CLOSED_FOR))
            }
            Self::Status { status: 503, retry_after, .. } => retry_after.map(|wait| wait.min(MAX_CLOSED_FOR)),
            _ => None,
        }
    }

    /// Whether the provider does not know the URL or the model. Groq answers 400 where it once knew
    /// the model.
    pub(super) fn is_target_unknown(&self) -> bool {
        match self {
            Self::Status { status: 404, .. } => true,
            Self::Status { status: 400, body, .. } => {
                matches!(body.code(), Some("model_decommissioned" | "model_not_found"))
            }
            _ => false,
        }
    }

    /// Whether the prompt and the answer that it asks for are more than the model's window.
    pub(super) fn is_too_long(&self) -> bool {
        matches!(self, Self::Status { status: 400, body, .. } if body.code() == Some("context_length_exceeded"))
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

/// An answer's body, and what its headers say.
#[derive(Debug)]
pub(super) struct Sent<T> {
    pub(super) body: T,
    /// How long the provider takes no further calls, where that is what it said.
    pub(super) closed_for: Option<Duration>,
}

/// Sends a request and reads its answer, both within `timeout`.
pub(super) async fn send<T>(request: RequestBuilder, timeout: Duration) -> Result<Sent<T>, CallError>
where
    T: DeserializeOwned,
{
    send_bounded(request, timeout, MAX_BODY_BYTES).await
}

/// The same where a sound answer may have up to `most` bytes.
pub(super) async fn send_bounded<T>(
    request: RequestBuilder,
    timeout: Duration,
    most: usize,
) -> Result<Sent<T>, CallError>
where
    T: DeserializeOwned,
{
    let response = open(request, timeout).await?;
    let closed_for = closed_for(response.headers());
    Ok(Sent { body: json(response, most).await?, closed_for })
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
    let body = read(response, MAX_BODY_BYTES).await.unwrap_or_default();
    Err(refusal(status.as_u16(), &headers, serde_json::from_slice(&body).unwrap_or_default()))
}

/// How long the provider takes no further calls, where an answer's headers say so.
pub(super) fn closed_for(headers: &HeaderMap) -> Option<Duration> {
    allowance::closed_for(headers).map(|wait| wait.min(MAX_CLOSED_FOR))
}

/// The body of an answer that is JSON, unless it has more than `most` bytes.
pub(super) async fn json<T: DeserializeOwned>(response: Response, most: usize) -> Result<T, CallError> {
    serde_json::from_slice(&read(response, most).await?).map_err(CallError::Malformed)
}

/// What an error says, be it an answer's status or an event in a stream.
pub(super) fn refusal(status: u16, headers: &HeaderMap, body: serde_json::Value) -> CallError {
    let retry_after = retry_after::read(headers, error_text(&body)).or_else(|| allowance::closed_for(headers));
    CallError::Status { status, retry_after, body: ErrorBody(body) }
}

/// The message of an error as OpenAI (`error.message`) or Tavily (`detail.error`) words it.
fn error_text(body: &serde_json::Value) -> &str {
    let pointers = ["/error/message", "/detail/error", "/detail"];
    pointers.iter().find_map(|pointer| body.pointer(pointer)?.as_str()).unwrap_or_default()
}

/// The body, unless it is larger than any sound answer: no more of it is read than that.
async fn read(mut response: Response, most: usize) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(CallError::of)? {
        if body.len() + piece.len() > most {
            return Err(CallError::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
