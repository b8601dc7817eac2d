//! The twelve formats, each with a file and a [`Spec`]: the shape as the model is told it, its
//! checks, and a text composed from material if no model writes one.

use copydesk_domain::format::Format;

mod ad;
mod blog;
mod case_study;
mod email;
pub mod fallback;
mod faq;
mod landing_page;
mod linkedin;
mod newsletter;
mod press_release;
mod product;
mod spec;
mod thread;
mod video_script;

pub use spec::{LENGTH_TOLERANCE_PERCENT, Rules, Spec};

/// The formats, in the order of [`Format::ALL`].
const SPECS: [&Spec; Format::ALL.len()] = [
    &blog::SPEC,
    &linkedin::SPEC,
    &thread::SPEC,
    &newsletter::SPEC,
    &email::SPEC,
    &product::SPEC,
    &ad::SPEC,
    &press_release::SPEC,
    &landing_page::SPEC,
    &case_study::SPEC,
    &faq::SPEC,
    &video_script::SPEC,
];

impl Spec {
    /// The spec of a format.
    pub const fn of(format: Format) -> &'static Self {
        SPECS[format as usize]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const RULES: Rules<'_> = Rules {
        business_name: "Acme Clinics",
        topic: "",
        language: "en",
        words: 100,
        banned_phrases: &[],
        keywords: &[],
    };

    /// Asserts that every fix is about one of the words in `about`.
    #[track_caller]
    pub(crate) fn lacks(format: Format, text: &str, about: &[&str]) {
        let fixes = Spec::of(format).fixes(text, &RULES);
        assert_eq!(fixes.len(), about.len(), "{fixes:?}");
        for word in about {
            assert!(fixes.iter().any(|fix| fix.contains(word)), "{word:?} is not in {fixes:?}");
        }
    }

    #[test]
    fn every_check_is_listed_by_name() {
        let rules = Rules { banned_phrases: &["synergy".to_owned()], keywords: &["scan".to_owned()], ..RULES };
        let checks = Spec::of(Format::Faq).check("# T\n\nA synergy for [Your name].", &rules);
        let failed: Vec<_> = checks.iter().filter(|check| !check.passed).map(|check| check.name.as_str()).collect();
        assert_eq!(failed, ["questions", "length", "banned_phrases", "keywords", "placeholders"]);
        assert!(checks.iter().all(|check| check.passed == check.detail.is_empty()));
        assert!(Spec::of(Format::Ad).check("", &RULES).iter().all(|check| check.name != "length"));
    }

    #[test]
    fn keywords_and_banned_phrases_are_found_in_every_form_of_unicode() {
        let forms = [
            [
                "école élève",
                "e\u{301}cole e\u{301}le\u{300}ve",
                "é\u{ad}cole é\u{200b}lève",
                "\u{feff}ÉCOLE E\u{301}lève",
            ],
            [
                "여객선",
                "\u{110b}\u{1167}\u{1100}\u{1162}\u{11a8}\u{1109}\u{1165}\u{11ab}",
                "여\u{2060}객선",
                "여객\u{ad}선",
            ],
        ];
        for (text, phrase) in
            forms.iter().flat_map(|forms| forms.iter().flat_map(|one| forms.map(|other| (*one, other))))
        {
            let named = [phrase.to_owned()];
            let rules = Rules { banned_phrases: &named, keywords: &named, ..RULES };
            let passes = |text: &str| {
                let checks = Spec::of(Format::Blog).check(text, &rules);
                ["keywords", "banned_phrases"].map(|name| checks.iter().any(|check| check.name == name && check.passed))
            };
            assert_eq!(passes(&format!("Our {text} is here.")), [true, false], "{phrase:?} in {text:?}");
            assert_eq!(passes("Our school is here."), [false, true], "{phrase:?} in another text");
        }
    }

    #[test]
    fn every_format_has_its_own_spec() {
        assert!(Format::ALL.iter().all(|&format| Spec::of(format).format == format));
    }

    #[test]
    fn an_empty_text_lacks_every_shape() {
        for &format in Format::ALL {
            let spec = Spec::of(format);
            assert!(!spec.fixes("", &RULES).is_empty(), "{format}");
            assert!(!spec.fixes("Some words.", &RULES).is_empty(), "{format}");
            assert!(!spec.sections.is_empty() && !spec.shape.is_empty(), "{format}");
        }
    }
}
