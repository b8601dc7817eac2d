//! The queue through apalis: on one Redis, and on a cluster, with all else that Copydesk does there.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod backend;
mod cluster;
mod nodes;
mod worker;
