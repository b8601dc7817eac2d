//! Words of an example that a model copied in place of its own: `TITLE`, `"the title"`, `<heading>`,
//! `one or two sentences`. A text about such words is none: its topic has them.

use crate::phrases::{Phrases, phrases};
use crate::text::phrase;

/// What examples say, without articles and marks.
static EXAMPLES: Phrases = phrases!("examples.txt");
/// What they say too, and people say in headings: there it must look like an example.
static WORDS: Phrases = phrases!("example_words.txt");
/// Words in front of them that say no more.
const ARTICLES: [&str; 9] = ["the ", "a ", "an ", "your ", "my ", "this ", "insert ", "write ", "put "];
/// Words behind them that say no more.
const PLACES: [&str; 3] = [" goes here", " here", " of the text"];
/// Labels of lines whose rest is written by the model.
const LABELS: [&str; 7] = ["Subject:", "Preheader:", "Headline:", "Body:", "Call to action:", "VISUAL:", "NARRATION:"];
/// Labels that no format has: the parts of a letter, as the order names them.
const PARTS: [&str; 7] =
    ["Greeting:", "Salutation:", "Sign-off:", "Signoff:", "Email body:", "Subheadline:", "Closing line:"];
/// Labels of ads, which an ad has under its variants.
const AD_LABELS: [&str; 3] = ["Headline:", "Body:", "Call to action:"];
/// What is left of a value that only dots stand for.
const ELLIPSES: [&str; 3] = ["...", "…", "[...]"];
/// How an order says the length of a line.
const LIMITS: [&str; 5] = ["at most ", "up to ", "no more than ", "maximum ", "max "];

/// Whether a value is an example's.
pub fn is_example(value: &str) -> bool {
    bare(value)
        .is_none_or(|bare| EXAMPLES.contains(&bare.as_str()) || WORDS.contains(&bare.as_str()) || is_limit(&bare))
}

/// Whether a heading or a subject is an example's: `Answer 1` and `ANSWER` are, `The answer` is a heading.
pub fn is_example_heading(heading: &str) -> bool {
    if !heading.contains(char::is_alphanumeric) {
        return ELLIPSES.contains(&heading.trim());
    }
    let Some(bare) = bare(heading) else { return false };
    let plain = heading.trim_matches(['*', '_', '#', ' ', '"', '“', '”']);
    let is_slot = plain.starts_with(['[', '<', '{', '('])
        || plain.ends_with(|c: char| c.is_ascii_digit())
        || !plain.contains(char::is_lowercase);
    EXAMPLES.contains(&bare.as_str()) || is_limit(&bare) || (is_slot && WORDS.contains(&bare.as_str()))
}

/// Whether a title, a heading or a labelled line of a text holds an example's words. Those of the topic are the text's
/// own.
pub(super) fn is_left(text: &str, topic: &str) -> bool {
    let topic = topic.to_lowercase();
    let is_own = |slot: &str| bare(slot).is_some_and(|bare| phrase::holds(&topic, &bare));
    slots(text).any(|slot| is_example_heading(slot) && !is_own(slot)) || is_labelled(text)
}

/// Whether the parts of a text are labelled as the order names them, in a format that has no such labels.
fn is_labelled(text: &str) -> bool {
    let begins = |label: &str| text.lines().any(|line| plain(line).starts_with(label));
    let is_ad = text.to_lowercase().contains("variant");
    PARTS.iter().any(|label| begins(label)) || (!is_ad && AD_LABELS.iter().filter(|label| begins(label)).count() > 1)
}

/// A line without emphasis.
fn plain(line: &str) -> &str {
    line.trim_matches(['*', '_', ' '])
}

/// What stands in the headings and behind the labels of a text.
fn slots(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter_map(|line| {
        let heading = line.trim_start_matches('#');
        if heading.len() < line.len() {
            // `###` alone ends a press release.
            return heading.strip_prefix(' ').map(str::trim).filter(|heading| !heading.is_empty());
        }
        // The text of a label may stand on the next line.
        let line = line.trim_start_matches(['*', '_']);
        LABELS.iter().find_map(|label| line.strip_prefix(label)).map(plain).filter(|slot| !slot.is_empty())
    })
}

/// Whether a value is the limit of a line: `at most 60 characters`.
fn is_limit(bare: &str) -> bool {
    let rest = LIMITS.iter().find_map(|limit| bare.strip_prefix(limit));
    let unit = rest.map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    unit.is_some_and(|unit| matches!(unit, " characters" | " words" | " sentences"))
}

/// A value in lower case without marks, articles and numbers; `None` where nothing is left.
fn bare(value: &str) -> Option<String> {
    let marks = |c: char| !c.is_alphanumeric();
    let lower = value.trim_matches(marks).to_lowercase().replace(['_', '’'], " ").replace("text s", "text's");
    let mut bare = lower.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
    while let Some(rest) = ARTICLES.iter().find_map(|article| bare.strip_prefix(article)) {
        bare = rest;
    }
    bare = PLACES.iter().find_map(|place| bare.strip_suffix(place)).unwrap_or(bare);
    let is_number = bare.is_empty() && !lower.is_empty();
    (!bare.is_empty() || is_number).then(|| if is_number { lower.clone() } else { bare.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_examples_words_are_no_answer_however_they_are_copied() {
        for value in [
            "TITLE",
            "\"the title\"",
            "The title",
            "<title>",
            "[Your title]",
            "{title}",
            "the text's title",
            "Title here",
            "HEADING",
            "Section heading 1",
            "POINT",
            "TEXT",
            "string",
            "...",
            "…",
            "",
            "ONE_OR_TWO_SENTENCES",
            "one or two sentences",
            "<one or two sentences>",
            "Insert your headline here",
            "SUBJECT LINE",
            "**Hero**",
            "the whole paragraph anew",
            "a new paragraph behind that one",
            "at most 60 characters",
        ] {
            assert!(is_example(value), "{value}");
        }
        for value in [
            "Title insurance in ten minutes",
            "The point of a second reading",
            "Headings that say something",
            "2026",
            "100",
            "Questions and answers",
            "Text messages that patients read",
            "A name you can trust",
            "Body and mind",
            "One or two sentences are enough to say why",
            "我们",
            "Numbers",
        ] {
            assert!(!is_example(value), "{value}");
        }
    }

    #[test]
    fn lines_that_a_model_fills_in_are_looked_at() {
        let rest = "\n\nEvery scan is read twice, by a model and by a radiologist.";
        for line in [
            "# TITLE",
            "# the title",
            "# Blog title",
            "Subject: the title",
            "Subject: \"Subject line\"",
            "Subject: at most 60 characters",
            "## Heading 1",
            "## Section 1",
            "## ANSWER",
            "## [Question]",
            "## Point 2",
            "## ...",
            "Headline: HEADLINE",
            "Body: ...",
            "**Body:** Body text",
            "NARRATION: NARRATION",
            "Greeting: Hello Ann,\nSign-off: Kind regards",
            "**Greeting:** Hello Ann,",
            "Headline: Read twice\nBody: Every scan is read twice.",
        ] {
            assert!(is_left(&format!("{line}{rest}"), "Scans"), "{line}");
        }
        for line in [
            "# Titles are read first",
            "Subject: Your title deed is here",
            "###",
            "Text",
            "#One #Two",
            "## Questions",
            "## The answer",
            "## The question",
            "## The point",
            "## Action",
            "## Value",
            "## Body",
            "## Content",
            "## Comments",
            "## 🎉",
            "Subject: A question",
            "Subject: Your question",
            "Subject: 🎉",
            "Call to action: Comment",
            "NARRATION:",
            "VISUAL:\nA scan",
            "Body:",
            "Body: magnesium",
            "## Variant 1\n\nHeadline: Read twice\nBody: Every scan is read twice.\nCall to action: Book",
            "Greetings from the harbour: we are open.",
        ] {
            assert!(!is_left(&format!("{line}{rest}"), "Scans"), "{line}");
        }
        assert!(!is_left(&format!("# HERO{rest}"), "The camera Hero 12"), "it is the product's name");
    }
}
