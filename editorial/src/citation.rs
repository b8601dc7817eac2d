//! Citations: `[n]` after a sentence says that passage n supports it. This module checks whether it
//! does. The pipeline provides the passages and handles unsupported citations.

mod marker;
mod support;

pub use marker::{Marker, markers, sentence_before};
use support::{best, is_possible};

use crate::text::language;

/// The part of a passage that supports a sentence; `None` if none does. `title` is the heading of
/// the passage. For languages other than English, shared names or numbers are enough: passages are
/// often in another language than the text.
pub fn quote<'a>(sentence: &str, passage: &'a str, title: &str, language: &str) -> Option<&'a str> {
    let support = best(sentence, passage, title);
    let is_foreign = !language::is_english(language);
    (support.is_enough() || (is_foreign && is_possible(sentence, passage))).then_some(support.quote)
}
