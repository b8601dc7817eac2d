//! Answers in which a model refuses or speaks of itself.

use crate::phrases::{Phrases, phrases};

/// Beginnings of a refusal.
static REFUSALS: Phrases = phrases!("refusals.txt");
/// Phrases anywhere in a text by which a model speaks of itself.
static GIVEAWAYS: Phrases = phrases!("giveaways.txt");
/// The number of first paragraphs in which a refusal may begin: a title may come before it.
const PARAGRAPHS: usize = 3;

/// Whether a text refuses or speaks of its author.
pub fn is_refusal(text: &str) -> bool {
    let plain = text.to_lowercase().replace('’', "'");
    // Headings may contain such phrases.
    let paragraphs = plain.lines().filter(|line| !line.starts_with("##"));
    let mut paragraphs = paragraphs.map(|line| line.trim_start_matches(|c: char| !c.is_alphanumeric()));
    let begins = |line: &str| REFUSALS.iter().any(|words| line.starts_with(words));
    let first = paragraphs.by_ref().filter(|line| !line.is_empty()).take(PARAGRAPHS).any(begins);
    first || GIVEAWAYS.iter().any(|words| plain.contains(words))
}
