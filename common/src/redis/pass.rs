//! What the sweep leaves in Redis of its whole passes: by this any worker can tell whether Redis may
//! lack jobs. What a pass does is the sweep's.

use copydesk_domain::job::JobKind;

use super::script::SWEEP_COMPLETE;
use super::{Redis, RedisError};

/// What a queue's node of Redis knows of whole passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// Whether one was completed, and neither a flush nor an outage came after it.
    pub is_whole: bool,
    /// The name of the one that is under way.
    pub pass: Option<String>,
}

impl Redis {
    /// How often this process has found Redis away, or unable to store anything. Counted for each
    /// command, from the process' start.
    pub fn outages(&self) -> u64 {
        self.commands.outages.seen()
    }

    /// Where the passes through a kind's jobs stand. One round trip.
    pub async fn swept(&self, kind: JobKind) -> Result<Swept, RedisError> {
        let mut asked = redis::cmd("MGET");
        asked.arg(self.keys.swept(kind)).arg(self.keys.pass(kind));
        let (swept, pass): (Option<String>, Option<String>) = asked.query_async(&mut self.commands()).await?;
        Ok(Swept { is_whole: swept.is_some(), pass })
    }

    /// Says that Redis may lack jobs of this kind: whoever sweeps makes a whole pass.
    pub async fn want_pass(&self, kind: JobKind) -> Result<(), RedisError> {
        redis::cmd("DEL").arg(self.keys.swept(kind)).query_async::<()>(&mut self.commands()).await?;
        Ok(())
    }

    /// Begins a whole pass through a kind's jobs, in place of another.
    pub async fn begin_pass(&self, kind: JobKind, name: &str) -> Result<(), RedisError> {
        redis::cmd("SET").arg(self.keys.pass(kind)).arg(name).query_async::<()>(&mut self.commands()).await?;
        Ok(())
    }

    /// Completes it: false where Redis was flushed since it began, or another pass has taken its place.
    pub async fn complete_pass(&self, kind: JobKind, name: &str) -> Result<bool, RedisError> {
        let mut call = SWEEP_COMPLETE.key(self.keys.pass(kind));
        call.key(self.keys.swept(kind)).arg(name);
        Ok(call.invoke_async(&mut self.commands()).await?)
    }
}
