//! The API through its public edge: real HTTP, real Postgres (a database a test), real Redis (a
//! prefix a test). `DATABASE_URL` and `REDIS_URL` say where the servers are.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod accept;
mod bad_input;
mod batch;
mod batches;
mod binary;
mod business;
mod control;
mod docs;
mod document;
mod edge;
mod events;
mod feedback;
mod hasten;
mod health;
mod idempotency;
mod lists;
mod ops;
mod outlook;
mod problems;
mod reads;
mod reference;
mod regenerate;
mod service;
mod wait;
