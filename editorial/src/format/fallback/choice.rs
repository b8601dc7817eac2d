//! Which sentences of which passages a text is composed of, and in which order.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::sentences::sentences;
use super::{Business, Fact, Passage, QUOTES};
use crate::answer::topic;
use crate::document;
use crate::phrases::{Patterns, is_match};
use crate::text::phrase;

/// The most sentences from one passage: the next passage likely says something else.
const SENTENCES_PER_PASSAGE: usize = 4;
/// Sentences that share this percentage of their words say the same.
const ALIKE_PERCENT: usize = 70;
/// A topic of fewer words does not tell which sentences are about it.
const MIN_TOPIC_WORDS: usize = 2;
/// Titles and headings of what is not there yet.
const PLAN_NAMES: &str = r"(?i)\b(roadmap|(non-)?goals|priorities|okrs?|themes|plans for|and plans|what[’']?s next|next (steps|(\d+ )?months|quarter|year)|milestones|backlog|vision)\b";
/// So many facts are enough for any text: what is not on its topic stays out.
const ENOUGH: usize = 8;

/// What is told of the business: what its passages say of the topic, those first that say most, what else its documents say
/// where that is little, and what it says of itself, which comes first. What is planned is told only where nothing else is, and
/// what has nothing to do with the topic only where the business says nothing of itself.
pub fn facts<'a>(passages: impl IntoIterator<Item = Passage<'a>>, business: Business<'_>, topic: &str) -> Vec<Fact> {
    let passages: Vec<Passage<'_>> = passages.into_iter().collect();
    let (others, topic) = (names_of_others(business.others, business.name), Topic::of(topic));
    let mut told: Vec<(usize, Bearing, Fact)> = Vec::new();
    for passage in &passages {
        let shared = topic.shared(passage);
        let is_own = |text: &String| !passage.is_about_others || speaks_of(text, business.name);
        let own = sentences(passage.text).into_iter().filter(|text| is_own(text) && !begins_with(text, &others));
        let is_on_topic = topic.is_of(passages.iter().filter(|other| other.document() == passage.document()));
        let bearing = |text: &str| match topic.is_told_by(text, is_on_topic) {
            true if is_plan(passage.title) => Bearing::Planned,
            true => Bearing::OnTopic,
            false if is_on_topic && !is_plan(passage.title) => Bearing::Near,
            false => Bearing::Beside,
        };
        let facts = own.map(|text| (shared, bearing(&text), Fact { n: Some(passage.n), text }));
        told.extend(facts.take(SENTENCES_PER_PASSAGE));
    }
    // Passages that speak of the topic most come first, each as a whole.
    told.sort_by_key(|(shared, ..)| Reverse(*shared));
    let told: Vec<(Bearing, Fact)> = told.into_iter().map(|(_, bearing, fact)| (bearing, fact)).collect();
    let described: Vec<Fact> = sentences(business.description).into_iter().map(|text| Fact { n: None, text }).collect();
    let facts = chosen(&told, &described);
    begun_by_the_business(facts, &passages, business.name)
}

/// How a sentence bears on the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bearing {
    /// It speaks of it.
    OnTopic,
    /// It speaks of it, as of something that is planned.
    Planned,
    /// Its document does.
    Near,
    /// Nothing does.
    Beside,
}

fn chosen(told: &[(Bearing, Fact)], described: &[Fact]) -> Vec<Fact> {
    let with = |bearings: &[Bearing]| {
        let taken = told.iter().filter(|(bearing, _)| bearings.contains(bearing)).map(|(_, fact)| fact.clone());
        each_once(taken.chain(described.iter().cloned()))
    };
    let own = described.len();
    let on_topic = with(&[Bearing::OnTopic]);
    if on_topic.len() >= ENOUGH + own {
        return on_topic;
    }
    let near = with(&[Bearing::OnTopic, Bearing::Near]);
    let tiers = [near, with(&[Bearing::Planned])];
    let best = tiers.into_iter().find(|facts| facts.len() > own);
    best.unwrap_or_else(|| if own == 0 { with(&[Bearing::Beside]) } else { described.to_vec() })
}

/// The facts with one of the business itself in front, best what it says of itself: a reader must know who speaks.
fn begun_by_the_business(mut facts: Vec<Fact>, passages: &[Passage<'_>], business: &str) -> Vec<Fact> {
    let others: BTreeSet<u16> =
        passages.iter().filter(|passage| passage.is_about_others).map(|passage| passage.n).collect();
    let is_own = |fact: &Fact| {
        let names = speaks_of(&fact.text, business) || fact.text.split_whitespace().any(is_we);
        names && !fact.text.contains(QUOTES) && !fact.n.is_some_and(|n| others.contains(&n))
    };
    let described = facts.iter().position(|fact| fact.n.is_none());
    if let Some(first) = described.or_else(|| facts.iter().position(is_own)) {
        facts[..=first].rotate_right(1);
    }
    facts
}

fn is_we(word: &str) -> bool {
    ["we", "our", "us"].iter().any(|we| word.trim_matches(|c: char| !c.is_alphabetic()).eq_ignore_ascii_case(we))
}

/// Whether a passage tells what is planned, by its title and headings.
fn is_plan(title: &str) -> bool {
    static PLANS: Patterns = LazyLock::new(|| Regex::new(PLAN_NAMES).ok());
    is_match(&PLANS, title)
}

/// Overlapping passages contain the same sentences, and pages of one kind nearly the same.
fn each_once(facts: impl Iterator<Item = Fact>) -> Vec<Fact> {
    let mut told: Vec<BTreeSet<String>> = Vec::new();
    let mut is_new = |fact: &Fact| {
        let words = copydesk_words::words(&fact.text);
        let is_new = !told.iter().any(|known| are_alike(known, &words));
        told.push(words);
        is_new
    };
    facts.filter(|fact| is_new(fact)).collect()
}

/// What a topic's words tell of sentences; nothing where it has too few.
struct Topic(Option<BTreeSet<String>>);

impl Topic {
    fn of(topic: &str) -> Self {
        Self(topic::telling(topic, MIN_TOPIC_WORDS))
    }

    /// Whether passages are about it: together they hold half of its words.
    fn is_of<'a>(&self, passages: impl Iterator<Item = &'a Passage<'a>>) -> bool {
        let Some(topic) = &self.0 else { return true };
        let told: BTreeSet<String> = passages.flat_map(|passage| topic::beginnings(passage.text)).collect();
        topic.intersection(&told).count() * 2 >= topic.len()
    }

    /// How many of its words a passage holds.
    fn shared(&self, passage: &Passage<'_>) -> usize {
        let told = topic::beginnings(&format!("{} {}", passage.title, passage.text));
        self.0.as_ref().map_or(0, |topic| topic.intersection(&told).count())
    }

    /// Whether a sentence is about it: it shares a word, or two where its document is about something else.
    fn is_told_by(&self, sentence: &str, is_on_topic: bool) -> bool {
        let Some(topic) = &self.0 else { return true };
        let least = if is_on_topic { 1 } else { 2 };
        topic.intersection(&topic::beginnings(sentence)).count() >= least
    }
}

/// Whether the words of two sentences are mostly the same.
fn are_alike(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    let (common, all) = (one.intersection(other).count(), one.union(other).count());
    common * 100 >= all * ALIKE_PERCENT
}

/// Whether a sentence names the business. That it says "we" is not enough beside other companies:
/// "what we hear" is about them.
fn speaks_of(sentence: &str, business: &str) -> bool {
    phrase::holds(&phrase::comparable(sentence), &phrase::comparable(business))
}

/// The names in titles of documents about other companies, with the first word of each: `Hound` of `Hound vs. Acme`.
fn names_of_others(titles: &[String], business: &str) -> BTreeSet<String> {
    let own = phrase::comparable(business);
    let sides = titles.iter().flat_map(|title| [Some(title.as_str()), document::other_side(title)]).flatten();
    let firsts = sides.filter_map(|side| side.split_whitespace().next());
    // `Our competitors` names nobody.
    let names = firsts.filter(|word| word.starts_with(char::is_uppercase) && !copydesk_words::words(word).is_empty());
    names.map(phrase::comparable).filter(|word| !phrase::holds(&own, word)).collect()
}

fn begins_with(sentence: &str, names: &BTreeSet<String>) -> bool {
    let first = sentence.split_whitespace().next().unwrap_or_default();
    names.contains(phrase::comparable(first.trim_end_matches([',', '\'', '’'])).trim_end_matches("'s"))
}
