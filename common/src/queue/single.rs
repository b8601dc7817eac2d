//! Calls of the queue's scripts one by one, for whoever measures them or plays a worker. Workers take
//! jobs through [`super::backend`], which keeps their leases.

use std::time::Duration;

use copydesk_domain::id::JobId;
use copydesk_domain::job::LeaseRef;

use super::{BATCH, Claimant, Claims, Next, Queue, QueueError, Settled};

/// What one claim came to.
#[derive(Debug, Clone, Default)]
pub struct Claimed {
    /// Jobs that are leased to the caller now.
    pub leases: Vec<LeaseRef>,
    /// When another claim may find more.
    pub again_in: Duration,
}

impl Queue {
    /// One call of the claim script: up to `most` jobs, where a business may have `cap` under way (0 for
    /// any number).
    pub async fn claim_once(&self, most: usize, lease_ms: u64, cap: u32) -> Result<Claimed, QueueError> {
        let claimer = Claimant { name: "once", was_idle: true };
        let Claims { leased, again_in } = self.claim(claimer, most, lease_ms, cap).await?;
        Ok(Claimed { leases: leased.into_iter().map(|leased| leased.lease).collect(), again_in })
    }

    /// Which of these jobs the queue does not know. Changes nothing. One round trip for every 500 of them.
    pub async fn unknown(&self, ids: &[JobId]) -> Result<Vec<JobId>, QueueError> {
        let mut unknown = Vec::new();
        for batch in ids.chunks(BATCH) {
            let mut pipeline = redis::pipe();
            for id in batch {
                pipeline.hexists(&self.keys.messages, id.to_string());
            }
            let known: Vec<bool> = pipeline.query_async(&mut self.redis.commands()).await?;
            unknown.extend(batch.iter().zip(known).filter(|(_, known)| !known).map(|(id, _)| *id));
        }
        Ok(unknown)
    }

    /// Extends leases, up to 500 in one call of the script. Returns how many were the caller's still.
    pub async fn renew_once(&self, leases: &[LeaseRef], lease_ms: u64) -> Result<usize, QueueError> {
        let renewals = self.renew(&leases[..leases.len().min(BATCH)], lease_ms).await?;
        Ok(renewals.into_iter().filter(|renewal| *renewal == super::Renewal::Extended).count())
    }

    /// Ends leases as done, up to 500 in one call of the script.
    pub async fn settle_once(&self, leases: &[LeaseRef]) -> Result<(), QueueError> {
        let settled: Vec<_> = leases.iter().take(BATCH).map(|&lease| Settled { lease, next: Next::Done }).collect();
        self.settle(&settled).await
    }
}
