//! The metrics of searches: every name and label, once.

use metrics::counter;

/// Counter: looks for a search's result among those that the fleet shares, by outcome.
const SHARED_RESULTS: &str = "copydesk_shared_results_total";

/// What a look for a shared result came to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Look {
    /// It was there, and so were its passages.
    Hit,
    /// It was not, or its passages have changed.
    Miss,
    /// Redis did not say in time.
    Unavailable,
}

pub(crate) fn shared_result(look: Look) {
    let outcome = match look {
        Look::Hit => "hit",
        Look::Miss => "miss",
        Look::Unavailable => "unavailable",
    };
    counter!(SHARED_RESULTS, "outcome" => outcome).increment(1);
}
