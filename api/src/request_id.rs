//! The id of every request: the caller's `x-request-id` if it is valid, else a new UUIDv7.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header, in requests and in responses.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, in its extensions.
#[derive(Debug, Clone)]
pub struct RequestId(pub HeaderValue);

/// The longest id that is accepted from a caller.
const MAX_BYTES: usize = 128;

/// The request's id.
pub fn of(headers: &HeaderMap) -> HeaderValue {
    headers.get(&X_REQUEST_ID).filter(|id| is_sane(id)).cloned().unwrap_or_else(new)
}

/// The id goes into logs and other systems: only characters without a special meaning are accepted.
fn is_sane(id: &HeaderValue) -> bool {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
    (1..=MAX_BYTES).contains(&id.len()) && id.as_bytes().iter().all(allowed)
}

/// A new id.
pub fn new() -> HeaderValue {
    // Hexadecimal digits and hyphens: always a valid header.
    HeaderValue::from_str(&Uuid::now_v7().to_string()).unwrap_or_else(|_| HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_text(id: &'static str) -> HeaderValue {
        of(&HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_static(id))]))
    }

    #[test]
    fn a_sane_id_is_kept_and_any_other_replaced() {
        assert_eq!(of_text("order-7.retry_2"), "order-7.retry_2");
        for insane in ["", "a b", "a\u{9}b", "a/b", "x=1"] {
            assert_ne!(of_text(insane), insane);
            assert_eq!(of_text(insane).len(), 36);
        }
        assert_eq!(of(&HeaderMap::new()).len(), 36);
    }
}
