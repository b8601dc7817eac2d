//! Texts that are about something else: what a model says that did not understand what it was asked.

use std::collections::BTreeSet;

use copydesk_words::words;

use super::Asked;
use crate::citation;
use crate::text::language;

/// A topic of fewer words may well be put in others.
const MIN_TOPIC_WORDS: usize = 3;
/// Words that begin alike are one word in several forms; a shorter one has none.
const ALIKE_CHARS: usize = 4;

/// Words that only an English topic holds: one in another language than the text tells nothing of it.
const ENGLISH: [&str; 12] = ["a", "and", "by", "for", "from", "how", "of", "our", "the", "to", "with", "your"];

/// Whether an English text in lower case holds none of the words of its topic. One that cites a passage is about
/// something that was found for the topic.
pub(super) fn is_missed(text: &str, asked: &Asked<'_>) -> bool {
    if !language::is_english(asked.language) || !citation::markers(text).is_empty() {
        return false;
    }
    telling(asked.topic, MIN_TOPIC_WORDS).is_some_and(|topic| topic.is_disjoint(&beginnings(text)))
}

/// The beginnings of an English topic's words, if they are `least` or more: enough to tell what is
/// about it.
pub(crate) fn telling(topic: &str, least: usize) -> Option<BTreeSet<String>> {
    let is_english = topic.split_whitespace().any(|word| ENGLISH.contains(&word.to_lowercase().as_str()));
    Some(beginnings(topic)).filter(|topic| is_english && topic.len() >= least)
}

/// How the words of a text begin.
pub(crate) fn beginnings(text: &str) -> BTreeSet<String> {
    let words = words(text).into_iter().filter(|word| word.chars().count() >= ALIKE_CHARS);
    words.map(|word| word.chars().take(ALIKE_CHARS).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(text: &str, topic: &str, language: &str) -> bool {
        let asked = Asked { instructions: "", private: Vec::new(), topic, language, words: 100 };
        is_missed(&text.to_lowercase(), &asked)
    }

    #[test]
    fn a_text_without_a_word_of_its_topic_is_about_something_else() {
        let lost = "Your response has been completed. Please provide a completed response to the request, in the format \
            and by the method asked for. Thank you for your patience.";
        assert!(missed(lost, "Writing in plain language for the public", "en"));
        assert!(missed(lost, "How agencies can buy software in small steps", "en"));
        for (text, topic, language) in [
            ("Agencies bought too much at once.", "How agencies can buy software in small steps", "en"),
            ("Sea turtles come home.", "Turtles", "en"),
            ("Tides turn twice a day.", "The best time", "en"),
            ("Our doors open at seven [2].", "How agencies can buy software in small steps", "en"),
            ("We open on Monday.", "Barrierefreie Praxen in Leipzig finden und erreichen", "en"),
            ("Wir öffnen am Montag.", "New opening hours of our practice", "de"),
        ] {
            assert!(!missed(text, topic, language), "{topic}");
        }
    }
}
