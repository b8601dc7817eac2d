//! What a comment asks of later texts, as a model of middling size answers it: what it reads in a sentence it puts
//! into a field, and any other sentence it hands on as a note.

use serde_json::{Value, json};

use crate::prompt::Prompt;
use crate::reading::{self, Bound, Mark, Opening, Person, Wish};

/// Lessons in one answer, at most.
const LESSONS_MAX: usize = 8;
/// A sentence of fewer words says nothing of later texts.
const NOTE_WORDS: usize = 3;
const NOTE_CHARS: usize = 200;

/// The lessons of a comment, as JSON.
pub(crate) fn distill(prompt: &Prompt) -> Value {
    let lessons = reading::sentences(&prompt.comment).flat_map(lessons).take(LESSONS_MAX);
    json!({ "lessons": lessons.collect::<Vec<_>>() })
}

fn lessons(sentence: &str) -> Vec<Value> {
    let wishes = reading::read(sentence);
    match wishes.is_empty() {
        false => wishes.into_iter().map(item).collect(),
        true => note(sentence).into_iter().collect(),
    }
}

fn note(sentence: &str) -> Option<Value> {
    let is_said = sentence.split_whitespace().count() >= NOTE_WORDS;
    let text: String = sentence.chars().take(NOTE_CHARS).collect();
    let wanted = !reading::is_negative(&sentence.to_lowercase());
    is_said.then(|| lesson("note", &text, "", 0, wanted))
}

fn item(wish: Wish) -> Value {
    let bounded = |kind, bound, number| lesson(kind, "", "", number, bound == Bound::AtLeast);
    match wish {
        Wish::Ban(term) => lesson("term", &term, "", 0, false),
        Wish::Mention(term) => lesson("term", &term, "", 0, true),
        Wish::Prefer { term, over } => lesson("prefer", &term, &over, 0, true),
        Wish::Length(bound, words) => bounded("length", bound, words),
        Wish::Shorter => lesson("note", "Write shorter texts.", "", 0, true),
        Wish::Longer => lesson("note", "Write longer texts.", "", 0, true),
        Wish::Opening(opening, wanted) => lesson("opening", opening.name(), "", 0, wanted),
        Wish::Call(wanted) => lesson("call_to_action", "", "", 0, wanted),
        Wish::Mark(mark, wanted) => lesson("punctuation", mark.name(), "", 0, wanted),
        Wish::Person(person, wanted) => lesson("person", person.name(), "", 0, wanted),
        Wish::Sentences(bound, words) => bounded("reading", bound, words),
        Wish::Headings(bound, count) => bounded("headings", bound, count),
        Wish::Lists(wanted) => lesson("lists", "", "", 0, wanted),
    }
}

fn lesson(kind: &str, value: &str, over: &str, number: usize, wanted: bool) -> Value {
    json!({ "kind": kind, "value": value, "over": over, "number": number, "wanted": wanted })
}

impl Opening {
    fn name(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Figure => "figure",
            Self::Address => "address",
            Self::Greeting => "greeting",
        }
    }
}

impl Mark {
    fn name(self) -> &'static str {
        match self {
            Self::Exclamation => "exclamation",
            Self::EmDash => "em_dash",
            Self::Semicolon => "semicolon",
            Self::Ellipsis => "ellipsis",
            Self::Emoji => "emoji",
            Self::Hashtag => "hashtag",
        }
    }
}

impl Person {
    fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Second => "second",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(comment: &str) -> Value {
        distill(&Prompt { comment: comment.to_owned(), ..Prompt::default() })["lessons"].clone()
    }

    #[test]
    fn what_is_read_becomes_a_field_and_the_rest_a_note() {
        let lessons = of("Never use \"leverage\". Tell stories of patients. Write at least 150 words. Lovely!");
        assert_eq!(
            lessons,
            json!([
                { "kind": "term", "value": "leverage", "over": "", "number": 0, "wanted": false },
                { "kind": "note", "value": "Tell stories of patients.", "over": "", "number": 0, "wanted": true },
                { "kind": "length", "value": "", "over": "", "number": 150, "wanted": true },
            ])
        );
        assert_eq!(of("No emoji, please")[0]["value"], "emoji");
        assert_eq!(of("It must not be about cats.")[0]["wanted"], false);
        assert_eq!(of(""), json!([]));
    }

    #[test]
    fn a_hostile_comment_has_few_lessons_of_bounded_length() {
        let lessons = of(&format!("{} {}", "é".repeat(50_000), "Say this now. ".repeat(5_000)));
        let lessons = lessons.as_array().map_or(&[][..], Vec::as_slice);
        assert!(lessons.len() <= LESSONS_MAX);
        assert!(lessons.iter().all(|lesson| lesson["value"].as_str().map_or(0, str::len) <= 4 * NOTE_CHARS));
    }
}
