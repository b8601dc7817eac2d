//! A plain client: a connection a request, on the thread that asks.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context as _;
use copydesk_common::key::Secret;

use crate::key;

/// The longest that an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer's status.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer(u16);

impl Answer {
    pub(super) fn is_good(self) -> bool {
        (200..300).contains(&self.0)
    }
}

/// A connection that gives up in time.
pub(super) fn connect(address: SocketAddr) -> anyhow::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

pub(super) fn get(address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    get_with(address, path, key::secret())
}

/// The same with another key.
pub(super) fn get_with(address: SocketAddr, path: &str, secret: &Secret) -> anyhow::Result<Answer> {
    let key = key::line(secret);
    ask(address, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{key}\r\nconnection: close\r\n\r\n"), b"")
}

/// A head of a POST with a body of JSON.
pub(super) fn post_head(path: &str, bytes: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\n{}\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n",
        key::line(key::secret())
    )
}

/// Asks for a text, as a good client does.
pub(super) fn good(address: SocketAddr) -> anyhow::Result<Answer> {
    let body = br#"{"business_id":"good","topic":"AI in Healthcare","format":"linkedin"}"#;
    ask(address, &post_head("/api/generate", body.len()), body)
}

/// Sends a request, and reads the beginning of its answer.
pub(super) fn ask(address: SocketAddr, head: &str, body: &[u8]) -> anyhow::Result<Answer> {
    let mut stream = connect(address)?;
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut line = [0; 12];
    stream.read_exact(&mut line)?;
    let status = str::from_utf8(&line[9..]).context("no answer of HTTP")?;
    // The rest is read, so that the end of this connection resets nothing.
    stream.shutdown(std::net::Shutdown::Write)?;
    let _rest = std::io::copy(&mut stream, &mut std::io::sink());
    Ok(Answer(status.parse()?))
}
