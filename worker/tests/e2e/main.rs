//! Tests of the whole system by HTTP, with a real Postgres, a real Redis, and providers that are
//! HTTP servers with scripted behaviour.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod browser;
mod cancel;
mod console;
mod crash;
mod documents;
mod durability;
mod erase;
mod events;
mod fallback;
mod hostile;
mod hostile_files;
mod learning;
mod local_model;
mod meaning;
mod outage;
mod path;
mod postgres;
mod quota;
mod secrets;
mod sentinel;
mod sentinels;
mod system;
mod window;
