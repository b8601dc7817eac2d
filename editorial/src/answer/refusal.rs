//! Answers in which a model speaks of itself instead of writing: refusals, and giveaways.

use crate::phrases::{Phrases, phrases};

/// Beginnings of an answer that are no answer.
static REFUSALS: Phrases = phrases!("refusals.txt");
/// What gives a model away anywhere in a text.
static GIVEAWAYS: Phrases = phrases!("giveaways.txt");
/// Paragraphs in which a refusal may begin: a title may stand before it.
const PARAGRAPHS: usize = 3;

/// Whether a text refuses or speaks of its author.
pub fn is_refusal(text: &str) -> bool {
    let plain = text.to_lowercase().replace('’', "'");
    // A heading may well ask for something.
    let paragraphs = plain.lines().filter(|line| !line.starts_with("##"));
    let mut paragraphs = paragraphs.map(|line| line.trim_start_matches(|c: char| !c.is_alphanumeric()));
    let begins = |line: &str| REFUSALS.iter().any(|words| line.starts_with(words));
    let first = paragraphs.by_ref().filter(|line| !line.is_empty()).take(PARAGRAPHS).any(begins);
    first || GIVEAWAYS.iter().any(|words| plain.contains(words))
}
