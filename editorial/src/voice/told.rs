//! A voice as it is told to people: a sentence for each of its traits, with passages that show it. What is measured is
//! [`Measure`]'s.

use std::cmp::Reverse;

use copydesk_domain::document::Chunk;
use copydesk_domain::id::DocumentId;

use super::measure::English;
use super::{HABIT, Measure};
use crate::text::phrase;
use crate::text::sentence::sentences;

/// Examples of a trait.
const EXAMPLES: usize = 2;
/// The longest sentence that is shown, in characters.
const EXAMPLE_CHARS: usize = 300;
/// Sentences that are looked at for examples.
const LOOKED_AT: usize = 2_000;

/// A trait of a voice.
#[derive(Debug, Clone, PartialEq)]
pub struct Trait {
    /// Its stable name.
    pub name: &'static str,
    /// What was measured.
    pub value: f64,
    /// Of what: `words`, `per 100 sentences`, `points`.
    pub unit: &'static str,
    /// The same in a plain sentence.
    pub text: String,
    /// Sentences that show it.
    pub examples: Vec<Example>,
}

/// A sentence of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The document.
    pub document_id: DocumentId,
    /// Its title.
    pub title: String,
    /// The sentence.
    pub text: String,
}

/// A term of the business's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The term.
    pub term: String,
    /// How often it occurs in the passages.
    pub count: usize,
}

/// The terms with how often they occur, the most frequent first.
pub fn terms(terms: &[String], passages: &[Chunk]) -> Vec<Term> {
    let texts: Vec<String> = passages.iter().map(|passage| phrase::comparable(&passage.text)).collect();
    let count = |term: &str| texts.iter().map(|text| text.matches(term).count()).sum();
    let mut told: Vec<Term> = terms.iter().map(|term| Term { term: term.clone(), count: count(term) }).collect();
    told.sort_by_key(|term| Reverse(term.count));
    told
}

/// A sentence of a passage, with its words.
struct Sentence<'a> {
    passage: &'a Chunk,
    text: &'a str,
    words: usize,
}

/// The traits of a measured voice, with sentences of its passages.
pub fn traits(measure: &Measure, passages: &[Chunk]) -> Vec<Trait> {
    let told: Vec<Sentence<'_>> = passages
        .iter()
        .filter(|passage| !passage.kind.is_guidance())
        .flat_map(|passage| {
            sentences(&passage.text).into_iter().map(move |range| (passage, passage.text[range].trim()))
        })
        .filter(|(_, text)| !text.starts_with(['#', '|', '`']) && text.chars().count() <= EXAMPLE_CHARS)
        .map(|(passage, text)| Sentence { passage, text, words: text.split_whitespace().count() })
        .filter(|sentence| sentence.words >= 3)
        .take(LOOKED_AT)
        .collect();
    let mut traits = vec![length(measure, &told), long(measure, &told), exclamations(measure, &told)];
    if let Some(english) = &measure.english {
        traits.extend(of_english(english, &told));
    }
    traits
}

fn length(measure: &Measure, told: &[Sentence<'_>]) -> Trait {
    let mean = f64::from(measure.mean_words);
    let kind = match mean {
        mean if mean < 12.0 => "short",
        mean if mean < 20.0 => "of medium length",
        _ => "long",
    };
    let text = format!("Sentences are {kind}: {mean:.0} words in the mean.");
    let nearest = nearest(told, mean);
    Trait { name: "sentence_words", value: rounded(mean), unit: "words", text, examples: nearest }
}

fn long(measure: &Measure, told: &[Sentence<'_>]) -> Trait {
    let most = f64::from(measure.long_words);
    let text = format!("Sentences seldom have more than {most:.0} words.");
    Trait { name: "long_sentence_words", value: most, unit: "words", text, examples: nearest(told, most) }
}

fn exclamations(measure: &Measure, told: &[Sentence<'_>]) -> Trait {
    let rate = f64::from(measure.exclamations);
    let text = match rate {
        rate if rate < 1.0 => "There are hardly any exclamation marks.".to_owned(),
        rate if rate < HABIT.into() => format!("Exclamation marks are rare: {rate:.0} in 100 sentences."),
        rate => format!("Exclamation marks are usual: {rate:.0} in 100 sentences."),
    };
    let examples = first(told, |text| text.contains('!'));
    Trait { name: "exclamation_marks", value: rounded(rate), unit: "per 100 sentences", text, examples }
}

fn of_english(english: &English, told: &[Sentence<'_>]) -> Vec<Trait> {
    let habit = |name, rate: f32, usual: &str, rare: &str, words: &[&str]| Trait {
        name,
        value: rounded(rate.into()),
        unit: "per 100 sentences",
        text: if rate >= HABIT { usual.to_owned() } else { rare.to_owned() },
        examples: first(told, |text| {
            text.split(|c: char| !c.is_alphanumeric() && c != '\'').any(|w| words.contains(&w))
        }),
    };
    let contractions = Trait {
        examples: first(told, |text| ["n't", "'re", "'ve", "'ll"].iter().any(|end| text.contains(end))),
        ..habit("contractions", english.contractions, "Contractions are usual.", "Contractions are rare.", &[])
    };
    vec![
        habit(
            "we",
            english.we,
            "The business speaks of itself as \"we\".",
            "The business hardly says \"we\".",
            &["we", "us", "our"],
        ),
        habit(
            "you",
            english.you,
            "Readers are addressed as \"you\".",
            "Readers are hardly addressed.",
            &["you", "your"],
        ),
        habit("i", english.i, "Texts speak as \"I\".", "Texts hardly say \"I\".", &["i", "my"]),
        contractions,
        reading(english),
    ]
}

fn reading(english: &English) -> Trait {
    let ease = f64::from(english.reading_ease);
    let kind = match ease {
        ease if ease >= 70.0 => "easily",
        ease if ease >= 50.0 => "fairly easily",
        ease if ease >= 30.0 => "with some effort",
        _ => "hard",
    };
    let text = format!("Texts read {kind}: {ease:.0} points of reading ease (Flesch; 100 is easiest).");
    Trait { name: "reading_ease", value: rounded(ease), unit: "points", text, examples: Vec::new() }
}

/// Sentences of about so many words.
fn nearest(told: &[Sentence<'_>], words: f64) -> Vec<Example> {
    let off = |sentence: &&Sentence<'_>| (f64::from(u32::try_from(sentence.words).unwrap_or(u32::MAX)) - words).abs();
    let mut near: Vec<&Sentence<'_>> = told.iter().collect();
    near.sort_by(|a, b| off(a).total_cmp(&off(b)));
    shown(near.into_iter())
}

/// The first sentences that show something; what is looked for is in small letters.
fn first(told: &[Sentence<'_>], shows: impl Fn(&str) -> bool) -> Vec<Example> {
    shown(told.iter().filter(|sentence| shows(&sentence.text.to_lowercase().replace('’', "'"))))
}

fn shown<'a>(sentences: impl Iterator<Item = &'a Sentence<'a>>) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    for Sentence { passage, text, .. } in sentences {
        if examples.len() == EXAMPLES {
            break;
        }
        if !examples.iter().any(|example| example.text == *text) {
            let (document_id, title) = (passage.document_id, passage.title.clone());
            examples.push(Example { document_id, title, text: (*text).to_owned() });
        }
    }
    examples
}

/// To a tenth: more digits would be noise.
fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
