//! Why the handling of a job can stop before its end, by what happens next. Independent of queue
//! and store: [`crate::execute`] makes the transitions.

use std::error::Error;
use std::time::Duration;

use copydesk_common::batch::BatchError;
use copydesk_common::clock;
use copydesk_common::store::StoreError;
use copydesk_domain::job::{WaitReason, Waiting};
use copydesk_domain::problem::Problem;

/// The wait before a job continues after its row could not be read or written.
pub const STORE_AWAY: Duration = Duration::from_secs(5);

/// Why a handler stopped before its job had ended.
#[derive(Debug, thiserror::Error)]
pub enum Interruption {
    /// It must wait: it gives its slot back, and no attempt is spent.
    #[error("the job waits: {}", .0.reason)]
    Wait(Waiting),
    /// This attempt failed; a later one may succeed.
    #[error("the attempt failed")]
    Retry(#[source] Box<dyn Error + Send + Sync>),
    /// The job fails, and would fail again.
    #[error("the job fails: {}", .0.detail)]
    Fail(Box<Problem>),
    /// Another lease runs the job, or the job has ended: there is nothing left to do.
    #[error("the job ended or runs under another lease")]
    Superseded,
    /// The lease has expired by the local clock, without a report that it is lost: another worker
    /// may run the job.
    #[error("the lease ran out")]
    Lapsed,
    /// The worker is shutting down: another one continues at the first unfinished stage.
    #[error("the worker is shutting down")]
    Draining,
}

impl Interruption {
    /// Postgres is unavailable. This is not a failure of the job: it continues later with the same
    /// attempt.
    pub fn store_away(error: &StoreError) -> Self {
        tracing::warn!(error = error as &dyn Error, "Postgres is unavailable: the job continues later");
        Self::Wait(Waiting { reason: WaitReason::Backoff, provider: None, until: clock::now() + STORE_AWAY })
    }
}

impl From<Problem> for Interruption {
    fn from(problem: Problem) -> Self {
        Self::Fail(Box::new(problem))
    }
}

impl From<BatchError> for Interruption {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Store(error) if error.is_unavailable() => Self::store_away(&error),
            error => Self::Retry(error.into()),
        }
    }
}

impl From<StoreError> for Interruption {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Superseded => Self::Superseded,
            error if error.is_unavailable() => Self::store_away(&error),
            error => Self::Retry(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_store_that_is_away_costs_no_attempt() {
        let away = || StoreError::Unavailable(sqlx::Error::PoolTimedOut);
        let interruptions: [Interruption; 3] =
            [away().into(), StoreError::BreakerOpen.into(), BatchError::Store(Arc::new(away())).into()];
        for interruption in interruptions {
            let waits = matches!(&interruption, Interruption::Wait(waiting) if waiting.reason == WaitReason::Backoff);
            assert!(waits, "{interruption:?}");
        }
        let refused = BatchError::Store(Arc::new(StoreError::Refused(sqlx::Error::RowNotFound)));
        assert!(matches!(refused.into(), Interruption::Retry(_)));
    }
}
