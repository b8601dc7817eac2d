//! Makes jobs known again of which Redis may know none: what the sweep does after Redis was away, or
//! has lost its memory.

use copydesk_domain::id::JobId;
use futures_util::future::try_join_all;

use super::{BATCH, Entry, Queue, QueueError};

/// What Redis is likely to say of jobs: it decides on the number of round trips, and on nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likely {
    /// It knows them: it is asked first, so that few of them are sent.
    Known,
    /// It does not: they are sent at once, since pushing a known job changes nothing.
    Unknown,
}

impl Queue {
    /// Makes jobs known that are not, in their order, and ready those that Redis knows and that stand
    /// nowhere. Returns how many were new. Calls of the scripts are under way together; meant for some
    /// thousands of jobs.
    pub async fn restore(&self, mut entries: Vec<Entry>, likely: Likely) -> Result<u64, QueueError> {
        if likely == Likely::Known {
            let ids: Vec<JobId> = entries.iter().map(|entry| entry.message.job_id()).collect();
            let found = try_join_all(ids.chunks(BATCH).map(|batch| self.recover(batch))).await?;
            let put_back: u64 = found.iter().map(|found| found.put_back).sum();
            if put_back > 0 {
                tracing::warn!(job.kind = %self.kind, jobs = put_back, "jobs that stood nowhere in the queue were put back");
            }
            let mut unknown = found.into_iter().flat_map(|found| found.unknown).peekable();
            // Both are in one order.
            entries.retain(|entry| unknown.next_if_eq(&entry.message.job_id()).is_some());
        }
        let mut batches = entries.chunks(BATCH);
        let Some(first) = batches.next() else { return Ok(0) };
        // Alone: where Redis has forgotten the script, those that follow would overtake it.
        let new = self.push(first).await?;
        let others = try_join_all(batches.map(|batch| self.push(batch))).await?;
        Ok(new + others.into_iter().sum::<u64>())
    }
}
