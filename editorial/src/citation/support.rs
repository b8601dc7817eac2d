//! Whether a passage supports a sentence, by shared words: the share of the sentence's words that
//! occur in one or two neighbouring sentences of the passage. Numbers and names weigh more. A
//! number that is missing from the passage, or a denial of what it says, lowers the score.
//! Paraphrases without shared words are not recognised.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use copydesk_words::words;

use crate::phrases::{Phrases, phrases};
use crate::text::sentence::sentences;

/// The share of a sentence's weight that must occur in the passage. Precision and recall are equal
/// there on `tests/fixtures/citation_pairs.json`; the test below states both.
const MIN_SUPPORT: f64 = 0.55;
/// The most sentences of a passage that are compared together.
const MAX_WINDOW: usize = 2;
/// The weights of a number, a name and any other word.
const NUMBER: f64 = 2.0;
const NAME: f64 = 1.5;
const WORD: f64 = 1.0;
/// The factor for each significant word, after the first, that is missing from the passage: two new
/// things are a new claim.
const NEW_CLAIM: f64 = 0.7;
/// The factor for a sentence with numbers that is supported by two sentences: the numbers may be
/// about different things.
const NUMBERS_APART: f64 = 0.8;
/// The weight of a word that says little by itself.
const LIGHT_WORD: f64 = 0.35;
/// Words that say little by themselves.
static LIGHT: Phrases = phrases!("light_words.txt");
/// The number of words that a denial applies to.
const DENIAL_REACH: usize = 4;
/// The factor if the passage has another number, or says the opposite.
const CONTRADICTED: f64 = 0.5;
/// Numbers in words. "one" is left out: it is often not a number.
const NUMBERS: [(&str, &str); 29] = [
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("fifteen", "15"),
    ("twenty", "20"),
    ("thirty", "30"),
    ("forty", "40"),
    ("fifty", "50"),
    ("sixty", "60"),
    ("hundred", "100"),
    ("thousand", "1000"),
    ("million", "1000000"),
    ("twice", "2"),
    ("double", "2"),
    ("half", "1/2"),
    ("halves", "1/2"),
    ("halved", "1/2"),
    ("third", "1/3"),
    ("thirds", "1/3"),
    ("quarter", "1/4"),
    ("fifth", "1/5"),
];
/// Words that deny.
const DENIALS: [&str; 12] =
    ["not", "no", "never", "without", "cannot", "nothing", "none", "neither", "nor", "hardly", "rarely", "t"];
/// Pairs of opposite words.
const CONTRARIES: [(&str, &str); 14] = [
    ("before", "after"),
    ("day", "night"),
    ("rise", "fall"),
    ("rose", "fell"),
    ("raise", "cut"),
    ("increase", "decrease"),
    ("more", "fewer"),
    ("more", "less"),
    ("open", "closed"),
    ("above", "below"),
    ("over", "under"),
    ("first", "last"),
    ("different", "same"),
    ("early", "late"),
];

/// The sentences of a passage that support a sentence best.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Support<'a> {
    /// The share of the sentence that occurs in them, 0 to 1.
    pub(super) share: f64,
    /// The sentences.
    pub(super) quote: &'a str,
}

impl Support<'_> {
    /// Whether the share is high enough.
    pub(super) fn is_enough(&self) -> bool {
        self.share >= MIN_SUPPORT
    }
}

/// The best support of a sentence in a passage. `context` is the passage's heading, such as its
/// title.
pub(super) fn best<'a>(sentence: &str, passage: &'a str, context: &str) -> Support<'a> {
    let said = Said::of(sentence);
    let context = words(context);
    let pieces = sentences(passage);
    let windows =
        (0..pieces.len()).flat_map(|start| (start..pieces.len().min(start + MAX_WINDOW)).map(move |end| (start, end)));
    let mut best = Support { share: 0.0, quote: "" };
    for (start, end) in windows {
        let quote = &passage[pieces[start].start..pieces[end].end];
        let mut share = said.share_in(&Said::of(quote), &context);
        if end > start && !said.numbers.is_empty() {
            let together =
                (start..=end).any(|at| said.numbers.is_subset(&Said::of(&passage[pieces[at].clone()]).numbers));
            share *= NUMBERS_APART * if together { 1.0 } else { CONTRADICTED };
        }
        // A longer quote must be clearly better.
        if share > best.share + 0.05 * f64::from(u8::from(end > start)) {
            best = Support { share, quote };
        }
    }
    best
}

/// Whether a passage can support a sentence in another language: it contains all of the sentence's
/// digits and shares a word with it, or it shares a number.
pub(super) fn is_possible(sentence: &str, passage: &str) -> bool {
    let (said, known) = (Said::of(sentence), Said::of(passage));
    let digits = said.numbers.iter().filter(|number| sentence.contains(number.as_str()));
    digits.into_iter().all(|number| known.numbers.contains(number)) && !words(sentence).is_disjoint(&words(passage))
        || said.numbers.iter().any(|number| known.numbers.contains(number))
}

/// The words and numbers of a text, by their role.
#[derive(Debug, Default)]
struct Said {
    numbers: BTreeSet<String>,
    names: BTreeSet<String>,
    words: BTreeSet<String>,
    plain: BTreeSet<String>,
    denied: BTreeSet<String>,
}

impl Said {
    fn of(text: &str) -> Self {
        let mut said = Self::default();
        let mut reach = 0;
        let tokens: Vec<&str> = text
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | ',')))
            .map(|token| token.trim_matches(['.', ',']))
            .filter(|token| !token.is_empty())
            .collect();
        for (place, token) in tokens.iter().enumerate() {
            let lower = token.to_lowercase();
            if DENIALS.contains(&lower.as_str()) {
                // "Nothing but flour" does not deny flour.
                let is_only = tokens.get(place + 1).is_some_and(|next| next.eq_ignore_ascii_case("but"));
                reach = if is_only { 0 } else { DENIAL_REACH };
            } else if reach > 0 {
                let telling = words(token);
                reach -= usize::from(!telling.is_empty());
                said.denied.extend(telling);
            }
            match number(&lower) {
                Some(number) => drop(said.numbers.insert(number)),
                None if place > 0 && token.starts_with(char::is_uppercase) => said.names.extend(words(token)),
                None => said.words.extend(words(token)),
            }
            said.plain.insert(lower);
        }
        said.words.retain(|word| !said.names.contains(word));
        said
    }

    fn share_in(&self, known: &Self, context: &BTreeSet<String>) -> f64 {
        let holds =
            |word: &&String| known.words.contains(*word) || known.names.contains(*word) || context.contains(*word);
        let weight = |word: &&String| if light().contains(*word) { LIGHT_WORD } else { WORD };
        let names = self.names.iter().filter(holds).count();
        let all = NUMBER * count(self.numbers.len())
            + NAME * count(self.names.len())
            + self.words.iter().map(|word| weight(&word)).sum::<f64>();
        let held = NUMBER * count(self.numbers.intersection(&known.numbers).count())
            + NAME * count(names)
            + self.words.iter().filter(holds).map(|word| weight(&word)).sum::<f64>();
        let is_new = |word: &&String| !holds(word) && !light().contains(*word);
        let new = self.words.union(&self.names).filter(is_new).count();
        let share = if all == 0.0 { 0.0 } else { held / all * NEW_CLAIM.powf(count(new.saturating_sub(1))) };
        let contradicted = !self.numbers.is_subset(&known.numbers)
            || self.denies_what(known)
            || known.denies_what(self)
            || self.is_contrary_to(known);
        if contradicted { share * CONTRADICTED } else { share }
    }

    /// Whether it denies a word that occurs in another text that has no denials.
    fn denies_what(&self, other: &Self) -> bool {
        other.denied.is_empty()
            && self.denied.iter().any(|word| other.words.contains(word) || other.names.contains(word))
    }

    fn is_contrary_to(&self, known: &Self) -> bool {
        let says = |said: &Self, word: &str| {
            said.plain.iter().any(|plain| plain == word || plain.strip_suffix('s') == Some(word))
        };
        CONTRARIES
            .iter()
            .flat_map(|&(a, b)| [(a, b), (b, a)])
            .any(|(here, there)| says(self, here) && says(known, there) && !says(known, here) && !says(self, there))
    }
}

fn light() -> &'static BTreeSet<String> {
    static WORDS: LazyLock<BTreeSet<String>> = LazyLock::new(|| words(&LIGHT.join(" ")));
    &WORDS
}

#[expect(clippy::cast_precision_loss, reason = "a sentence has few words")]
fn count(n: usize) -> f64 {
    n as f64
}

/// A number as digits: `12000` for `12,000`, `12` for `twelve`.
fn number(lower: &str) -> Option<String> {
    if lower.starts_with(|c: char| c.is_ascii_digit()) {
        let digits = lower.replace(',', "");
        return Some(digits.trim_end_matches(|c: char| !c.is_ascii_digit()).to_owned());
    }
    NUMBERS.iter().find(|(word, _)| *word == lower).map(|(_, digits)| (*digits).to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Labelled {
        split: String,
        title: String,
        text: String,
        supported: Vec<String>,
        unsupported: Vec<String>,
    }

    /// Precision and recall on a split's pairs.
    fn measured(split: &str) -> (f64, f64, usize) {
        let labelled: Vec<Labelled> =
            serde_json::from_str(include_str!("../../tests/fixtures/citation_pairs.json")).unwrap();
        let (mut right, mut wrong, mut missed, mut pairs) = (0, 0, 0, 0);
        for passage in labelled.iter().filter(|passage| passage.split == split) {
            let cases =
                passage.supported.iter().map(|s| (s, true)).chain(passage.unsupported.iter().map(|s| (s, false)));
            for (sentence, label) in cases {
                let support = best(sentence, &passage.text, &passage.title);
                pairs += 1;
                match (support.is_enough(), label) {
                    (true, true) => right += 1,
                    (true, false) => wrong += 1,
                    (false, true) => missed += 1,
                    (false, false) => {}
                }
            }
        }
        let share = |of: usize| count(right) / count(right + of);
        (share(wrong), share(missed), pairs)
    }

    #[test]
    fn support_is_told_from_the_same_topic() {
        for (split, least_precision, least_recall) in [("tune", 0.8, 0.9), ("held out", 0.75, 0.75)] {
            let (precision, recall, pairs) = measured(split);
            assert!(pairs >= 40, "{pairs}");
            assert!(
                precision >= least_precision && recall >= least_recall,
                "{split}: precision {precision:.3}, recall {recall:.3}"
            );
        }
    }

    /// The share of a sentence that occurs in a passage.
    fn share(sentence: &str, passage: &str) -> f64 {
        best(sentence, passage, "").share
    }

    #[test]
    fn numbers_and_names_weigh_more_and_light_words_less() {
        let visit = "A visit costs 60 euros.";
        assert!(share("Visits cost 60 guilders.", visit) > share("Visits cost euros, guilders.", visit));
        let reader = "Every scan is read by Keller.";
        assert!(share("Scans read by Keller delight.", reader) > share("Scans read by keller delight.", reader));
        let scans = "Scans are read twice.";
        assert!(share("Scans come read.", scans) > share("Scans delight read.", scans));
    }

    #[test]
    fn the_contrary_is_not_supported() {
        let opens = "The clinic opens before the harvest.";
        assert!(best("The clinic opens before the harvest.", opens, "").is_enough());
        assert!(!best("The clinic opens after the harvest.", opens, "").is_enough());
    }

    #[test]
    fn two_neighbouring_sentences_support_what_neither_says() {
        let passage = "Parking is free. Every scan is read by a model. A radiologist checks the findings.";
        let support = best("A model reads every scan and a radiologist checks the findings.", passage, "");
        assert_eq!(support.quote, "Every scan is read by a model. A radiologist checks the findings.");
    }

    #[test]
    fn the_quote_is_the_sentence_that_supports() {
        let passage =
            "# Scans\n\nEvery scan is read twice. Results arrive within two hours of the visit.\n- Parking is free.";
        let support = best("You have your results within two hours.", passage, "Handbook");
        assert_eq!(support.quote, "Results arrive within two hours of the visit.");
        assert_eq!(best("", passage, "").share, 0.0);
        assert_eq!(best("A sentence.", "", "").quote, "");
    }
}
