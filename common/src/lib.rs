//! What Copydesk's API and workers must agree on: queue, quota, store, configuration and telemetry.
//!
//! The types are in `copydesk-domain`; [`redis`], [`queue`], [`quota`], [`notify`], [`presence`]
//! and [`store`] build on them. Code with only one user lives with that user, in `api` or `worker`.

pub mod batch;
pub mod clock;
pub mod config;
pub mod draft;
pub mod embedding;
pub mod files;
pub mod follow;
pub mod key;
pub mod money;
pub mod notify;
pub mod presence;
pub mod queue;
pub mod quota;
pub mod redis;
pub mod store;
pub mod telemetry;
