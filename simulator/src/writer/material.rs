//! What may be quoted: whole sentences out of the passages, freed of Markdown, each with its number.
//! Never changes a sentence beyond its markup: a quotation must be found in its source.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::RangeInclusive;

use super::desk;
use crate::prompt::Passage;

const MIN_WORDS: usize = 5;
const MAX_WORDS: usize = 45;
/// More sentences that differ only in their figures are not quoted, as no writer copies a whole timetable.
const MAX_ALIKE: usize = 6;
/// A full stop after these ends no sentence.
const ABBREVIATIONS: [&str; 20] = [
    "e.g", "i.e", "etc", "vs", "cf", "dr", "mr", "mrs", "ms", "prof", "st", "no", "inc", "ltd", "co", "corp", "fig",
    "approx", "u.s", "u.k",
];
/// A sentence that begins with one of these leans on the one before it.
pub(super) const LEANING: [&str; 24] = [
    "it",
    "its",
    "this",
    "that",
    "these",
    "those",
    "they",
    "their",
    "he",
    "she",
    "but",
    "and",
    "or",
    "however",
    "so",
    "also",
    "then",
    "instead",
    "therefore",
    "such",
    "thus",
    "both",
    "otherwise",
    "for",
];

/// The quotable sentences of all passages; each is handed out once.
#[derive(Debug, Clone, Default)]
pub(super) struct Material {
    sources: Vec<Source>,
    /// The source that is asked next where none is preferred.
    next: usize,
}

#[derive(Debug, Clone)]
struct Source {
    n: u32,
    sentences: VecDeque<String>,
}

impl Material {
    /// The business's own passages come first. What several sentences say is quoted once, also where they follow
    /// each other in one passage.
    pub(super) fn of(passages: &[Passage]) -> Self {
        let (mut said, mut alike) = (HashSet::new(), HashMap::<String, usize>::new());
        let mut is_new = |sentence: &String| {
            let key = desk::key(sentence);
            let without_figures = key.chars().filter(|c| !c.is_numeric()).collect();
            let count = alike.entry(without_figures).or_default();
            let is_new = *count < MAX_ALIKE && said.insert(key);
            *count += usize::from(is_new);
            is_new
        };
        let source = |passage: &Passage| {
            let sentences = sentences(&passage.text).into_iter().filter(&mut is_new).collect();
            Source { n: passage.n, sentences }
        };
        let (own, web): (Vec<_>, Vec<_>) = passages.iter().partition(|passage| passage.own);
        Self { sources: own.into_iter().chain(web).map(source).collect(), next: 0 }
    }

    /// Up to `count` sentences that follow each other in one passage, cited: from a preferred passage
    /// if it has any left, else from the passages in turn. What does not fit is passed over for good.
    pub(super) fn run(&mut self, prefer: &[u32], count: usize, fits: impl Fn(&str) -> bool) -> Vec<String> {
        let preferred = (0..self.sources.len()).filter(|i| prefer.contains(&self.sources[*i].n));
        let in_turn = (0..self.sources.len()).map(|i| (self.next + i) % self.sources.len());
        for i in preferred.chain(in_turn).collect::<Vec<_>>() {
            let run = self.sources[i].run(count, &fits);
            if !run.is_empty() {
                self.next = i + 1;
                return run;
            }
        }
        Vec::new()
    }
}

impl Source {
    fn run(&mut self, count: usize, fits: impl Fn(&str) -> bool) -> Vec<String> {
        while self.sentences.front().is_some_and(|first| leans(first) || !fits(first)) {
            self.sentences.pop_front();
        }
        let n = self.n;
        let mut run = Vec::new();
        while run.len() < count
            && let Some(sentence) = self.sentences.pop_front_if(|sentence| fits(sentence))
        {
            run.push(cited(&sentence, n));
        }
        run
    }
}

/// `Water is wet [3].`
pub(super) fn cited(sentence: &str, n: u32) -> String {
    let body = sentence.trim_end_matches(['.', '!', '"', '”', ')']);
    let (body, end) = sentence.split_at(body.len());
    // The number stands before the full stop, but behind a closing quotation mark or bracket.
    let (closing, stop) = (end.trim_matches(['.', '!']), if end.contains('!') { "!" } else { "." });
    format!("{body}{closing} [{n}]{stop}")
}

fn leans(sentence: &str) -> bool {
    let first = sentence.split(|c: char| !c.is_alphabetic()).find(|word| !word.is_empty()).unwrap_or_default();
    LEANING.contains(&first.to_lowercase().as_str())
}

/// The whole sentences of a Markdown text, in order.
pub(super) fn sentences(markdown: &str) -> Vec<String> {
    blocks(markdown).iter().flat_map(|block| split(&plain(block))).filter(|s| is_quotable(s)).collect()
}

/// Paragraphs and list entries, each in one line; headings, tables and code are left out.
fn blocks(markdown: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    let mut in_code = false;
    for line in markdown.lines() {
        let line = line.trim().trim_start_matches('>').trim_start();
        if line.starts_with("```") || line.starts_with("~~~") {
            in_code = !in_code;
            blocks.push(String::new());
        } else if in_code || is_apart(line) {
            blocks.push(String::new());
        } else if let Some(entry) = list_entry(line) {
            blocks.push(entry.to_owned());
        } else if let Some(block) = blocks.last_mut() {
            block.push(' ');
            block.push_str(line);
        }
    }
    blocks
}

/// A line that belongs to no paragraph: blank, a heading, a rule, a table's row, a heading path, a reference.
pub(super) fn is_apart(line: &str) -> bool {
    let rule = line.chars().all(|c| matches!(c, '-' | '=' | '*' | '_' | ' '));
    let table = line.starts_with('|') || line.contains(" | ");
    let reference = line.starts_with('[') && line.contains("]:");
    rule || table || reference || line.starts_with('#') || line.contains(" › ")
}

pub(super) fn list_entry(line: &str) -> Option<&str> {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = (number.len() < line.len()).then_some(number).and_then(|rest| rest.strip_prefix(['.', ')']));
    let bulleted = line.strip_prefix(['-', '*', '+', '•']);
    numbered.or(bulleted).and_then(|entry| entry.strip_prefix(' ')).map(str::trim_start)
}

/// The text without inline markup, its blanks collapsed.
pub(super) fn plain(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    strip(markdown, &mut text);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    [" .", " ,", " ;", " :"].iter().fold(text, |text, gap| text.replace(gap, gap.trim_start()))
}

fn strip(markdown: &str, text: &mut String) {
    let mut rest = markdown;
    while let Some(c) = rest.chars().next() {
        let behind = &rest[c.len_utf8()..];
        rest = match c {
            '!' if behind.starts_with('[') => link(&behind[1..]).map_or(behind, |(_, after)| after),
            '[' => match link(behind) {
                // A bare number is the source's own citation, and would be taken for ours.
                Some((label, after)) if label.bytes().all(|b| b.is_ascii_digit()) => after,
                Some((label, after)) => {
                    strip(label, text);
                    after
                }
                None => behind,
            },
            '<' if behind.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/') => {
                behind.split_once('>').map_or(behind, |(_, after)| after)
            }
            '*' | '`' => behind,
            '_' if !text.ends_with(char::is_alphanumeric) || !behind.starts_with(char::is_alphanumeric) => behind,
            '\\' if behind.starts_with(|c: char| c.is_ascii_punctuation()) => {
                text.push_str(&behind[..1]);
                &behind[1..]
            }
            _ => {
                text.push(c);
                behind
            }
        };
    }
}

/// A link's label and what follows it, from behind its first bracket.
fn link(text: &str) -> Option<(&str, &str)> {
    let (label, after) = text.split_once(']')?;
    let target = |open, close| after.strip_prefix(open).and_then(|target: &str| target.split_once(close));
    let behind = target('(', ')').or_else(|| target('[', ']')).map_or(after, |(_, behind)| behind);
    Some((label, behind))
}

pub(super) fn split(text: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (at, c) in text.char_indices() {
        if !matches!(c, '.' | '!' | '?') {
            continue;
        }
        let end = at
            + text[at..]
                .find(|c: char| !matches!(c, '.' | '!' | '?' | '"' | '”' | '’' | ')'))
                .unwrap_or(text.len() - at);
        if end > start && ends_here(&text[start..at], &text[end..], c) {
            sentences.push(text[start..end].trim().to_owned());
            start = end;
        }
    }
    // What is left is no whole sentence: a label, or a passage cut at its end.
    sentences
}

fn ends_here(before: &str, after: &str, mark: char) -> bool {
    if after.is_empty() {
        return true;
    }
    let word = before.rsplit(' ').next().unwrap_or_default().trim_start_matches(['(', '"', '“']).to_lowercase();
    let abbreviated = mark == '.' && (ABBREVIATIONS.contains(&word.as_str()) || word.chars().count() == 1);
    after.starts_with(' ') && !abbreviated && !after.trim_start().starts_with(char::is_lowercase)
}

fn is_quotable(sentence: &str) -> bool {
    is_whole(sentence, MIN_WORDS..=MAX_WORDS)
}

/// Whether a sentence of so many words can stand by itself in another text.
pub(super) fn is_whole(sentence: &str, lengths: RangeInclusive<usize>) -> bool {
    let words = sentence.split(' ').count();
    let start = sentence.trim_start_matches(['"', '“', '‘', '(']);
    let whole = start.starts_with(|c: char| c.is_uppercase() || c.is_numeric()) && !sentence.ends_with('?');
    let count = |c| sentence.matches(c).count();
    let balanced = count('(') == count(')') && count('“') == count('”') && count('"').is_multiple_of(2);
    // Markup that was left over, and words that point to another place of their page.
    let markup = sentence.contains(['{', '}', '[', ']', '|', '^', '@', '…']) || sentence.contains("://");
    let pointing = || {
        [" below", " above", "following", "this page", "this section", "this guide", "Here are", "Here is", "Here’s"]
            .iter()
            .any(|words| sentence.contains(words))
    };
    let pointer =
        ["For example", "Learn more", "Read more", "Click", "See "].iter().any(|word| start.starts_with(word));
    lengths.contains(&words) && whole && balanced && !markup && !pointer && !pointing()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKDOWN: &str = "# A heading that is long enough to be a sentence.\n\
        Guide › Tides › Causes\n\n\
        The **moon** pulls at the [sea](https://sea.example), e.g. at the coast. It rises twice\na day [3]. Why?\n\n\
        - A list entry with a full stop at the end.\n\
        - a fragment\n\
        2. Number two of the list is quoted as well.\n\n\
        | a table | has no sentences at all. |\n\
        ```\nlet code = \"is not quoted at all.\";\n```\n\
        > Quoted _text_ is text like any other.\n\n\
        Prices rose by 3.5 percent at St. Mary's in 2024. and this tail was cut off by the";

    #[test]
    fn sentences_are_freed_of_markup() {
        let expected = [
            "The moon pulls at the sea, e.g. at the coast.",
            "It rises twice a day.",
            "A list entry with a full stop at the end.",
            "Number two of the list is quoted as well.",
            "Quoted text is text like any other.",
        ];
        assert_eq!(sentences(MARKDOWN), expected);
    }

    #[test]
    fn what_passages_say_again_and_again_is_quoted_once() {
        let leaves = "The ferry leaves at seven in the morning. ".repeat(30);
        let timetable: String =
            (0..30).map(|n| format!("Ferry {n} leaves the harbour at {} o'clock. ", n % 12 + 1)).collect();
        let passage = |n, text: &str| Passage { n, own: true, title: "Ferries".into(), text: text.into() };
        let mut material = Material::of(&[passage(1, &leaves), passage(2, &timetable), passage(3, &leaves)]);
        let runs = std::iter::from_fn(|| Some(material.run(&[], 3, |_| true)).filter(|run| !run.is_empty()));
        let quoted: Vec<String> = runs.flatten().collect();
        assert_eq!(quoted[0], "The ferry leaves at seven in the morning [1].");
        assert_eq!(quoted.len(), 1 + MAX_ALIKE, "{quoted:?}");
    }

    #[test]
    fn abbreviations_and_decimals_do_not_end_a_sentence() {
        let text =
            "Prices rose by 3.5 percent at St. Mary's in 2024. Dr. J. Smith said that it was \"fair for all.\" Done.";
        let expected =
            ["Prices rose by 3.5 percent at St. Mary's in 2024.", "Dr. J. Smith said that it was \"fair for all.\""];
        assert_eq!(sentences(text), expected);
    }

    #[test]
    fn the_number_stands_before_the_full_stop() {
        assert_eq!(cited("Water is wet.", 3), "Water is wet [3].");
        assert_eq!(cited("They called it \"wet.\"", 3), "They called it \"wet\" [3].");
        assert_eq!(cited("What a day!", 1), "What a day [1]!");
        assert_eq!(cited("Water is wet (mostly).", 1), "Water is wet (mostly) [1].");
    }

    #[test]
    fn a_run_follows_the_passage_and_starts_with_no_leaning_sentence() {
        let passage = |n, own, text: &str| Passage { n, own, title: String::new(), text: text.into() };
        let mut material = Material::of(&[
            passage(1, false, "The web has a word to say."),
            passage(
                2,
                true,
                "It leans on something else here. The house has its own word. It goes on from there. More follows after that one.",
            ),
        ]);
        let any = |_: &str| true;
        assert_eq!(material.run(&[], 2, any), ["The house has its own word [2].", "It goes on from there [2]."]);
        assert_eq!(material.run(&[2], 2, any), ["More follows after that one [2]."]);
        assert_eq!(material.run(&[2], 2, any), ["The web has a word to say [1]."]);
        assert!(material.run(&[], 2, any).is_empty());
    }

    #[test]
    fn broken_markup_does_no_harm() {
        for text in ["[", "![", "[a](", "<", "\\", "_", "*", "`", "``` \n never closed. Not at all in here.", "é. É!"]
        {
            assert!(sentences(text).is_empty(), "{text}");
        }
    }
}
