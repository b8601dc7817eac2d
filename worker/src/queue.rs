//! A worker's side of the queue: claims jobs, keeps their leases, and hands them to apalis
//! ([`backend`]). What the queue does with them is its scripts' (`common/src/queue`).

pub mod backend;
mod claim;
mod claimer;
mod lease;

pub use claim::Claim;
