//! LinkedIn posts: a hook, short paragraphs, a closing question, three to five hashtags.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use copydesk_domain::format::Format;
use copydesk_words::words;

use super::fallback::{Material, Telling};
use super::spec::{Checks, Rules, Spec};
use crate::text::clip::chars;
use crate::text::language::asks;
use crate::text::page::Page;

/// LinkedIn's own limit, in characters.
const MAX_CHARS: usize = 3_000;
/// About the length that LinkedIn shows before "see more", in characters.
const MAX_HOOK_CHARS: usize = 210;
/// The longest paragraph that reads well on a phone, in characters.
const MAX_PARAGRAPH_CHARS: usize = 600;

pub(super) const SPEC: Spec = Spec {
    format: Format::LinkedIn,
    shape: include_str!("../../shapes/linkedin.md.j2"),
    sections: &["Hook", "What we see", "What it means", "Question to the reader"],
    is_prose: true,
    limits_its_length: false,
    check,
    compose,
};

fn check(page: &Page<'_>, rules: &Rules<'_>, checks: &mut Checks) {
    checks.require("headings", page.sections.len() == 1, "Use no headings.");
    let paragraphs = page.paragraphs();
    let lengths = paragraphs.iter().map(|lines| lines.iter().map(|line| chars(line) + 1).sum::<usize>());
    let longest = lengths.clone().max().unwrap_or(0);
    checks.require("total_length", lengths.sum::<usize>() <= MAX_CHARS, format!("Stay within {MAX_CHARS} characters."));
    checks.require(
        "paragraph_length",
        longest <= MAX_PARAGRAPH_CHARS,
        "Break long paragraphs up: a few short lines each.",
    );
    let hooked = paragraphs.len() >= 3 && paragraphs[0].len() == 1 && chars(paragraphs[0][0]) <= MAX_HOOK_CHARS;
    checks.require("hook", hooked, "Open with a hook: one short line of its own, then short paragraphs.");
    let tags: Vec<&str> = page.last().split_whitespace().collect();
    let tagged = (3..=5).contains(&tags.len()) && tags.iter().all(|tag| is_hashtag(tag));
    checks.require("hashtags", tagged, "End with one line of three to five #hashtags.");
    let asks = page.written().rev().skip(1).take(2).any(|line| asks(line, rules.language));
    checks.require("question", asks, "Close with a question to the reader, before the hashtags.");
}

fn is_hashtag(word: &str) -> bool {
    // Vowel signs and tone marks of many scripts are no letters by themselves.
    let is_inside = |c: char| c.is_alphanumeric() || c == '_' || !c.is_ascii();
    word.strip_prefix(['#', '＃']).is_some_and(|tag| !tag.is_empty() && tag.chars().all(is_inside))
}

fn compose(material: &Material<'_>) -> String {
    let mut telling = Telling::of(material);
    let hook = telling.within(MAX_HOOK_CHARS);
    let paragraphs = (0..3).map(|_| telling.sentence()).collect::<Vec<_>>().join("\n\n");
    let tags = hashtags(material);
    format!("{hook}\n\n{paragraphs}\n\nWhat has your experience been?\n\n{tags}\n")
}

/// The business, the topic's words that its sentences speak of most, and general ones where those are too few.
fn hashtags(material: &Material<'_>) -> String {
    let told: Vec<BTreeSet<String>> = material.facts.iter().map(|fact| words(&fact.text)).collect();
    // Stop words have no stem: they are no tags.
    let stem = |word: &str| words(word).into_iter().next();
    let count = |stem: &String| told.iter().filter(|words| words.contains(stem)).count();
    let topic = material.title.split(|c: char| !c.is_alphanumeric()).filter(|word| chars(word) > 3);
    let mut topic: Vec<(usize, &str)> = topic.filter_map(|word| Some((count(&stem(word)?), word))).collect();
    topic.sort_by_key(|(count, _)| Reverse(*count));
    let business: String = material.business.split(|c: char| !c.is_alphanumeric()).map(capitalized).collect();
    // A tag of figures alone links nowhere.
    let business = Some(business).filter(|name| name.chars().any(char::is_alphabetic));
    let topic = topic.into_iter().take(3).map(|(_, word)| capitalized(word));
    let general = ["Insights", "Practice", "Knowledge"].map(str::to_owned);
    let mut tags: Vec<String> = Vec::new();
    for word in business.into_iter().chain(topic).chain(general) {
        let tag = format!("#{word}");
        if tags.len() < 4 && !tags.iter().any(|known| known.eq_ignore_ascii_case(&tag)) {
            tags.push(tag);
        }
    }
    tags.join(" ")
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::format::tests::lacks;
    use copydesk_domain::format::Format::LinkedIn;

    #[test]
    fn the_shape_is_held() {
        lacks(LinkedIn, "A hook.\n\nA paragraph.\n\nWhat do you think?\n\n#One #Two #Three", &[]);
        lacks(LinkedIn, "A hook.\n\nA paragraph.\n\nคุณคิดอย่างไร?\n\n#ท่าเรือ #กาแฟ่ #हिन्दी", &[]);
        lacks(LinkedIn, "A hook.\n\nA paragraph.\n\nIt ends.\n\n#One #Two", &["hashtags", "question"]);
        lacks(LinkedIn, "# T\n\nA hook.\n\nA paragraph?\n\n#One #Two #Three", &["headings"]);
        let wall = format!("A hook.\n\n{}?\n\n#One #Two #Three", "word ".repeat(130));
        lacks(LinkedIn, &wall, &["long paragraphs"]);
        let endless = format!("A hook.\n\n{}Why?\n\n#One #Two #Three", format!("{}\n\n", "word ".repeat(90)).repeat(8));
        lacks(LinkedIn, &endless, &["3000 characters"]);
    }
}
