//! `/api/ops`: what operators see and do.

pub mod dead;
pub mod overview;
pub mod queue;
