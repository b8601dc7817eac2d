//! Answers that are not a text but data, code, a review or a plan.

use super::ending::without_marks;
use crate::text::{language, sentence};

/// Several runs of at least this many letters and digits are encoded data, not words.
const PACKED_CHARS: usize = 60;
const MAX_PACKED: usize = 2;
/// The number of lines with a mark out of ten that makes a text a review.
const MIN_MARKS: usize = 3;
/// The fewest words of a sentence.
const MIN_SENTENCE_WORDS: usize = 4;

/// Whether a text is JSON (complete or cut off) or only code.
pub(super) fn is_data(text: &str) -> bool {
    let text = text.trim();
    let packed = |word: &&str| {
        word.len() >= PACKED_CHARS && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))
    };
    if (text.starts_with("```") && text.ends_with("```")) || text.split_whitespace().filter(packed).count() > MAX_PACKED
    {
        return true;
    }
    let mut marks = text.trim_start().chars().filter(|c| !c.is_whitespace());
    matches!((marks.next(), marks.next()), (Some('{'), Some('"' | '}')) | (Some('['), Some('{' | '"' | ']')))
}

/// Whether a text gives marks to a draft, line by line.
pub(super) fn is_review(lower: &str) -> bool {
    let speaks = ["draft", "the text", "overall"].iter().any(|word| lower.contains(word));
    speaks && lower.lines().filter(|line| line.contains("/10")).count() >= MIN_MARKS
}

/// Labels of lines that are no sentences of a text, whatever they end with.
const LABELS: [&str; 3] = ["Subject:", "Preheader:", "Headline:"];

/// Whether a line of a text is a finished sentence. The body of an ad may lack its full stop.
pub fn has_a_sentence(text: &str) -> bool {
    let is_sentence = |line: &str| {
        let mut sentences = sentence::ended(line).chain(Some(line).filter(|line| line.starts_with("Body:")));
        sentences.any(|sentence| language::count_words(sentence) >= MIN_SENTENCE_WORDS)
    };
    let is_prose = |line: &&str| !line.starts_with('#') && !LABELS.iter().any(|label| line.starts_with(label));
    text.lines().map(|line| without_marks(line.trim())).filter(is_prose).any(is_sentence)
}
