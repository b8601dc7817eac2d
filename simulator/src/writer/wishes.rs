//! What the prompt's lessons ask for, as far as it can be checked by a machine. The writer follows
//! each with a probability of 0.9, as a good model would. Understands plain English only; a lesson
//! that it does not understand has no effect.

use rand::RngExt;

use crate::seed::Rng;

const FOLLOWED: f64 = 0.9;
const NEGATIVE: [&str; 15] = [
    "never",
    "don't",
    "don’t",
    "do not",
    "avoid",
    "no ",
    "not ",
    "without",
    "stop ",
    "banned",
    "ban ",
    "forbidden",
    "refrain",
    "leave out",
    "remove",
];
const AT_MOST: [&str; 16] = [
    "at most",
    "no more than",
    "not more than",
    "under",
    "fewer than",
    "less than",
    "max",
    "below",
    "up to",
    "or fewer",
    "or less",
    "within",
    "limit",
    "keep it to",
    "stay",
    "exceed",
];
const AT_LEAST: [&str; 5] = ["at least", "more than", "minimum", "or more", "over"];
const SHORTER: [&str; 7] = ["shorter", "shorten", "too long", "concise", "more brief", "be brief", "cut the length"];
const LONGER: [&str; 4] = ["longer", "too short", "more detail", "go deeper"];
const MENTION: [&str; 10] = [
    "must mention",
    "mention",
    "must include",
    "include",
    "refer to",
    "use the word",
    "use the phrase",
    "use the term",
    "must name",
    "say",
];
const BAN: [&str; 12] = [
    "banned words",
    "banned word",
    "banned phrase",
    "the word",
    "the words",
    "the phrase",
    "the term",
    "use",
    "using",
    "say",
    "saying",
    "avoid",
];

/// The wishes that this text follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// Words and phrases that must not occur, in lower case.
    pub(super) banned: Vec<String>,
    /// Words and phrases that must occur.
    pub(super) mentions: Vec<String>,
    pub(super) no_exclamation: bool,
    pub(super) max_words: Option<usize>,
    pub(super) min_words: Option<usize>,
    pub(super) shorter: bool,
    pub(super) longer: bool,
    pub(super) call_to_action: Option<bool>,
    pub(super) question: bool,
}

impl Wishes {
    /// Reads the lessons and the review's fixes, and forgets one in ten. A fix's lengths are left out:
    /// it tells of the draft's, and the writer aims at the target anyway.
    pub(super) fn of(lessons: &[String], fixes: &[String], rng: &mut Rng) -> Self {
        let mut wishes = Self::default();
        lessons.iter().filter(|_| rng.random_bool(FOLLOWED)).for_each(|lesson| wishes.read(lesson));
        let mut mended = Self::default();
        fixes.iter().filter(|_| rng.random_bool(FOLLOWED)).for_each(|fix| mended.read(fix));
        wishes.banned.append(&mut mended.banned);
        wishes.mentions.append(&mut mended.mentions);
        wishes.no_exclamation |= mended.no_exclamation;
        wishes.call_to_action = wishes.call_to_action.or(mended.call_to_action);
        wishes
    }

    fn read(&mut self, lesson: &str) {
        let lower = lesson.to_lowercase();
        let has = |phrases: &[&str]| phrases.iter().any(|phrase| lower.contains(phrase));
        let negative = has(&NEGATIVE);
        if lower.contains("exclamation") {
            self.no_exclamation |= negative;
        } else if lower.contains("call to action") || lower.contains("call-to-action") || lower.contains("cta") {
            self.call_to_action = Some(!negative);
        } else if let Some(count) = word_count(&lower) {
            match (has(&AT_MOST), has(&AT_LEAST)) {
                (false, true) => self.min_words = self.min_words.max(Some(count)),
                _ => self.max_words = Some(self.max_words.map_or(count, |max| max.min(count))),
            }
        } else if has(&SHORTER) {
            self.shorter = true;
        } else if has(&LONGER) {
            self.longer = true;
        } else if lower.contains("question") && !negative {
            self.question = true;
        } else if negative {
            self.banned.extend(named(lesson, &BAN).iter().map(|word| word.to_lowercase()));
        } else if has(&MENTION) {
            self.mentions.extend(named(lesson, &MENTION));
        }
    }

    /// Whether a text holds a banned word.
    pub(super) fn forbid(&self, text: &str) -> bool {
        !self.banned.is_empty() && {
            let lower = text.to_lowercase();
            self.banned.iter().any(|banned| find_word(&lower, banned).is_some())
        }
    }

    /// The length to aim at.
    pub(super) fn aim(&self, words: usize) -> usize {
        let words = if self.shorter { words * 7 / 10 } else { words };
        let words = if self.longer { words * 13 / 10 } else { words };
        let words = words.max(self.min_words.map_or(0, |min| min * 11 / 10));
        self.max_words.map_or(words, |max| words.min(max * 9 / 10))
    }

    /// The text without what slipped through: a banned word in a title, an exclamation mark in a quotation.
    pub(super) fn enforce(&self, mut text: String) -> String {
        if self.no_exclamation {
            text = text.replace('!', ".");
        }
        for banned in &self.banned {
            while let Some(at) = find_word(&text.to_lowercase(), banned).filter(|at| text.is_char_boundary(*at)) {
                let end = text.ceil_char_boundary(at + banned.len());
                let end = end + usize::from(text[end..].starts_with(' '));
                text.replace_range(at..end, "");
            }
        }
        text
    }
}

/// The number in "… 120 words …" or "120-word".
fn word_count(lower: &str) -> Option<usize> {
    let at = lower.find(" word").or_else(|| lower.find("-word"))?;
    let digits: String = lower[..at].chars().rev().take_while(char::is_ascii_digit).collect();
    digits.chars().rev().collect::<String>().parse().ok()
}

/// What a lesson names: in quotation marks if it uses any, else what follows one of the phrases.
fn named(lesson: &str, phrases: &[&str]) -> Vec<String> {
    let quoted = quoted(lesson);
    if !quoted.is_empty() {
        return quoted;
    }
    let lower = lesson.to_lowercase();
    let behind = phrases.iter().filter_map(|phrase| find_word(&lower, phrase).map(|at| at + phrase.len())).max();
    let Some(rest) = behind.and_then(|at| lesson.get(at..)) else { return Vec::new() };
    let rest = rest.trim_start_matches([':', ' ']);
    let clause = rest.split(['.', ';', '!', '(']).next().unwrap_or_default();
    let names = clause.split(',').flat_map(|part| part.split(" or ")).map(bare);
    names.filter(|name| !name.is_empty() && name.split(' ').count() <= 4).collect()
}

fn bare(name: &str) -> String {
    let name = name.trim().trim_matches(['"', '“', '”']);
    let articles = ["the word ", "the phrase ", "the term ", "words like ", "the ", "our ", "a ", "an ", "and "];
    articles.iter().fold(name, |name, article| name.strip_prefix(article).unwrap_or(name)).to_owned()
}

fn quoted(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((at, open)) = rest.char_indices().find(|(at, c)| opens_quote(rest, *at, *c)) {
        let close = match open {
            '“' => '”',
            '‘' => '’',
            '«' => '»',
            same => same,
        };
        let behind = &rest[at + open.len_utf8()..];
        let Some((inside, after)) = behind.split_once(close) else { break };
        if !inside.trim().is_empty() {
            found.push(inside.trim().trim_end_matches(['.', ',']).to_owned());
        }
        rest = after;
    }
    found
}

/// An apostrophe opens a quotation only at the start of a word.
fn opens_quote(text: &str, at: usize, c: char) -> bool {
    let starts_word = !text[..at].ends_with(char::is_alphanumeric);
    matches!(c, '"' | '“' | '«') || (matches!(c, '\'' | '‘' | '`') && starts_word)
}

/// Where a word or phrase stands as a whole in a text.
fn find_word(text: &str, word: &str) -> Option<usize> {
    let stands_alone = |at: &usize| {
        let before = text[..*at].chars().next_back().is_some_and(char::is_alphanumeric);
        let after = text[at + word.len()..].chars().next().is_some_and(char::is_alphanumeric);
        !before && !after
    };
    if word.is_empty() { None } else { text.match_indices(word).map(|(at, _)| at).find(stands_alone) }
}

/// Whether a text holds a word or phrase, whatever the case.
pub(super) fn mentions(text: &str, word: &str) -> bool {
    find_word(&text.to_lowercase(), &word.to_lowercase()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed;

    fn read(lesson: &str) -> Wishes {
        let mut wishes = Wishes::default();
        wishes.read(lesson);
        wishes
    }

    #[test]
    fn banned_words_are_understood() {
        for lesson in [
            "Never use \"synergy\".",
            "Avoid the word synergy.",
            "Do not use 'synergy' in the text",
            "Don't say synergy",
            "Banned word: synergy",
            "Avoid “Synergy”; it is jargon.",
        ] {
            assert_eq!(read(lesson).banned, ["synergy"], "{lesson}");
        }
        assert_eq!(read("Never use synergy, leverage or delve.").banned, ["synergy", "leverage", "delve"]);
    }

    #[test]
    fn mentions_are_understood() {
        for lesson in
            ["Must mention \"free parking\"", "Always mention free parking.", "Include the phrase 'free parking'."]
        {
            assert_eq!(read(lesson).mentions, ["free parking"], "{lesson}");
        }
    }

    #[test]
    fn lengths_marks_and_calls_to_action_are_understood() {
        assert_eq!(read("Keep it under 120 words.").max_words, Some(120));
        assert_eq!(read("No more than 90 words").max_words, Some(90));
        assert_eq!(read("At least 300 words, please").min_words, Some(300));
        assert!(read("Make it shorter.").shorter);
        assert!(read("No exclamation marks").no_exclamation);
        assert!(!read("Use exclamation marks").no_exclamation);
        assert_eq!(read("End with a clear call to action").call_to_action, Some(true));
        assert_eq!(read("No call to action, please").call_to_action, Some(false));
        assert!(read("Open with a question").question);
        assert_eq!(read("Be kinder to the reader"), Wishes::default());
    }

    #[test]
    fn nine_lessons_in_ten_are_followed() {
        let mut rng = seed::rng(3, &[]);
        let lessons = ["No exclamation marks".to_owned()];
        let followed = (0..1_000).filter(|_| Wishes::of(&lessons, &[], &mut rng).no_exclamation).count();
        assert!((860..940).contains(&followed), "{followed}");
    }

    #[test]
    fn fixes_are_followed_but_their_lengths_are_not() {
        let fixes = ["Remove the word \"synergy\".", "The text has 90 words and the target is 300: expand it."];
        let wishes = Wishes::of(&[], &fixes.map(str::to_owned), &mut seed::rng(1, &[]));
        assert_eq!((wishes.banned.as_slice(), wishes.max_words), (&["synergy".to_owned()][..], None));
    }

    #[test]
    fn what_slipped_through_is_taken_out() {
        let wishes = Wishes { banned: vec!["deep dive".into()], no_exclamation: true, ..Wishes::default() };
        assert_eq!(wishes.enforce("A Deep Dive into it! deep dives stay".into()), "A into it. deep dives stay");
        assert!(wishes.forbid("a DEEP dive") && !wishes.forbid("a deep diver"));
    }

    #[test]
    fn the_aim_follows_the_lengths() {
        let wishes = Wishes { max_words: Some(100), ..Wishes::default() };
        assert_eq!((wishes.aim(400), wishes.aim(50)), (90, 50));
        assert_eq!(Wishes { shorter: true, ..Wishes::default() }.aim(100), 70);
    }
}
