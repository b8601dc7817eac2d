//! Sends this worker's heartbeats for the operators' overview.

use copydesk_common::presence::{self, BEAT, WorkerInfo};
use copydesk_common::redis::Redis;
use tokio_util::sync::CancellationToken;

/// Sends a heartbeat every few seconds, and removes the worker at shutdown.
pub(crate) async fn tell(redis: Redis, worker: WorkerInfo, leaving: CancellationToken) {
    let mut beat = tokio::time::interval(BEAT);
    while leaving.run_until_cancelled(beat.tick()).await.is_some() {
        if let Err(error) = presence::beat(&redis, &worker).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "a heartbeat for the operators' overview could not be sent"
            );
        }
    }
    // If this fails, the missing heartbeats have the same effect a little later.
    let _ = presence::leave(&redis, &worker).await;
}
