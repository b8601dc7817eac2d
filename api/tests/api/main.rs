//! Tests of the API by HTTP, with a real Postgres (one database for each test) and a real Redis
//! (one prefix for each test). `DATABASE_URL` and `REDIS_URL` name the servers.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod accept;
mod audit;
mod bad_input;
mod batch;
mod batches;
mod binary;
mod bounds;
mod business;
mod console;
mod control;
mod described;
mod dialects;
mod docs;
mod document;
mod edge;
mod erasure;
mod events;
mod export;
mod feedback;
mod hasten;
mod health;
mod holder;
mod http;
mod idempotency;
mod keys;
mod lists;
mod ops;
mod outlook;
mod problems;
mod protect;
mod rates;
mod reads;
mod reference;
mod regenerate;
mod search;
mod service;
mod session;
mod shapes;
mod timeline;
mod unicode;
mod voice;
mod wait;
mod walk;
