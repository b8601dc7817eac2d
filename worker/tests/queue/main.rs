//! The queue with apalis, on one Redis and on a cluster; on the cluster also all other uses of
//! Redis.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod backend;
mod cluster;
mod nodes;
mod worker;
