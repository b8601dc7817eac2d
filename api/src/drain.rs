//! Reads the rest of a request's body after its answer. If a server closes a connection with unread
//! bytes, the connection is reset, and the client may lose the answer that explains the refusal: a
//! 413, a 404, a 415. What is not even read here, the end of the connection reads: see
//! [`Unread`].

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use axum::response::Response;
use futures_util::stream::{self, poll_fn};
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::time::{Instant, timeout_at};

/// The most bytes that are read for the sake of the connection's next request.
const MAX_BYTES: usize = 64 * 1024 * 1024;
const MIB: f64 = 1024.0 * 1024.0;
/// How long they are read, and how much longer for each MiB of them: a slow client is heard out, one that stalls is not.
const MAX_TIME: Duration = Duration::from_secs(5);
const MAX_TIME_A_MIB: Duration = Duration::from_secs(1);

/// Whether a client of a connection may still be sending after its last answer.
#[derive(Debug, Clone, Default)]
pub struct Unread(Arc<AtomicBool>);

impl Unread {
    /// It may.
    pub fn tell(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it may.
    pub fn is_told(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Serves the request. The answer is sent at once; meanwhile the rest of the body is read.
pub async fn drain<F>(request: Request, serve: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    if request.body().is_end_stream() {
        return serve(request).await;
    }
    let unread = request.extensions().get::<Unread>().cloned().unwrap_or_default();
    // A client with `Expect: 100-continue` has not sent its body, and is not asked for it any more.
    // It may have stopped waiting for the answer.
    if request.headers().contains_key(header::EXPECT) {
        let response = serve(request).await;
        unread.tell();
        return response;
    }
    let (parts, body) = request.into_parts();
    let mut chunks = body.into_data_stream();
    // Most bodies are small and arrived with the head: then nothing is left.
    let first = chunks.next().now_or_never().flatten();
    if let Some(Ok(whole)) = &first
        && chunks.is_end_stream()
    {
        return serve(Request::from_parts(parts, Body::from(whole.clone()))).await;
    }
    let mut body = Shared(Arc::new(Mutex::new(stream::iter(first).chain(chunks))));
    let mut seen = body.clone();
    let seen = Body::from_stream(poll_fn(move |context| seen.poll(context)));
    let response = serve(Request::from_parts(parts, seen)).await;
    if !matches!(body.next().now_or_never(), Some(None)) {
        // hyper reads on as long as somebody takes the bytes.
        tokio::spawn(async move {
            if !body.discard().await {
                unread.tell();
            }
        });
    }
    response
}

trait Chunks: Stream<Item = Result<Bytes, axum::Error>> + Unpin + Send + 'static {}
impl<S: Stream<Item = Result<Bytes, axum::Error>> + Unpin + Send + 'static> Chunks for S {}

/// The body, shared by the handler and [`drain`]: the handler may drop its share unread.
struct Shared<S>(Arc<Mutex<S>>);

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Chunks> Shared<S> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
    }

    async fn next(&mut self) -> Option<S::Item> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// Whether the body ended in time.
    async fn discard(&mut self) -> bool {
        let began = Instant::now();
        let mut read = 0;
        loop {
            let until = began + MAX_TIME + MAX_TIME_A_MIB.mul_f64(read as f64 / MIB);
            match timeout_at(until, self.next()).await {
                Ok(None) => return true,
                Ok(Some(Ok(chunk))) if read + chunk.len() <= MAX_BYTES => read += chunk.len(),
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    /// Whether a body is read to its end: ten chunks of this size, one in 0.8 s.
    async fn is_read(bytes: usize) -> bool {
        let chunks = stream::iter(0..10).then(move |_| async move {
            sleep(Duration::from_millis(800)).await;
            Ok(Bytes::from(vec![b'x'; bytes]))
        });
        Shared(Arc::new(Mutex::new(chunks.boxed()))).discard().await
    }

    #[tokio::test]
    async fn a_slow_body_is_read_and_one_that_stalls_is_not() {
        let read = tokio::join!(is_read(1024 * 1024), is_read(1024), is_read(MAX_BYTES / 5));
        assert_eq!(read, (true, false, false));
    }
}
