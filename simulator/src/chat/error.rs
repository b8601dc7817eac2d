//! Groq's errors: `{"error": {"message", "type", "code"}}` with the texts that Groq uses.

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::delivery;
use crate::faults::{self, FaultKind};
use crate::limits::Rejection;
use crate::refused::Sent;

/// An answer that is no completion.
#[derive(Debug)]
pub(crate) struct GroqError {
    status: StatusCode,
    body: Value,
    headers: Vec<(&'static str, String)>,
}

impl GroqError {
    fn new(status: StatusCode, kind: &str, code: Option<&str>, message: impl Into<String>) -> Self {
        let mut error = json!({ "message": message.into(), "type": kind });
        if let Some(code) = code {
            error["code"] = code.into();
        }
        Self { status, body: json!({ "error": error }), headers: Vec::new() }
    }

    fn invalid(status: StatusCode, code: Option<&str>, message: impl Into<String>) -> Self {
        Self::new(status, "invalid_request_error", code, message)
    }

    pub(crate) fn invalid_api_key() -> Self {
        Self::invalid(StatusCode::UNAUTHORIZED, Some("invalid_api_key"), "Invalid API Key")
    }

    /// The request breaks the protocol.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::invalid(StatusCode::BAD_REQUEST, None, message)
    }

    /// The request is well formed, but makes no sense.
    pub(super) fn unprocessable(message: impl Into<String>) -> Self {
        Self::invalid(StatusCode::UNPROCESSABLE_ENTITY, None, message)
    }

    pub(crate) fn model_not_found(model: &str) -> Self {
        let message = format!("The model `{model}` does not exist or you do not have access to it.");
        Self::invalid(StatusCode::NOT_FOUND, Some("model_not_found"), message)
    }

    pub(crate) fn too_large() -> Self {
        Self::invalid(StatusCode::PAYLOAD_TOO_LARGE, Some("request_too_large"), "Request Entity Too Large")
    }

    pub(super) fn context_length_exceeded() -> Self {
        let message = "Please reduce the length of the messages or completion.";
        Self::invalid(StatusCode::BAD_REQUEST, Some("context_length_exceeded"), message)
    }

    pub(super) fn unknown_url(method: &Method, path: &str) -> Self {
        let message = format!(
            "Unknown request URL: {method} {path}. Please check the URL for typos, or see the docs at https://console.groq.com/docs/"
        );
        Self::invalid(StatusCode::NOT_FOUND, Some("unknown_url"), message)
    }

    pub(super) fn over_limit(rejection: Rejection, model: &str) -> Self {
        match rejection {
            Rejection::RequestsPerMinute { limit, retry_ms } => {
                let amounts = format!("Limit {limit}, Used {limit}, Requested 1");
                Self::rate_limited(model, "requests", "requests per minute (RPM)", &amounts, retry_ms)
            }
            Rejection::RequestsPerDay { limit, retry_ms } => {
                let amounts = format!("Limit {limit}, Used {limit}, Requested 1");
                Self::rate_limited(model, "requests", "requests per day (RPD)", &amounts, retry_ms)
            }
            Rejection::TokensPerMinute { limit, used, requested, retry_ms } => {
                let amounts = format!("Limit {limit}, Used {used}, Requested {requested}");
                Self::rate_limited(model, "tokens", "tokens per minute (TPM)", &amounts, retry_ms)
            }
            Rejection::TokensPerDay { limit, used, requested, retry_ms } => {
                let amounts = format!("Limit {limit}, Used {used}, Requested {requested}");
                Self::rate_limited(model, "tokens", "tokens per day (TPD)", &amounts, retry_ms)
            }
            Rejection::TooLarge { limit, requested } => {
                let message = format!(
                    "Request too large for model `{model}` in organization `org_simulated` service tier `on_demand` on tokens per minute (TPM): Limit {limit}, Requested {requested}, please reduce your message size and try again."
                );
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "tokens", Some("rate_limit_exceeded"), message)
            }
        }
    }

    fn rate_limited(model: &str, kind: &str, limit: &str, amounts: &str, retry_ms: u64) -> Self {
        let seconds = retry_ms as f64 / 1_000.0;
        let message = format!("{}. Please try again in {seconds}s.", limit_reached(model, limit, amounts));
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, kind, Some("rate_limit_exceeded"), message);
        Self { headers: vec![("retry-after", retry_ms.div_ceil(1_000).to_string())], ..error }
    }

    /// The answer that a fault puts in place of a completion, if it is one of those.
    pub(crate) fn of_fault(fault: &FaultKind, model: &str) -> Option<Self> {
        let mut error = match fault {
            FaultKind::Status { code, body, .. } => {
                let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let own = Self::of_status(status);
                Self { body: body.clone().unwrap_or(own.body), ..own }
            }
            FaultKind::RateLimited { retry_after } => {
                let again = retry_after.as_ref().map(|after| format!(" Please try again in {after}s."));
                let reached = limit_reached(model, "requests per minute (RPM)", "Limit 30, Used 30, Requested 1");
                let message = format!("{reached}.{}", again.unwrap_or_default());
                Self::new(StatusCode::TOO_MANY_REQUESTS, "requests", Some("rate_limit_exceeded"), message)
            }
            FaultKind::Refused { name } => Self::sent(name.sent(model)),
            _ => return None,
        };
        error.headers.extend(faults::retry_headers(fault));
        Some(error)
    }

    /// A refusal in another server's words.
    pub(crate) fn sent((status, body, headers): Sent) -> Self {
        Self { status, body, headers }
    }

    fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            401 => Self::invalid_api_key(),
            429 => Self::new(status, "requests", Some("rate_limit_exceeded"), "Rate limit reached."),
            498 => Self::new(status, "capacity_exceeded", None, "Flex tier capacity exceeded, try again later."),
            500.. => Self::internal(status),
            _ => Self::invalid(status, None, status.canonical_reason().unwrap_or("The request was refused.")),
        }
    }

    fn internal(status: StatusCode) -> Self {
        let reason = status.canonical_reason().unwrap_or("Error");
        Self::new(status, "internal_server_error", None, format!("{reason}. Please try again later."))
    }

    /// The event that ends a stream.
    pub(super) fn mid_stream() -> Value {
        let Self { mut body, .. } = Self::internal(StatusCode::INTERNAL_SERVER_ERROR);
        body["error"]["status_code"] = 500.into();
        body
    }
}

fn limit_reached(model: &str, limit: &str, amounts: &str) -> String {
    format!(
        "Rate limit reached for model `{model}` in organization `org_simulated` service tier `on_demand` on {limit}: {amounts}"
    )
}

impl IntoResponse for GroqError {
    fn into_response(self) -> Response {
        delivery::refusal(self.status, self.body, self.headers)
    }
}
