//! Placeholders that a model leaves: `[Your Name]`, `{{name}}`, `Lorem ipsum`. Code is ignored: a
//! text may be about templates.

use crate::phrases::{Phrases, phrases};
use crate::text::phrase;

/// The longest placeholder, in characters.
const MAX_CHARS: usize = 60;
/// Beginnings of placeholders in brackets.
static IN_BRACKETS: Phrases = phrases!("placeholders.txt");
/// What brackets hold that hold nothing else.
static ALONE: Phrases = phrases!("placeholder_words.txt");
/// What is to be added, in a bracket that begins with `add`; a button adds something else.
const ADDED: [&str; 16] = [
    "here",
    "name",
    "quote",
    "figure",
    "number",
    "link",
    "statistic",
    "example",
    "details",
    "company",
    "title",
    "date",
    "text",
    "image",
    "photo",
    "source",
];
/// Signs of a placeholder anywhere in a text.
const ANYWHERE: [&str; 6] = ["{{", "lorem ipsum", "<your ", "<insert ", "xxx-", "-xxx"];
/// So many paragraphs at either end of a text may be those: a subject line and a heading come before a greeting.
const EDGE_BLOCKS: usize = 3;
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
    edges(&lower).any(|line| !is_listed(line) && LINES.contains(&bare(line).as_str()))
        || prose.lines().any(|line| line.trim_start_matches(['*', '_', ' ']).starts_with("CITY, "))
        || ANYWHERE.iter().any(|mark| lower.contains(mark))
        || bracketed(&prose).next().is_some()
        || holds_field(&lower)
}

/// The lines of a text's first and last paragraphs, where letters have greetings and signatures.
fn edges(text: &str) -> impl Iterator<Item = &str> {
    let blocks: Vec<&str> = text.split("\n\n").filter(|block| !block.trim().is_empty()).collect();
    let last = blocks.len().saturating_sub(EDGE_BLOCKS).max(EDGE_BLOCKS);
    let edges = blocks.iter().take(EDGE_BLOCKS).chain(blocks.iter().skip(last)).copied();
    edges.flat_map(str::lines).collect::<Vec<_>>().into_iter()
}

/// Whether a line is an entry of a list.
fn is_listed(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with(['-', '•']) || line.starts_with("* ") || line.starts_with(|c: char| c.is_ascii_digit())
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
        let is_link = after.starts_with(['(', '[', ':']);
        (!is_link && inside.chars().count() <= MAX_CHARS && is_to_fill_in(&lower)).then_some(inside)
    })
}

/// Whether what stands in brackets, in lower case, is to be filled in: `your name`, `city`, `add a quote here`. Buttons
/// and scenes are not: `customer stories`, `add your boat`, `city skyline at dawn`.
fn is_to_fill_in(inside: &str) -> bool {
    let begins = |word: &str| inside.starts_with(word) && phrase::holds(inside, word);
    let mut words =
        inside.split(|c: char| !(c.is_alphanumeric() || c == '-')).filter(|word| !word.is_empty()).peekable();
    let is_alone = words.peek().is_some() && words.all(|word| ALONE.contains(&word));
    IN_BRACKETS.iter().any(|word| begins(word))
        || (is_alone && !matches!(inside, "here" | "the" | "of" | "day" | "time"))
        || (begins("add") && ADDED.iter().any(|added| phrase::holds(inside, added)))
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
            "[Add a quote here]",
            "[Add your name]",
            "See [link] and [Link here].",
            "[City], [Date]",
            "[City, State]",
            "[Company Name] of [CITY]",
            "[Customer name] says so.",
            "Subject: Scans\n\nDear Name,\n\nIt is so.",
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
            "Bring these:\n\n- Your name\n- Your title\n* Company name\n1. Your company",
            "[Link in bio]",
            "[Customer stories] [Add your boat]",
            "VISUAL: [City skyline at dawn]",
            "[Email us] or [Number plates] [Date night]",
            "A.\n\nB.\n\nC.\n\nYour name\n\nD.\n\nE.\n\nF.",
        ] {
            assert!(!is_left(text), "{text}");
        }
    }

    #[test]
    fn lines_that_are_nothing_else_go() {
        assert_eq!(without_lines("[Link in bio]\n[Add your boat]"), "[Link in bio]\n[Add your boat]");
        assert_eq!(without_lines("Best,\n[Your Name]\n**[Your Title]**\nAcme [1]"), "Best,\nAcme [1]");
    }
}
