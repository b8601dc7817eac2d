//! Reads the rest of a request's body after the answer is known. If a server closes a connection
//! with unread bytes, the connection is reset, and the client may lose the answer that explains the
//! refusal: a 413, a 404, a 415.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use axum::response::Response;
use futures_util::stream::{self, poll_fn};
use futures_util::{FutureExt, Stream, StreamExt};
use tokio::time::timeout;

/// The most bytes that are read; a longer rest is cut off.
const MAX_BYTES: usize = 64 * 1024 * 1024;
const MAX_TIME: Duration = Duration::from_secs(5);

/// Serves the request, then reads the rest of its body.
pub async fn drain<F>(request: Request, serve: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    // A client with `Expect: 100-continue` has not sent its body, and is not asked for it any more.
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return serve(request).await;
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
    let body = Shared(Arc::new(Mutex::new(stream::iter(first).chain(chunks))));
    let mut seen = body.clone();
    let seen = Body::from_stream(poll_fn(move |context| seen.poll(context)));
    let response = serve(Request::from_parts(parts, seen)).await;
    // After the time limit, the connection ends with the response.
    let _ = timeout(MAX_TIME, discard(body)).await;
    response
}

async fn discard<S: Chunks>(mut body: Shared<S>) {
    let mut chunks = poll_fn(move |context| body.poll(context));
    let mut left = MAX_BYTES;
    while let Some(Ok(chunk)) = chunks.next().await {
        let Some(rest) = left.checked_sub(chunk.len()) else { return };
        left = rest;
    }
}

trait Chunks: Stream<Item = Result<Bytes, axum::Error>> + Unpin {}
impl<S: Stream<Item = Result<Bytes, axum::Error>> + Unpin> Chunks for S {}

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
}
