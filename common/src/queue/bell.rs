//! The bell of a queue, which wakes idle claimers when there may be something to claim.

use std::fmt;
use std::time::Duration;

use super::{Queue, QueueError};
use crate::redis::BlockingConnection;

/// How long after the time-out of a blocking command Redis is made to notice it.
const WAKE_AFTER: Duration = Duration::from_millis(1);

/// A connection for waiting for a bell, and for nothing else. It returns to the pool when it is
/// dropped.
pub struct BellConnection(BlockingConnection);

impl fmt::Debug for BellConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BellConnection").finish_non_exhaustive()
    }
}

impl Queue {
    /// Takes a connection to wait for the bell. A process has 16 of them.
    pub async fn bell_connection(&self) -> Result<BellConnection, QueueError> {
        Ok(BellConnection(self.redis.blocking().await?))
    }

    /// Waits for a note in the bell, at most for `timeout`. Returns whether there was one.
    pub async fn wait_for_bell(&self, connection: &mut BellConnection, timeout: Duration) -> Result<bool, QueueError> {
        let mut pop = redis::cmd("BLPOP");
        pop.arg(&self.keys.bell).arg(timeout.as_secs_f64());
        let note = connection.0.query::<Option<(String, String)>>(&pop);
        tokio::pin!(note);
        tokio::select! {
            note = &mut note => return Ok(note?.is_some()),
            () = tokio::time::sleep(timeout + WAKE_AFTER) => {}
        }
        // An idle Redis checks time-outs of blocking commands at its next tick, up to 100 ms late.
        // Any command makes it check at once.
        let _: bool = redis::cmd("EXISTS").arg(&self.keys.bell).query_async(&mut self.redis.commands()).await?;
        Ok(note.await?.is_some())
    }
}
