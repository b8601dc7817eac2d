//! The reviewer: scores a draft by a seeded taste and by what can be checked (shape, citations, length), and
//! names what to mend; as an editor it mends it. It wants every first draft edited, and a fifth of the texts
//! twice: which ones, the business and the topic say.

use rand::RngExt;
use serde_json::{Value, json};

use crate::editing;
use crate::prompt::{Format, Prompt};
use crate::seed::{self, Rng};
use crate::shape::{self, Section};

const CRITERIA: [&str; 5] = ["accuracy", "relevance", "voice", "structure", "clarity"];
/// What a sound text scores, before taste: a first draft, one that is edited twice, and one that is good.
const FIRST: f64 = 6.75;
const FAR_OFF: f64 = 5.2;
const GOOD: f64 = 8.5;
/// The part of the texts that are edited twice.
const TWICE: f64 = 0.2;
/// What a criterion loses at most where nothing grave was found.
const MINOR: f64 = 0.2;
const FIXES_MAX: usize = 6;
/// A section with fewer words is called short.
const SHORT_SECTION_WORDS: usize = 25;

/// What was found in a draft.
#[derive(Debug, Default)]
struct Findings {
    shape: Vec<String>,
    citations: Vec<String>,
    length: Option<String>,
    style: Vec<String>,
    /// There is nothing to review.
    empty: bool,
}

/// A review as JSON: criteria, comments, fixes.
pub(crate) fn review(prompt: &Prompt, seed: u64, rng: &mut Rng) -> Value {
    let findings = Findings::of(prompt);
    let mut fixes = findings.fixes();
    if fixes.is_empty() && wants_more(prompt, seed) {
        fixes.push(polish(prompt, rng));
    }
    json!({ "criteria": criteria(prompt, seed, &findings), "comments": findings.comments(), "fixes": fixes })
}

/// An editor's answer as JSON: criteria, comments, and edits by paragraph.
pub(crate) fn edit(prompt: &Prompt, seed: u64, now_ms: u64, rng: &mut Rng) -> Value {
    let findings = Findings::of(prompt);
    let edits = editing::edits(prompt, wants_more(prompt, seed), now_ms, rng);
    json!({ "criteria": criteria(prompt, seed, &findings), "comments": findings.comments(), "edits": edits })
}

fn criteria(prompt: &Prompt, seed: u64, findings: &Findings) -> serde_json::Map<String, Value> {
    // The taste is the topic's, not the draft's: else a revision could lose by chance what it won.
    let drawn = f64::from(taste_rng(prompt, seed, "taste").random_range(-20_i32..=20)) / 20.0;
    let taste = drawn * prompt.behaviour.taste;
    let base = taste
        + match (prompt.round, is_edited_twice(prompt, seed)) {
            _ if prompt.plain => GOOD,
            (0, true) => FAR_OFF,
            (0, false) | (1, true) => FIRST,
            _ => GOOD,
        };
    let score = |name: &str| {
        let nuance = seed::two_decimals(&mut taste_rng(prompt, seed, name), -0.25, 0.25);
        let score = (base + nuance - findings.cost(name)).clamp(0.0, 9.8);
        (name.to_owned(), json!((score * 10.0).round() / 10.0))
    };
    CRITERIA.iter().map(|name| score(name)).collect()
}

/// Whether a text without faults is to be edited all the same.
fn wants_more(prompt: &Prompt, seed: u64) -> bool {
    !prompt.plain && is_to_be_edited(prompt, seed)
}

/// Load has the edits that real texts have.
fn is_to_be_edited(prompt: &Prompt, seed: u64) -> bool {
    prompt.round == 0 || (prompt.round == 1 && is_edited_twice(prompt, seed))
}

fn is_edited_twice(prompt: &Prompt, seed: u64) -> bool {
    taste_rng(prompt, seed, "twice").random_bool(TWICE)
}

fn taste_rng(prompt: &Prompt, seed: u64, what: &str) -> Rng {
    seed::rng(seed, &["review", what, &prompt.business, &prompt.topic])
}

impl Findings {
    fn of(prompt: &Prompt) -> Self {
        let draft = prompt.draft.trim();
        if draft.is_empty() {
            let style = vec!["There is no text to review: write the draft.".to_owned()];
            return Self { empty: true, style, ..Self::default() };
        }
        Self {
            shape: prompt.format.map(|format| shape::problems(format, draft)).unwrap_or_default(),
            citations: citations(prompt, draft),
            length: length(prompt, draft),
            style: short_sections(prompt, draft),
            empty: false,
        }
    }

    /// What the findings take from a criterion.
    fn cost(&self, criterion: &str) -> f64 {
        let count = |findings: &[String]| f64::from(u32::try_from(findings.len()).unwrap_or(9)).min(3.0);
        let length = if self.length.is_some() { 1.0 } else { 0.0 };
        let cost = match criterion {
            "accuracy" => count(&self.citations) * 1.2,
            "structure" => count(&self.shape) * 1.2 + length * 0.5,
            "relevance" => count(&self.citations) * 0.4 + length * 0.4,
            "clarity" => count(&self.style) * 0.3 + length * 0.4,
            _ => count(&self.shape) * 0.2,
        };
        match (self.empty, self.is_grave()) {
            (true, _) => 9.0,
            (false, true) => cost,
            (false, false) => cost.min(MINOR),
        }
    }

    /// Whether the text is wrong, and not only to be polished.
    fn is_grave(&self) -> bool {
        let is_uncited = |finding: &String| !finding.starts_with("Add a citation");
        !self.shape.is_empty() || self.citations.iter().any(is_uncited) || self.length.is_some()
    }

    fn fixes(&self) -> Vec<String> {
        let all = self.shape.iter().chain(&self.citations).chain(&self.length).chain(&self.style);
        all.take(FIXES_MAX).cloned().collect()
    }

    fn comments(&self) -> String {
        if self.empty {
            return "The draft is empty.".into();
        }
        let verdict = |findings: &[String], good: &str, bad: &str| {
            if findings.is_empty() { good.to_owned() } else { format!("{bad} {}", findings[0]) }
        };
        let length = self.length.as_deref().unwrap_or("The length is near the target.");
        [
            &verdict(&self.shape, "The text keeps to its format.", "The format is not kept:"),
            &verdict(&self.citations, "Its facts are cited.", "Facts are not well cited:"),
            length,
        ]
        .join(" ")
    }
}

/// Unknown numbers, and no citation at all where there are passages.
fn citations(prompt: &Prompt, draft: &str) -> Vec<String> {
    if prompt.passages.is_empty() {
        return Vec::new();
    }
    let cited: Vec<u32> = cited_numbers(draft).collect();
    let known = |n: &u32| prompt.passages.iter().any(|passage| passage.n == *n);
    let mut findings: Vec<_> = cited
        .iter()
        .filter(|n| !known(n))
        .map(|n| format!("[{n}] is no passage: cite an existing one or cut the sentence."))
        .collect();
    // An ad has no room for much more than its message.
    if cited.is_empty() && prompt.format != Some(Format::Ad) {
        let first = prompt.passages[0].n;
        findings.push(format!("No fact is cited: draw on the passages, and mark each fact, beginning with [{first}]."));
    }
    findings.extend(uncited_sections(prompt, draft));
    findings
}

/// Long sections without any citation, in the formats that argue by sections.
fn uncited_sections(prompt: &Prompt, draft: &str) -> Vec<String> {
    if !matches!(prompt.format, Some(Format::Blog | Format::CaseStudy | Format::Newsletter)) {
        return Vec::new();
    }
    let uncited =
        |section: &&Section<'_>| shape::words(section.body) > 80 && cited_numbers(section.body).next().is_none();
    let fix = |section: &Section<'_>| format!("Add a citation to the section \"{}\".", section.heading);
    shape::sections(draft).iter().filter(uncited).map(fix).take(2).collect()
}

/// The numbers in `[n]`.
fn cited_numbers(text: &str) -> impl Iterator<Item = u32> {
    text.split('[').skip(1).filter_map(|behind| behind.split_once(']')?.0.parse().ok())
}

/// More than a quarter off the target.
fn length(prompt: &Prompt, draft: &str) -> Option<String> {
    let (words, target) = (shape::words(draft), prompt.words);
    let off = words.abs_diff(target) * 4 > target;
    off.then(|| {
        let verb = if words < target { "expand" } else { "shorten" };
        format!("The text has {words} words and the target is {target}: {verb} it.")
    })
}

fn short_sections(prompt: &Prompt, draft: &str) -> Vec<String> {
    if prompt.format != Some(Format::Blog) {
        return Vec::new();
    }
    let short = |section: &&Section<'_>| shape::words(section.body) < SHORT_SECTION_WORDS;
    let fix = |section: &Section<'_>| {
        let words = shape::words(section.body);
        format!("The section \"{}\" has only {words} words: develop it or merge it.", section.heading)
    };
    shape::sections(draft).iter().filter(short).map(fix).take(2).collect()
}

/// Something to do for a draft without faults.
fn polish(prompt: &Prompt, rng: &mut Rng) -> String {
    let sections = shape::sections(&prompt.draft);
    let place = match sections.is_empty() {
        true => "the second paragraph".to_owned(),
        false => format!("the section \"{}\"", sections[rng.random_range(0..sections.len())].heading),
    };
    match rng.random_range(0..3_u8) {
        0 => format!("Open {place} with its most concrete fact."),
        1 => format!("Say in {place} what the reader should do with it."),
        _ => format!("Cut one general sentence from {place}, and keep the cited ones."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Passage;
    use crate::writer;

    fn prompt(draft: impl Into<String>, round: u32) -> Prompt {
        let text = "The sea rises twice a day at this coast. Boats wait for the water to come back to the harbour.";
        let passage = Passage { n: 1, own: true, title: "Tides".into(), text: text.into() };
        Prompt {
            format: Some(Format::Blog),
            words: 300,
            round,
            topic: "tides".into(),
            passages: vec![passage],
            draft: draft.into(),
            ..Prompt::default()
        }
    }

    fn score(prompt: &Prompt) -> f64 {
        let review = review(prompt, 7, &mut seed::rng(1, &[]));
        let criteria = review["criteria"].as_object().map(|c| c.values().filter_map(Value::as_f64).collect::<Vec<_>>());
        let criteria = criteria.unwrap_or_default();
        assert_eq!(criteria.len(), CRITERIA.len());
        criteria.iter().sum::<f64>() / 5.0
    }

    #[test]
    fn a_sound_draft_scores_plausibly_and_a_revised_one_higher() {
        let draft = writer::write(&prompt("", 0), 0, &mut seed::rng(1, &[]));
        let score = |round| score(&prompt(draft.clone(), round));
        assert!((4.5..7.5).contains(&score(0)) && (7.5..10.0).contains(&score(2)), "{} {}", score(0), score(2));
    }

    #[test]
    fn every_first_draft_is_edited_and_a_fifth_of_the_texts_twice() {
        let draft = writer::write(&prompt("", 0), 0, &mut seed::rng(1, &[]));
        let (mut twice, mut edited) = (0, 0);
        for n in 0..500 {
            let about = |round| Prompt { topic: format!("tides {n}"), ..prompt(draft.clone(), round) };
            assert!(score(&about(0)) < 7.5 && score(&about(2)) >= 7.75, "{n}");
            // Far below, or not: a worker that goes by the score asks for as many rounds as one that goes by the fixes.
            assert_eq!(score(&about(0)) < 6.0, score(&about(1)) < 7.5, "{n}");
            twice += u32::from(score(&about(1)) < 7.5);
            let paragraphs = draft.split("\n\n").map(str::to_owned).collect();
            let prompt = Prompt { paragraphs, ..about(0) };
            let answer = edit(&prompt, 7, 0, &mut seed::rng(1, &[]));
            edited += u32::from(answer["edits"].as_array().is_some_and(|edits| !edits.is_empty()));
        }
        assert!((75..=125).contains(&twice), "{twice} of 500");
        assert_eq!(edited, 500);
    }

    #[test]
    fn faults_cost_and_are_named() {
        let sound = writer::write(&prompt("", 0), 0, &mut seed::rng(1, &[]));
        for (draft, named) in [
            ("", "no text"),
            ("Too short, and of no shape.", "`# ` title"),
            (&sound.replace("[1]", "[9]"), "[9]"),
            (&sound.replace(" [1]", ""), "No fact is cited"),
            (&sound.repeat(2), "shorten"),
        ] {
            let spoilt = prompt(draft, 0);
            assert!(score(&spoilt) < score(&prompt(sound.clone(), 0)), "{named}");
            let fixes = review(&spoilt, 7, &mut seed::rng(1, &[]))["fixes"].to_string();
            assert!(fixes.replace("\\\"", "\"").contains(named), "{named}: {fixes}");
        }
    }
}
