//! Whether a text breaks a preference, as its rater sees it. Written apart from the checks that Copydesk makes.

use copydesk_domain::format::Format;

use super::preference::{About, Preference};

/// Paragraphs at a text's end in which a call to action is looked for.
const LAST: usize = 3;
const CALLS: [&str; 8] =
    ["get in touch", "contact", "book a", "talk to", "sign up", "learn more", "write to", "call us"];
const GREETINGS: [&str; 4] = ["hello", "dear", "hi", "good"];

/// Whether a text breaks a preference.
pub(super) fn breaks(text: &str, preference: Preference, format: Format) -> bool {
    let number = preference.number(format);
    let bounded = |count: f64| if preference.wanted { count >= number as f64 } else { count <= number as f64 };
    let holds = match preference.about {
        About::Word(word) => says(text, word) == preference.wanted,
        About::Pair(..) => preference.words().is_some_and(|(_, wrong)| !says(text, wrong)),
        About::Exclamation => text.contains('!') == preference.wanted,
        About::EmDash => text.contains('—') == preference.wanted,
        About::Emoji => text.chars().any(is_emoji) == preference.wanted,
        About::Semicolon => text.contains(';') == preference.wanted,
        About::Question => first_sentence(text).ends_with('?') == preference.wanted,
        About::Figure => first_sentence(text).contains(|c: char| c.is_ascii_digit()) == preference.wanted,
        About::Call => calls(text) == preference.wanted,
        About::Length => bounded(words(text) as f64),
        About::Sentences => bounded(sentence_words(text)),
        About::Lists => text.lines().any(is_item) == preference.wanted,
        About::We => says_one_of(text, &["we", "our", "us", "ours"]) == preference.wanted,
        About::You => says_one_of(text, &["you", "your", "yours", "yourself"]) == preference.wanted,
        About::Headings => bounded(text.lines().filter(|line| line.starts_with("## ")).count() as f64),
    };
    !holds
}

/// The preferences that a text breaks.
pub(super) fn broken(text: &str, preferences: &[Preference], format: Format) -> Vec<Preference> {
    preferences.iter().copied().filter(|preference| breaks(text, *preference, format)).collect()
}

/// Where a word or phrase stands as a whole, whatever its case.
pub(super) fn find(text: &str, word: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let stands_alone = |at: &usize| {
        let before = lower[..*at].chars().next_back().is_some_and(char::is_alphanumeric);
        let behind = lower[at + word.len()..].chars().next().is_some_and(char::is_alphanumeric);
        !before && !behind
    };
    lower.match_indices(word).map(|(at, _)| at).find(stands_alone)
}

fn says(text: &str, word: &str) -> bool {
    find(text, word).is_some()
}

fn says_one_of(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| says(text, word))
}

pub(super) const fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1F300}'..='\u{1FAFF}' | '\u{2728}' | '\u{2600}'..='\u{26FF}')
}

pub(super) fn is_item(line: &str) -> bool {
    let line = line.trim_start();
    let digits = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.starts_with("- ") || line.starts_with("* ") || (digits.len() < line.len() && digits.starts_with(". "))
}

/// Words without marks, citations and hashtags.
pub(super) fn words(text: &str) -> usize {
    let is_word = |token: &&str| !token.starts_with(['[', '#']) && token.contains(char::is_alphanumeric);
    text.split_whitespace().filter(is_word).count()
}

/// Whether a line is running text: no heading, hashtags, greeting or signature.
pub(super) fn is_prose(line: &str) -> bool {
    let first = line.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default().to_lowercase();
    let greets = GREETINGS.contains(&first.as_str()) && words(line) <= 4;
    !line.trim().is_empty() && !line.starts_with('#') && !greets && !line.ends_with(',') && words(line) > 0
}

/// The sentences of a line, each with its mark.
pub(super) fn sentences(line: &str) -> Vec<&str> {
    let ends = line.match_indices(['.', '!', '?']).map(|(at, mark)| at + mark.len());
    let ends = ends.filter(|end| line[*end..].chars().next().is_none_or(char::is_whitespace));
    let mut start = 0;
    let mut all: Vec<&str> = ends.map(|end| line[std::mem::replace(&mut start, end)..end].trim()).collect();
    all.push(line[start..].trim());
    all.retain(|sentence| words(sentence) > 0);
    all
}

fn first_sentence(text: &str) -> String {
    let first = text.lines().filter(|line| is_prose(line)).flat_map(sentences).next().unwrap_or_default();
    // A citation is no figure.
    first
        .split(" [")
        .next()
        .map_or(String::new(), |bare| if first.ends_with('?') { format!("{bare}?") } else { bare.into() })
}

fn sentence_words(text: &str) -> f64 {
    let counts: Vec<usize> = text.lines().filter(|line| is_prose(line)).flat_map(sentences).map(words).collect();
    counts.iter().sum::<usize>() as f64 / counts.len().max(1) as f64
}

/// The paragraphs in which a text ends, the last one first: no hashtags, no signature.
pub(super) fn ending(text: &str) -> impl Iterator<Item = &str> {
    let is_signature = |block: &&str| block.lines().next().is_some_and(|line| line.ends_with(','));
    let blocks = text.split("\n\n").filter(|block| !block.trim_start().starts_with('#'));
    blocks.filter(move |block| !is_signature(block)).collect::<Vec<_>>().into_iter().rev()
}

pub(super) fn is_call(text: &str) -> bool {
    let lower = text.to_lowercase();
    CALLS.iter().any(|call| lower.contains(call))
}

fn calls(text: &str) -> bool {
    ending(text).take(LAST).any(is_call)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &str = "3 things about tides [1].\n\nThe sea rises, and we know it. It falls — twice a day; look!\n\n\
        - One.\n- Two.\n\nGet in touch with us. 🌱\n\nWhat do you think?\n\n#Sea #Tides #Moon";
    const LETTER: &str = "# Tides\n\nHello,\n\nWhy does the sea rise? It is pulled [2].\n\n## A\n\nThe moon robustly \
        pulls on it.\n\n## B\n\nA robust rule.\n\nUntil next time,\nThe people at Acme";

    fn holds(text: &str, format: Format) -> Vec<(&'static str, &'static str)> {
        let abouts = [
            About::Word("robust"),
            About::Exclamation,
            About::EmDash,
            About::Emoji,
            About::Semicolon,
            About::Question,
            About::Figure,
            About::Call,
            About::Lists,
            About::We,
            About::You,
        ];
        let wanted = abouts.map(|about| Preference { about, wanted: true });
        wanted.into_iter().filter(|wanted| !breaks(text, *wanted, format)).map(Preference::name).collect()
    }

    #[test]
    fn a_text_is_held_against_what_is_wanted_of_it() {
        let names = |held: &[(&'static str, &'static str)]| held.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let post = holds(POST, Format::LinkedIn);
        let all = ["exclamation", "em_dash", "emoji", "semicolon", "figure", "call", "lists", "we", "you"];
        assert_eq!(names(&post), all);
        assert_eq!(names(&holds(LETTER, Format::Newsletter)), ["word", "question"]);
    }

    #[test]
    fn what_is_wanted_is_not_unwanted() {
        for preference in super::super::preference::all() {
            let is_bounded = matches!(preference.about, About::Length | About::Sentences | About::Headings);
            if is_bounded || matches!(preference.about, About::Pair(..)) {
                continue;
            }
            for text in [POST, LETTER] {
                assert_ne!(
                    breaks(text, preference, Format::LinkedIn),
                    breaks(text, preference.flipped(), Format::LinkedIn)
                );
            }
        }
    }

    #[test]
    fn counts_have_bounds() {
        let prefers = |about, wanted| Preference { about, wanted };
        let text = |count: usize| "word ".repeat(count);
        for (count, is_short, is_long) in [(174, true, false), (176, false, false), (178, false, true)] {
            assert_eq!(!breaks(&text(count), prefers(About::Length, false), Format::LinkedIn), is_short);
            assert_eq!(!breaks(&text(count), prefers(About::Length, true), Format::LinkedIn), is_long);
        }
        assert!(!breaks("One two three. Four five.", prefers(About::Sentences, false), Format::LinkedIn));
        assert!(breaks(&format!("{}.", text(12)), prefers(About::Sentences, false), Format::LinkedIn));
        assert!(breaks(LETTER, prefers(About::Headings, true), Format::Newsletter));
        assert!(!breaks(LETTER, prefers(About::Headings, false), Format::Newsletter));
        let pair = About::Pair("use", "utilize");
        assert!(breaks("Utilize it.", prefers(pair, true), Format::LinkedIn));
        assert!(!breaks("Utilize it.", prefers(pair, false), Format::LinkedIn));
        assert!(breaks("They use it.", prefers(pair, false), Format::LinkedIn));
    }

    #[test]
    fn broken_texts_do_no_harm() {
        for text in ["", "\n", "#", "—", "é", "?", &"!".repeat(10_000), &"\n".repeat(10_000)] {
            for preference in super::super::preference::all() {
                breaks(text, preference, Format::Newsletter);
            }
        }
    }
}
