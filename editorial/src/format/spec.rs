//! What makes a format, and a text held against it.

use copydesk_domain::format::Format;
use copydesk_domain::review::Check;

use super::fallback::Material;
use crate::answer::placeholder;
use crate::text::page::Page;
use crate::text::{language, phrase};

/// How far a text may be from the asked-for length, in percent.
pub const LENGTH_TOLERANCE_PERCENT: usize = 40;

/// All that makes a format. What it is called is its [`Format`]'s.
#[derive(Debug)]
pub struct Spec {
    /// Which it is.
    pub format: Format,
    /// What a model is told of the shape: a template.
    pub shape: &'static str,
    /// The sections of a text that nobody has planned.
    pub sections: &'static [&'static str],
    /// Whether it is written in sentences throughout: an ad's are short whoever writes it.
    pub is_prose: bool,
    /// Whether its own limits say how long it gets, and no asked-for length does.
    pub(super) limits_its_length: bool,
    /// Whether a text has the shape.
    pub(super) check: fn(&Page<'_>, &Rules<'_>, &mut Checks),
    /// A text in the shape, made of the material alone.
    pub(super) compose: fn(&Material<'_>) -> String,
}

/// What a text is held against, besides its format.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The business's name.
    pub business_name: &'a str,
    /// BCP 47. Some checks look for English words: in other languages they pass.
    pub language: &'a str,
    /// The asked-for length, in words.
    pub words: u16,
    /// What no text may hold.
    pub banned_phrases: &'a [String],
    /// What it should hold.
    pub keywords: &'a [String],
}

impl Rules<'_> {
    pub(super) fn is_english(&self) -> bool {
        language::is_english(self.language)
    }
}

impl Spec {
    /// Every check of a text: of its shape, and of its length, language, words and placeholders.
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
        checks.require(
            "placeholders",
            !placeholder::is_left(text),
            "Fill in or leave out what stands in brackets to be filled in.",
        );
        checks.0
    }

    /// What a text lacks of the shape, each as an instruction to the writer.
    pub fn fixes(&self, text: &str, rules: &Rules<'_>) -> Vec<String> {
        self.shaped(text, rules).0.into_iter().filter(|check| !check.passed).map(|check| check.detail).collect()
    }

    fn shaped(&self, text: &str, rules: &Rules<'_>) -> Checks {
        let mut checks = Checks::default();
        (self.check)(&Page::read(text), rules, &mut checks);
        checks
    }

    /// A text in the shape, made of the material alone. English, whatever the language asked for: it
    /// stands in where no model could write.
    pub fn compose(&self, material: &Material<'_>) -> String {
        (self.compose)(material)
    }
}

/// Checks, as they are made.
#[derive(Debug, Default)]
pub(super) struct Checks(Vec<Check>);

impl Checks {
    /// Asks for `fix` unless what the check is about holds. A check that is made of several parts is
    /// listed once where all of them pass, and else once for each that fails.
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

/// The phrases that a text holds.
fn held<'a>(text: &str, phrases: &'a [String]) -> Vec<&'a str> {
    let lower = text.to_lowercase();
    let phrases = phrases.iter().map(|phrase| phrase.trim()).filter(|phrase| !phrase.is_empty());
    phrases.filter(|phrase| phrase::holds(&lower, &phrase.to_lowercase())).collect()
}

/// The keywords that a text lacks, whatever their endings.
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
