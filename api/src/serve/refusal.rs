//! Answers to what is no request, or is not let in. No handler sees them: they are recorded here,
//! and written as bytes.

use std::time::Instant;

use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use copydesk_domain::problem::Problem;

use crate::error::{ApiError, problem_of};
use crate::observe;
use crate::problem::MEDIA_TYPE;
use crate::protect::{ALWAYS, NO_PAGE, NO_STORE};
use crate::request_id::{self, X_REQUEST_ID};

/// The longest head of a request, in bytes.
pub(super) const HEAD_BYTES: usize = 32 * 1024;
/// The most headers of a request: hyper's bound.
const HEADERS: usize = 100;
/// The bytes of a head that are kept, to name its path.
const KEPT_BYTES: usize = 512;

/// The beginning of a request's head.
#[derive(Debug, Default)]
pub(super) struct Opening {
    kept: Vec<u8>,
    /// Whether the first line has ended.
    has_line: bool,
    bytes: usize,
    lines: usize,
}

impl Opening {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        self.lines += bytes.iter().filter(|byte| **byte == b'\n').count();
        if !self.has_line {
            self.has_line = bytes.contains(&b'\n');
            let room = KEPT_BYTES.saturating_sub(self.kept.len());
            self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }

    pub(super) fn clear(&mut self) {
        // The buffer stays.
        let mut kept = std::mem::take(&mut self.kept);
        kept.clear();
        *self = Self { kept, ..Self::default() };
    }

    /// Whether the head has no more bytes and headers than a head takes.
    const fn is_short(&self) -> bool {
        // The lines beside the headers are the first one and the empty one.
        self.bytes < HEAD_BYTES && self.lines <= HEADERS + 2
    }

    /// The path without its query, if it can be told.
    fn path(&self) -> Option<String> {
        let line = self.kept.split(|byte| matches!(byte, b'\r' | b'\n')).find(|line| !line.is_empty())?;
        let target = line.split_inclusive(|byte| *byte == b' ').nth(1)?;
        // A path without its end may not be kept whole.
        let end = target.iter().position(|byte| matches!(byte, b'?' | b' '))?;
        let path = &target[..end];
        let is_path = path.starts_with(b"/") && path.iter().all(u8::is_ascii_graphic);
        is_path.then(|| String::from_utf8_lossy(path).into_owned())
    }
}

/// The answer in place of hyper's, which begins with this head.
pub(super) fn of_head(head: &[u8], opening: &Opening) -> Bytes {
    let code = head.get(9..12).and_then(|code| StatusCode::from_bytes(code).ok());
    let status = match code.unwrap_or(StatusCode::BAD_REQUEST) {
        // What did not fit was the first line.
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE if !opening.has_line => StatusCode::URI_TOO_LONG,
        // What did not fit was `Content-Length`.
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE if opening.is_short() => StatusCode::PAYLOAD_TOO_LARGE,
        status => status,
    };
    let detail = match status {
        StatusCode::URI_TOO_LONG => format!("the path and the query are too long: a head takes {HEAD_BYTES} bytes"),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            format!("the headers are too large: a head takes {HEAD_BYTES} bytes and {HEADERS} headers")
        }
        StatusCode::PAYLOAD_TOO_LARGE => "the body is longer than any that is read".to_owned(),
        _ => "this is no HTTP/1.1 request: its first line or a header cannot be read".to_owned(),
    };
    written(Problem { detail, ..problem_of(status) }, None, opening)
}

/// The answer to HTTP/2: its clients show what they cannot read.
pub(super) fn of_http2() -> Bytes {
    let detail = "HTTP/2 is not spoken here, only HTTP/1.1: a proxy in front may speak it".to_owned();
    written(Problem { detail, ..problem_of(StatusCode::BAD_REQUEST) }, None, &Opening::default())
}

/// The answer to a connection for which there is no room.
pub(super) fn of_full(opening: &Opening) -> Bytes {
    let response = ApiError::Crowded.into_response();
    let retry_after = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let problem = response.extensions().get::<Problem>().cloned();
    written(problem.unwrap_or_else(|| problem_of(response.status())), retry_after, opening)
}

/// Records the refusal, and writes it.
fn written(problem: Problem, retry_after: Option<&str>, opening: &Opening) -> Bytes {
    let problem = Problem { instance: opening.path(), ..problem };
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
    let id = request_id::new();
    let id = id.to_str().unwrap_or_default();
    observe::unread(id, status, Instant::now());
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let retry_after = retry_after.map(|seconds| format!("{}: {seconds}\r\n", header::RETRY_AFTER)).unwrap_or_default();
    let protected: String = ALWAYS.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let answer = format!(
        "HTTP/1.1 {status}\r\n{protected}{}: {NO_PAGE}\r\n{}: {NO_STORE}\r\n{}: {MEDIA_TYPE}\r\n{}: {}\r\n{}: {id}\r\n{retry_after}{}: close\r\n\r\n{body}",
        header::CONTENT_SECURITY_POLICY,
        header::CACHE_CONTROL,
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        body.len(),
        X_REQUEST_ID,
        header::CONNECTION,
    );
    answer.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(text: &str) -> Opening {
        let mut opening = Opening::default();
        opening.add(text.as_bytes());
        opening
    }

    #[test]
    fn a_path_is_told_where_it_is_whole() {
        let path = |text: &str| opening(text).path();
        assert_eq!(path("GET /api/jobs?x=1 HTTP/1.1\r\nhost: a\r\n").as_deref(), Some("/api/jobs"));
        assert_eq!(path("\r\nPOST /a HTTP/9\r\n").as_deref(), Some("/a"));
        assert_eq!(path("\u{16}\u{3}\u{1}"), None);
        assert_eq!(path("GET http://a/b HTTP/1.1\r\n"), None);
        assert_eq!(path(&format!("GET /{}", "a".repeat(KEPT_BYTES))), None);
        assert_eq!(path(&format!("GET /a?{}", "a".repeat(KEPT_BYTES))).as_deref(), Some("/a"));
    }

    #[test]
    fn a_line_that_never_ends_is_too_long() {
        let head = b"HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n";
        assert!(of_head(head, &opening("GET /aaaa")).starts_with(b"HTTP/1.1 414 URI Too Long\r\n"));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS + 1));
        assert!(of_head(head, &opening(&many)).starts_with(b"HTTP/1.1 431 "));
        let most = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS));
        assert!(of_head(head, &opening(&most)).starts_with(b"HTTP/1.1 413 "), "what did not fit was the length");
        assert!(of_head(b"HTTP/1.1 400 Bad Request\r\n", &opening("x")).starts_with(b"HTTP/1.1 400 "));
    }
}
