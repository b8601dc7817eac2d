//! The intake of a queue: which jobs it hands out. Operators change it when they pause, drain or
//! resume the queue. It is stored in Postgres (`queue_intake`) and set in Redis here, because Redis
//! forgets it in a flush. Until it is set, a queue hands out nothing, because it may be paused.

use copydesk_domain::named_enum;

use super::{Queue, QueueError};
use crate::redis::script::QUEUE_INTAKE;

named_enum! {
    /// Which jobs a queue hands out. Running jobs continue in any case.
    Intake {
        /// All of them.
        Open = "open",
        /// Jobs that were under way: they are finished, and no new ones are started.
        Draining = "draining",
        /// None.
        Paused = "paused",
    }
}

impl Queue {
    /// Sets which jobs it hands out. False if a later `version` is already in force.
    pub async fn set_intake(&self, intake: Intake, version: i64) -> Result<bool, QueueError> {
        let mut call = QUEUE_INTAKE.key(&self.keys.state);
        call.key(&self.keys.bell).arg(intake.as_str()).arg(version);
        Ok(call.invoke_async(&mut self.redis.commands()).await?)
    }

    /// Which jobs it hands out; `None` if Redis does not know it. One round trip.
    pub async fn intake(&self) -> Result<Option<Intake>, QueueError> {
        let mut asked = redis::cmd("HGET");
        asked.arg(&self.keys.state).arg("intake");
        let name: Option<String> = asked.query_async(&mut self.redis.commands()).await?;
        Ok(name.and_then(|name| name.parse().ok()))
    }
}
