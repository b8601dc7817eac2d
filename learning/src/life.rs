//! The life of a lesson: said once it is a candidate, said of a second text it counts, contradicted it ends. What is
//! decided here follows from the log alone.
//!
//! - A lesson is what one slot (`term:leverage`, `length`) is asked to be (`avoid`, `at_most`). Its id follows from both.
//! - The last word of each person counts: who asks for the opposite takes back what they asked for before.
//! - It counts (`active`) by support from two texts, and from two people where the business had several by then. What
//!   only changes are a trace of needs three texts, and takes back nothing that a person said plainly. Where all who
//!   stood behind an active lesson now ask for the opposite, the opposite takes its place at once.
//! - It ends (`retired`) where nobody stands behind it any more, or where the lower bound of its [`posterior`] falls
//!   under [`LEAST`]. Support fades with a half-life of [`HALF_LIFE_DAYS`].
//! - Where as many people ask for the opposite, with support from two texts each, both are `conflicted`.
//! - One person against several moves nothing: they are named as a dissenter.
//! - Pinned and retired by hand goes before all of it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::format::Format;
use copydesk_domain::id::{FeedbackId, GenerationId};
use copydesk_domain::lesson::{Lesson, LessonId, LessonStatus, Rule, Signal};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use statrs::distribution::{Beta, ContinuousCDF};

use crate::log::{Entry, Log};

mod hand;
mod note;
mod number;

/// After so many days support weighs half.
pub const HALF_LIFE_DAYS: f64 = 90.0;
/// Below this lower bound a lesson is retired.
pub const LEAST: f64 = 0.4;
/// The share of the posterior below its lower bound.
const BELOW: f64 = 0.2;
/// Texts that must ask for a lesson, and people, where there are several.
const ENOUGH: usize = 2;
/// Texts where all that speaks for it are traces in what people changed.
const ENOUGH_TRACES: usize = 3;
/// What an approved text that followed the lesson adds to its support, and what all of them add at most. A text's
/// approval has many reasons: it speaks for a lesson less than a person who asks for it.
const HELPFUL: (f64, f64) = (0.25, 2.0);
/// What a rejected one takes, and all of them at most.
const HARMFUL: (f64, f64) = (0.25, 1.0);
/// How much one person's support weighs at most, in texts, where several people judge.
const MOST_OF_ONE: f64 = 3.0;
/// From this score on a text counts as approved where nobody said so, and below the other as rejected.
const GOOD: f64 = 8.0;
const BAD: f64 = 4.0;

/// A lesson as it is stored: what clients see of it, and what it is re-estimated from as time goes by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// What it is about.
    pub slot: String,
    /// The lesson as of [`Self::as_of`].
    pub lesson: Lesson,
    /// What speaks for it, in texts.
    pub support: f64,
    /// What speaks against it.
    pub harm: f64,
    /// The moment that both are of: the last verdict or change of the business.
    pub as_of: DateTime<Utc>,
}

impl Known {
    /// The lesson at a later moment: what speaks for it has faded since.
    pub fn at(&self, now: DateTime<Utc>) -> Lesson {
        let fades = faded(self.as_of, now);
        let confidence = rounded(posterior(self.support * fades, self.harm * fades));
        let is_over = self.lesson.status == LessonStatus::Active && confidence < LEAST;
        let lesson = Lesson { confidence, ..self.lesson.clone() };
        if is_over { Lesson { status: LessonStatus::Retired, reason: FADED.to_owned(), ..lesson } } else { lesson }
    }
}

const FADED: &str = "Nobody has asked for it for a long time.";
const TAKEN_BACK: &str = "Those who asked for it now ask for the opposite.";
const AS_MANY_ASK: &str = "As many people ask for the opposite: pin one, or retire one.";

/// The lower bound of how likely a lesson is right, 0 to 1: the 20% quantile of a Beta distribution, from a uniform
/// prior.
pub fn posterior(support: f64, harm: f64) -> f64 {
    Beta::new(1.0 + support, 1.0 + harm).map_or(0.0, |beta| beta.inverse_cdf(BELOW))
}

/// What is left of a weight after the time between two moments.
pub fn faded(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "centuries of seconds are exact")]
    let days = (to - from).num_seconds().max(0) as f64 / 86_400.0;
    0.5_f64.powf(days / HALF_LIFE_DAYS)
}

/// Four digits: more would be noise.
fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}

/// The id of what a slot is asked to be.
pub fn id(business_id: &BusinessId, slot: &str, stance: &str) -> LessonId {
    let digest = Sha256::new().chain_update(format!("lesson\0{business_id}\0{slot}\0{stance}")).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    LessonId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// Every lesson of a business, in the order of their ids.
pub fn lessons(business_id: &BusinessId, log: &Log) -> Vec<Known> {
    let verdicts: Vec<&Entry> = log.counted().collect();
    let times = verdicts.iter().map(|entry| entry.at).chain(log.changes.iter().map(|change| change.at));
    let Some(as_of) = times.max() else { return Vec::new() };
    let first_seen = first_seen(&verdicts);
    let mut known: BTreeMap<LessonId, Known> = BTreeMap::new();
    for (slot, said) in said(&verdicts) {
        let debate = Debate { slot: &slot, said: &said, verdicts: &verdicts, first_seen: &first_seen, as_of };
        known.extend(debate.settled(business_id).into_iter().map(|known| (known.lesson.lesson_id, known)));
    }
    let bounds = number::bounds(&known, &verdicts);
    known.extend(bounds.into_iter().map(|known| (known.lesson.lesson_id, known)));
    hand::applied(&mut known, log, as_of);
    known.into_values().collect()
}

/// A rule that was asked for in a verdict.
#[derive(Debug, Clone)]
struct Said<'a> {
    entry: &'a Entry,
    rule: &'a Rule,
    stance: &'static str,
    is_trace: bool,
}

impl<'a> Said<'a> {
    fn rater(&self) -> &'a str {
        &self.entry.rater
    }
}

/// What was asked for, by slot, in the order of the verdicts.
fn said<'a>(verdicts: &[&'a Entry]) -> BTreeMap<String, Vec<Said<'a>>> {
    let mut notes = note::Notes::default();
    let notes_in = |entry: &Entry| entry.distilled.rules.iter().filter(|said| !said.rule.is_checkable()).count();
    let mut too_many = verdicts.iter().map(|entry| notes_in(entry)).sum::<usize>().saturating_sub(note::WINDOW);
    let mut said: BTreeMap<String, Vec<Said<'a>>> = BTreeMap::new();
    for entry in verdicts {
        let mut slots = BTreeSet::new();
        for observed in &entry.distilled.rules {
            let rule = &observed.rule;
            if !rule.is_checkable() && too_many > 0 {
                too_many -= 1;
                continue;
            }
            let slot = if rule.is_checkable() { slot(rule, entry.content_type) } else { notes.slot(rule) };
            // What contradicts itself within a verdict says nothing: the first of it stands.
            let mut before = entry.distilled.rules.iter().take_while(|before| !std::ptr::eq(*before, observed));
            if !before.any(|before| before.rule.excludes(rule)) && slots.insert(slot.clone()) {
                said.entry(slot).or_default().push(Said {
                    entry,
                    rule,
                    stance: rule.stance(),
                    is_trace: observed.from == Signal::Trace,
                });
            }
        }
    }
    said
}

/// A number of words or headings means something in one kind of text only.
fn slot(rule: &Rule, content_type: Format) -> String {
    match rule {
        Rule::Length { .. } | Rule::Headings { .. } => format!("{}@{content_type}", rule.slot()),
        _ => rule.slot(),
    }
}

/// When each person first judged a text of the business.
fn first_seen<'a>(verdicts: &[&'a Entry]) -> BTreeMap<&'a str, DateTime<Utc>> {
    let mut first = BTreeMap::new();
    for entry in verdicts {
        first.entry(entry.rater.as_str()).or_insert(entry.at);
    }
    first
}

/// All that was said of one slot.
#[derive(Clone, Copy)]
struct Debate<'a> {
    slot: &'a str,
    said: &'a [Said<'a>],
    verdicts: &'a [&'a Entry],
    first_seen: &'a BTreeMap<&'a str, DateTime<Utc>>,
    as_of: DateTime<Utc>,
}

/// One side of it.
#[derive(Clone)]
struct Side<'a> {
    stance: &'static str,
    /// What counts: nobody took it back.
    holds: Vec<&'a Said<'a>>,
    /// Everything, taken back or not.
    all: Vec<&'a Said<'a>>,
    is_activated: bool,
}

impl<'a> Side<'a> {
    fn texts(&self) -> BTreeSet<GenerationId> {
        self.holds.iter().map(|said| said.entry.generation_id).collect()
    }

    fn raters(&self) -> BTreeSet<&'a str> {
        self.holds.iter().map(|said| said.entry.rater.as_str()).collect()
    }

    fn formats(&self) -> BTreeSet<Format> {
        self.holds.iter().map(|said| said.entry.content_type).collect()
    }

    /// What of it is about these kinds of text: only there it contradicts another.
    fn within(&self, formats: &BTreeSet<Format>) -> Self {
        let mut within = self.clone();
        within.holds.retain(|said| formats.contains(&said.entry.content_type));
        within
    }

    /// Whether as much speaks for it as a lesson needs, but for the number of people.
    fn is_supported(&self) -> bool {
        is_enough(self.holds.iter().copied())
    }

    /// What tells what the lesson says: the last that was said plainly of what stands, or of all where nothing does.
    fn voices(&self) -> Vec<&'a Said<'a>> {
        let voices = if self.holds.is_empty() { &self.all } else { &self.holds };
        let is_trace = voices.iter().all(|said| said.is_trace);
        voices.iter().copied().filter(|said| said.is_trace == is_trace).collect()
    }
}

/// Whether it was said of enough texts.
fn is_enough<'a>(said: impl Iterator<Item = &'a Said<'a>>) -> bool {
    let (mut texts, mut least) = (BTreeSet::new(), ENOUGH_TRACES);
    for said in said {
        texts.insert(said.entry.generation_id);
        least = if said.is_trace { least } else { ENOUGH };
    }
    texts.len() >= least
}

/// The last word of one person on one kind of text.
struct Word<'a> {
    stance: &'static str,
    /// What they said since they last changed their mind.
    said: Vec<&'a Said<'a>>,
}

impl<'a> Debate<'a> {
    /// The lessons of the slot, one for each side.
    fn settled(&self, business_id: &BusinessId) -> Vec<Known> {
        let sides = self.sides();
        (0..sides.len()).map(|at| self.lesson(business_id, &sides, at)).collect()
    }

    /// Goes through what was said in its order: a stance is active once it is agreed on, or once it takes the place of
    /// an active one that nobody stands behind any more.
    fn sides(&self) -> Vec<Side<'a>> {
        let mut words: BTreeMap<(&str, Format), Word<'a>> = BTreeMap::new();
        let mut active: BTreeSet<&'static str> = BTreeSet::new();
        for said in self.said {
            let word = words.entry((&said.entry.rater, said.entry.content_type));
            let word = word.or_insert_with(|| Word { stance: said.stance, said: Vec::new() });
            if word.stance != said.stance && said.is_trace && word.said.iter().any(|said| !said.is_trace) {
                continue;
            }
            if word.stance != said.stance {
                *word = Word { stance: said.stance, said: Vec::new() };
            }
            word.said.push(said);
            let before = active.len();
            active.retain(|stance| words.values().any(|word| word.stance == *stance));
            if active.len() < before || self.is_agreed(&words, said) {
                active.insert(said.stance);
            }
        }
        let stances: BTreeSet<&'static str> = self.said.iter().map(|said| said.stance).collect();
        let side = |stance: &'static str| {
            let all = self.said.iter().filter(|said| said.stance == stance).collect();
            let behind = words.values().filter(|word| word.stance == stance);
            let mut holds: Vec<_> = behind.flat_map(|word| word.said.iter().copied()).collect();
            holds.sort_by_key(|said| (said.entry.at, said.entry.feedback_id));
            Side { stance, holds, all, is_activated: active.contains(stance) }
        };
        stances.into_iter().map(side).collect()
    }

    /// Whether enough texts and people speak for what was said last, of those who judged by then.
    fn is_agreed(&self, words: &BTreeMap<(&str, Format), Word<'_>>, last: &Said<'_>) -> bool {
        let behind = words.iter().filter(|(_, word)| word.stance == last.stance);
        let raters: BTreeSet<&str> = behind.clone().map(|((rater, _), _)| *rater).collect();
        let said = behind.flat_map(|(_, word)| word.said.iter().copied());
        let judges = self.first_seen.values().filter(|first| **first <= last.entry.at).count();
        is_enough(said) && (judges < ENOUGH || raters.len() >= ENOUGH)
    }

    fn lesson(&self, business_id: &BusinessId, sides: &[Side<'a>], at: usize) -> Known {
        let side = &sides[at];
        let formats = side.formats();
        let others = sides.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, other)| other.within(&formats));
        let others: Vec<Side<'a>> = others.collect();
        let lesson_id = id(business_id, self.slot, side.stance);
        let voices = side.voices();
        let rule = number::agreed(&voices).unwrap_or_else(|| self.said[0].rule.clone());
        let raters = side.raters();
        let against: Vec<&Said<'_>> = others.iter().flat_map(|other| other.holds.iter().copied()).collect();
        let opponents: BTreeSet<&str> = against.iter().map(|said| said.entry.rater.as_str()).collect();
        let is_dissent = raters.len() >= ENOUGH && opponents.len() < ENOUGH;
        let (helpful, harmful) = self.outcomes(lesson_id);
        let support = self.weight(&side.holds) + helpful;
        let harm = if is_dissent { 0.0 } else { self.weight(&against) } + harmful;
        let confidence = rounded(posterior(support, harm));
        let (status, reason) = status(side, &others, confidence);
        let conflicts_with = others.iter().filter(|other| !other.holds.is_empty());
        let lesson = Lesson {
            lesson_id,
            business_id: business_id.clone(),
            text: rule.to_string(),
            category: rule.category(),
            content_type: only(voices.iter().map(|said| said.entry.content_type)),
            language: only(voices.iter().map(|said| said.entry.language.clone())).filter(|_| speaks_of_words(&rule)),
            rule,
            status,
            reason,
            support: count(side.texts().len()),
            raters: count(raters.len()),
            harm: count(against.iter().map(|said| said.entry.generation_id).collect::<BTreeSet<_>>().len()),
            confidence,
            evidence: evidence(&side.holds),
            is_edited: false,
            conflicts_with: conflicts_with.map(|other| id(business_id, self.slot, other.stance)).collect(),
            dissenters: if is_dissent {
                opponents.iter().map(|rater| (*rater).to_owned()).collect()
            } else {
                Vec::new()
            },
            last_supported_at: voices.iter().map(|said| said.entry.at).max().unwrap_or(self.as_of),
        };
        Known { slot: self.slot.to_owned(), lesson, support: rounded(support), harm: rounded(harm), as_of: self.as_of }
    }

    /// How much is said, in texts: each once, the older the less, and of each person not more than [`MOST_OF_ONE`] where
    /// there are several.
    fn weight(&self, said: &[&Said<'_>]) -> f64 {
        let mut by_rater: BTreeMap<&str, BTreeMap<GenerationId, f64>> = BTreeMap::new();
        for said in said {
            let texts = by_rater.entry(&said.entry.rater).or_default();
            texts.insert(said.entry.generation_id, faded(said.entry.at, self.as_of));
        }
        let most = if self.first_seen.len() >= ENOUGH { MOST_OF_ONE } else { f64::INFINITY };
        by_rater.values().map(|texts| texts.values().sum::<f64>().min(most)).sum()
    }

    /// What became of the texts that followed the lesson, as weights.
    fn outcomes(&self, lesson_id: LessonId) -> (f64, f64) {
        let followed = |entry: &&&Entry| entry.text.used.contains(&(lesson_id, Some(true)));
        let mut weights = (0.0, 0.0);
        for entry in self.verdicts.iter().filter(followed) {
            let fades = faded(entry.at, self.as_of);
            let is_good = entry.approved.or(entry.score.map(|score| score >= GOOD));
            match is_good {
                Some(true) => weights.0 += HELPFUL.0 * fades,
                Some(false) if entry.score.is_none_or(|score| score < BAD) => weights.1 += HARMFUL.0 * fades,
                _ => {}
            }
        }
        (weights.0.min(HELPFUL.1), weights.1.min(HARMFUL.1))
    }
}

/// Whether a side counts, and why.
fn status(side: &Side<'_>, others: &[Side<'_>], confidence: f64) -> (LessonStatus, String) {
    let raters = side.raters().len();
    if side.holds.is_empty() {
        return (LessonStatus::Retired, TAKEN_BACK.to_owned());
    }
    let rival =
        others.iter().find(|other| other.is_supported() && side.is_supported() && other.raters().len() == raters);
    if rival.is_some() {
        return (LessonStatus::Conflicted, AS_MANY_ASK.to_owned());
    }
    if let Some(stronger) = others.iter().find(|other| other.is_activated && other.raters().len() > raters) {
        let reason = format!("{} people ask for the opposite.", stronger.raters().len());
        let status = if side.is_activated { LessonStatus::Retired } else { LessonStatus::Candidate };
        return (status, reason);
    }
    if !side.is_activated {
        let reason = if side.is_supported() {
            "It waits for a second person: one alone asks for it."
        } else if side.holds.iter().all(|said| said.is_trace) {
            "It waits for a third text: what people change may have other reasons."
        } else {
            "It waits for a second text of which somebody says so."
        };
        return (LessonStatus::Candidate, reason.to_owned());
    }
    if confidence < LEAST {
        let reason =
            if others.iter().any(|other| !other.holds.is_empty()) { "Too much speaks against it." } else { FADED };
        return (LessonStatus::Retired, reason.to_owned());
    }
    let (texts, people) =
        (side.texts().len(), if raters == 1 { "one person".to_owned() } else { format!("{raters} people") });
    let reason = if texts == 1 {
        "Those who asked for the opposite changed their minds.".to_owned()
    } else {
        format!("{people} asked for it, of {texts} texts.")
    };
    (LessonStatus::Active, reason)
}

/// The one value that all have.
fn only<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut values: BTreeSet<T> = values.collect();
    if values.len() == 1 { values.pop_first() } else { None }
}

/// Whether the rule means something in its language only.
fn speaks_of_words(rule: &Rule) -> bool {
    matches!(rule, Rule::Term { .. } | Rule::Prefer { .. } | Rule::Note { .. })
}

fn evidence(said: &[&Said<'_>]) -> Vec<FeedbackId> {
    let mut seen = BTreeSet::new();
    said.iter().map(|said| said.entry.feedback_id).filter(|id| seen.insert(*id)).collect()
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
