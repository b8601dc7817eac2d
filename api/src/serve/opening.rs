//! What a new connection says first: whether it probes the health. The head of its first request is
//! waited for as a whole, so that a head that never ends stays at the door.

use axum::body::Bytes;
use tokio::net::TcpStream;

/// The beginnings of the requests that probe the health.
const PROBES: [&[u8]; 4] = [b"GET /health/live", b"GET /health/ready", b"HEAD /health/live", b"HEAD /health/ready"];
/// How HTTP/2 begins.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n";
/// The bytes of a head that are read here. Most heads are shorter, and the door has no time for more.
const DOOR_BYTES: usize = 4 * 1024;

/// The first bytes of a connection, as far as they were read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// A probe of the health.
    Probe(Bytes),
    /// HTTP/2, which is not spoken here.
    Http2,
    /// Anything else.
    Other(Bytes),
}

impl Spoken {
    fn of(said: Vec<u8>) -> Self {
        match () {
            () if is_probe(&said) => Self::Probe(said.into()),
            () if said.starts_with(HTTP2) => Self::Http2,
            () => Self::Other(said.into()),
        }
    }
}

/// Reads the first head; `None` if the connection ends before it does. A silent connection takes no
/// buffer.
pub(super) async fn listen(stream: &TcpStream) -> Option<Spoken> {
    let mut said = Vec::new();
    loop {
        stream.readable().await.ok()?;
        let mut space = [0; DOOR_BYTES];
        let before = said.len();
        match stream.try_read(&mut space) {
            Ok(0) => return None,
            Ok(length) => said.extend_from_slice(&space[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return None,
        }
        if is_enough(&said, before) {
            return Some(Spoken::of(said));
        }
    }
}

/// Whether this is a whole head, a long one, or will never be one. The first `before` bytes were not.
fn is_enough(said: &[u8], before: usize) -> bool {
    // The end is an empty line; leading ones do not count.
    let start = said.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(said.len());
    let unseen = &said[start.max(before.saturating_sub(3))..];
    let has_end = unseen.windows(2).any(|end| end == b"\n\n") || unseen.windows(3).any(|end| end == b"\n\r\n");
    let is_text = said[start..].first().is_none_or(u8::is_ascii_uppercase);
    has_end || !is_text || said.len() >= DOOR_BYTES
}

/// Whether a request that begins so is a probe.
fn is_probe(said: &[u8]) -> bool {
    let found = PROBES.iter().find_map(|probe| said.strip_prefix(*probe));
    found.and_then(<[u8]>::first).is_some_and(|next| matches!(next, b' ' | b'?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_known_by_its_whole_path() {
        for (said, known) in [
            ("GET /health/live HTTP/1.1\r\n", true),
            ("HEAD /health/ready?x=1 HTTP/1.1\r\n", true),
            ("GET /health/lively HTTP/1.1\r\n", false),
            ("GET /health HTTP/1.1\r\n", false),
            ("POST /health/live HTTP/1.1\r\n", false),
            ("GET /health/live", false),
        ] {
            assert_eq!(is_probe(said.as_bytes()), known, "{said:?}");
        }
    }

    #[test]
    fn a_head_ends_with_an_empty_line_however_it_comes() {
        for (said, whole) in [
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", true),
            ("GET / HTTP/1.1\nhost: a\n\n", true),
            ("\r\n\r\nGET / HTTP/1.1\r\n\r\nbody", true),
            ("GET / HTTP/1.1\r\nhost: a\r\n", false),
            ("\r\n\r\n", false),
            ("", false),
            // Will never be a request.
            ("\u{16}\u{3}", true),
            ("nonsense", true),
        ] {
            assert_eq!(is_enough(said.as_bytes(), 0), whole, "{said:?}");
            // In pieces of one byte, too.
            let said = said.as_bytes();
            assert_eq!((1..=said.len()).any(|end| is_enough(&said[..end], end - 1)), whole, "{said:?}");
        }
        assert!(is_enough(&[b'A'; DOOR_BYTES], DOOR_BYTES - 1));
    }
}
