//! Removes what was kept long enough: finished jobs, stage results, the audit log. A part of the sweep, so that one
//! worker at a time does it, in small batches for a part of each turn.

use std::time::{Duration, Instant};

use copydesk_common::clock;
use copydesk_common::config::RetentionConfig;
use copydesk_common::store::retention::{self, Walked};

use super::{Sweep, SweepError};
use crate::metric;

/// How often it is looked for what is due, once nothing was left.
const EVERY: Duration = Duration::from_secs(600);
/// The most jobs, or rows of the audit log, of one statement. A job has about ten stage results.
const JOBS: u16 = 250;

/// What is removed, and how far that is.
#[derive(Debug)]
pub(super) struct Retention {
    config: RetentionConfig,
    /// All jobs that ended before this have no stage results that are due. Begins anew in each process.
    walked: Walked,
    /// When nothing was left to remove.
    done: Option<Instant>,
    /// Removed since the last log line.
    removed: Removed,
}

#[derive(Debug, Clone, Copy, Default)]
struct Removed {
    jobs: u64,
    stage_results: u64,
    audit_rows: u64,
}

impl Retention {
    pub(super) fn new(config: RetentionConfig) -> Self {
        Self { config, walked: Walked::START, done: None, removed: Removed::default() }
    }
}

impl Sweep {
    /// Removes what is due for a part of the turn; what is left, in the next ones.
    pub(super) async fn remove_old(&mut self) -> Result<(), SweepError> {
        if self.retention.done.is_some_and(|done| done.elapsed() < EVERY) {
            return Ok(());
        }
        let deadline = Instant::now() + self.every / 8;
        while self.remove_batch().await? {
            if Instant::now() >= deadline {
                return Ok(());
            }
            self.keep_lock().await?;
        }
        self.retention.done = Some(Instant::now());
        let Removed { jobs, stage_results, audit_rows } = std::mem::take(&mut self.retention.removed);
        if jobs + stage_results + audit_rows > 0 {
            tracing::info!(jobs, stage_results, audit_rows, "what was kept long enough was removed");
        }
        Ok(())
    }

    /// Removes a batch. Whether there may be more.
    async fn remove_batch(&mut self) -> Result<bool, SweepError> {
        let now = clock::now();
        let Retention { config, walked, removed, .. } = &mut self.retention;
        if let Some(before) = config.jobs_before(now) {
            let jobs = retention::remove_jobs(&self.store, before, JOBS).await?;
            metric::rows_removed("jobs", jobs);
            removed.jobs += jobs;
            if jobs >= JOBS.into() {
                return Ok(true);
            }
        }
        if let Some(before) = config.audit_before(now) {
            let rows = retention::remove_audit(&self.store, before, JOBS).await?;
            metric::rows_removed("audit", rows);
            removed.audit_rows += rows;
            if rows >= JOBS.into() {
                return Ok(true);
            }
        }
        let Some(before) = config.stages_before(now) else { return Ok(false) };
        let step = retention::remove_stages(&self.store, *walked, before, JOBS).await?;
        metric::rows_removed("stage_results", step.removed);
        removed.stage_results += step.removed;
        if let Some(next) = step.next {
            *walked = next;
        }
        Ok(step.next.is_some())
    }
}

#[cfg(test)]
mod tests;
