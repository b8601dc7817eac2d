//! What makes a text good and fit to show, as far as code can tell: [`answer`] takes a text out of what
//! models say, [`text`] reads and cleans it, [`format`] holds it against its format, [`citation`]
//! against its sources, and [`voice`] against how its business sounds.
//!
//! Pure: texts go in, texts and findings come out. Who asks models, and what becomes of a text that
//! fails, is the worker's pipeline.
//!
//! Imports point one way: text ← answer ← format ← voice, and text ← citation.

pub mod answer;
pub mod citation;
pub mod format;
mod phrases;
pub mod text;
pub mod voice;
