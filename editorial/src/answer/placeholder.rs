//! Placeholders that a model leaves: `[Your Name]`, `{{name}}`, `Lorem ipsum`. Code is ignored: a
//! text may be about templates.

use crate::phrases::{Phrases, phrases};
use crate::text::phrase;

/// The longest placeholder, in characters.
const MAX_CHARS: usize = 60;
/// Beginnings of placeholders in brackets.
static IN_BRACKETS: Phrases = phrases!("placeholders.txt");
/// Signs of a placeholder anywhere in a text.
const ANYWHERE: [&str; 6] = ["{{", "lorem ipsum", "<your ", "<insert ", "xxx-", "-xxx"];
/// Lines of a signature or a greeting that are to be filled in, without marks.
const LINES: [&str; 12] = [
    "your name",
    "your full name",
    "your title",
    "your position",
    "your company",
    "your company name",
    "your contact information",
    "company name",
    "dear name",
    "hi name",
    "hello name",
    "dear recipient",
];

/// Whether a text contains a placeholder.
pub fn is_left(text: &str) -> bool {
    let prose: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    let lower = prose.to_lowercase();
    let bare = |line: &str| line.trim_matches(|c: char| !c.is_alphanumeric()).to_owned();
    lower.lines().any(|line| LINES.contains(&bare(line).as_str()))
        || prose.lines().any(|line| line.trim_start_matches(['*', '_', ' ']).starts_with("CITY, "))
        || ANYWHERE.iter().any(|mark| lower.contains(mark))
        || bracketed(&prose).next().is_some()
        || holds_field(&lower)
}

/// The text without lines that are only a placeholder, as in signatures.
pub fn without_lines(text: &str) -> String {
    let is_left = |line: &str| {
        let bare = line.trim().trim_matches(['*', '_']);
        bracketed(bare).next().is_some_and(|found| found.len() + 2 == bare.len())
    };
    text.split('\n').filter(|line| !is_left(line)).collect::<Vec<_>>().join("\n")
}

/// The contents of brackets that are placeholders, not citations, links or asides.
fn bracketed(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('[').filter_map(|(start, _)| {
        let (inside, after) = text[start + 1..].split_once(']')?;
        let lower = inside.to_lowercase();
        let begins = IN_BRACKETS.iter().any(|word| phrase::holds(&lower, word) && lower.starts_with(word));
        let is_link = after.starts_with(['(', '[', ':']);
        (!is_link && inside.chars().count() <= MAX_CHARS && begins).then_some(inside)
    })
}

/// Whether a text in lower case contains a field such as `{first_name}`.
fn holds_field(lower: &str) -> bool {
    lower.match_indices('{').any(|(start, _)| {
        let inside = lower[start + 1..].split('}').next().unwrap_or_default();
        let is_closed = lower[start + 1..].len() > inside.len();
        is_closed && !inside.is_empty() && inside.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_to_be_filled_in_is_told_from_citations_links_and_code() {
        for text in [
            "Call [Your Company] today.",
            "Dear {{first_name}},",
            "Dear {first_name},",
            "Call [PHONE NUMBER].",
            "Lorem ipsum dolor.",
            "Call 555-XXXX or XXX-XXX-XXXX.",
            "[Insert a figure here] of all scans.",
            "It is so.\n\nBest regards,\nYour Name",
            "It is so.\n\nBest,\n(Your Name)",
            "CITY, May 3, 2026 — Acme reads scans twice.",
        ] {
            assert!(is_left(text), "{text}");
        }
        for text in [
            "Read twice [1]. [Your guide](https://acme.example) [name][1]",
            "[Contact us](https://acme.example) or [add to cart][1].",
            "He said [sic]. [MUSIC FADES] Size XXXL. [Contact us] [Add to cart]",
            "Write `{{ name }}` in the template.\n\n```\n[name]\n```",
            "The set {1, 2}. [Yourself] is no field.",
        ] {
            assert!(!is_left(text), "{text}");
        }
    }

    #[test]
    fn lines_that_are_nothing_else_go() {
        assert_eq!(without_lines("Best,\n[Your Name]\n**[Your Title]**\nAcme [1]"), "Best,\nAcme [1]");
    }
}
