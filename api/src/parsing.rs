//! Parses large bodies beside the threads that serve requests, a few at once: megabytes of JSON take
//! longer than any other request may wait.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::ApiError;

/// The size of a body from which on it is large, in bytes: smaller ones are parsed in about a
/// millisecond.
const LARGE_BYTES: usize = 128 * 1024;

/// Room for large bodies.
#[derive(Debug)]
pub struct Parsing(Arc<Semaphore>);

impl Default for Parsing {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Semaphore::new((cores / 2).max(1))))
    }
}

impl Parsing {
    /// Does work on a body of this size. A panic in it is one of the caller's.
    pub async fn run<R: Send + 'static>(
        &self,
        body_bytes: usize,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, ApiError> {
        if body_bytes < LARGE_BYTES {
            return Ok(work());
        }
        let room = Arc::clone(&self.0).acquire_owned().await.map_err(|error| ApiError::Internal(error.into()))?;
        // The room is kept until the work is done, also if the client has gone.
        let work = move || {
            let done = work();
            drop(room);
            done
        };
        match spawn_blocking(work).await {
            Ok(done) => Ok(done),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => Err(ApiError::Internal(error.into())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Room for one.
    fn parsing() -> Parsing {
        Parsing(Arc::new(Semaphore::new(1)))
    }

    #[tokio::test]
    async fn a_large_body_holds_up_no_other_request() {
        let (tell, told) = mpsc::channel();
        let parsing = parsing();
        // One thread serves all: were the work done on it, nobody could tell.
        let work = parsing.run(LARGE_BYTES, move || told.recv_timeout(Duration::from_secs(20)).unwrap());
        let others = async { tell.send("served").unwrap() };
        let (done, ()) = tokio::join!(work, others);
        assert_eq!(done.unwrap(), "served");
        assert_eq!(parsing.run(1, || std::thread::current().id()).await.unwrap(), std::thread::current().id());
    }

    #[tokio::test]
    async fn a_client_that_goes_leaves_no_room_before_its_work_is_done() {
        let (tell, told) = mpsc::channel::<()>();
        let parsing = parsing();
        {
            let mut work = std::pin::pin!(parsing.run(LARGE_BYTES, move || told.recv()));
            assert!(futures_util::poll!(&mut work).is_pending());
        }
        assert_eq!(parsing.0.available_permits(), 0);
        let mut next = std::pin::pin!(parsing.run(LARGE_BYTES, || "next"));
        assert!(futures_util::poll!(&mut next).is_pending());
        tell.send(()).unwrap();
        assert_eq!(next.await.unwrap(), "next");
    }
}
