//! A connection's bytes. Everything that hyper writes while no request is under way is a refusal
//! of its own, without a body or an id: a problem document is sent in its place. The end of a
//! connection waits for what its client is still sending, for a while: if unread bytes are
//! discarded by the system, the connection is reset, and the client may lose the answer.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

use super::refusal::{self, Opening};
use super::registry::Slot;
use crate::drain::Unread;

/// How long a client may take to read before its connection is closed.
const WRITE_TIME: Duration = Duration::from_secs(60);
/// How long the rest of what a client sends is read after the last answer.
const LINGER_TIME: Duration = Duration::from_secs(10);
/// A client that has sent nothing for this long has read its answer.
const LINGER_SILENCE: Duration = Duration::from_secs(2);
/// Reads of discarded bytes before other connections have their turn.
const READS_IN_TURN: usize = 32;

/// A connection.
#[derive(Debug)]
pub(super) struct Io {
    stream: TcpStream,
    /// What was read before.
    ahead: Bytes,
    slot: Arc<Slot>,
    /// The beginning of the current request's head.
    opening: Opening,
    unread: Unread,
    /// Our words in place of hyper's, as far as they are not sent.
    refusal: Option<Bytes>,
    write_time: Option<Pin<Box<Sleep>>>,
    linger: Option<Linger>,
}

/// A connection whose last answer is sent.
#[derive(Debug)]
struct Linger {
    until: Instant,
    silence: Pin<Box<Sleep>>,
}

impl Io {
    /// A connection of which the bytes `ahead` have been read already.
    pub(super) fn new(stream: TcpStream, ahead: Bytes, slot: Arc<Slot>, unread: Unread) -> Self {
        let opening = Opening::default();
        Self { stream, ahead, slot, opening, unread, refusal: None, write_time: None, linger: None }
    }

    /// A connection that is told why it is not served, when it is shut down.
    pub(super) fn refusing(stream: TcpStream, refusal: Bytes, slot: Arc<Slot>) -> Self {
        let unread = Unread::default();
        unread.tell();
        Self { refusal: Some(refusal), ..Self::new(stream, Bytes::new(), slot, unread) }
    }

    /// Whether `bytes` are words of hyper's own. Then ours take their place.
    fn is_refusal(&mut self, bytes: &[u8]) -> bool {
        if self.refusal.is_none() && self.slot.is_silent() {
            self.unread.tell();
            self.refusal = Some(refusal::of_head(bytes, &self.opening));
        }
        self.refusal.is_some()
    }

    fn poll_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.refusal.as_mut().filter(|rest| !rest.is_empty()) {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            let _ = rest.split_to(written);
        }
        Poll::Ready(Ok(()))
    }

    /// Gives a client up that reads nothing for too long.
    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_time = None;
            return written;
        }
        let time = self.write_time.get_or_insert_with(|| Box::pin(sleep(WRITE_TIME)));
        ready!(time.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Reads on until the client ends, or has nothing more to say.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let linger = self
            .linger
            .get_or_insert_with(|| Linger { until: now + LINGER_TIME, silence: Box::pin(sleep(LINGER_SILENCE)) });
        let mut space = [0; 8192];
        for _ in 0..READS_IN_TURN {
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() && now < linger.until => {
                    linger.silence.as_mut().reset(now + LINGER_SILENCE);
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return linger.silence.as_mut().poll(cx),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let io = &mut *self;
        let before = buffer.filled().len();
        if io.ahead.is_empty() {
            ready!(Pin::new(&mut io.stream).poll_read(cx, buffer))?;
        } else {
            let length = io.ahead.len().min(buffer.remaining());
            buffer.put_slice(&io.ahead.split_to(length));
        }
        if io.slot.is_silent() {
            io.opening.add(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_refusal(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_refusal(slices.first().map_or(&[], |first| first)) {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.in_time(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes after it has written everything.
        if self.slot.flushed() {
            self.opening.clear();
        }
        let flushed = self.poll_refusal(cx);
        self.in_time(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            let flushed = self.poll_refusal(cx);
            ready!(self.in_time(cx, flushed))?;
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        if self.unread.is_told() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}
