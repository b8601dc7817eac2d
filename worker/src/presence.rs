//! Tells operators that this worker is there, until it leaves.

use copydesk_common::presence::{self, BEAT, WorkerInfo};
use copydesk_common::redis::Redis;
use tokio_util::sync::CancellationToken;

/// Tells it every few seconds, and at the end that the worker has left.
pub(crate) async fn tell(redis: Redis, worker: WorkerInfo, leaving: CancellationToken) {
    let mut beat = tokio::time::interval(BEAT);
    while leaving.run_until_cancelled(beat.tick()).await.is_some() {
        if let Err(error) = presence::beat(&redis, &worker).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "operators were not told of this worker");
        }
    }
    // Where this fails, its silence tells the same a little later.
    let _ = presence::leave(&redis, &worker).await;
}
