//! Sentences of a business's style guides and policies that tell how its texts are written: what the writer is told
//! beside the voice, and never shown as material.

use std::sync::LazyLock;

use copydesk_domain::document::{Chunk, DocumentKind};
use regex::Regex;

use crate::phrases::{Patterns, is_match};
use crate::text::clip::chars;
use crate::text::sentence;

/// The most sentences, and their most characters together: every prompt of the business begins with them.
const MAX_RULES: usize = 12;
const MAX_CHARS: usize = 1_200;
/// The length of a rule that stands alone, in characters.
const LENGTH: std::ops::RangeInclusive<usize> = 20..=200;

/// How a rule on texts begins, or what it says.
static RULE: Patterns = LazyLock::new(|| {
    Regex::new(
        r"(?i)^(avoid|never|always|don'?t|do not|use|write|prefer|keep|say|address|spell|capitali[sz]e|we (do not|don'?t|never|write|say|use|speak|avoid|sound)|every text|no text|numbers|sentences|headings|a heading|a paragraph|prices)\b|\b(must not|may not) (be )?(named?|mention(ed)?|quoted?|publish(ed)?|promised?|said)\b",
    )
    .ok()
});
/// What a rule for people at work says: not for a writer.
static FOR_STAFF: Patterns = LazyLock::new(|| {
    Regex::new(r"(?i)https?://|\b(slack|channel|github|google|figma|notion|zoom|calendar|manager|teammates?|pull request|repository|handbook|click|template)\b|[<>{}|]|\]\(|#[a-z]").ok()
});

/// The rules in the order of the documents, style guides first.
pub fn guidance(passages: &[Chunk]) -> Vec<String> {
    let mut guides: Vec<&Chunk> = passages.iter().filter(|passage| passage.kind.is_guidance()).collect();
    guides.sort_by_key(|passage| (passage.kind != DocumentKind::StyleGuide, passage.document_id, passage.ordinal));
    let (mut rules, mut left): (Vec<String>, usize) = (Vec::new(), MAX_CHARS);
    for rule in guides.iter().flat_map(|passage| rules_of(&passage.text)) {
        let takes = chars(&rule);
        if rules.len() < MAX_RULES && takes <= left && !rules.contains(&rule) {
            left -= takes;
            rules.push(rule);
        }
    }
    rules
}

fn rules_of(text: &str) -> Vec<String> {
    let plain = |line: &str| {
        line.trim_start_matches(|c: char| c.is_ascii_digit() || "-*+>. )".contains(c)).replace(['*', '_', '`'], "")
    };
    // A paragraph's lines are one; a list's are not.
    let mut blocks = vec![String::new()];
    for line in text.lines().map(str::trim) {
        let begins = line.is_empty()
            || line.starts_with(['-', '*', '+', '|', '#'])
            || line.starts_with(|c: char| c.is_ascii_digit());
        if begins {
            blocks.push(String::new());
        }
        if let Some(block) = blocks.last_mut().filter(|_| !line.starts_with(['|', '#'])) {
            block.push_str(line);
            block.push(' ');
        }
    }
    let blocks = blocks.iter().map(|block| plain(block)).collect::<Vec<_>>();
    let sentences = blocks.iter().flat_map(|block| sentence::ended(block)).map(str::trim);
    let rules =
        sentences.filter(|rule| LENGTH.contains(&chars(rule)) && is_match(&RULE, rule) && !is_match(&FOR_STAFF, rule));
    rules.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(kind: DocumentKind, text: &str) -> Chunk {
        Chunk {
            document_id: copydesk_domain::id::DocumentId(uuid::Uuid::nil()),
            ordinal: 0,
            heading_path: String::new(),
            text: text.to_owned(),
            title: String::new(),
            url: None,
            language: None,
            kind,
        }
    }

    #[test]
    fn rules_on_texts_are_taken_and_nothing_else() {
        let style = "1. **No fear.** Pain is information. We do not write \"suffer\" or \"agony\".\n\nAvoid long words\nwhere short ones do.\n\n- Use the 3rd person in press releases.\n- Post it in the Slack channel before noon.\n\n| a | b |";
        let policy = "Prices of partners must not be named. Employees wear a badge.";
        let found = guidance(&[
            passage(DocumentKind::Policy, policy),
            passage(DocumentKind::StyleGuide, style),
            passage(DocumentKind::Product, "Use the small bit for wood and nothing else."),
        ]);
        assert_eq!(
            found,
            [
                "We do not write \"suffer\" or \"agony\".",
                "Avoid long words where short ones do.",
                "Use the 3rd person in press releases.",
                "Prices of partners must not be named.",
            ]
        );
        let many: String = (0..99).map(|n| format!("- Never write the number {n} in a heading.\n")).collect();
        let found = guidance(&[passage(DocumentKind::StyleGuide, &many)]);
        assert!(found.len() == MAX_RULES && found.iter().map(|rule| chars(rule)).sum::<usize>() <= MAX_CHARS);
    }
}
