//! Reads what is left of a request's body once its answer is known. A server that closes a
//! connection with unread bytes resets it, and the client may lose the very answer that would have
//! told it why: a 413, a 404, a 415.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt;
use futures_util::stream::poll_fn;
use tokio::time::timeout;

/// A body with more left than this is cut off: its client will not be kind either.
const MAX_BYTES: usize = 64 * 1024 * 1024;
const MAX_TIME: Duration = Duration::from_secs(5);

/// Serves the request, then reads the rest of its body.
pub async fn drain(request: Request, next: Next) -> Response {
    // A client that expects to be asked for its body holds it back, and is not asked any more.
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let body = Shared(Arc::new(Mutex::new(body.into_data_stream())));
    let seen = body.clone();
    let seen = Body::from_stream(poll_fn(move |context| seen.poll(context)));
    let response = next.run(Request::from_parts(parts, seen)).await;
    // Out of time: the connection ends with the response.
    let _ = timeout(MAX_TIME, discard(body)).await;
    response
}

async fn discard(body: Shared) {
    let mut chunks = poll_fn(move |context| body.poll(context));
    let mut left = MAX_BYTES;
    while let Some(Ok(chunk)) = chunks.next().await {
        let Some(rest) = left.checked_sub(chunk.len()) else { return };
        left = rest;
    }
}

/// The body, held by the handler and by [`drain`]: the handler drops its share unread.
#[derive(Clone)]
struct Shared(Arc<Mutex<BodyDataStream>>);

impl Shared {
    fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, axum::Error>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
    }
}
