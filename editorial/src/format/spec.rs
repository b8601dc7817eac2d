//! The definition of a format, and the checks of a text against it.

use copydesk_domain::format::Format;
use copydesk_domain::review::Check;

use super::fallback::Material;
use crate::answer::{self, placeholder};
use crate::text::clip::clip;
use crate::text::page::Page;
use crate::text::{language, phrase};

/// The largest deviation from the requested length, in percent.
pub const LENGTH_TOLERANCE_PERCENT: usize = 40;

/// How much of a heading names it, in characters.
const MAX_NAMED_CHARS: usize = 80;

/// The definition of a format. Its names are in [`Format`].
#[derive(Debug)]
pub struct Spec {
    /// The format.
    pub format: Format,
    /// The shape as the model is told it: a template.
    pub shape: &'static str,
    /// The sections of a text without an outline.
    pub sections: &'static [&'static str],
    /// Whether it is prose throughout. Not so for ads: their sentences are short in any voice.
    pub is_prose: bool,
    /// Whether the format's own limits replace the requested length.
    pub(super) limits_its_length: bool,
    /// Checks whether a text has the shape.
    pub(super) check: fn(&Page<'_>, &Rules<'_>, &mut Checks),
    /// Composes a text in the shape from the material only.
    pub(super) compose: fn(&Material<'_>) -> String,
}

/// What a text is checked against, besides its format.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The business's name.
    pub business_name: &'a str,
    /// What the text is about.
    pub topic: &'a str,
    /// BCP 47. Some checks look for English words; in other languages they pass.
    pub language: &'a str,
    /// The requested length, in words.
    pub words: u16,
    /// Phrases that no text may contain.
    pub banned_phrases: &'a [String],
    /// Keywords that it should contain.
    pub keywords: &'a [String],
}

impl Rules<'_> {
    pub(super) fn is_english(&self) -> bool {
        language::is_english(self.language)
    }
}

impl Spec {
    /// Runs every check on a text: its shape, length, language, words and placeholders.
    pub fn check(&self, text: &str, rules: &Rules<'_>) -> Vec<Check> {
        let mut checks = self.shaped(text, rules);
        if !self.limits_its_length {
            checks.require("length", fits(text, rules.words), length_fix(text, rules.words));
        }
        let other = language::other_than(rules.language, text);
        checks.require("language", other.is_none(), format!("Write in the language {}.", rules.language));
        let banned = held(text, rules.banned_phrases);
        checks.require("banned_phrases", banned.is_empty(), format!("Do not use {}.", quoted(&banned)));
        let missing = lacked(text, rules.keywords);
        checks.require("keywords", missing.is_empty(), format!("Work in {}.", quoted(&missing)));
        self.read_as_a_text(text, rules, &mut checks);
        checks.require(
            "placeholders",
            !placeholder::is_left(text),
            "Fill in or leave out what stands in brackets to be filled in.",
        );
        checks.0
    }

    /// The failed checks of a text, each as an instruction to the writer.
    pub fn fixes(&self, text: &str, rules: &Rules<'_>) -> Vec<String> {
        self.shaped(text, rules).0.into_iter().filter(|check| !check.passed).map(|check| check.detail).collect()
    }

    /// Its headings that are none, as an instruction to the writer.
    pub fn heading_fix(text: &str, language: &str) -> Option<String> {
        let fragment = answer::fragment(&Page::read(text), language)?;
        Some(format!("Word this heading so that it stands alone: \"{}\".", clip(fragment, MAX_NAMED_CHARS)))
    }

    /// What readers of any format expect.
    fn read_as_a_text(&self, text: &str, rules: &Rules<'_>, checks: &mut Checks) {
        let fix = Self::heading_fix(text, rules.language);
        checks.require("headings_whole", fix.is_none(), fix.unwrap_or_default());
        checks.require("sentences", answer::has_a_sentence(text), "Write whole sentences, each with its full stop.");
        let speaks = answer::speaks_of_its_task_and_not_of(text, rules.topic);
        checks.require("task", !speaks, "Speak to the reader, and not of the text, the document or the task.");
    }

    fn shaped(&self, text: &str, rules: &Rules<'_>) -> Checks {
        let mut checks = Checks::default();
        (self.check)(&Page::read(text), rules, &mut checks);
        checks
    }

    /// Composes a text in the shape from the material only, as the fallback if no model could
    /// write. Its own sentences are English, whatever the requested language.
    pub fn compose(&self, material: &Material<'_>) -> String {
        // A title that was cut to a length may break off.
        let title = answer::without_open_end(&material.title).to_owned();
        (self.compose)(&Material { title, ..material.clone() })
    }
}

/// Collects checks.
#[derive(Debug, Default)]
pub(super) struct Checks(Vec<Check>);

impl Checks {
    /// Records a check and, if it failed, its `fix`. A check with several parts is listed once if
    /// all of them pass, else once for each part that fails.
    pub(super) fn require(&mut self, name: &'static str, passed: bool, fix: impl Into<String>) {
        let known = self.0.iter_mut().find(|check| check.name == name);
        match known {
            Some(_) if passed => {}
            Some(known) if known.passed => (known.passed, known.detail) = (false, fix.into()),
            _ => {
                let detail = if passed { String::new() } else { fix.into() };
                self.0.push(Check { name: name.to_owned(), passed, detail });
            }
        }
    }
}

fn fits(text: &str, words: u16) -> bool {
    let (asked, counted) = (usize::from(words), language::count_words(text));
    counted.abs_diff(asked) * 100 <= asked * LENGTH_TOLERANCE_PERCENT
}

fn length_fix(text: &str, words: u16) -> String {
    format!("Write about {words} words; the text has {}.", language::count_words(text))
}

/// The phrases that a text contains.
fn held<'a>(text: &str, phrases: &'a [String]) -> Vec<&'a str> {
    let lower = phrase::comparable(text);
    let phrases = phrases.iter().map(|phrase| phrase.trim()).filter(|phrase| !phrase.is_empty());
    phrases.filter(|phrase| phrase::holds(&lower, &phrase::comparable(phrase))).collect()
}

/// The keywords that are missing from a text, ignoring endings.
fn lacked<'a>(text: &str, keywords: &'a [String]) -> Vec<&'a str> {
    let words = copydesk_words::words(text);
    let lacks = |keyword: &&str| !copydesk_words::words(keyword).is_subset(&words);
    keywords.iter().map(String::as_str).filter(lacks).collect()
}

fn quoted(phrases: &[&str]) -> String {
    phrases.iter().map(|phrase| format!("\"{phrase}\"")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_near_the_asked_for_one_fit() {
        let words = |n: usize| vec!["word"; n].join(" ");
        assert!(fits(&words(60), 100) && fits(&words(140), 100));
        assert!(!fits(&words(59), 100) && !fits(&words(141), 100));
        assert!(length_fix(&words(59), 100).contains("the text has 59"));
    }

    #[test]
    fn words_are_held_and_lacked_as_whole_words() {
        let phrases = ["Best".to_owned(), "game changer".to_owned(), " ".to_owned()];
        assert_eq!(held("A bestiary of gamechangers.", &phrases), Vec::<&str>::new());
        assert_eq!(held("The BEST game changer.", &phrases), ["Best", "game changer"]);
        assert_eq!(
            lacked("Tide tables of the harbour.", &["tide table".to_owned(), "pilot boat".to_owned()]),
            ["pilot boat"]
        );
    }
}
