//! The bell that a queue rings when there may be something to claim.

use std::fmt;
use std::time::Duration;

use super::{Queue, QueueError};
use crate::redis::BlockingConnection;

/// How much later than a blocking command's time Redis is made to notice that it is up.
const WAKE_AFTER: Duration = Duration::from_millis(1);

/// A connection that waits for a bell, and does nothing else meanwhile. Another one can use it once it is
/// dropped.
pub struct BellConnection(BlockingConnection);

impl fmt::Debug for BellConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BellConnection").finish_non_exhaustive()
    }
}

impl Queue {
    /// A connection to wait for the bell with. A process has 16 of them.
    pub async fn bell_connection(&self) -> Result<BellConnection, QueueError> {
        Ok(BellConnection(self.redis.blocking().await?))
    }

    /// Waits for a note in the bell, at most `timeout`: whether there was one.
    pub async fn wait_for_bell(&self, connection: &mut BellConnection, timeout: Duration) -> Result<bool, QueueError> {
        let mut pop = redis::cmd("BLPOP");
        pop.arg(&self.keys.bell).arg(timeout.as_secs_f64());
        let note = connection.0.query::<Option<(String, String)>>(&pop);
        tokio::pin!(note);
        tokio::select! {
            note = &mut note => return Ok(note?.is_some()),
            () = tokio::time::sleep(timeout + WAKE_AFTER) => {}
        }
        // An idle Redis notices that a blocking command's time is up at its next tick, up to 100 ms late;
        // any command makes it look at once.
        let _: bool = redis::cmd("EXISTS").arg(&self.keys.bell).query_async(&mut self.redis.commands()).await?;
        Ok(note.await?.is_some())
    }
}
