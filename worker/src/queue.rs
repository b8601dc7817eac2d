//! A worker's side of the queue: claims jobs, renews their leases, and passes them to apalis
//! ([`backend`]). The queue itself is in its scripts (`common/src/queue`).

pub mod backend;
mod claim;
mod claimer;
mod lease;

pub use claim::Claim;
