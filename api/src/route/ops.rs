//! `/api/ops`: what operators see and do.

pub mod breakers;
pub mod dead;
pub mod limits;
pub mod overview;
pub mod queue;
pub mod share;

use copydesk_common::job::JobKind;
use copydesk_common::store;

use crate::error::ApiError;
use crate::state::Services;

/// Waiting jobs that ask a provider again at once when an operator changed what it takes: the others
/// do so at their time.
const HASTENED: u16 = 10_000;

/// Lets the jobs that wait for a provider ask it again: what they were told no longer holds.
async fn ask_again(services: &Services, provider: &str) -> Result<(), ApiError> {
    let waiting = services.within(store::job::list::waiting_for(&services.store, provider, HASTENED)).await?;
    let jobs = services.within(services.queue(JobKind::Generate)?.hasten(&waiting)).await?;
    tracing::debug!(jobs, provider.name = provider, "waiting jobs ask again");
    Ok(())
}
