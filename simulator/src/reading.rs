//! What a sentence of plain English asks of a text, as a model of middling size would read it: by its words. Reads
//! English only; what it does not understand asks for nothing. Whether a text then follows is the writer's.

use std::ops::Range;

/// Something that a text is asked to do, or not to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Words that must not occur, in lower case.
    Ban(String),
    /// Words that must occur.
    Mention(String),
    /// Words to use, and the ones that they take the place of.
    Prefer {
        term: String,
        over: String,
    },
    /// Words of the whole text.
    Length(Bound, usize),
    /// Shorter, or longer, than the text was.
    Shorter,
    Longer,
    /// How the text opens.
    Opening(Opening, bool),
    /// A call to action.
    Call(bool),
    /// A mark.
    Mark(Mark, bool),
    /// Whom it speaks as, or to.
    Person(Person, bool),
    /// Words of a sentence, on average.
    Sentences(Bound, usize),
    /// Headings below the title.
    Headings(Bound, usize),
    /// Lists with bullets.
    Lists(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    AtMost,
    AtLeast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    Question,
    Figure,
    Address,
    Greeting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Exclamation,
    EmDash,
    Semicolon,
    Ellipsis,
    Emoji,
    Hashtag,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Person {
    First,
    Second,
}

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
/// Fewer of something that can be left out is none of it.
const FEWER: [&str; 4] = ["fewer ", "less ", "too many", "too much"];
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
const MARKS: [(&str, Mark); 10] = [
    ("exclamation", Mark::Exclamation),
    ("em dash", Mark::EmDash),
    ("em-dash", Mark::EmDash),
    ("dashes", Mark::EmDash),
    ("semicolon", Mark::Semicolon),
    ("ellips", Mark::Ellipsis),
    ("emoji", Mark::Emoji),
    ("emoticon", Mark::Emoji),
    ("smiley", Mark::Emoji),
    ("hashtag", Mark::Hashtag),
];
const OPENS: [&str; 8] =
    ["open with", "opening", "begin with", "start with", "first sentence", "first line", "open by", "start by"];
const OPENINGS: [(&str, Opening); 8] = [
    ("question", Opening::Question),
    ("figure", Opening::Figure),
    ("number", Opening::Figure),
    ("statistic", Opening::Figure),
    ("greeting", Opening::Greeting),
    ("hello", Opening::Greeting),
    ("to the reader", Opening::Address),
    ("the reader directly", Opening::Address),
];
const SECOND: [&str; 5] = ["\"you\"", "“you”", "second person", "speak to the reader", "address the reader"];
const FIRST: [&str; 4] = ["\"we\"", "“we”", "first person", "speak as we"];
/// A sentence is short, or long, by so many words where nobody says how many.
const SHORT_SENTENCE: usize = 12;
const LONG_SENTENCE: usize = 18;

/// What a text of one or more sentences asks for.
pub(crate) fn read(text: &str) -> Vec<Wish> {
    sentences(text).flat_map(read_sentence).collect()
}

/// The sentences of a text; a full stop in quotation marks ends none.
pub(crate) fn sentences(text: &str) -> impl Iterator<Item = &str> {
    let mut starts = vec![0];
    let (mut is_quoted, mut ends) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => is_quoted = !is_quoted,
            '“' => is_quoted = true,
            '”' => is_quoted = false,
            c if c.is_whitespace() && ends => starts.push(at),
            _ => {}
        }
        ends = c == '\n' || !is_quoted && matches!(c, '.' | '!' | '?');
    }
    let stops = starts.iter().skip(1).copied().chain([text.len()]).collect::<Vec<_>>();
    starts.into_iter().zip(stops).map(|(start, stop)| text[start..stop].trim()).filter(|text| !text.is_empty())
}

fn read_sentence(sentence: &str) -> Vec<Wish> {
    let lower = sentence.to_lowercase();
    if let Some(wish) = of_form(&lower) {
        return vec![wish];
    }
    if let Some(wish) = preference(sentence) {
        return vec![wish];
    }
    if is_negative(&lower) {
        named(sentence, &BAN).into_iter().map(|word| Wish::Ban(word.to_lowercase())).collect()
    } else if has(&lower, &MENTION) {
        named(sentence, &MENTION).into_iter().map(Wish::Mention).collect()
    } else {
        Vec::new()
    }
}

/// What a sentence asks for that is not about certain words.
fn of_form(lower: &str) -> Option<Wish> {
    let wanted = !is_negative(lower);
    let has = |phrases: &[&str]| has(lower, phrases);
    if let Some((_, mark)) = MARKS.iter().find(|(name, _)| lower.contains(name)) {
        return Some(Wish::Mark(*mark, wanted && !has(&FEWER)));
    }
    if has(&["call to action", "call-to-action", "cta"]) {
        return Some(Wish::Call(wanted));
    }
    if lower.contains("heading") {
        let (bound, count) = headings(lower, wanted);
        return Some(Wish::Headings(bound, count));
    }
    if ["bullet", "bullets", "list", "lists"].iter().any(|word| find_word(lower, word).is_some()) {
        return Some(Wish::Lists(wanted));
    }
    if let Some(wish) = opening(lower, wanted) {
        return Some(wish);
    }
    if lower.contains("sentence") && has(&["short", "long", "words"]) {
        let bound = if has(&["longer", "too short", "at least"]) { Bound::AtLeast } else { Bound::AtMost };
        let usual = if bound == Bound::AtMost { SHORT_SENTENCE } else { LONG_SENTENCE };
        return Some(Wish::Sentences(bound, word_count(lower).unwrap_or(usual)));
    }
    if has(&SECOND) {
        return Some(Wish::Person(Person::Second, wanted));
    }
    if has(&FIRST) {
        return Some(Wish::Person(Person::First, wanted));
    }
    length(lower)
}

fn headings(lower: &str, wanted: bool) -> (Bound, usize) {
    // Headings stand below a title, and under it: that bounds nothing.
    let is_least = has(lower, &["at least", "or more", "minimum"]) || (wanted && lower.contains("more than"));
    match (number(lower), is_least, wanted) {
        (Some(count), true, _) => (Bound::AtLeast, count),
        (Some(count), ..) => (Bound::AtMost, count),
        (None, _, true) if !has(lower, &FEWER) => (Bound::AtLeast, 1),
        (None, ..) => (Bound::AtMost, 0),
    }
}

fn opening(lower: &str, wanted: bool) -> Option<Wish> {
    let (_, kind) = OPENINGS.iter().find(|(name, _)| lower.contains(name))?;
    // A question to the reader is one wherever it stands; of others only an opening is meant.
    let is_meant = has(lower, &OPENS) || (*kind == Opening::Question && wanted);
    is_meant.then_some(Wish::Opening(*kind, wanted))
}

fn length(lower: &str) -> Option<Wish> {
    if let Some(count) = word_count(lower) {
        let bound = match (has(lower, &AT_MOST), has(lower, &AT_LEAST)) {
            (false, true) => Bound::AtLeast,
            _ => Bound::AtMost,
        };
        return Some(Wish::Length(bound, count));
    }
    if has(lower, &SHORTER) {
        return Some(Wish::Shorter);
    }
    has(lower, &LONGER).then_some(Wish::Longer)
}

/// `Say "x", and never "y"`, `Use "x" instead of "y"`, `"x", not "y"`.
fn preference(sentence: &str) -> Option<Wish> {
    let quotes = quotations(sentence);
    let [(before, first), (behind, second), ..] = quotes.as_slice() else { return None };
    let lower = sentence.to_lowercase();
    let between = sentence.get(before.end..behind.start)?.to_lowercase();
    let (term, over) = if has(&between, &["instead of", "rather than", "in place of", "never", "not "]) {
        (first, second)
    } else if lower.starts_with("instead of") || (has(&lower, &["replace"]) && has(&between, &["with ", " by "])) {
        (second, first)
    } else {
        return None;
    };
    Some(Wish::Prefer { term: term.clone(), over: over.to_lowercase() })
}

pub(crate) fn is_negative(lower: &str) -> bool {
    has(lower, &NEGATIVE)
}

fn has(lower: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| lower.contains(phrase))
}

/// The number in "… 120 words …" or "120-word".
fn word_count(lower: &str) -> Option<usize> {
    let at = lower.find(" word").or_else(|| lower.find("-word"))?;
    let digits: String = lower[..at].chars().rev().take_while(char::is_ascii_digit).collect();
    digits.chars().rev().collect::<String>().parse().ok()
}

/// The first number of a sentence, in digits or as a word.
fn number(lower: &str) -> Option<usize> {
    const NAMED: [&str; 7] = ["zero", "one", "two", "three", "four", "five", "six"];
    lower
        .split(|c: char| !c.is_alphanumeric())
        .find_map(|word| word.parse().ok().or_else(|| NAMED.iter().position(|name| *name == word)))
}

/// What a sentence names: in quotation marks if it uses any, else what follows one of the phrases.
fn named(sentence: &str, phrases: &[&str]) -> Vec<String> {
    let quoted: Vec<String> = quotations(sentence).into_iter().map(|(_, inside)| inside).collect();
    if !quoted.is_empty() {
        return quoted;
    }
    let lower = sentence.to_lowercase();
    let behind = phrases.iter().filter_map(|phrase| find_word(&lower, phrase).map(|at| at + phrase.len())).max();
    let Some(rest) = behind.and_then(|at| sentence.get(at..)) else { return Vec::new() };
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

/// What stands in quotation marks, each with its place.
fn quotations(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some((at, open)) = text[from..].char_indices().find(|(at, c)| opens_quote(&text[from..], *at, *c)) {
        let close = match open {
            '“' => '”',
            '‘' => '’',
            '«' => '»',
            same => same,
        };
        let inside = from + at + open.len_utf8();
        let Some(length) = text[inside..].find(close) else { break };
        let quoted = text[inside..inside + length].trim();
        if !quoted.is_empty() {
            found.push((from + at..inside + length, quoted.trim_end_matches(['.', ',']).to_owned()));
        }
        from = inside + length + close.len_utf8();
    }
    found
}

/// An apostrophe opens a quotation only at the start of a word.
fn opens_quote(text: &str, at: usize, c: char) -> bool {
    let starts_word = !text[..at].ends_with(char::is_alphanumeric);
    matches!(c, '"' | '“' | '«') || (matches!(c, '\'' | '‘' | '`') && starts_word)
}

/// Where a word or phrase stands as a whole in a text.
pub(crate) fn find_word(text: &str, word: &str) -> Option<usize> {
    let stands_alone = |at: &usize| {
        let before = text[..*at].chars().next_back().is_some_and(char::is_alphanumeric);
        let after = text[at + word.len()..].chars().next().is_some_and(char::is_alphanumeric);
        !before && !after
    };
    if word.is_empty() { None } else { text.match_indices(word).map(|(at, _)| at).find(stands_alone) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One sentence, one wish.
    #[track_caller]
    fn asks(sentence: &str, wish: Wish) {
        assert_eq!(read(sentence), [wish], "{sentence}");
    }

    #[test]
    fn words_are_banned_and_preferred() {
        asks("Never use \"leverage\".", Wish::Ban("leverage".into()));
        asks("Use the term \"house call\".", Wish::Mention("house call".into()));
        let prefer = || Wish::Prefer { term: "customers".into(), over: "clients".into() };
        asks("Say \"customers\", and never \"clients\".", prefer());
        asks("Please use “customers” instead of “clients”.", prefer());
        asks("Instead of \"clients\" say \"customers\".", prefer());
        asks("Replace \"clients\" with \"customers\".", prefer());
        assert_eq!(read("Never use \"a\" or \"b\".").len(), 2);
    }

    #[test]
    fn marks_are_wanted_or_not() {
        for (name, mark) in [
            ("exclamation marks", Mark::Exclamation),
            ("em dashes", Mark::EmDash),
            ("semicolons", Mark::Semicolon),
            ("ellipses", Mark::Ellipsis),
            ("emoji", Mark::Emoji),
            ("hashtags", Mark::Hashtag),
        ] {
            asks(&format!("Use {name}."), Wish::Mark(mark, true));
            asks(&format!("Use no {name}."), Wish::Mark(mark, false));
            asks(&format!("There are too many {name} in it."), Wish::Mark(mark, false));
        }
    }

    #[test]
    fn openings_and_ends_are_understood() {
        asks("Open with a question.", Wish::Opening(Opening::Question, true));
        asks("Do not open with a question.", Wish::Opening(Opening::Question, false));
        asks("Open with a figure.", Wish::Opening(Opening::Figure, true));
        asks("Open with a sentence that speaks to the reader.", Wish::Opening(Opening::Address, true));
        asks("Do not open with a greeting.", Wish::Opening(Opening::Greeting, false));
        asks("End with a call to action.", Wish::Call(true));
        asks("Do not end with a call to action.", Wish::Call(false));
    }

    #[test]
    fn lengths_headings_and_lists_are_understood() {
        asks("Write at most 150 words.", Wish::Length(Bound::AtMost, 150));
        asks("Write at least 150 words.", Wish::Length(Bound::AtLeast, 150));
        asks("Write short sentences: 9 words on average at most.", Wish::Sentences(Bound::AtMost, 9));
        asks("Write longer sentences: 15 words on average at least.", Wish::Sentences(Bound::AtLeast, 15));
        asks("Use no headings below the title.", Wish::Headings(Bound::AtMost, 0));
        asks("Use at most 3 headings below the title.", Wish::Headings(Bound::AtMost, 3));
        asks("Use at least four headings below the title.", Wish::Headings(Bound::AtLeast, 4));
        asks("Use a list with bullets.", Wish::Lists(true));
        asks("Use no lists with bullets or numbers.", Wish::Lists(false));
    }

    #[test]
    fn persons_are_understood() {
        asks("Speak as \"we\".", Wish::Person(Person::First, true));
        asks("Do not speak as \"we\" or \"I\".", Wish::Person(Person::First, false));
        asks("Speak to the reader as \"you\".", Wish::Person(Person::Second, true));
        asks("Do not speak to the reader as \"you\".", Wish::Person(Person::Second, false));
    }

    #[test]
    fn sentences_are_read_one_by_one_and_the_rest_asks_for_nothing() {
        let wishes = read("Lovely. Use no emoji! Never use \"e.g. this\", please. Be kind to whoever reads it.");
        assert_eq!(wishes, [Wish::Mark(Mark::Emoji, false), Wish::Ban("e.g. this".into())]);
        for text in ["", " ", "\"", "“", "'", "Tell me more", "\n\n", "é“", "say", "use", "Instead of \"x\""] {
            assert_eq!(read(text), [], "{text}");
        }
    }

    #[test]
    fn long_texts_are_read_in_little_time() {
        for text in ["word ".repeat(20_000), "\n".repeat(100_000), "!".repeat(100_000), "\"'“ ".repeat(20_000)] {
            let began = std::time::Instant::now();
            read(&text);
            assert!(began.elapsed().as_secs() < 5);
        }
    }
}
