//! Answers that are not a text but data, code, a review or a plan.

use std::sync::LazyLock;

use regex::Regex;

use super::ending::without_marks;
use crate::phrases::{Patterns, is_match};
use crate::text::{language, phrase, sentence};

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

/// What a review of a text gives marks for.
const CRITERIA: [&str; 12] = [
    "accuracy",
    "relevance",
    "voice",
    "structure",
    "clarity",
    "tone",
    "grammar",
    "readability",
    "coherence",
    "engagement",
    "style",
    "conciseness",
];
/// So many of them make a review; one is a product's too.
const MIN_CRITERIA: usize = 2;

/// Whether a text gives marks to a draft, line by line. Marks of a product, dates and numbers of posts are none.
pub(super) fn is_review(lower: &str) -> bool {
    static MARK: Patterns = LazyLock::new(|| Regex::new(r"[^\d\s/].*\b(?:\d|10)(?:[.,]\d)?/10\b").ok());
    let marked: Vec<&str> = lower.lines().filter(|line| is_match(&MARK, line)).collect();
    let names = |line: &&&str| CRITERIA.iter().any(|criterion| phrase::holds(line, criterion));
    let speaks = phrase::holds(lower, "the draft") || phrase::holds(lower, "this draft");
    marked.len() >= MIN_MARKS && (speaks || marked.iter().filter(names).count() >= MIN_CRITERIA)
}

/// Labels of lines that are no sentences of a text, whatever they end with.
const LABELS: [&str; 3] = ["Subject:", "Preheader:", "Headline:"];

/// Whether a line of a text is a finished sentence. The body of an ad may lack its full stop.
pub fn has_a_sentence(text: &str) -> bool {
    let is_ad = text.to_lowercase().contains("variant");
    let is_sentence = |line: &str| {
        let body = Some(line).filter(|line| is_ad && line.starts_with("Body:"));
        sentence::ended(line).chain(body).any(|sentence| language::count_words(sentence) >= MIN_SENTENCE_WORDS)
    };
    let is_prose = |line: &&str| !line.starts_with('#') && !LABELS.iter().any(|label| line.starts_with(label));
    let lines = text.lines().map(|line| without_marks(line.trim()).trim_start_matches(['*', '_']));
    lines.filter(is_prose).any(is_sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_a_draft_are_told_from_others() {
        for text in [
            "accuracy: 8/10\nrelevance: 9/10\nvoice: 7/10",
            "- **clarity** – 8/10\n- **structure** – 7.5/10\n- **overall** – 8/10",
            "the draft is good.\nfacts: 8/10\nlength: 9/10\nwords: 7/10",
        ] {
            assert!(is_review(text), "{text}");
        }
        for text in [
            "camera: 8/10\nbattery: 9/10\noverall: 8/10",
            "camera: 8/10\nclarity: 9/10\noverall: 8/10",
            "1/10 overall a draft\n2/10 the text\n10/10 the draft",
            "from 24/10\nto 25/10\nuntil 26/10, the draft",
            "accuracy: 8/10\nrelevance: 9/10",
        ] {
            assert!(!is_review(text), "{text}");
        }
    }

    #[test]
    fn a_label_makes_no_sentence_but_an_ads_body_is_one() {
        let ad = "## Variant 1\n\nHeadline: Read twice\nBody: Every scan is read twice\nCall to action: Book";
        assert!(has_a_sentence(ad) && has_a_sentence(&ad.replace("Body:", "**Body:**")));
        assert!(!has_a_sentence("# Camera\n\nBody: magnesium alloy, sealed well\nSensor: full frame"));
        for label in [
            "Subject: Every scan is read twice.",
            "**Subject:** Every scan is read twice.",
            "*Headline: All is well now.*",
        ] {
            assert!(!has_a_sentence(label), "{label}");
        }
    }
}
