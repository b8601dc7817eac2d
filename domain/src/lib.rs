//! What Copydesk speaks of: jobs, texts, documents, businesses and verdicts, as types that hold what
//! they say. Knows neither where they are stored nor how they travel: it links no async runtime, no
//! database and no HTTP, which `tests/dependencies.rs` holds.
//!
//! Modules import one way: [`names`] and [`id`] know no other, [`work`] stands on most of them.

pub mod business;
pub mod checkpoint;
pub mod document;
pub mod feedback;
pub mod format;
pub mod generation;
pub mod id;
pub mod job;
pub mod language;
pub mod names;
pub mod problem;
pub mod review;
pub mod stage;
pub mod trace;
pub mod usage;
pub mod work;
