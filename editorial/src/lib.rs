//! The quality of texts, as far as code can check it: [`answer`] extracts a text from a model's
//! answer, [`text`] reads and cleans it, [`format`] checks it against its format, [`citation`]
//! against its sources, and [`voice`] against the business's voice. [`document`] tells what a business's document is for. [`edits`] applies an editor's, by paragraph.
//! [`lesson`] reads what people ask of texts, and checks it.
//!
//! Pure functions: texts go in, texts and findings come out. The worker's pipeline calls the models
//! and handles texts that fail.
//!
//! Imports go in one direction: text ← answer ← format ← voice, text ← citation, and text ← lesson.

pub mod answer;
pub mod citation;
pub mod document;
pub mod edits;
pub mod format;
pub mod lesson;
mod phrases;
pub mod text;
pub mod voice;
