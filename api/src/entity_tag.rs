//! `ETag` and `If-None-Match` (RFC 9110): a polling client gets no answer that it already has.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The bytes of the hash in a tag: enough to rule out chance collisions.
const TAG_BYTES: usize = 16;

/// The body cannot be written as JSON: a bug in its type.
#[derive(Debug, thiserror::Error)]
#[error("an answer cannot be written as JSON")]
pub struct Unwritable(#[from] serde_json::Error);

/// 200 with the body as JSON, or 304 if the client already has it.
pub fn respond<T: Serialize>(request: &HeaderMap, body: &T) -> Result<Response, Unwritable> {
    Ok(Tagged::of(body)?.respond(request))
}

/// A body as JSON with its tag. Both are made once and shared by all answers.
#[derive(Debug)]
pub struct Tagged {
    json: Bytes,
    tag: String,
}

impl Tagged {
    /// Serialises the body.
    pub fn of<T: Serialize>(body: &T) -> Result<Self, Unwritable> {
        let json = serde_json::to_vec(body)?;
        let tag = format!("\"{}\"", hex::encode(&Sha256::digest(&json)[..TAG_BYTES]));
        Ok(Self { json: json.into(), tag })
    }

    /// The body.
    pub fn json(&self) -> &str {
        // serde_json writes UTF-8 only.
        str::from_utf8(&self.json).unwrap_or_default()
    }

    /// 200 with the body, or 304 if the client already has it.
    pub fn respond(&self, request: &HeaderMap) -> Response {
        let mut response = if matches(request, &self.tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(header::CONTENT_TYPE, "application/json")], Body::from(self.json.clone())).into_response()
        };
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// Weak comparison, as `If-None-Match` requires: a proxy may have weakened the tag.
pub fn matches(request: &HeaderMap, tag: &str) -> bool {
    let lists = request.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|list| list.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|seen| seen == "*" || seen.strip_prefix("W/").unwrap_or(seen) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(seen: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(seen))])
    }

    #[test]
    fn a_tag_matches_alone_weakened_and_in_a_list() {
        for seen in ["\"a\"", "W/\"a\"", "\"b\", \"a\"", "*"] {
            assert!(matches(&asking(seen), "\"a\""), "{seen}");
        }
        for seen in ["\"b\"", "a", ""] {
            assert!(!matches(&asking(seen), "\"a\""), "{seen}");
        }
    }
}
