//! The metrics of searches: all names and labels.

use metrics::counter;

/// Counter: lookups of shared results, by outcome.
const SHARED_RESULTS: &str = "copydesk_shared_results_total";

/// The outcome of a lookup of a shared result.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Look {
    /// The result was there, and so were all its passages.
    Hit,
    /// There was no result, or its passages have changed.
    Miss,
    /// Redis did not answer in time.
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
