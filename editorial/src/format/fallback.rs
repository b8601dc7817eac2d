//! The material of a text that no model writes: sentences of the passages, each with its citation,
//! and stock sentences when they run out. Nothing is invented.

use chrono::{DateTime, Utc};

use crate::text::clip::chars;
use crate::text::sentence;

mod choice;
mod sentences;
#[cfg(test)]
mod tests;

pub use choice::facts;

/// Quotation marks.
const QUOTES: [char; 3] = ['"', '“', '”'];

/// The material of a text.
#[derive(Debug, Clone)]
pub struct Material<'a> {
    /// The business's name.
    pub business: String,
    /// What the text is about: its title.
    pub title: String,
    /// Whom it addresses, where that is said.
    pub audience: Option<&'a str>,
    /// Sentences of the passages, best first.
    pub facts: Vec<Fact>,
    /// The date of a dated text.
    pub today: DateTime<Utc>,
}

impl Material<'_> {
    /// A sentence that can be quoted: it quotes nobody itself.
    pub(super) fn quotable(&self) -> Option<&Fact> {
        self.facts.iter().find(|fact| !fact.text.contains(QUOTES))
    }
}

/// A sentence of a passage, or of what the business says of itself, with what leans on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The passage's number; `None` where it is of the business's profile.
    pub n: Option<u16>,
    /// The sentence.
    pub text: String,
}

impl Fact {
    /// The sentence with its citation before the full stop: `It is so [1].`
    pub(super) fn cited(&self) -> String {
        let Some(n) = self.n else { return self.text.clone() };
        let text = self.text.trim_end_matches(|c| c == ' ' || sentence::MARKS.contains(&c));
        // A mark of another script stays.
        let mark = self.text.chars().next_back().filter(|mark| !mark.is_ascii() && sentence::MARKS.contains(mark));
        format!("{text} [{n}]{}", mark.unwrap_or('.'))
    }

    /// Its first sentence.
    fn alone(&self) -> Self {
        let end = sentence::sentences(&self.text).first().map_or(self.text.len(), |first| first.end);
        Self { text: self.text[..end].to_owned(), ..self.clone() }
    }

    /// The sentence as somebody's words: without its full stop, with its citation behind the marks.
    pub(super) fn quoted(&self) -> String {
        let text = self.text.trim_end_matches('.');
        self.n.map_or_else(|| format!("“{text}”"), |n| format!("“{text}” [{n}]"))
    }
}

/// A passage that a text may be composed of.
#[derive(Debug, Clone, Copy)]
pub struct Passage<'a> {
    /// Its number.
    pub n: u16,
    /// The title of its document, and the path of its headings.
    pub title: &'a str,
    /// The text.
    pub text: &'a str,
    /// Whether its document speaks of other companies: only sentences that name the business are facts about it.
    pub is_about_others: bool,
}

impl<'a> Passage<'a> {
    /// Its document: the title without the path of headings.
    fn document(&self) -> &'a str {
        self.title.split_once(" › ").map_or(self.title, |(document, _)| document)
    }
}

/// Who a text is composed for.
#[derive(Debug, Clone, Copy)]
pub struct Business<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it says of itself.
    pub description: &'a str,
    /// Titles of its documents about other companies.
    pub others: &'a [String],
}

/// Yields facts one after the other, and stock sentences once they are used up.
#[derive(Debug)]
pub(super) struct Telling<'a> {
    material: &'a Material<'a>,
    next: usize,
}

impl<'a> Telling<'a> {
    pub(super) fn of(material: &'a Material<'a>) -> Self {
        Self { material, next: 0 }
    }

    /// One sentence, with its citation if it has one.
    pub(super) fn sentence(&mut self) -> String {
        self.within(usize::MAX)
    }

    /// One sentence of at most `max_chars`, without what leans on it where that is too long. A longer one is skipped.
    pub(super) fn within(&mut self, max_chars: usize) -> String {
        while let Some(fact) = self.material.facts.get(self.next) {
            self.next += 1;
            let fitting = [fact.clone(), fact.alone()].iter().map(Fact::cited).find(|cited| chars(cited) <= max_chars);
            if let Some(cited) = fitting {
                return cited;
            }
        }
        let business = &self.material.business;
        let used_up = self.next - self.material.facts.len();
        self.next += 1;
        // The topic is worded as a title: it fits into no sentence.
        let plain = match used_up % 5 {
            0 => format!("{business} is glad to say more about this."),
            1 => "Questions are always welcome.".to_owned(),
            2 => format!("Whoever wants to know more can ask {business}."),
            3 => "Further details are available on request.".to_owned(),
            _ => format!("{business} answers questions in person."),
        };
        if chars(&plain) <= max_chars { plain } else { "Details are available on request.".to_owned() }
    }

    /// Several sentences as a paragraph.
    pub(super) fn paragraph(&mut self, sentences: usize) -> String {
        (0..sentences).map(|_| self.sentence()).collect::<Vec<_>>().join(" ")
    }

    /// The number of sentences for a part, so that the facts are spread over `parts`.
    pub(super) fn share(&self, parts: usize) -> usize {
        (self.material.facts.len() / parts.max(1)).clamp(1, 3)
    }
}
