//! What a new connection says first: whether it probes the health.

use axum::body::Bytes;
use tokio::net::TcpStream;

/// The beginnings of the requests that probe the health.
const PROBES: [&[u8]; 4] = [b"GET /health/live", b"GET /health/ready", b"HEAD /health/live", b"HEAD /health/ready"];
/// The bytes that are read at first.
const READ_BYTES: usize = 1024;

/// The first bytes of a connection, as far as they were read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Spoken {
    /// A probe of the health.
    Probe(Bytes),
    /// Anything else.
    Other(Bytes),
}

/// Reads until it is known; `None` at the connection's end. A silent connection takes no buffer.
pub(super) async fn listen(stream: &TcpStream) -> Option<Spoken> {
    let mut said = Vec::new();
    loop {
        stream.readable().await.ok()?;
        let mut space = [0; READ_BYTES];
        match stream.try_read(&mut space) {
            Ok(0) => return None,
            Ok(length) => said.extend_from_slice(&space[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return None,
        }
        if let Some(is_probe) = is_probe(&said) {
            let said = said.into();
            return Some(if is_probe { Spoken::Probe(said) } else { Spoken::Other(said) });
        }
    }
}

/// Whether a request that begins so is a probe; `None` if it is not known yet.
fn is_probe(said: &[u8]) -> Option<bool> {
    match PROBES.iter().find(|probe| probe.starts_with(said) || said.starts_with(probe)) {
        None => Some(false),
        Some(probe) => said.get(probe.len()).map(|next| matches!(next, b' ' | b'?')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_known_by_its_whole_path() {
        for (said, known) in [
            ("", None),
            ("G", None),
            ("GET /health/re", None),
            ("GET /health/live", None),
            ("GET /health/live ", Some(true)),
            ("HEAD /health/ready?x=1 HTTP/1.1", Some(true)),
            ("GET /health/lively", Some(false)),
            ("GET /health ", Some(false)),
            ("POST /health/live", Some(false)),
            ("\r\nGET /health/live ", Some(false)),
            ("\u{16}\u{3}", Some(false)),
        ] {
            assert_eq!(is_probe(said.as_bytes()), known, "{said:?}");
        }
    }
}
