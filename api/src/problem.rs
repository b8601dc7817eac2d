//! Renders every refusal as RFC 9457 `application/problem+json`, wherever it comes from: a
//! handler's [`ApiError`](crate::error::ApiError), the router's 405, a panic, a missing file of the
//! reference. [`crate::error`] defines the status of an error.

use axum::Json;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use copydesk_domain::problem::Problem;

use crate::error::{ApiError, problem_of};

/// The media type of problems.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Turns a refusal into a problem document, keeping headers such as `Allow` and `Retry-After`.
/// Other responses stay as they are.
pub fn render(response: Response, uri: &Uri) -> Response {
    let status = response.status();
    let ready = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !(status.is_client_error() || status.is_server_error()) || ready {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let mut problem = parts.extensions.remove::<Problem>().unwrap_or_else(|| problem_of(status));
    problem.instance = Some(uri.path().to_owned());
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    (parts.status, parts.headers, Json(problem)).into_response()
}

/// The answer to a request whose handler panicked.
pub fn of_panic(panic: Box<dyn std::any::Any + Send>) -> Response {
    let message = panic
        .downcast::<String>()
        .map(|text| *text)
        .or_else(|panic| panic.downcast::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|_| "a value that is no text".to_owned());
    ApiError::Internal(format!("a handler panicked: {message}").into()).into_response()
}
