//! What raters want of a text: preferences that a text can be held against, and their opposites. Knows nothing of
//! lessons: how a business learns of a preference is what is measured.

use copydesk_domain::format::Format;
use rand::RngExt as _;
use rand::seq::{IndexedRandom as _, SliceRandom as _};

use super::Rng;

/// Preferences that a rater holds.
pub(super) const HELD: usize = 8;
/// Words that writers fall into, and some that they seldom use.
const WORDS: [&str; 11] = [
    "leverage",
    "seamless",
    "robust",
    "landscape",
    "journey",
    "unlock",
    "empower",
    "delve",
    "checklist",
    "plain language",
    "in practice",
];
/// A plain word, and a stilted one for it.
const PAIRS: [(&str, &str); 4] =
    [("customers", "clients"), ("use", "utilize"), ("start", "commence"), ("help", "assist")];
/// What is not about certain words; headings are asked for where a text has some.
const FORMS: [About; 13] = [
    About::Exclamation,
    About::EmDash,
    About::Emoji,
    About::Semicolon,
    About::Question,
    About::Figure,
    About::Call,
    About::Length,
    About::Sentences,
    About::Lists,
    About::We,
    About::You,
    About::Headings,
];

/// What a preference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum About {
    /// A word or phrase.
    Word(&'static str),
    /// A word in place of another.
    Pair(&'static str, &'static str),
    Exclamation,
    EmDash,
    Emoji,
    Semicolon,
    /// A question as the first sentence.
    Question,
    /// A figure in the first sentence.
    Figure,
    /// A call to action at the end.
    Call,
    /// Words of the text.
    Length,
    /// Words of a sentence, on average.
    Sentences,
    Lists,
    /// The text speaks as we.
    We,
    /// It speaks to you.
    You,
    Headings,
}

/// A preference: for something, or against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Preference {
    pub(super) about: About,
    /// Whether it must occur; of lengths and headings, whether the number is the least; of a pair, whether the plain
    /// word is the right one.
    pub(super) wanted: bool,
}

impl Preference {
    /// The opposite.
    pub(super) const fn flipped(self) -> Self {
        Self { wanted: !self.wanted, ..self }
    }

    /// The number that it names.
    pub(super) const fn number(self, format: Format) -> usize {
        match (self.about, self.wanted, format) {
            (About::Length, true, Format::Newsletter) => 505,
            (About::Length, false, Format::Newsletter) => 495,
            (About::Length, true, _) => 178,
            (About::Length, false, _) => 174,
            (About::Sentences, true, _) => 13,
            (About::Sentences, false, _) => 11,
            (About::Headings, true, _) => 5,
            (About::Headings, false, _) => 3,
            _ => 0,
        }
    }

    /// The word that must occur, or must not, and the other one of a pair: `(right, wrong)`.
    pub(super) const fn words(self) -> Option<(&'static str, &'static str)> {
        match (self.about, self.wanted) {
            (About::Pair(plain, stilted), true) => Some((plain, stilted)),
            (About::Pair(plain, stilted), false) => Some((stilted, plain)),
            (About::Word(word), _) => Some((word, "")),
            _ => None,
        }
    }

    /// What it is called in the list of wordings: what it is about, and its side.
    pub(super) fn name(self) -> (&'static str, &'static str) {
        let side = |yes, no| if self.wanted { yes } else { no };
        match self.about {
            About::Word(_) => ("word", side("use", "avoid")),
            About::Pair(..) => ("pair", "plain"),
            About::Exclamation => ("exclamation", side("use", "avoid")),
            About::EmDash => ("em_dash", side("use", "avoid")),
            About::Emoji => ("emoji", side("use", "avoid")),
            About::Semicolon => ("semicolon", side("use", "avoid")),
            About::Question => ("question", side("use", "avoid")),
            About::Figure => ("figure", side("use", "avoid")),
            About::Call => ("call", side("use", "avoid")),
            About::Length => ("length", side("more", "less")),
            About::Sentences => ("sentences", side("long", "short")),
            About::Lists => ("lists", side("use", "avoid")),
            About::We => ("we", side("use", "avoid")),
            About::You => ("you", side("use", "avoid")),
            About::Headings => ("headings", side("more", "less")),
        }
    }
}

/// Draws a rater's preferences for texts of a format: about different things, for and against alike.
pub(super) fn drawn(format: Format, count: usize, rng: &mut Rng) -> Vec<Preference> {
    let mut pool: Vec<About> = WORDS.sample(rng, 2).map(|word| About::Word(word)).collect();
    pool.extend(PAIRS.choose(rng).map(|(plain, stilted)| About::Pair(plain, stilted)));
    pool.extend(FORMS.iter().filter(|about| **about != About::Headings || format == Format::Newsletter));
    pool.shuffle(rng);
    pool.truncate(count);
    pool.into_iter().map(|about| Preference { about, wanted: rng.random_bool(0.5) }).collect()
}

/// Every preference that may be drawn, for and against.
#[cfg(test)]
pub(super) fn all() -> Vec<Preference> {
    let words = WORDS.iter().map(|word| About::Word(word));
    let pairs = PAIRS.iter().map(|(plain, stilted)| About::Pair(plain, stilted));
    let about = words.chain(pairs).chain(FORMS).collect::<Vec<_>>();
    about.into_iter().flat_map(|about| [true, false].map(|wanted| Preference { about, wanted })).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_rater_holds_eight_preferences_about_different_things() {
        for seed in 0..200 {
            let held = drawn(Format::LinkedIn, HELD, &mut super::super::rng(seed, "test"));
            let about: BTreeSet<About> = held.iter().map(|preference| preference.about).collect();
            assert_eq!((held.len(), about.len()), (HELD, HELD));
            assert!(!about.contains(&About::Headings));
        }
        assert!(FORMS.len() + 3 >= 14);
    }

    #[test]
    fn an_opposite_is_another_wording() {
        for preference in all() {
            assert_eq!(preference.flipped().flipped(), preference);
            let said = |preference: Preference| (preference.name(), preference.words());
            assert_ne!(said(preference), said(preference.flipped()), "{preference:?}");
        }
    }
}
