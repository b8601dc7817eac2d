//! Calls of the queue's scripts one by one, for whoever measures them or plays a worker. Workers take
//! jobs through [`super::backend`], which keeps their leases.

use super::{BATCH, Next, Queue, QueueError};
use crate::job::{JobId, LeaseEpoch};

/// What one claim came to.
#[derive(Debug, Clone, Default)]
pub struct Claimed {
    /// Jobs that are leased to the caller now.
    pub leases: Vec<(JobId, LeaseEpoch)>,
    /// After how many milliseconds another claim may find more, where that is known.
    pub next_due_ms: Option<u64>,
}

impl Queue {
    /// One call of the claim script: up to `most` jobs, where a business may have `cap` under way (0 for
    /// any number).
    pub async fn claim_once(&self, most: usize, lease_ms: u64, cap: u32) -> Result<Claimed, QueueError> {
        let (leased, next_due_ms) = self.claim(most, lease_ms, cap).await?;
        Ok(Claimed { leases: leased.into_iter().map(|leased| (leased.id, leased.epoch)).collect(), next_due_ms })
    }

    /// Extends leases, up to 500 in one call of the script. Returns how many were the caller's still.
    pub async fn renew_once(&self, leases: &[(JobId, LeaseEpoch)], lease_ms: u64) -> Result<usize, QueueError> {
        let renewals = self.renew(&leases[..leases.len().min(BATCH)], lease_ms).await?;
        Ok(renewals.into_iter().filter(|renewal| *renewal == super::Renewal::Extended).count())
    }

    /// Ends leases as done, up to 500 in one call of the script.
    pub async fn settle_once(&self, leases: &[(JobId, LeaseEpoch)]) -> Result<(), QueueError> {
        let leases: Vec<_> = leases.iter().take(BATCH).map(|&(id, epoch)| (id, epoch, Next::Done)).collect();
        self.settle(&leases).await
    }
}
