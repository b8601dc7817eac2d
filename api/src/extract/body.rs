//! JSON bodies: read once into their type, then checked. A body that is not JSON is a 400. A body
//! with invalid values is a 422 that names all of them, including wrong types and unknown or
//! missing fields: [`super::explain`] finds them.

use std::time::Duration;

use axum::body::{Bytes, HttpBody, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::explain;
use super::strict::Strict;
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::faults::Faults;
use crate::state::Services;

/// How long a client may take to send a JSON body.
const MAX_TIME: Duration = Duration::from_secs(20);

/// A type for a JSON body. It must deny unknown fields.
pub trait RequestBody: DeserializeOwned + garde::Validate<Context = ()> + Send + 'static {
    /// The largest body in bytes, if it differs from the configured limit.
    const MAX_BYTES: Option<usize> = None;

    /// Whether its parts are bodies themselves, which are checked when they are read.
    const HOLDS_BODIES: bool = false;

    /// A valid body with every required field. The API reference shows it, and the fields of an
    /// invalid body are checked one by one inside it.
    fn example() -> Value;
}

/// The request's JSON body.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: RequestBody> FromRequest<Services> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, services: &Services) -> Result<Self, ApiError> {
        let bytes = bytes(request, T::MAX_BYTES.unwrap_or(services.max_body_bytes)).await?;
        let body_bytes = bytes.len();
        services.parsing.run(body_bytes, move || parse(&bytes)).await?.map(Self)
    }
}

/// Reads a JSON body of at most `limit_bytes`.
pub async fn bytes(request: Request, limit_bytes: usize) -> Result<Bytes, ApiError> {
    if request.body().is_end_stream() {
        return Err(ApiError::Malformed("the body is empty: it takes a JSON object".to_owned()));
    }
    if !is_json(request.headers()) {
        return Err(ApiError::UnsupportedMediaType("application/json"));
    }
    let caller = request.extensions().get::<Caller>().cloned();
    match timeout(MAX_TIME, to_bytes(request.into_body(), limit_bytes)).await {
        Ok(Ok(bytes)) => Caller::still(caller.as_ref()).map(|()| bytes),
        Ok(Err(error)) => Err(if error.into_inner().is::<LengthLimitError>() {
            ApiError::TooLarge(limit_bytes)
        } else {
            ApiError::Malformed("the body ended early".to_owned())
        }),
        Err(_) => Err(ApiError::TooSlow(MAX_TIME.as_secs())),
    }
}

/// Whether the body is plain JSON. Compressed bodies are not accepted.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let plain = text(header::CONTENT_ENCODING).is_none_or(|encoding| encoding.eq_ignore_ascii_case("identity"));
    let kind = text(header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_special = |kind: &str| {
        let kind = kind.to_ascii_lowercase();
        kind.starts_with("application/") && kind.ends_with("+json")
    };
    plain && (kind.eq_ignore_ascii_case("application/json") || is_special(kind))
}

/// Reads and checks a JSON body.
pub fn parse<T: RequestBody>(bytes: &[u8]) -> Result<T, ApiError> {
    let text = str::from_utf8(bytes).map_err(|_| ApiError::Malformed("the body is not UTF-8".to_owned()))?;
    // RFC 8259 lets a reader ignore the mark that some editors put in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Err(ApiError::Malformed("the body is empty: it takes a JSON object".to_owned()));
    }
    match deserialize(text) {
        Err(_) => Err(explain::refusal::<T>(text)),
        // The escape is rare. If it occurs, a full check finds out whether it stands for a NUL.
        Ok(body) if !T::HOLDS_BODIES && text.contains(r"\u0000") => {
            none_or_invalid(explain::faults::<T>(text)?).and_then(|()| check(body))
        }
        Ok(body) => check(body),
    }
}

/// Parses a body whose fields did not come as JSON.
pub fn of_fields<T: RequestBody>(fields: &Map<String, Value>) -> Result<T, ApiError> {
    parse(&serde_json::to_vec(fields).map_err(|error| ApiError::Internal(error.into()))?)
}

/// Checks the values of a body with the right shape.
pub fn check<T: garde::Validate<Context = ()>>(body: T) -> Result<T, ApiError> {
    none_or_invalid(violations(&body)).map(|()| body)
}

fn none_or_invalid(faults: Faults) -> Result<(), ApiError> {
    if faults.is_empty() { Ok(()) } else { Err(ApiError::Invalid(faults)) }
}

/// The body, if it has the right shape.
fn deserialize<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    let mut json = serde_json::Deserializer::from_str(text);
    let body = T::deserialize(Strict(&mut json))?;
    json.end().map(|()| body)
}

/// The limits that a value of the right shape violates.
pub fn violations<T: garde::Validate<Context = ()>>(value: &T) -> Faults {
    let mut faults = Faults::default();
    let Err(report) = value.validate() else { return faults };
    for (path, error) in report.iter() {
        // Such as `keywords[3].text`: our own field names contain none of these characters.
        let path = path.to_string().replace(['.', '['], "/").replace(']', "");
        faults.push(if path.is_empty() { path } else { format!("/{path}") }, error.to_string());
    }
    faults
}
