//! Removes what the queue knows of a business that is erased.

use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;

use super::{BATCH, Queue, QueueError};
use crate::redis::script::{QUEUE_FORGET, on_keys};

impl Queue {
    /// Forgets ended jobs of a business, and returns those that workers still hold. They are forgotten when their
    /// workers settle, or their leases lapse. One round trip for every 499 jobs.
    pub async fn forget(&self, business_id: &BusinessId, ids: &[JobId]) -> Result<Vec<JobId>, QueueError> {
        let keys = &self.keys;
        let mut held = Vec::new();
        for batch in ids.chunks(BATCH - 1) {
            let mut call = on_keys(
                &QUEUE_FORGET,
                [
                    &keys.messages,
                    &keys.ready_interactive,
                    &keys.ready_bulk,
                    &keys.delayed,
                    &keys.epochs,
                    &keys.leases,
                    &keys.capped,
                    &keys.places,
                ],
            );
            call.arg(business_id.as_str());
            for id in batch {
                call.arg(id.to_string());
            }
            let ids: Vec<String> = call.invoke_async(&mut self.redis.commands()).await?;
            held.extend(ids.iter().filter_map(|id| id.parse::<JobId>().ok()));
        }
        Ok(held)
    }

    /// Forgets a business's share and its virtual clocks. Jobs that it still has begin at the clock of their class. One
    /// round trip.
    pub async fn forget_business(&self, business_id: &BusinessId) -> Result<(), QueueError> {
        let keys = &self.keys;
        let mut pipeline = redis::pipe();
        pipeline.hdel(&keys.shares, business_id.as_str()).ignore();
        for class in ["interactive", "bulk"] {
            pipeline.hdel(&keys.clocks, format!("{class}:{business_id}")).ignore();
        }
        pipeline.srem(&keys.freed, business_id.as_str()).ignore();
        pipeline.query_async::<()>(&mut self.redis.commands()).await?;
        Ok(())
    }
}
