//! How the handling of a job can stop short of its end, in the words of what happens next. Knows
//! nothing of queues and stores: [`crate::execute`] turns it into their moves.

use std::error::Error;

use copydesk_common::job::{Problem, Waiting};
use copydesk_common::store::StoreError;

/// Why a handler stopped before its job had ended.
#[derive(Debug, thiserror::Error)]
pub enum Interruption {
    /// It must wait, and nobody is to blame: it gives its slot back and no attempt is spent.
    #[error("the job waits: {}", .0.reason)]
    Wait(Waiting),
    /// This attempt failed; another one, later, may not.
    #[error("the attempt failed")]
    Retry(#[source] Box<dyn Error + Send + Sync>),
    /// It fails, and would fail again.
    #[error("the job fails: {}", .0.detail)]
    Fail(Box<Problem>),
    /// Another lease runs the job, or it has ended: there is nothing left to do.
    #[error("the job ended or runs under another lease")]
    Superseded,
    /// Nobody said that the lease is lost, but it has run out: another one may run the job.
    #[error("the lease ran out")]
    Lapsed,
    /// The worker is leaving: another one goes on at the first unfinished stage.
    #[error("the worker is leaving")]
    Draining,
}

impl From<Problem> for Interruption {
    fn from(problem: Problem) -> Self {
        Self::Fail(Box::new(problem))
    }
}

impl From<StoreError> for Interruption {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Superseded => Self::Superseded,
            error => Self::Retry(error.into()),
        }
    }
}
