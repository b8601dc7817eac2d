//! `Idempotency-Key`: a repeated request with the same key creates nothing new. The store enforces
//! it.

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderName, Method};
use copydesk_common::store::job::IdempotencyKey;
use sha2::{Digest, Sha256};
use utoipa::IntoParams;

use super::body::{self, RequestBody};
use crate::error::ApiError;
use crate::state::Services;

/// The header.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in characters.
const MAX_CHARS: usize = 255;

/// The header, for the reference.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "the header's description; its value is read from the request")]
pub struct IdempotencyHeader {
    /// Your own name for this request, such as a UUID. If the same request is sent again within 24
    /// hours, it gets the first answer again, with `Idempotency-Replayed: true`, and nothing is
    /// done twice. Another request with the same key is a 422.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255, pattern = "^[!-~]+$")]
    idempotency_key: Option<String>,
}

/// A JSON body with its idempotency key.
#[derive(Debug)]
pub struct Keyed<T> {
    /// The key, if the client gave one.
    pub key: Option<IdempotencyKey>,
    /// The body.
    pub body: T,
}

impl<T: RequestBody> FromRequest<Services> for Keyed<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, services: &Services) -> Result<Self, ApiError> {
        let name = Name::of(&request)?;
        let bytes = body::bytes(request, T::MAX_BYTES.unwrap_or(services.max_body_bytes)).await?;
        let body_bytes = bytes.len();
        let read = move || Ok(Self { key: name.map(|name| name.of_body(&bytes)), body: body::parse(&bytes)? });
        services.parsing.run(body_bytes, read).await?
    }
}

/// The key of a request without a body.
#[derive(Debug)]
pub struct Key(pub Option<IdempotencyKey>);

impl FromRequest<Services> for Key {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &Services) -> Result<Self, ApiError> {
        Ok(Self(Name::of(&request)?.map(|name| name.of_body(b""))))
    }
}

/// A key before the request's body is read.
#[derive(Debug)]
pub struct Name {
    key: String,
    method: Method,
    path: String,
}

impl Name {
    /// The request's key, if it has one.
    pub fn of(request: &Request) -> Result<Option<Self>, ApiError> {
        let key = key(request.headers())?;
        Ok(key.map(|key| Self { key, method: request.method().clone(), path: request.uri().path().to_owned() }))
    }

    /// The key, bound to the request with this body.
    pub fn of_body(self, body: &[u8]) -> IdempotencyKey {
        let request = Sha256::new()
            .chain_update(self.method.as_str())
            .chain_update(" ")
            .chain_update(&self.path)
            .chain_update("\n")
            .chain_update(body);
        IdempotencyKey { key: self.key, fingerprint: request.finalize().into() }
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).into_iter();
    let (key, another) = (keys.next(), keys.next());
    let Some(key) = key else { return Ok(None) };
    let text = key.to_str().unwrap_or_default();
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if another.is_some() || !is_visible || !(1..=MAX_CHARS).contains(&text.len()) {
        let detail = format!("Idempotency-Key must be one value of 1 to {MAX_CHARS} visible ASCII characters");
        return Err(ApiError::Malformed(detail));
    }
    Ok(Some(text.to_owned()))
}
