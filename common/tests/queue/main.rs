//! The queue through apalis: on one Redis, and on a cluster.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod backend;
mod cluster;
mod nodes;
mod worker;
