//! The names and labels of the API's metrics, and counters that are used in several places.

use copydesk_domain::job::JobKind;

/// Counter: requests served. Labels: [`METHOD`], [`ROUTE`], [`STATUS`].
pub const REQUESTS: &str = "copydesk_http_requests_total";
/// Histogram, seconds: from the request's head to the response's head. Labels: [`METHOD`], [`ROUTE`].
pub const REQUEST_DURATION: &str = "copydesk_http_request_duration_seconds";
/// Gauge: open connections of clients.
pub const CONNECTIONS: &str = "copydesk_http_connections";
/// Counter: connections of clients that were closed for lack of room. Label: [`REASON`].
pub const CONNECTIONS_CLOSED: &str = "copydesk_http_connections_closed_total";
/// Gauge, bytes: what is held of request bodies, as counted against the budget.
pub const BODY_BYTES: &str = "copydesk_http_body_bytes";
/// Gauge: connections to Postgres. Label: [`STATE`], `checked_out` or `checked_in`.
pub const DATABASE_CONNECTIONS: &str = "copydesk_database_connections";
/// Counter: jobs whose rows were committed. Label: [`KIND`].
pub const JOBS_ACCEPTED: &str = "copydesk_jobs_accepted_total";
/// Counter: statements that accepted jobs. Accepted jobs divided by this is the mean size of a
/// batch.
pub const ACCEPT_BATCHES: &str = "copydesk_accept_batches_total";
/// Counter: accepted jobs that could not be announced in Redis and are left to the sweep. Label:
/// [`KIND`].
pub const JOBS_UNANNOUNCED: &str = "copydesk_jobs_unannounced_total";

/// Counter: requests that needed a key and showed none that counts.
pub const AUTH_FAILURES: &str = "copydesk_auth_failures_total";
/// Counter: requests that were answered 429. Label: [`BY`].
pub const REQUESTS_LIMITED: &str = "copydesk_http_requests_limited_total";

/// Label: what a limit counts, [`BY_KEY`], [`BY_ADDRESS`] or [`BY_TRIES`].
pub const BY: &str = "by";
/// The requests of a key.
pub const BY_KEY: &str = "key";
/// The requests of an address that need no key.
pub const BY_ADDRESS: &str = "address";
/// The requests of an address that failed to show a key.
pub const BY_TRIES: &str = "tries";
/// Label: the request's method; `OTHER` for a method that no route supports.
pub const METHOD: &str = "method";
/// Label: the route's pattern, never the path; `unmatched` without a route.
pub const ROUTE: &str = "route";
/// Label: the response's status.
pub const STATUS: &str = "status";
/// Label: the job's kind.
pub const KIND: &str = "kind";
/// Label: the state of the connection.
pub const STATE: &str = "state";
/// Label: why a connection was closed, [`EVICTED`] or [`REFUSED`].
pub const REASON: &str = "reason";
/// It was silent, and made room for a new one.
pub const EVICTED: &str = "evicted";
/// It was new, and there was no room.
pub const REFUSED: &str = "refused";

/// Counts committed jobs, with one increment for each kind.
pub fn count_accepted(kinds: &(impl Iterator<Item = JobKind> + Clone)) {
    for kind in JobKind::ALL {
        let jobs = kinds.clone().filter(|other| other == kind).count();
        if jobs > 0 {
            metrics::counter!(JOBS_ACCEPTED, KIND => kind.as_str()).increment(u64::try_from(jobs).unwrap_or(u64::MAX));
        }
    }
}
