//! What texts have of what lessons speak of: lengths, marks, headings, lists, how they open and end. It counts, and
//! does not judge. Words are read in English only; marks and lines in any language.

use copydesk_domain::lesson::{Mark, Person};
use copydesk_words::is_unspaced;

use super::pattern;
use crate::text::language::{calls_to_act, count_words};
use crate::text::page::Page;
use crate::text::{phrase, sentence};

/// Sentences at the end of a text among which a call to action counts as its end.
const LAST_SENTENCES: usize = 3;
/// The longest line of a sign-off or greeting, in words.
const MAX_SHORT_LINE: usize = 6;
/// What is read of one sentence at the beginning or the end, in bytes.
const MAX_SENTENCE_BYTES: usize = 2_000;
/// The shortest term whose plural counts as the term, and the shortest whose `-ed` and `-ing` do, in letters. In
/// shorter ones they make other words: `new` and `news`, `see` and `seed`, `meet` and `meeting`.
const MIN_INFLECTED: (usize, usize) = (4, 6);
/// Words whose endings make other words, longer ones all the same.
const UNINFLECTED: [&str; 10] =
    ["good", "custom", "mean", "market", "engineer", "account", "even", "glass", "arm", "thing"];

pattern!(CODE, r"(?s)```.*?(```|$)|`[^`\n]*`");
pattern!(TARGET, r"\]\([^)\n]*\)|\bhttps?://[^\s)]+|\bwww\.[^\s)]+");
pattern!(CITATION, r" ?\[\^?\d+([,;] ?\d+)*\]");
pattern!(ENTITY, r"&#?\w{1,10};");
pattern!(QUOTED, r#"“[^”\n]{0,500}”|"[^"\n]{0,500}"|„[^“\n]{0,500}“|«[^»\n]{0,500}»"#);
pattern!(LABEL, r"(?i)^\W{0,4}(headline|body|call to action|narration|title|hook|caption|text)\W{0,3}:\W{0,4}");
pattern!(SKIPPED, r"(?i)^\W{0,4}(subject|preheader|visual|for immediate release|date|tags?|by)\b\W{0,3}(:|$)|^!\[");
pattern!(NUMBER_LABEL, r"^\d{1,2}/ ");
pattern!(DATELINE, r"^.{2,50}\b(19|20)\d\d\)?\*{0,2} ?[—–-]+ ?");
pattern!(
    GREETING,
    r"(?i)^\W{0,3}(hi|hello|hey|dear|greetings|welcome|howdy|good (morning|afternoon|evening|day)|hi there|ahoy)\b"
);
pattern!(ORDINAL_ITEM, r"^\d{1,2}[.)] \S");
pattern!(
    FIGURE_WORD,
    r"(?i)\b(three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|millions?|billions?|dozens?|percent|half|third|quarter|twice)\b"
);
pattern!(FIRST_PERSON, r"(?i)\b(we|our|ours|ourselves|my|myself|me)\b(['’](re|ve|ll|d))?|\bus\b|\bI['’](m|ve|ll|d)\b");
pattern!(SECOND_PERSON, r"(?i)\b(you|your|yours|yourself|yourselves)\b");
pattern!(AS_I, r"(^|[.!?:,;] |\b[a-z]+ )I [a-z]+");
pattern!(HASHTAG, r"(^|[\s(\[,*_])#[\w]*[^\W\d_][\w]*");
pattern!(SMILEY, r"(^|\s)[:;]-?[)(DP](\s|$|[.,!])");
pattern!(SIGN_OFF, r"(?i)^\W{0,3}(kind|best|warm|many|yours|sincerely|regards|cheers|thanks|thank you|love|see you)\b");
pattern!(ABBREVIATED, r"(?i)(^|\s)\W?(dr|mr|mrs|ms|prof|st|e\.g|i\.e|vs|approx|no|nr|[a-z])\.$");
pattern!(
    LEAD_IN,
    r"(?i)^[^a-z]*((so|then|and|or|now|today|please|simply|just|why not|you can|feel free to|do not hesitate to|don['’]t hesitate to|questions\?|interested\?|curious\?|call to action:|ready to [a-z ]{1,30}\?|want to [a-z ]{1,30}\?|to [a-z ]{1,40},|if you[a-z'’ ]{1,60},)[^a-z]+){0,3}"
);

/// A text's words as readers see them: without code, the targets of links, and citations.
pub(super) fn prose(text: &str) -> String {
    let text = CODE.replace_all(text, " ");
    let text = TARGET.replace_all(&text, "]");
    // Emphasis would hide the marks that end sentences.
    CITATION.replace_all(&text, "").replace("**", "")
}

/// Words of a text, as limits count them, without citations.
pub(super) fn words(text: &str) -> usize {
    count_words(&CITATION.replace_all(text, ""))
}

/// The sentences of prose, without headings, tables and labels, each with two words or more.
pub(super) fn sentences(prose: &str) -> Vec<&str> {
    let is_sentence =
        |piece: &&str| !piece.starts_with(['#', '|']) && !SKIPPED.is_match(piece) && count_words(piece) >= 2;
    sentence::sentences(prose).into_iter().map(|place| &prose[place]).filter(is_sentence).collect()
}

/// The mean length of sentences, in words; `None` where there is none.
#[expect(clippy::cast_precision_loss, reason = "counts of words are far below 2^52")]
pub(super) fn mean_words(text: &str) -> Option<f64> {
    let prose = prose(text);
    let lengths: Vec<usize> = sentences(&prose).into_iter().map(count_words).collect();
    (!lengths.is_empty()).then(|| lengths.iter().sum::<usize>() as f64 / lengths.len() as f64)
}

/// Headings below the title.
pub(super) fn headings(text: &str) -> usize {
    let page = Page::read(text);
    let all = page.sections.iter().filter(|section| section.level > 0).count();
    let begins = page.sections.iter().find(|section| section.level > 0 || section.is_written());
    all - usize::from(begins.is_some_and(|first| first.level == 1))
}

/// The entries of lists: bullets, or two numbers or more.
pub(super) fn list_entries(text: &str) -> usize {
    let text = CODE.replace_all(text, " ");
    let lines = || text.lines().map(str::trim);
    let bullets = lines().filter(|line| line.starts_with(['-', '*', '+', '•']) && is_entry(line)).count();
    let numbers = lines().filter(|line| ORDINAL_ITEM.is_match(line)).count();
    bullets + if numbers > 1 { numbers } else { 0 }
}

fn is_entry(line: &str) -> bool {
    let rest = line.trim_start_matches(['-', '*', '+', '•']);
    let is_one = line.chars().count() - rest.chars().count() == 1;
    is_one && (rest.starts_with(' ') || line.starts_with('•')) && rest.contains(char::is_alphanumeric)
}

/// Marks of a kind in prose, and where the first is.
pub(super) fn marks(prose: &str, mark: Mark) -> usize {
    match mark {
        Mark::Exclamation => prose.replace("![", "[").matches(['!', '！']).count(),
        Mark::EmDash => prose.matches(['—', '⸺', '⸻']).count(),
        Mark::Semicolon => ENTITY.replace_all(prose, " ").matches([';', '；', '؛']).count(),
        Mark::Ellipsis => prose.matches('…').count() + prose.matches("...").count(),
        Mark::Emoji => emoji(prose) + SMILEY.find_iter(prose).count(),
        Mark::Hashtag => HASHTAG.find_iter(prose).count(),
    }
}

/// Pictographs: those that are shown in colours by themselves, and symbols that a selector makes so.
fn emoji(text: &str) -> usize {
    let mut count = 0;
    let mut before = ' ';
    for c in text.chars() {
        let selected = c == '\u{fe0f}' && !is_pictograph(before);
        count += usize::from(selected || is_pictograph(c));
        before = c;
    }
    count
}

fn is_pictograph(c: char) -> bool {
    matches!(u32::from(c),
        0x1F1E6..=0x1F1FF | 0x1F300..=0x1F64F | 0x1F680..=0x1F6FF | 0x1F7E0..=0x1F7EB | 0x1F900..=0x1F9FF
        | 0x1FA70..=0x1FAFF | 0x1F004 | 0x1F0CF | 0x1F18E | 0x1F191..=0x1F19A
        | 0x231A..=0x231B | 0x23E9..=0x23EC | 0x23F0 | 0x23F3 | 0x25FD..=0x25FE | 0x2614..=0x2615
        | 0x2639..=0x263A | 0x2648..=0x2653 | 0x267F | 0x2693 | 0x26A1 | 0x26AA..=0x26AB | 0x26BD..=0x26BE
        | 0x26C4..=0x26C5 | 0x26CE | 0x26D4 | 0x26EA | 0x26F2..=0x26F3 | 0x26F5 | 0x26FA | 0x26FD | 0x2705
        | 0x270A..=0x270B | 0x2728 | 0x274C | 0x274E | 0x2753..=0x2755 | 0x2757 | 0x2764 | 0x2795..=0x2797
        | 0x27B0 | 0x27BF | 0x2B1B..=0x2B1C | 0x2B50 | 0x2B55)
}

/// The first line of the body: a greeting of an email too.
pub(super) fn first_line(prose: &str) -> Option<&str> {
    body(prose).next()
}

/// The first sentence below the title that is no greeting.
pub(super) fn first_sentence(prose: &str) -> Option<String> {
    let line = body(prose).find(|line| !is_greeting_line(line)).or_else(|| first_line(prose))?;
    let places = sentence::sentences(line);
    let mut first = String::new();
    for place in places {
        first.push_str(&line[place]);
        if !ABBREVIATED.is_match(&first) {
            break;
        }
        first.push(' ');
    }
    Some(first).filter(|first| first.contains(char::is_alphanumeric))
}

/// The lines under headings, without what only labels or decorates them.
fn body(prose: &str) -> impl Iterator<Item = &str> {
    let is_body = |line: &&str| {
        !line.starts_with(['#', '|', '<']) && !SKIPPED.is_match(line) && line.contains(char::is_alphanumeric)
    };
    let bare = |line| [&*LABEL, &NUMBER_LABEL, &DATELINE].into_iter().fold(line, after);
    prose
        .lines()
        .map(str::trim)
        .filter(is_body)
        .map(bare)
        .map(|line: &str| head(line.trim_start_matches(['>', '-', '*', '_', ' '])))
}

/// A line without what the pattern finds at its start.
fn after<'a>(line: &'a str, pattern: &regex::Regex) -> &'a str {
    pattern.find(line).map_or(line, |found| &line[found.end()..])
}

fn is_greeting_line(line: &str) -> bool {
    let is_short = count_words(line) <= MAX_SHORT_LINE;
    is_short && (line.ends_with(',') || greets(line))
}

/// Whether a line begins with an English greeting.
pub(super) fn greets(line: &str) -> bool {
    GREETING.is_match(line)
}

/// Whether a sentence holds a figure; `None` where it may be in words.
pub(super) fn holds_figure(sentence: &str) -> Option<bool> {
    let digits = sentence.contains(|c: char| c.is_numeric());
    if digits { Some(true) } else { (!FIGURE_WORD.is_match(sentence)).then_some(false) }
}

/// Where a text says "we" or "you" in its own voice, not in a quotation; English only.
pub(super) fn speaking(prose: &str, person: Person) -> Option<String> {
    let own = QUOTED.replace_all(prose, " ");
    sentence::sentences(&own).into_iter().map(|place| &own[place]).find(|one| speaks(one, person)).map(str::to_owned)
}

/// The sentences that do, of the first and of the second person.
pub(super) fn count_speaking(prose: &str) -> [usize; 2] {
    let own = QUOTED.replace_all(prose, " ");
    let places = sentence::sentences(&own);
    [Person::First, Person::Second]
        .map(|person| places.iter().filter(|place| speaks(&own[(*place).clone()], person)).count())
}

fn speaks(sentence: &str, person: Person) -> bool {
    match person {
        // `US` is a country.
        Person::First => {
            FIRST_PERSON.find_iter(sentence).any(|found| found.as_str() != "US") || AS_I.is_match(sentence)
        }
        Person::Second => SECOND_PERSON.is_match(sentence),
    }
}

/// Whether the reader is told to do something at the end, and where; English only.
#[derive(Debug, PartialEq)]
pub(super) enum Close {
    /// A sentence that is an order.
    Order(String),
    /// One that may be.
    Maybe,
    /// None.
    Nothing,
}

/// How a text closes: its last sentences, without hashtags, sign-off and what follows a press release.
pub(super) fn close(prose: &str) -> Close {
    let lines: Vec<&str> = prose.lines().map(str::trim).filter(|line| line.contains(char::is_alphanumeric)).collect();
    let tail = |line: &'_ str| line.ceil_char_boundary(line.len().saturating_sub(2 * MAX_SENTENCE_BYTES));
    let lines: Vec<&str> = lines.into_iter().map(|line| &line[tail(line)..]).collect();
    let kept = lines.iter().rev().skip_while(|line| is_appended(line)).take(2 * LAST_SENTENCES);
    let mut last: Vec<&str> = Vec::new();
    for line in kept.filter(|line| !line.starts_with('#') && !is_appended(line)) {
        let places = sentence::sentences(line);
        last.extend(places.into_iter().rev().map(|place| head(&line[place])));
        if last.len() >= LAST_SENTENCES {
            break;
        }
    }
    last.truncate(LAST_SENTENCES);
    match last.iter().find(|one| is_order(one)) {
        Some(order) => Close::Order((*order).to_owned()),
        None if last.iter().any(|one| calls_to_act(one)) => Close::Maybe,
        None => Close::Nothing,
    }
}

/// What is read of a sentence that is looked at as a whole.
fn head(sentence: &str) -> &str {
    &sentence[..sentence.floor_char_boundary(MAX_SENTENCE_BYTES)]
}

/// A line behind the end of a text: hashtags, a sign-off, a name.
fn is_appended(line: &str) -> bool {
    let are_tags = line.split_whitespace().all(|word| word.starts_with('#') && word.len() > 1);
    let is_short = count_words(line) <= MAX_SHORT_LINE && !sentence::is_finished(line);
    are_tags || (is_short && (SIGN_OFF.is_match(line) || !calls_to_act(line)) && !line.contains(']'))
}

/// Whether a sentence begins with a word that tells the reader to do something.
fn is_order(sentence: &str) -> bool {
    let lead = LEAD_IN.find(sentence).map_or(0, |found| found.end());
    let first = sentence[lead..].split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let first = first.trim_matches(|c: char| !c.is_alphanumeric());
    let verb = first.split_whitespace().next().unwrap_or_default();
    calls_to_act(verb.trim_matches(|c: char| !c.is_alphanumeric())) || (first.contains(' ') && two_words_act(first))
}

fn two_words_act(first: &str) -> bool {
    ["sign up", "find out", "get in", "let us", "reach out", "drop us", "give us", "send us"]
        .iter()
        .any(|act| first.eq_ignore_ascii_case(act))
}

/// A text as terms are looked for in it: lower case, one form of Unicode, straight apostrophes, single spaces.
pub(super) fn comparable(text: &str) -> String {
    let lower = phrase::comparable(text).replace(['’', '‘'], "'");
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a comparable text holds a term as whole words. English words of some length count in their regular forms
/// too: `leverage` is in `leveraging`. Parts of compounds with a hyphen count only where `in_compounds`.
pub(super) fn holds_term(text: &str, term: &str, is_english: bool, in_compounds: bool) -> bool {
    if !term.contains(char::is_alphanumeric) {
        return false;
    }
    if term.contains(is_unspaced) {
        return text.contains(term);
    }
    forms(term, is_english).iter().any(|form| {
        text.match_indices(form.as_str())
            .any(|(at, found)| is_whole(&text[..at], &text[at + found.len()..], in_compounds))
    })
}

fn is_whole(before: &str, after: &str, in_compounds: bool) -> bool {
    let joins = |c: Option<char>, beyond: Option<char>| {
        c.is_some_and(char::is_alphanumeric)
            || (!in_compounds && c == Some('-') && beyond.is_some_and(char::is_alphanumeric))
    };
    let (mut back, mut on) = (before.chars().rev(), after.chars());
    !joins(back.next(), back.next()) && !joins(on.next(), on.next())
}

/// What a regular plural is one of: `users` of `user`.
fn singular(term: &str) -> Option<String> {
    let stem =
        term.strip_suffix('s').filter(|stem| stem.len() >= MIN_INFLECTED.0 && !stem.ends_with(['s', 'u', 'i']))?;
    let one = stem.strip_suffix("ie").map_or_else(|| stem.to_owned(), |stem| format!("{stem}y"));
    (!UNINFLECTED.contains(&one.as_str())).then_some(one)
}

/// A term and its regular English forms.
pub(super) fn forms(term: &str, is_english: bool) -> Vec<String> {
    let mut forms = vec![term.to_owned()];
    let letters = term.chars().count();
    let is_word = term.chars().all(|c| c.is_ascii_lowercase());
    if !is_english || !is_word || letters < MIN_INFLECTED.0 || UNINFLECTED.contains(&term) {
        return forms;
    }
    if let Some(one) = singular(term) {
        forms.push(one);
    }
    let stem = term.strip_suffix('e').unwrap_or(term);
    match term.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u'])) {
        Some(stem) => forms.extend(["ies", "ied"].map(|end| format!("{stem}{end}"))),
        None if term.ends_with(['s', 'x', 'z']) || term.ends_with("ch") || term.ends_with("sh") => {
            forms.push(format!("{term}es"));
        }
        None => forms.push(format!("{term}s")),
    }
    if letters >= MIN_INFLECTED.1 {
        forms.extend([format!("{stem}ed"), format!("{stem}ing")]);
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_counted_where_readers_see_them() {
        let text =
            "# Title!\n\nOne — two; three… [1] ![An image!](a.png) &nbsp; `a;b!` #Care C# page#part\n#1 🎉 ✅ ❤️ © ✓";
        let text = prose(text);
        let counts = Mark::ALL.iter().map(|&mark| (mark, marks(&text, mark))).collect::<Vec<_>>();
        let expected = [
            (Mark::Exclamation, 2),
            (Mark::EmDash, 1),
            (Mark::Semicolon, 1),
            (Mark::Ellipsis, 1),
            (Mark::Emoji, 3),
            (Mark::Hashtag, 1),
        ];
        assert_eq!(counts, expected);
        assert_eq!(marks("Fine :) thanks. A list (see below:)", Mark::Emoji), 1);
    }

    #[test]
    fn headings_and_lists_are_counted() {
        assert_eq!(headings("# T\n\n## A\n### B\n"), 2);
        assert_eq!(headings("Intro\n\n# A\n## B"), 2, "the first is no title");
        assert_eq!(headings("No heading. #tag"), 0);
        assert_eq!(list_entries("- a\n* b\n1. c\n2. d\n**bold**\n--- \n-5 degrees"), 4);
        assert_eq!(list_entries("1. January was cold."), 0);
        assert_eq!(list_entries("```\n- code\n```"), 0);
    }

    #[test]
    fn a_text_opens_below_its_title_subject_and_greeting() {
        for (text, expected) in [
            ("# T\n\nWhy us? Because.", "Why us?"),
            ("Subject: S?\nPreheader: P\n\nHi Ann,\n\nWhy now? So.", "Why now?"),
            ("FOR IMMEDIATE RELEASE\n\n# T\n\n**OSLO, May 4, 2026** — Acme opens. More.", "Acme opens."),
            ("1/ Ready? Go.", "Ready?"),
            ("## Variant 1\nHeadline: Sleep well. Now.", "Sleep well."),
            ("# T\n\n> **Dr. Lee reads scans.** Twice.", "Dr. Lee reads scans."),
            (
                "# T\n\nHello there, neighbours of the harbour, it is spring.",
                "Hello there, neighbours of the harbour, it is spring.",
            ),
        ] {
            assert_eq!(first_sentence(&prose(text)).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(first_sentence("# Only a title"), None);
    }

    #[test]
    fn a_text_closes_with_an_order_or_not() {
        for (text, expected) in [
            ("We read scans. Book your visit today.", true),
            ("It helps.\n\nReady to begin? Call us.\n\n#care #scans", true),
            ("Text.\n\nReply to this email.\n\nKind regards,\nAcme Clinics", true),
            ("Text.\n\n[Get in touch](https://a.example)", true),
            ("Book early. One. Two. Three. Four.", false),
            ("We read each scan twice.", false),
        ] {
            assert_eq!(matches!(close(&prose(text)), Close::Order(_)), expected, "{text}: {:?}", close(&prose(text)));
        }
        assert_eq!(close("We see patients every day."), Close::Maybe);
        assert_eq!(close("The clinic is old."), Close::Nothing);
    }

    #[test]
    fn terms_are_whole_words_and_their_plain_forms() {
        for text in ["we leverage it", "leveraging", "it leverages, and leveraged"] {
            assert!(holds_term(text, "leverage", true, false), "{text}");
        }
        for (term, text) in [
            ("leverage", "leveraging-free"),
            ("new", "the news"),
            ("market", "marketing"),
            ("even", "this evening"),
            ("user", "user-friendly"),
            ("leverage", "beverage"),
            ("see", "a seed"),
        ] {
            assert!(!holds_term(text, term, true, false), "{term} in {text}");
        }
        assert!(
            holds_term("all companies", "company", true, false) && !holds_term("companies", "company", false, false)
        );
        assert!(holds_term("ai-based care", "ai", true, true) && holds_term("我们的诊所", "诊所", false, false));
    }
}
