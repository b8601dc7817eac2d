//! Errors as clients see them. Only this module knows their status codes. Clients get a stable type
//! and a public message; internal causes go to the log, once. [`crate::problem`] renders them.

use std::error::Error as StdError;
use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use copydesk_common::batch::BatchError;
use copydesk_common::queue::QueueError;
use copydesk_common::quota::QuotaError;
use copydesk_common::store::StoreError;
use copydesk_domain::access::Scope;
use copydesk_domain::problem::Problem;
use copydesk_knowledge::KnowledgeError;

use crate::entity_tag::Unwritable;
use crate::faults::Faults;

/// The seconds after which a client may retry when a part of the service is unavailable.
const RETRY_AFTER_SECONDS: u16 = 5;

/// Why a request was not served.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request cannot be read.
    #[error("{0}")]
    Malformed(String),
    /// The request can be read, but some of its values are invalid.
    #[error("{}", .0.summary())]
    Invalid(Faults),
    /// There is no route with this path.
    #[error("no such route")]
    UnknownRoute,
    /// The resource does not exist, or belongs to another business.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The path names a provider that Copydesk does not call.
    #[error("no such provider: there are {0}")]
    UnknownProvider(String),
    /// The request names a model that has no limits of its own.
    #[error("{0}")]
    NoOwnLimits(String),
    /// The request names a host that is not on the list.
    #[error("{0:?} is no name of this service: an operator can add it to COPYDESK_ALLOWED_HOSTS")]
    UnknownHost(String),
    /// A web page of another origin sends the request.
    #[error(
        "a web page of another origin cannot send this request: an operator can add its origin to COPYDESK_CORS_ORIGINS"
    )]
    ForeignOrigin,
    /// The request has no key, or one that does not count.
    #[error("{0}")]
    Unauthenticated(String),
    /// The key lacks a scope.
    #[error("the API key does not have the scope {0}: an operator can make one that has")]
    ScopeMissing(Scope),
    /// The operation concerns every business, and the key reaches some.
    #[error("this concerns every business, and the API key reaches only some: name one of them, or use another key")]
    ReachMissing,
    /// The session's cookie lets it in, and the token that only the session's own page knows is missing.
    #[error(
        "a session's request that changes something sends its csrf_token as x-csrf-token: GET /api/session tells it"
    )]
    CsrfToken,
    /// There are too many of them; with the seconds after which there is room.
    #[error("too many requests: try again in {0} seconds")]
    TooManyRequests(u16),
    /// The request conflicts with the state of the resource.
    #[error("{0}")]
    Conflict(String),
    /// The idempotency key was used for another request.
    #[error("the Idempotency-Key was used for another request: the same key takes the same request only")]
    KeyReused,
    /// The first request with this idempotency key has no answer yet.
    #[error("the first request with this Idempotency-Key is still being served: try again in a moment")]
    StillRunning,
    /// The body did not arrive in time.
    #[error("the body did not arrive within {0} seconds")]
    TooSlow(u64),
    /// The body stopped arriving.
    #[error("the body stopped arriving: nothing came for {0} seconds")]
    Stalled(u64),
    /// The body, or the document in it, is too large.
    #[error("the body is too large: it takes at most {0} bytes")]
    TooLarge(usize),
    /// The route does not accept the body's content type.
    #[error("the content type must be {0}")]
    UnsupportedMediaType(&'static str),
    /// The database is unavailable, or did not answer in time.
    #[error("a part of the service is not available: try again in a moment")]
    Unavailable(#[source] Option<Arc<StoreError>>),
    /// Redis is unavailable, and the request needs it.
    #[error("a part of the service is not available: try again in a moment")]
    QueueUnavailable(#[source] QueueError),
    /// Redis is unavailable, and the quota cannot be changed without it.
    #[error("a part of the service is not available: try again in a moment")]
    QuotaUnavailable(#[from] QuotaError),
    /// More requests are waiting than can be served in time.
    #[error("the service has more requests than it can take: try again in a moment")]
    Overloaded,
    /// The bodies of other requests take all the room.
    #[error("the service is receiving more than it can hold: try again in a moment")]
    NoRoom,
    /// Other connections take all the room.
    #[error("the service has more connections than it can take: try again in a moment")]
    Crowded,
    /// An internal error.
    #[error("the request could not be served; the error was logged")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
}

impl ApiError {
    /// One invalid value.
    pub fn invalid(pointer: impl AsRef<str>, detail: impl AsRef<str>) -> Self {
        let mut faults = Faults::default();
        faults.push(pointer, detail);
        Self::Invalid(faults)
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::UnknownHost(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Self::ForeignOrigin | Self::ScopeMissing(_) | Self::ReachMissing | Self::CsrfToken => StatusCode::FORBIDDEN,
            Self::TooManyRequests(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Invalid(_) | Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::UnknownRoute | Self::NotFound(_) | Self::UnknownProvider(_) | Self::NoOwnLimits(_) => {
                StatusCode::NOT_FOUND
            }
            Self::Conflict(_) | Self::StillRunning => StatusCode::CONFLICT,
            Self::TooSlow(_) | Self::Stalled(_) => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unavailable(_)
            | Self::QueueUnavailable(_)
            | Self::QuotaUnavailable(_)
            | Self::Overloaded
            | Self::NoRoom
            | Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Logs internal errors and outages only: a client's mistakes are in its answer.
    fn log(&self) {
        match self {
            Self::Unavailable(Some(error)) => {
                tracing::warn!(error = &**error as &dyn StdError, "the database is unavailable: a request was refused");
            }
            Self::Unavailable(None) => tracing::warn!("a request took too long and was given up"),
            Self::QueueUnavailable(error) => {
                tracing::warn!(error = error as &dyn StdError, "Redis is unavailable: a request was refused");
            }
            Self::QuotaUnavailable(error) => {
                tracing::warn!(error = error as &dyn StdError, "Redis is unavailable: a request was refused");
            }
            Self::Overloaded => tracing::warn!("too many requests wait for the database: one was refused"),
            Self::NoRoom => tracing::warn!("the bodies of requests take all the room: one was refused"),
            Self::Crowded => tracing::warn!("connections take all the room: one was refused"),
            Self::Internal(error) => {
                tracing::error!(error = &**error as &dyn StdError, "a request could not be served");
            }
            _ => {}
        }
    }
}

/// The problem for a status if nothing more specific is known, with its stable type.
pub fn problem_of(status: StatusCode) -> Problem {
    let (kind, title) = match status {
        StatusCode::BAD_REQUEST => ("malformed-request", "Malformed request"),
        StatusCode::UNAUTHORIZED => ("unauthenticated", "No valid API key"),
        StatusCode::FORBIDDEN => ("insufficient-scope", "Not allowed with this API key"),
        StatusCode::MISDIRECTED_REQUEST => ("unknown-host", "Unknown host"),
        StatusCode::NOT_FOUND => ("not-found", "Not found"),
        StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", "Method not allowed"),
        StatusCode::REQUEST_TIMEOUT => ("request-timeout", "Request timeout"),
        StatusCode::CONFLICT => ("conflict", "Conflict"),
        StatusCode::PAYLOAD_TOO_LARGE => ("body-too-large", "Body too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported-media-type", "Unsupported media type"),
        StatusCode::URI_TOO_LONG => ("uri-too-long", "URI too long"),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => ("headers-too-large", "Headers too large"),
        StatusCode::UNPROCESSABLE_ENTITY => ("validation", "Invalid values"),
        StatusCode::TOO_MANY_REQUESTS => ("too-many-requests", "Too many requests"),
        StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "Service unavailable"),
        status if status.is_client_error() => ("bad-request", "Bad request"),
        _ => ("internal", "Internal error"),
    };
    let detail = match status {
        StatusCode::METHOD_NOT_ALLOWED => "the route does not support this method: see the Allow header",
        status => status.canonical_reason().unwrap_or("the request was refused"),
    };
    Problem::new(kind, title, status.as_u16(), detail)
}

impl ApiError {
    /// The problem for the client. Logs internal errors and outages.
    pub fn into_problem(self) -> Problem {
        self.log();
        let (status, detail) = (self.status(), self.to_string());
        match self {
            Self::Invalid(faults) => {
                let (errors, errors_omitted) = faults.into_parts();
                Problem { errors, errors_omitted, detail, ..problem_of(status) }
            }
            // These have a more specific type than their status.
            Self::KeyReused => {
                Problem::new("idempotency-key-reused", "Idempotency key reused", status.as_u16(), detail)
            }
            Self::ForeignOrigin => Problem::new("foreign-origin", "Foreign origin", status.as_u16(), detail),
            Self::CsrfToken => Problem::new("csrf-token", "No CSRF token", status.as_u16(), detail),
            Self::StillRunning => Problem::new("request-in-progress", "Request in progress", status.as_u16(), detail),
            _ => Problem { detail, ..problem_of(status) },
        }
    }

    /// The seconds after which the client may retry, if that can help.
    fn retry_after(&self) -> Option<u16> {
        match self {
            Self::TooManyRequests(seconds) => Some(*seconds),
            Self::StillRunning => Some(1),
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_AFTER_SECONDS),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(self, Self::Unauthenticated(_)) {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"copydesk\""));
        }
        response.extensions_mut().insert(self.into_problem());
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Arc::new(error).into()
    }
}

impl From<Arc<StoreError>> for ApiError {
    fn from(error: Arc<StoreError>) -> Self {
        if error.is_unavailable() { Self::Unavailable(Some(error)) } else { Self::Internal(error.into()) }
    }
}

impl From<QueueError> for ApiError {
    fn from(error: QueueError) -> Self {
        Self::QueueUnavailable(error)
    }
}

impl From<Unwritable> for ApiError {
    fn from(error: Unwritable) -> Self {
        Self::Internal(error.into())
    }
}

impl From<BatchError> for ApiError {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Full => Self::Overloaded,
            BatchError::Late => Self::Unavailable(None),
            BatchError::Store(error) => error.into(),
        }
    }
}

impl From<KnowledgeError> for ApiError {
    fn from(error: KnowledgeError) -> Self {
        match error {
            KnowledgeError::Store(error) => error.into(),
            error => Self::Internal(error.into()),
        }
    }
}
