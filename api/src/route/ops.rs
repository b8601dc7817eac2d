//! `/api/ops`: views and interventions for operators.

pub mod breakers;
pub mod cancel;
pub mod dead;
pub mod history;
pub mod limits;
pub mod overview;
pub mod queue;
pub mod regenerate;
pub mod share;

use std::collections::BTreeSet;

use crate::state::Services;

/// Makes the jobs that wait for a provider ask again, after the answer.
fn ask_again(services: &Services, provider: &str) {
    // Models of one provider share its line, but for those that have their own.
    let mut told = BTreeSet::new();
    for (_, quota) in services.quotas_of(provider) {
        if told.insert(quota.account()) {
            services.hastener.hasten(quota);
        }
    }
}
