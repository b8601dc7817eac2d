//! The handler of feedback jobs: applies a human's verdict to a generation.

use copydesk_common::store::{self, Store};
use copydesk_domain::feedback::Verdict;
use copydesk_domain::job::StartedJob;

use crate::outcome::Interruption;

/// Applies the verdict and ends the job.
pub(crate) async fn run(store: &Store, job: &StartedJob, verdict: Verdict) -> Result<(), Interruption> {
    store::feedback::settle(store, job, &verdict).await?;
    Ok(())
}
