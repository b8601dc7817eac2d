//! The handlers of the routes, one file for each resource. They only parse, call the store and
//! render. [`crate::router`] registers them.

#![expect(unused_qualifications, reason = "utoipa's path macro qualifies the types of parameters")]

pub mod audit;
pub mod batch;
pub mod business;
pub mod console;
pub mod document;
pub mod events;
pub mod export;
pub mod feedback;
pub mod generate;
pub mod generation;
pub mod health;
pub mod job;
pub mod keys;
pub mod learning;
pub mod metrics;
pub mod ops;
pub mod problems;
pub mod search;
pub mod session;
pub mod ticket;
pub mod timeline;
pub mod versions;
pub mod voice;
