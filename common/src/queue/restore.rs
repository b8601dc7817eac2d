//! Restores jobs that Redis may not know, after Redis was unavailable or was flushed. Used by the
//! sweep.

use copydesk_domain::id::JobId;
use futures_util::future::try_join_all;

use super::{BATCH, Entry, Queue, QueueError};

/// Whether Redis is likely to know jobs. Affects only the number of round trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likely {
    /// Redis likely knows them: it is asked first, so that few are sent.
    Known,
    /// Redis likely does not know them: all are sent at once, since pushing a known job changes
    /// nothing.
    Unknown,
}

impl Queue {
    /// Pushes unknown jobs in order. With [`Likely::Known`], also makes known jobs ready that are
    /// in no set. Returns how many were new. The scripts are called concurrently; meant for a few
    /// thousand jobs.
    pub async fn restore(&self, mut entries: Vec<Entry>, likely: Likely) -> Result<u64, QueueError> {
        if likely == Likely::Known {
            let ids: Vec<JobId> = entries.iter().map(|entry| entry.message.job_id()).collect();
            let found = try_join_all(ids.chunks(BATCH).map(|batch| self.recover(batch))).await?;
            let put_back: u64 = found.iter().map(|found| found.put_back).sum();
            if put_back > 0 {
                tracing::warn!(job.kind = %self.kind, jobs = put_back, "jobs in no set of the queue were made ready again");
            }
            let mut unknown = found.into_iter().flat_map(|found| found.unknown).peekable();
            // Both have the same order.
            entries.retain(|entry| unknown.next_if_eq(&entry.message.job_id()).is_some());
        }
        let mut batches = entries.chunks(BATCH);
        let Some(first) = batches.next() else { return Ok(0) };
        // The first batch goes alone: if Redis has forgotten the script, later batches could
        // overtake it.
        let new = self.push(first).await?;
        let others = try_join_all(batches.map(|batch| self.push(batch))).await?;
        Ok(new + others.into_iter().sum::<u64>())
    }
}
