//! Headings that are pieces of a sentence: cut off in the middle, or begun there.

use crate::text::page::Page;

/// Last words that no heading ends with.
const OPEN_ENDS: [&str; 22] = [
    "a", "an", "and", "because", "but", "or", "nor", "our", "the", "their", "its", "your", "my", "which", "while",
    "than", "whose", "und", "oder", "et", "ou", "we",
];
/// Last words that only a question or a clause of its own ends with: `Who it is for`, `What we believe in`.
const DANGLING: [&str; 12] = ["of", "for", "with", "by", "to", "from", "into", "as", "at", "is", "are", "was"];
/// First words of headings that may end with such a word.
const ASKING: [&str; 20] = [
    "what",
    "who",
    "whom",
    "where",
    "how",
    "why",
    "when",
    "which",
    "that",
    "whose",
    "things",
    "something",
    "someone",
    "nothing",
    "anything",
    "everything",
    "people",
    "places",
    "all",
    "there",
];
/// First words in lower case that begin no heading, not even one without capitals.
const INNER_STARTS: [&str; 36] = [
    "and", "or", "but", "nor", "of", "than", "which", "whose", "because", "is", "are", "was", "were", "has", "have",
    "had", "been", "being", "be", "use", "uses", "used", "should", "must", "can", "could", "would", "will", "may",
    "also", "such", "as", "by", "with", "from", "that",
];
/// A heading with more words is a paragraph.
const MAX_WORDS: usize = 25;
/// A heading in capitals throughout, or of so few words, begins as its writer likes.
const MIN_WORDS: usize = 3;

/// The first heading of a text that is a fragment: also its subject line.
pub fn fragment<'a>(page: &Page<'a>) -> Option<&'a str> {
    let subjects = page.lines.iter().filter_map(|line| line.strip_prefix("Subject:")).map(str::trim).take(1);
    let headings = page.sections.iter().filter(|section| section.level > 0).map(|section| section.heading);
    headings.chain(subjects).find(|heading| is_fragment(heading))
}

/// Whether a heading is a piece of a sentence.
pub fn is_fragment(heading: &str) -> bool {
    let bare = heading.trim_matches(['*', '_', '#', ' ', '"', '“', '”']);
    let words: Vec<&str> = bare.split_whitespace().collect();
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return true };
    let word = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let (first_word, last_word) = (word(first), word(last));
    let is_asked = words.iter().any(|other| ASKING.contains(&word(other).as_str()));
    // `Vitamin A` and `Plan an` are told apart by the capital; a mark behind the word shows that it was meant.
    let is_plain = last.chars().all(|c| c.is_lowercase());
    let is_open = words.len() > 1 && is_plain && OPEN_ENDS.contains(&last_word.as_str());
    let is_dangling = words.len() >= MIN_WORDS && is_plain && !is_asked && DANGLING.contains(&last_word.as_str());
    let is_inner = words.len() >= MIN_WORDS
        && first.starts_with(char::is_lowercase)
        && INNER_STARTS.contains(&first_word.as_str());
    let is_unclosed = bare.matches('(').count() > bare.matches(')').count();
    let is_cut = bare.ends_with([',', ';', '，', '、', '(', '[', '&', '–', '—']);
    is_open || is_dangling && ends_without_verb(&words) || is_inner || is_unclosed || is_cut || words.len() > MAX_WORDS
}

/// A heading that was cut to a length, without the words that it breaks off with.
pub fn without_open_end(heading: &str) -> &str {
    let punctuation = [',', ';', ':', '(', '[', '&', '–', '—', ' '];
    let mut whole = heading.trim().trim_end_matches(punctuation);
    while is_fragment(whole)
        && let Some((before, _)) = whole.rsplit_once(' ')
    {
        whole = before.trim_end_matches(punctuation);
    }
    if whole.is_empty() { heading } else { whole }
}

/// `Sign up to` dangles; `A team to count on` and `Easy to work with` do not: an infinitive may end so.
fn ends_without_verb(words: &[&str]) -> bool {
    !words[..words.len() - 1].iter().any(|word| {
        word.eq_ignore_ascii_case("to") || word.eq_ignore_ascii_case("you") || word.eq_ignore_ascii_case("we")
    })
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
            "",
            "**",
            "Every scan is read twice, once by a model and once by a radiologist, and the results arrive within two hours of the visit, before patients leave the clinic again",
        ] {
            assert!(is_fragment(heading), "{heading}");
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
        ] {
            assert!(!is_fragment(heading), "{heading}");
        }
    }
}
