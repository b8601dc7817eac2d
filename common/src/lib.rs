//! What Copydesk's API and workers must agree on, and nothing else.
//!
//! Imports point one way: the domain modules ([`job`], [`generation`], [`feedback`], [`business`],
//! [`document`], [`stage`], [`trace`]) know no tokio, sqlx or redis; [`redis`], [`queue`],
//! [`quota`], [`notify`], [`presence`] and [`store`] are built on them. Code with one user lives with that user, in `api` or
//! `worker`.

pub mod business;
pub mod clock;
pub mod config;
pub mod document;
pub mod draft;
pub mod embedding;
pub mod feedback;
pub mod follow;
pub mod generation;
pub mod job;
pub mod notify;
pub mod presence;
pub mod queue;
pub mod quota;
pub mod redis;
pub mod stage;
pub mod store;
pub mod telemetry;
pub mod trace;
