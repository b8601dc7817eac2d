//! JSON bodies: read once into their type, then checked. A body that is not JSON is a 400. A body
//! with invalid values is a 422 that names all of them, including wrong types and unknown or
//! missing fields.

use std::time::Duration;

use axum::body::{Bytes, HttpBody, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use copydesk_domain::problem::FieldProblem;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;
use tokio::time::timeout;

use super::strict::Strict;
use crate::error::ApiError;
use crate::state::Services;

/// How long a client may take to send a JSON body.
const MAX_TIME: Duration = Duration::from_secs(20);
/// The most invalid values in one answer.
pub const MAX_PROBLEMS: usize = 50;

/// A type for a JSON body. It must deny unknown fields.
pub trait RequestBody: DeserializeOwned + garde::Validate<Context = ()> {
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
        parse(&bytes).map(Self)
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
    match timeout(MAX_TIME, to_bytes(request.into_body(), limit_bytes)).await {
        Ok(Ok(bytes)) => Ok(bytes),
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
    if text.trim_ascii().is_empty() {
        return Err(ApiError::Malformed("the body is empty: it takes a JSON object".to_owned()));
    }
    match deserialize(text) {
        Err(first) => Err(explain::<T>(text, first)),
        // The escape is rare. If it occurs, a full check finds out whether it stands for a NUL.
        Ok(body) if !T::HOLDS_BODIES && text.contains(r"\u0000") => {
            none_or_invalid(problems::<T>(object(text)?)).and_then(|()| check(body))
        }
        Ok(body) => check(body),
    }
}

/// Parses a body whose fields did not come as JSON.
pub fn of_fields<T: RequestBody>(fields: Map<String, Value>) -> Result<T, ApiError> {
    none_or_invalid(problems::<T>(fields.clone()))?;
    T::deserialize(Strict(Value::Object(fields)))
        .map_err(|error| ApiError::invalid("", error.to_string()))
        .and_then(check)
}

/// Checks the values of a body with the right shape.
pub fn check<T: garde::Validate<Context = ()>>(body: T) -> Result<T, ApiError> {
    none_or_invalid(violations(&body)).map(|()| body)
}

fn none_or_invalid(errors: Vec<FieldProblem>) -> Result<(), ApiError> {
    if errors.is_empty() { Ok(()) } else { Err(ApiError::Invalid(errors)) }
}

/// The body, or its first error. Valid bodies are parsed without tracking positions.
fn deserialize<T: DeserializeOwned>(text: &str) -> Result<T, FieldProblem> {
    let mut json = serde_json::Deserializer::from_str(text);
    if let Ok(body) = T::deserialize(Strict(&mut json)).and_then(|body| json.end().map(|()| body)) {
        return Ok(body);
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let body = serde_path_to_error::deserialize(Strict(&mut json))
        .map_err(|error| FieldProblem { pointer: pointer(error.path()), detail: error.inner().to_string() })?;
    json.end().map_err(|error| FieldProblem { pointer: String::new(), detail: error.to_string() })?;
    Ok(body)
}

/// All errors of a refused body. The parser stops at the first invalid value, `first`; this finds
/// the others.
fn explain<T: RequestBody>(text: &str, first: FieldProblem) -> ApiError {
    match object(text).map(problems::<T>) {
        Err(error) => error,
        // An error that is not in a single field, such as a duplicate field.
        Ok(errors) if errors.is_empty() => ApiError::Invalid(vec![first]),
        Ok(errors) => ApiError::Invalid(errors),
    }
}

fn object(text: &str) -> Result<Map<String, Value>, ApiError> {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(ApiError::invalid("", "must be a JSON object")),
        Err(error) => Err(ApiError::Malformed(format!("the body is not JSON: {error}"))),
    }
}

/// The errors of each field, checked one by one in an otherwise valid body.
fn problems<T: RequestBody>(fields: Map<String, Value>) -> Vec<FieldProblem> {
    let Value::Object(example) = T::example() else { return Vec::new() };
    let missing = example.keys().filter(|name| !fields.contains_key(*name)).filter_map(|name| {
        let mut without = example.clone();
        without.remove(name);
        let required = T::deserialize(Strict(Value::Object(without))).is_err();
        required.then(|| FieldProblem { pointer: escaped(name), detail: "is required".to_owned() })
    });
    let mut errors: Vec<_> = missing.collect();
    for (name, value) in fields {
        if errors.len() >= MAX_PROBLEMS {
            break;
        }
        nul_problems(&value, escaped(&name), &mut errors);
        let mut with = example.clone();
        with.insert(name, value);
        match serde_path_to_error::deserialize::<_, T>(Strict(Value::Object(with))) {
            Ok(body) => errors.extend(violations(&body)),
            Err(error) => {
                errors.push(FieldProblem { pointer: pointer(error.path()), detail: error.inner().to_string() });
            }
        }
    }
    errors.truncate(MAX_PROBLEMS);
    errors
}

/// Finds NULs, which Postgres cannot store in text or JSON.
fn nul_problems(value: &Value, pointer: String, errors: &mut Vec<FieldProblem>) {
    const DETAIL: &str = "must not hold the character U+0000";
    match value {
        Value::String(text) if text.contains('\0') => {
            errors.push(FieldProblem { pointer, detail: DETAIL.to_owned() });
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                nul_problems(item, format!("{pointer}/{index}"), errors);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                if name.contains('\0') {
                    errors.push(FieldProblem { pointer: pointer.clone(), detail: DETAIL.to_owned() });
                }
                nul_problems(value, format!("{pointer}{}", escaped(name)), errors);
            }
        }
        _ => {}
    }
}

/// The limits that a value of the right shape violates.
pub fn violations<T: garde::Validate<Context = ()>>(value: &T) -> Vec<FieldProblem> {
    let Err(report) = value.validate() else { return Vec::new() };
    let broken = report.iter().map(|(path, error)| {
        // Such as `keywords[3].text`: our own field names contain none of these characters.
        let path = path.to_string().replace(['.', '['], "/").replace(']', "");
        let pointer = if path.is_empty() { path } else { format!("/{path}") };
        FieldProblem { pointer, detail: error.to_string() }
    });
    broken.take(MAX_PROBLEMS).collect()
}

/// A path as a JSON pointer (RFC 6901).
pub fn pointer(path: &serde_path_to_error::Path) -> String {
    let segments = path.iter().map(|segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => escaped(key),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    });
    segments.collect()
}

/// A pointer to a field of the body, or to a parameter in the same form.
pub fn escaped(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}
