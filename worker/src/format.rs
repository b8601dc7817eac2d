//! The twelve formats, as far as code can judge them: whether a text has its format's shape, and a
//! text composed in that shape where no model writes one. A file a format; what a model is told of
//! the shape is its template in `prompts/format`.

use copydesk_common::generation::Format;

pub mod answer;
pub mod fallback;
pub mod language;
pub mod markdown;
pub mod markup;

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

/// The share of the asked-for length that a text may have, least and most, in percent.
const LENGTH_PERCENT: (usize, usize) = (50, 200);

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
}

impl Rules<'_> {
    fn is_english(&self) -> bool {
        language::is_english(self.language)
    }
}

/// What has to be mended in a text, each as an instruction to the writer. Empty where it has its
/// format's shape, a fitting length and no banned phrase.
pub fn check(format: Format, text: &str, rules: &Rules<'_>) -> Vec<String> {
    let mut fixes = shape(format, text, rules);
    fixes.extend(length(text, rules.words));
    fixes.extend(banned(text, rules.banned_phrases));
    fixes
}

/// What a text lacks of its format's shape.
pub fn shape(format: Format, text: &str, rules: &Rules<'_>) -> Vec<String> {
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
    let mut fixes = Fixes::default();
    check(&Page::read(text), rules, &mut fixes);
    fixes.0
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

/// What has to be mended, as it is found.
#[derive(Debug, Default)]
pub(crate) struct Fixes(Vec<String>);

impl Fixes {
    /// Asks for `fix` unless what it is about holds.
    fn require(&mut self, holds: bool, fix: impl Into<String>) {
        if !holds {
            self.0.push(fix.into());
        }
    }
}

fn length(text: &str, words: u16) -> Option<String> {
    let (least, most) = LENGTH_PERCENT;
    let (asked, counted) = (usize::from(words), language::count_words(text));
    let fits = (asked * least / 100..=asked * most / 100).contains(&counted);
    (!fits).then(|| format!("Write about {words} words; the text has {counted}."))
}

fn banned(text: &str, phrases: &[String]) -> Vec<String> {
    let lower = text.to_lowercase();
    let held = |phrase: &&String| {
        let phrase = phrase.trim().to_lowercase();
        !phrase.is_empty() && holds_phrase(&lower, &phrase)
    };
    phrases.iter().filter(held).map(|phrase| format!("Do not use \"{}\".", phrase.trim())).collect()
}

/// Whether a text holds a phrase as whole words: "best" is not in "bestiary".
fn holds_phrase(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(start, found)| {
        let before = text[..start].chars().next_back();
        let after = text[start + found.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    pub(crate) const RULES: Rules<'_> =
        Rules { business_name: "Acme Clinics", language: "en", words: 100, banned_phrases: &[] };

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
    fn lengths_between_half_and_double_fit() {
        let words = |n: usize| vec!["word"; n].join(" ");
        assert!(length(&words(50), 100).is_none());
        assert!(length(&words(200), 100).is_none());
        assert!(length(&words(49), 100).unwrap().contains("the text has 49"));
        assert!(length(&words(201), 100).is_some());
    }

    #[test]
    fn banned_phrases_are_found_as_whole_words() {
        let phrases = ["Best".to_owned(), "game changer".to_owned(), " ".to_owned()];
        assert_eq!(banned("A bestiary of gamechangers.", &phrases), Vec::<String>::new());
        assert_eq!(banned("The BEST game changer.", &phrases).len(), 2);
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
