//! The configuration of what is kept how long.

use chrono::{DateTime, TimeDelta, Utc};

/// The longest time that can be set: a hundred years.
const LONGEST_DAYS: u16 = 36_500;

/// How long what is done with is kept, in days. 0 keeps it for ever.
#[derive(Debug, Clone, confique::Config)]
pub struct RetentionConfig {
    /// How long finished jobs are kept, in days; 0 for ever. Their texts, documents and verdicts stay. A removed job
    /// cannot be retried, nor its text regenerated.
    #[config(env = "COPYDESK_KEEP_JOBS_DAYS", default = 90)]
    pub jobs_days: u16,
    /// How long the results of single stages are kept after their job succeeded or was cancelled, in days; 0 for as
    /// long as the job. Those of failed jobs are kept as long as the job, for a retry.
    #[config(env = "COPYDESK_KEEP_STAGES_DAYS", default = 30)]
    pub stages_days: u16,
    /// How long rows of the audit log are kept, in days; 0 for ever.
    #[config(env = "COPYDESK_KEEP_AUDIT_DAYS", default = 730)]
    pub audit_days: u16,
}

impl RetentionConfig {
    pub(super) fn validate(&self) -> Result<(), String> {
        for (variable, days) in [
            ("COPYDESK_KEEP_JOBS_DAYS", self.jobs_days),
            ("COPYDESK_KEEP_STAGES_DAYS", self.stages_days),
            ("COPYDESK_KEEP_AUDIT_DAYS", self.audit_days),
        ] {
            if days > LONGEST_DAYS {
                return Err(format!("{variable} takes a number of days up to {LONGEST_DAYS}, or 0 for ever"));
            }
        }
        Ok(())
    }

    /// Nothing is removed.
    pub const fn for_ever() -> Self {
        Self { jobs_days: 0, stages_days: 0, audit_days: 0 }
    }

    /// Jobs that ended before this are removed; `None` for none.
    pub fn jobs_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        before(now, self.jobs_days)
    }

    /// Stage results of jobs that ended before this are removed; `None` for none.
    pub fn stages_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        before(now, self.stages_days)
    }

    /// Rows of the audit log from before this are removed; `None` for none.
    pub fn audit_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        before(now, self.audit_days)
    }
}

fn before(now: DateTime<Utc>, days: u16) -> Option<DateTime<Utc>> {
    (days > 0).then(|| now - TimeDelta::days(days.into()))
}
