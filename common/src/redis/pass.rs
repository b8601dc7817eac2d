//! The sweep's marks of whole passes in Redis: they tell any worker whether jobs may be missing
//! from Redis. The passes themselves are in the sweep.

use copydesk_domain::job::JobKind;

use super::script::SWEEP_COMPLETE;
use super::{Redis, RedisError};

/// The marks of whole passes on a queue's node of Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// Whether a pass was completed with neither a flush nor an outage since.
    pub is_whole: bool,
    /// The name of the current pass.
    pub pass: Option<String>,
}

impl Redis {
    /// How many commands of this process have failed because Redis was unavailable or could not
    /// store anything.
    pub fn outages(&self) -> u64 {
        self.commands.outages.seen()
    }

    /// The state of the passes over a kind's jobs. One round trip.
    pub async fn swept(&self, kind: JobKind) -> Result<Swept, RedisError> {
        let mut asked = redis::cmd("MGET");
        asked.arg(self.keys.swept(kind)).arg(self.keys.pass(kind));
        let (swept, pass): (Option<String>, Option<String>) = asked.query_async(&mut self.commands()).await?;
        Ok(Swept { is_whole: swept.is_some(), pass })
    }

    /// Requests a whole pass, because jobs of this kind may be missing from Redis. The sweeping
    /// worker makes it.
    pub async fn want_pass(&self, kind: JobKind) -> Result<(), RedisError> {
        redis::cmd("DEL").arg(self.keys.swept(kind)).query_async::<()>(&mut self.commands()).await?;
        Ok(())
    }

    /// Begins a whole pass over a kind's jobs, replacing another one.
    pub async fn begin_pass(&self, kind: JobKind, name: &str) -> Result<(), RedisError> {
        redis::cmd("SET").arg(self.keys.pass(kind)).arg(name).query_async::<()>(&mut self.commands()).await?;
        Ok(())
    }

    /// Completes a pass. False if Redis was flushed since it began, or another pass has replaced
    /// it.
    pub async fn complete_pass(&self, kind: JobKind, name: &str) -> Result<bool, RedisError> {
        let mut call = SWEEP_COMPLETE.key(self.keys.pass(kind));
        call.key(self.keys.swept(kind)).arg(name);
        Ok(call.invoke_async(&mut self.commands()).await?)
    }
}
