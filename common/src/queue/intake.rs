//! Which of its jobs a queue hands out: what operators change when they pause, drain or resume it.
//! Keeping that is the store's (`queue_intake`): here it is told to Redis, which forgets it in a flush.
//! As long as Redis was not told, a queue hands out nothing: it may be paused.

use copydesk_domain::named_enum;

use super::{Queue, QueueError};
use crate::redis::script::QUEUE_INTAKE;

named_enum! {
    /// Which of its jobs a queue hands out. Jobs that run go on in any case.
    Intake {
        /// All of them.
        Open = "open",
        /// Those that were under way before: what was begun comes to its end, nothing new is begun.
        Draining = "draining",
        /// None.
        Paused = "paused",
    }
}

impl Queue {
    /// Sets which jobs it hands out: false where a later `version` is in force already.
    pub async fn set_intake(&self, intake: Intake, version: i64) -> Result<bool, QueueError> {
        let mut call = QUEUE_INTAKE.key(&self.keys.state);
        call.key(&self.keys.bell).arg(intake.as_str()).arg(version);
        Ok(call.invoke_async(&mut self.redis.commands()).await?)
    }

    /// Which jobs it hands out; none, where Redis was not told yet. One round trip.
    pub async fn intake(&self) -> Result<Option<Intake>, QueueError> {
        let mut asked = redis::cmd("HGET");
        asked.arg(&self.keys.state).arg("intake");
        let name: Option<String> = asked.query_async(&mut self.redis.commands()).await?;
        Ok(name.and_then(|name| name.parse().ok()))
    }
}
