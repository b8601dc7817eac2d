//! What request bodies may take: together a number of bytes, each a pace. Handlers read bodies
//! whole; without a budget, uploads at once would take as much memory as their clients like.

use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use metrics::Gauge;
use tokio::time::{Instant, Sleep, sleep};

use crate::error::ApiError;
use crate::metric;

/// The beginning of each body that does not count: small requests pass whatever others take.
const FREE_BYTES: usize = 16 * 1024;
/// What a piece of a body takes at least, however small it is: it is kept by itself.
const PIECE_BYTES: usize = 128;
/// How long a client may send nothing in the middle of a body.
const SILENCE: Duration = Duration::from_secs(10);

/// The bytes of all bodies at once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Total>);

#[derive(Debug)]
struct Total {
    most: usize,
    taken: AtomicUsize,
    silence: Duration,
}

impl Budget {
    /// A budget of this many bytes.
    pub fn new(most: usize) -> Self {
        gauge().increment(0.0);
        Self(Arc::new(Total { most, taken: AtomicUsize::new(0), silence: SILENCE }))
    }

    /// Serves the request. Its body counts until it is answered, or given up.
    pub async fn hold<F>(&self, request: Request, serve: impl FnOnce(Request) -> F) -> Response
    where
        F: Future<Output = Response>,
    {
        // What has arrived whole with its head is no larger than what the connection may read.
        if request.body().size_hint().exact().is_some_and(|bytes| bytes <= FREE_BYTES as u64) {
            return serve(request).await;
        }
        let share = Share(Arc::new(Taken { budget: self.clone(), taken: AtomicUsize::new(0), end: AtomicU8::new(0) }));
        let body = |body| Body::new(Metered { body, share: Arc::clone(&share.0), seen: 0, silence: None });
        let response = serve(request.map(body)).await;
        match share.0.end.load(Ordering::Acquire) {
            FULL => ApiError::NoRoom.into_response(),
            STALLED => ApiError::Stalled(self.0.silence.as_secs()).into_response(),
            _ => response,
        }
    }

    fn take(&self, bytes: usize) -> bool {
        let more = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= self.0.most);
        let is_taken = self.0.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok();
        if is_taken {
            gauge().increment(bytes as f64);
        }
        is_taken
    }
}

fn gauge() -> &'static Gauge {
    static GAUGE: LazyLock<Gauge> = LazyLock::new(|| metrics::gauge!(metric::BODY_BYTES));
    &GAUGE
}

/// One request's share. Given back when it is dropped.
struct Share(Arc<Taken>);

impl Drop for Share {
    fn drop(&mut self) {
        let taken = self.0.taken.swap(0, Ordering::AcqRel);
        self.0.budget.0.taken.fetch_sub(taken, Ordering::AcqRel);
        gauge().decrement(taken as f64);
    }
}

/// What the body of one request has taken.
struct Taken {
    budget: Budget,
    taken: AtomicUsize,
    /// [`FULL`] or [`STALLED`], if the body was cut off.
    end: AtomicU8,
}

/// The budget had no room.
const FULL: u8 = 1;
/// Nothing came for too long.
const STALLED: u8 = 2;

/// The body was cut off. Its handler sees that it ended early.
#[derive(Debug, thiserror::Error)]
#[error("the body was cut off")]
struct CutOff;

/// A body that takes from the budget as it arrives.
struct Metered {
    body: Body,
    share: Arc<Taken>,
    /// The bytes so far.
    seen: usize,
    silence: Option<Pin<Box<Sleep>>>,
}

impl Metered {
    fn cut_off(&self, end: u8) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.share.end.store(end, Ordering::Release);
        Poll::Ready(Some(Err(axum::Error::new(CutOff))))
    }

    /// Whether there is room for these bytes.
    fn count(&mut self, bytes: usize) -> bool {
        let counted = (self.seen + bytes).saturating_sub(FREE_BYTES.max(self.seen));
        self.seen += bytes;
        if !self.share.budget.take(counted) {
            return false;
        }
        self.share.taken.fetch_add(counted, Ordering::AcqRel);
        true
    }
}

impl HttpBody for Metered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            let silence = self.share.budget.0.silence;
            let silence = self.silence.get_or_insert_with(|| Box::pin(sleep(silence)));
            ready!(silence.as_mut().poll(cx));
            return self.cut_off(STALLED);
        };
        let next = Instant::now() + self.share.budget.0.silence;
        if let Some(silence) = &mut self.silence {
            silence.as_mut().reset(next);
        }
        let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
        // The end of a body is no piece.
        let bytes = if frame.is_some() { bytes.max(PIECE_BYTES) } else { 0 };
        if self.count(bytes) { Poll::Ready(frame) } else { self.cut_off(FULL) }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::StatusCode;
    use futures_util::{StreamExt, stream};

    use super::*;

    const KIB: usize = 1024;

    fn budget(most: usize) -> Budget {
        Budget(Arc::new(Total { most, taken: AtomicUsize::new(0), silence: Duration::from_millis(50) }))
    }

    /// A request whose body comes in pieces of a KiB, and stalls after them or ends.
    fn request(pieces: usize, stalls: bool) -> Request {
        let pieces = stream::iter(0..pieces).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[0; KIB])));
        let rest = stream::iter(stalls.then_some(())).then(|()| std::future::pending());
        Request::new(Body::from_stream(pieces.chain(rest)))
    }

    async fn read(request: Request) -> Response {
        match to_bytes(request.into_body(), usize::MAX).await {
            Ok(bytes) => bytes.len().to_string().into_response(),
            Err(_) => StatusCode::BAD_REQUEST.into_response(),
        }
    }

    #[tokio::test]
    async fn bodies_take_from_the_budget_until_they_are_answered() {
        let budget = budget(100 * KIB);
        let taken = || budget.0.taken.load(Ordering::Acquire) / KIB;
        let serve = async |request| {
            let read = read(request).await;
            assert_eq!(taken(), 84, "16 KiB are free");
            // Others find less room, and small ones enough.
            assert_eq!(
                budget.hold(self::request(33, false), self::read).await.status(),
                StatusCode::SERVICE_UNAVAILABLE
            );
            assert_eq!(budget.hold(self::request(32, false), self::read).await.status(), StatusCode::OK);
            assert_eq!(budget.hold(self::request(16, false), self::read).await.status(), StatusCode::OK);
            read
        };
        assert_eq!(budget.hold(request(100, false), serve).await.status(), StatusCode::OK);
        let refused = budget.hold(request(200, false), read).await;
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(refused.headers().contains_key("retry-after"));
        assert_eq!(taken(), 0);
    }

    #[tokio::test]
    async fn a_body_in_tiny_pieces_counts_by_its_pieces() {
        let budget = budget(100 * KIB);
        for (pieces, status) in [(800, StatusCode::OK), (1_000, StatusCode::SERVICE_UNAVAILABLE)] {
            let pieces = stream::iter(0..pieces).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"1")));
            let answer = budget.hold(Request::new(Body::from_stream(pieces)), read).await;
            assert_eq!(answer.status(), status);
        }
        assert_eq!(budget.0.taken.load(Ordering::Acquire), 0);
    }

    #[tokio::test]
    async fn a_body_that_stalls_is_given_up_and_one_that_is_dropped_takes_nothing() {
        let budget = budget(100 * KIB);
        let stalled = budget.hold(request(50, true), read).await;
        assert_eq!(stalled.status(), StatusCode::REQUEST_TIMEOUT);
        let dropped = tokio::time::timeout(Duration::from_millis(10), budget.hold(request(50, true), read)).await;
        assert!(dropped.is_err());
        assert_eq!(budget.0.taken.load(Ordering::Acquire), 0);
    }
}
