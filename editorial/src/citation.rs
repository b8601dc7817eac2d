//! Citations: `[n]` behind a sentence says that passage n supports it. Whether it does is told here; which
//! passages there are, and what becomes of a citation that does not hold, is the pipeline's.

mod marker;
mod support;

pub use marker::{Marker, markers, sentence_before};
use support::{best, is_possible};

use crate::text::language;

/// What of a passage supports a sentence; `None` where nothing does. `title` is what the passage stands
/// under. In other languages than English a name or number may be all that is shared: passages are
/// often in another language than the text.
pub fn quote<'a>(sentence: &str, passage: &'a str, title: &str, language: &str) -> Option<&'a str> {
    let support = best(sentence, passage, title);
    let is_foreign = !language::is_english(language);
    (support.is_enough() || (is_foreign && is_possible(sentence, passage))).then_some(support.quote)
}
