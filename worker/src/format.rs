//! The twelve formats, as far as code can judge them: whether a text has its format's shape, and a
//! text composed in that shape where no model writes one. A file a format; what a model is told of
//! the shape is its template in `prompts/format`.

use copydesk_domain::format::Format;
use copydesk_domain::review::Check;

pub mod answer;
pub mod fallback;
pub mod language;
pub mod markdown;
pub mod markup;
pub mod sentence;

mod ad;
mod blog;
mod case_study;
mod email;
mod faq;
mod landing_page;
mod linkedin;
mod newsletter;
mod press_release;
mod product;
mod thread;
mod video_script;

use fallback::Material;
use markdown::Page;

/// How far a text may be from the asked-for length, in percent. An ad's own limits are narrower, so
/// that its length is not checked.
pub const LENGTH_TOLERANCE_PERCENT: usize = 40;

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
    fn is_english(&self) -> bool {
        language::is_english(self.language)
    }
}

/// Every check of a text: of its format's shape, and of its length, language, words and placeholders.
pub fn check(format: Format, text: &str, rules: &Rules<'_>) -> Vec<Check> {
    let mut checks = shaped(format, text, rules);
    if format != Format::Ad {
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
        !answer::placeholder::is_left(text),
        "Fill in or leave out what stands in brackets to be filled in.",
    );
    checks.0
}

/// What a text lacks of its format's shape, each as an instruction to the writer.
pub fn shape(format: Format, text: &str, rules: &Rules<'_>) -> Vec<String> {
    shaped(format, text, rules).0.into_iter().filter(|check| !check.passed).map(|check| check.detail).collect()
}

fn shaped(format: Format, text: &str, rules: &Rules<'_>) -> Checks {
    let check = match format {
        Format::Blog => blog::check,
        Format::LinkedIn => linkedin::check,
        Format::Thread => thread::check,
        Format::Newsletter => newsletter::check,
        Format::Email => email::check,
        Format::Product => product::check,
        Format::Ad => ad::check,
        Format::PressRelease => press_release::check,
        Format::LandingPage => landing_page::check,
        Format::CaseStudy => case_study::check,
        Format::Faq => faq::check,
        Format::VideoScript => video_script::check,
    };
    let mut checks = Checks::default();
    check(&Page::read(text), rules, &mut checks);
    checks
}

/// A text in the format's shape, made of the material alone. English, whatever the language asked
/// for: it stands in where no model could write.
pub fn compose(format: Format, material: &Material<'_>) -> String {
    let compose = match format {
        Format::Blog => blog::compose,
        Format::LinkedIn => linkedin::compose,
        Format::Thread => thread::compose,
        Format::Newsletter => newsletter::compose,
        Format::Email => email::compose,
        Format::Product => product::compose,
        Format::Ad => ad::compose,
        Format::PressRelease => press_release::compose,
        Format::LandingPage => landing_page::compose,
        Format::CaseStudy => case_study::compose,
        Format::Faq => faq::compose,
        Format::VideoScript => video_script::compose,
    };
    compose(material)
}

/// The sections of a text of this format where nobody has planned it.
pub const fn default_sections(format: Format) -> &'static [&'static str] {
    match format {
        Format::Blog => {
            &["Why it matters", "What it means in practice", "What to keep in mind", "Where to go from here"]
        }
        Format::LinkedIn => &["Hook", "What we see", "What it means", "Question to the reader"],
        Format::Thread => &["Hook", "The problem", "What changes", "What we do", "What to take away"],
        Format::Newsletter => &["In short", "In detail", "What comes next"],
        Format::Email => &["Why we write", "What it offers", "What to do next"],
        Format::Product => &["Features", "Who it is for"],
        Format::Ad => &["Variant 1", "Variant 2", "Variant 3"],
        Format::PressRelease => &["News", "Background", "Quote", "About"],
        Format::LandingPage => &["Benefits", "Proof", "Get started"],
        Format::CaseStudy => &["Challenge", "Solution", "Results"],
        Format::Faq => &["What it is", "Who it is for", "How it works", "What it costs", "How to start"],
        Format::VideoScript => &["Opening", "Explanation", "Close"],
    }
}

/// Checks, as they are made.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<Check>);

impl Checks {
    /// Asks for `fix` unless what the check is about holds. A check that is made of several parts is
    /// listed once where all of them pass, and else once for each that fails.
    fn require(&mut self, name: &'static str, passed: bool, fix: impl Into<String>) {
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
    phrases.filter(|phrase| holds_phrase(&lower, &phrase.to_lowercase())).collect()
}

/// The keywords that a text lacks, whatever their endings.
fn lacked<'a>(text: &str, keywords: &'a [String]) -> Vec<&'a str> {
    let words = copydesk_knowledge::words(text);
    let lacks = |keyword: &&str| !copydesk_knowledge::words(keyword).is_subset(&words);
    keywords.iter().map(String::as_str).filter(lacks).collect()
}

fn quoted(phrases: &[&str]) -> String {
    phrases.iter().map(|phrase| format!("\"{phrase}\"")).collect::<Vec<_>>().join(", ")
}

/// Whether a text holds a phrase as whole words: "best" is not in "bestiary".
pub(crate) fn holds_phrase(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(start, found)| {
        let before = text[..start].chars().next_back();
        let after = text[start + found.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const RULES: Rules<'_> =
        Rules { business_name: "Acme Clinics", language: "en", words: 100, banned_phrases: &[], keywords: &[] };

    /// Whether the text lacks nothing but what the words in `about` speak of.
    #[track_caller]
    pub(crate) fn lacks(format: Format, text: &str, about: &[&str]) {
        let fixes = shape(format, text, &RULES);
        assert_eq!(fixes.len(), about.len(), "{fixes:?}");
        for word in about {
            assert!(fixes.iter().any(|fix| fix.contains(word)), "{word:?} is not in {fixes:?}");
        }
    }

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

    #[test]
    fn every_check_is_listed_by_name() {
        let rules = Rules { banned_phrases: &["synergy".to_owned()], keywords: &["scan".to_owned()], ..RULES };
        let checks = check(Format::Faq, "# T\n\nA synergy for [Your name].", &rules);
        let failed: Vec<_> = checks.iter().filter(|check| !check.passed).map(|check| check.name.as_str()).collect();
        assert_eq!(failed, ["questions", "length", "banned_phrases", "keywords", "placeholders"]);
        assert!(checks.iter().all(|check| check.passed == check.detail.is_empty()));
        assert!(check(Format::Ad, "", &RULES).iter().all(|check| check.name != "length"));
    }

    #[test]
    fn an_empty_text_lacks_every_shape() {
        for &format in Format::ALL {
            assert!(!shape(format, "", &RULES).is_empty(), "{format}");
            assert!(!shape(format, "Some words.", &RULES).is_empty(), "{format}");
            assert!(!default_sections(format).is_empty(), "{format}");
        }
    }
}
