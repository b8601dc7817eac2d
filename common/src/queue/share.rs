//! A business's share of a queue: its weight and its concurrency cap, as set by operators. It is
//! stored in Postgres (`business_shares`) and set in Redis here, because Redis forgets it in a
//! flush.

use copydesk_domain::business::BusinessId;

use super::{BATCH, Queue, QueueError};
use crate::redis::script::QUEUE_SHARE;

/// A business's share of a queue. `None` means the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// The number of turns for each turn of a business of weight 1; from 1.
    pub weight: Option<u32>,
    /// The concurrency cap: the most of its jobs of one kind that run at once; 0 for no cap.
    pub jobs_at_once: Option<u32>,
}

impl Share {
    /// The form that the scripts read.
    fn encode(self) -> String {
        let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        format!("{}|{}", number(self.weight), number(self.jobs_at_once))
    }
}

impl Queue {
    /// Sets shares, each with its version; a later version that is already set stays. Returns how
    /// many were changed. A weight applies to jobs that are pushed afterwards. One round trip for
    /// every 500 shares.
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
