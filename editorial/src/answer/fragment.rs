//! Headings that are pieces of a sentence: cut off in the middle, or begun there. What tells is a language's own: a
//! word that no English heading ends with ends a Danish one.

use crate::text::{language, page::Page};

mod english;

/// Last words that no heading of a language ends with, by ISO 639-1. English has more to it.
const OPEN_ENDS: [(&str, &[&str]); 6] = [
    ("de", &["und", "oder", "sowie", "der", "ein", "eine", "einen", "einer", "unser", "unsere"]),
    ("fr", &["et", "ou", "le", "la", "les", "des", "du", "un", "une", "nos", "notre"]),
    ("es", &["y", "o", "el", "los", "las", "un", "una", "de", "del", "nuestro", "nuestra"]),
    ("it", &["e", "o", "il", "gli", "un", "una", "di", "del", "della"]),
    ("pt", &["e", "ou", "os", "um", "uma", "de", "do", "da", "nosso", "nossa"]),
    ("nl", &["en", "de", "het", "een", "onze"]),
];
/// A heading with more words is a paragraph.
const MAX_WORDS: usize = 25;

/// The first heading of a text in a language (BCP 47) that is a fragment: also its subject line.
pub fn fragment<'a>(page: &Page<'a>, language: &str) -> Option<&'a str> {
    let subjects = page.lines.iter().filter_map(|line| line.strip_prefix("Subject:")).map(str::trim).take(1);
    let headings = page.sections.iter().filter(|section| section.level > 0).map(|section| section.heading);
    headings.chain(subjects).find(|heading| is_fragment(heading, Some(language)))
}

/// Whether a heading is a piece of a sentence. Where its language is not known, it is English if it looks so.
pub fn is_fragment(heading: &str, language: Option<&str>) -> bool {
    let bare = heading.trim_matches(['*', '_', '#', ' ', '"', '“', '”']);
    let words: Vec<&str> = bare.split_whitespace().collect();
    if words.is_empty() {
        return true;
    }
    let is_unclosed = bare.matches('(').count() > bare.matches(')').count();
    let cut = [',', ';', '，', '、', '(', '[', '&', '–', '—'];
    is_unclosed
        || words.len() > MAX_WORDS
        || (bare.ends_with(cut) && !ends_in_greek(bare))
        || match language {
            Some(tag) if language::is_english(tag) => english::is_fragment(&words),
            Some(tag) => has_open_end(&words, tag),
            None => english::looks_so(&words) && english::is_fragment(&words),
        }
}

/// Whether a semicolon is Greek, and asks.
fn ends_in_greek(heading: &str) -> bool {
    heading.strip_suffix(';').is_some_and(|asked| {
        asked.trim_end().ends_with(|c: char| matches!(c, '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}'))
    })
}

/// Whether the last word, in lower case and without a mark, is one that its language ends no heading with.
fn has_open_end(words: &[&str], tag: &str) -> bool {
    let primary = tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    let ends = OPEN_ENDS.iter().find(|(of, _)| *of == primary).map(|(_, ends)| *ends).unwrap_or_default();
    words.len() > 1 && words.last().is_some_and(|last| ends.contains(last))
}

/// A heading that was cut to a length, without the words that it breaks off with.
pub fn without_open_end(heading: &str) -> &str {
    let punctuation = [',', ';', ':', '(', '[', '&', '–', '—', ' '];
    let mut whole = heading.trim().trim_end_matches(punctuation);
    while is_fragment(whole, Some("en"))
        && let Some((before, _)) = whole.rsplit_once(' ')
    {
        whole = before.trim_end_matches(punctuation);
    }
    if whole.is_empty() { heading } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_sentences_are_no_headings() {
        for heading in [
            "use the 3rd person we",
            "Livegrep is maintained by a",
            "How the",
            "Scans are read by the",
            "Why scans and",
            "and that is why it is so",
            "which is read twice",
            "Scans, results,",
            "Two readers (a model",
            "should be avoided in texts",
            "The results of",
            "The team is",
            "has been used since",
            "Scans that are read and",
            "Sourcegraph is a code search tool that",
            "Search your code in",
            "The readers of the scans at",
            "The benefits of using Sourcegraph on",
            "to search code across repositories",
            "maintained by a Stripe developer who left",
            "",
            "**",
            "Every scan is read twice, once by a model and once by a radiologist, and the results arrive within two hours of the visit, before patients leave the clinic again",
        ] {
            assert!(is_fragment(heading, Some("en")), "{heading}");
        }
    }

    #[test]
    fn what_was_cut_ends_before_it_breaks_off() {
        for (cut, whole) in [
            ("How clinics read every scan and the", "How clinics read every scan"),
            ("Scans, results,", "Scans, results"),
            ("Scans read twice", "Scans read twice"),
            ("the", "the"),
        ] {
            assert_eq!(without_open_end(cut), whole);
        }
    }

    #[test]
    fn headings_as_people_write_them_stand() {
        for heading in [
            "Who it is for",
            "What we believe in",
            "How it works",
            "Why it matters",
            "Log in",
            "Sign up",
            "Opt in",
            "Vitamin A",
            "A team to count on",
            "Easy to work with",
            "Something to look forward to",
            "npm 10 is out",
            "curl in the browser",
            "scans read twice",
            "iPhone and Android",
            "Plan B",
            "Q&A",
            "What's it made of?",
            "Where to go from here",
            "FAQ",
            "2026",
            "Tools you can work with",
            "我们的港口",
            "Is it safe?",
            "Results (in two hours)",
            "Use cases",
            "Read twice.",
            "Team and I",
            "The Who",
            "This is it",
            "That's who we are",
            "Variant 1",
            "Scene 1 (0:00–0:20)",
            "Can we help?",
            "As seen on TV",
            "With love",
            "Features our users asked for",
            "The update everyone has been waiting for",
            "A harbour worth sailing to",
            "Values our team lives by",
            "Sold as is",
            "are you ready?",
            "by the numbers",
            "from zero to launch",
            "to the moon and back",
            "with love from us",
            "Turn the heat on",
            "Winter sale now on",
            "Please sign in",
            "The door you came in",
            "A berth you can rely on",
            "We can do that",
            "More on that",
            "Who are we",
            "built by sailors",
            "Better than it was",
            "Products our customers swear by",
            "Ready when you are",
            "The port that she sailed from",
            "Ways to get involved in",
        ] {
            assert!(!is_fragment(heading, Some("en")), "{heading}");
        }
    }

    #[test]
    fn every_language_has_its_own_open_ends() {
        for (language, heading) in [
            ("el", "Πόσο κοστίζει;"),
            ("de", "Rufen Sie uns an"),
            ("de-AT", "Melden Sie sich jetzt an"),
            ("nl", "Wat doen we"),
            ("nl", "Wie zijn we"),
            ("da", "Velkommen til vores by"),
            ("da", "Kaffe og is"),
            ("sv", "Priser för alla"),
            ("fr", "Qui sommes-nous ?"),
            ("es", "Lo que hacemos"),
            ("zh", "我们的港口"),
        ] {
            assert!(!is_fragment(heading, Some(language)), "{language}: {heading}");
            assert!(!is_fragment(heading, None), "{heading}");
        }
        for (language, heading) in [
            ("de", "Häfen und"),
            ("fr", "Le port et"),
            ("nl", "De haven en"),
            ("da", "Kaffe, te,"),
            ("el", "Καφές, τσάι,"),
            ("da", "Priser (fra"),
        ] {
            assert!(is_fragment(heading, Some(language)), "{language}: {heading}");
        }
        assert!(is_fragment("use the 3rd person we", None) && is_fragment("How the", None));
    }
}
