//! Headers of every answer that tell browsers and caches what they must not do with it.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::route::problems;

/// Nothing may be loaded by what is no page.
pub const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";
/// No cache may keep it.
pub const NO_STORE: &str = "no-store";
/// A browser may keep it, and asks with its `ETag` before each use.
const ASK_AGAIN: &str = "private, no-cache";

/// The headers of every answer, whatever it is, with the answer's own policy beside.
pub const ALWAYS: [(HeaderName, &str); 2] =
    [(header::X_CONTENT_TYPE_OPTIONS, "nosniff"), (header::REFERRER_POLICY, "no-referrer")];

/// Pages load what the service itself serves, and run no script that stands in them. The one style that stands in pages
/// is named by its hash.
static PAGE: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' '{}'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        problems::style_hash(),
    );
    HeaderValue::from_str(&policy).unwrap_or_else(|_| HeaderValue::from_static(NO_PAGE))
});

/// The page that people use asks the API, and runs what the service itself serves: not even a style stands in it.
const CONSOLE: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                       connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Adds them to an answer to a request for a path.
pub fn protect(path: &str, status: StatusCode, headers: &mut HeaderMap) {
    for (name, value) in ALWAYS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    // A browser takes the policy of the page that it has kept from the answer that says so.
    let is_page = is_page || status == StatusCode::NOT_MODIFIED && path == "/";
    let policy = match (is_page, path) {
        (true, "/") => HeaderValue::from_static(CONSOLE),
        (true, _) => PAGE.clone(),
        (false, _) => HeaderValue::from_static(NO_PAGE),
    };
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    // The reference and the pages hold nobody's data. A refusal may pass before anybody asks again.
    let is_of_nobody =
        ["/docs", "/console/", "/problems", "/openapi.json"].iter().any(|of| path.starts_with(of)) || path == "/";
    if !is_of_nobody || status.is_client_error() || status.is_server_error() {
        let kept = if headers.contains_key(header::ETAG) { ASK_AGAIN } else { NO_STORE };
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    }
}
