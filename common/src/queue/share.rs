//! What operators give a business of a queue: its weight, and how many of its jobs may be under way.
//! Keeping that is the store's (`business_shares`): here it is told to Redis, which forgets it in a
//! flush.

use copydesk_domain::business::BusinessId;

use super::{BATCH, Queue, QueueError};
use crate::redis::script::QUEUE_SHARE;

/// A business's share of a queue; the default where there is nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Turns for each turn of a business of weight 1, from 1.
    pub weight: Option<u32>,
    /// The most of its jobs of this kind that workers have in their hands at once; 0 for any number.
    pub jobs_at_once: Option<u32>,
}

impl Share {
    /// As the scripts read it.
    fn encode(self) -> String {
        let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        format!("{}|{}", number(self.weight), number(self.jobs_at_once))
    }
}

impl Queue {
    /// Puts shares in force, each with its version; where a later one is in force already, it stays.
    /// Returns how many were changed. Weights hold for jobs that are pushed from then on. One round
    /// trip for every 500 of them.
    pub async fn set_shares(&self, shares: &[(BusinessId, Share, i64)]) -> Result<u64, QueueError> {
        let keys = &self.keys;
        let mut changed = 0;
        for batch in shares.chunks(BATCH) {
            let mut call = QUEUE_SHARE.key(&keys.shares);
            call.key(&keys.capped).key(&keys.freed).key(&keys.bell);
            for (business_id, share, version) in batch {
                call.arg(business_id.as_str()).arg(share.encode()).arg(version);
            }
            changed += call.invoke_async::<u64>(&mut self.redis.commands()).await?;
        }
        Ok(changed)
    }
}
