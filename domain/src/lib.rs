//! The domain types: jobs, texts, documents, businesses and verdicts. Storage and transport are not
//! part of it: the crate links no async runtime, no database and no HTTP (checked by
//! `tests/dependencies.rs`).
//!
//! Modules import in one direction: [`names`] and [`id`] import no other module; [`work`] imports
//! most of them.

pub mod access;
pub mod business;
pub mod checkpoint;
pub mod document;
pub mod erasure;
pub mod feedback;
pub mod format;
pub mod generation;
pub mod id;
pub mod job;
pub mod language;
pub mod lesson;
pub mod names;
pub mod problem;
pub mod review;
pub mod stage;
pub mod trace;
pub mod usage;
pub mod work;
