//! Reads what is left of a request's body once its answer is known. A server that closes a
//! connection with unread bytes resets it, and the client may lose the very answer that would have
//! told it why: a 413, a 404, a 415.

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

/// A body with more left than this is cut off: its client will not be kind either.
const MAX_BYTES: usize = 64 * 1024 * 1024;
const MAX_TIME: Duration = Duration::from_secs(5);

/// Serves the request, then reads the rest of its body.
pub async fn drain<F>(request: Request, serve: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    // A client that expects to be asked for its body holds it back, and is not asked any more.
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return serve(request).await;
    }
    let (parts, body) = request.into_parts();
    let mut chunks = body.into_data_stream();
    // Most bodies are small and came with their head: of them, nothing can be left.
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
    // Out of time: the connection ends with the response.
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

/// The body, held by the handler and by [`drain`]: the handler drops its share unread.
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
