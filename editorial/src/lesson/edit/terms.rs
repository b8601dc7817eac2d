//! Terms that people replaced, took out or put in, sentence by sentence.

use std::collections::{BTreeMap, BTreeSet};

use copydesk_domain::lesson::Rule;
use similar::{Algorithm, DiffOp};

use super::MIN_SHARED;
use crate::lesson::features;

/// The longest term, in words.
const MAX_TERM_WORDS: usize = 3;
/// The shortest word of a term of a new sentence, in letters.
const MIN_NEW_LETTERS: usize = 4;
/// More single swaps of words are a rewritten text: none of them says much.
const MAX_SINGLE_SWAPS: usize = 6;
/// Places where a term is put in before it is taken for one that is wanted.
const MIN_ADDED: usize = 3;
/// Rules about terms from one edit.
const MAX_TERMS: usize = 8;
/// Words that only strengthen others: to take them out twice is a rule.
const INTENSIFIERS: [&str; 9] =
    ["very", "really", "just", "quite", "simply", "actually", "basically", "literally", "truly"];

/// English words that say how many, when or which: to swap them is a matter of the sentence.
const PLAIN: [&str; 59] = [
    "each",
    "every",
    "all",
    "any",
    "some",
    "many",
    "most",
    "several",
    "both",
    "few",
    "more",
    "less",
    "other",
    "others",
    "another",
    "such",
    "own",
    "same",
    "now",
    "then",
    "here",
    "there",
    "also",
    "too",
    "yes",
    "first",
    "second",
    "last",
    "next",
    "once",
    "twice",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "today",
    "tomorrow",
    "yesterday",
    "week",
    "month",
    "year",
    "day",
    "today's",
    "only",
    "still",
    "yet",
    "however",
    "so",
    "thus",
    "therefore",
    "than",
];

/// Terms that were replaced, taken out or put in, and in how many places.
#[derive(Default)]
pub(super) struct Swaps {
    is_english: bool,
    replaced: BTreeMap<(String, String), usize>,
    removed: BTreeMap<String, Removed>,
    added: BTreeMap<String, usize>,
}

#[derive(Default)]
struct Removed {
    places: usize,
    /// Whether nothing else changed in the sentence.
    alone: bool,
}

impl Swaps {
    /// Of texts in English, or in another language.
    pub(super) fn of(is_english: bool) -> Self {
        Self { is_english, ..Self::default() }
    }

    /// Reads a sentence and what it became.
    pub(super) fn read(&mut self, before: &[&str], after: &[&str]) {
        let ops = similar::capture_diff_slices(Algorithm::Myers, before, after);
        let changed = ops.iter().filter(|op| !matches!(op, DiffOp::Equal { .. })).count();
        let same: usize = ops.iter().map(|op| if let DiffOp::Equal { len, .. } = op { *len } else { 0 }).sum();
        // Words in common in another order are another sentence.
        if same * 200 < MIN_SHARED * (before.len() + after.len()) || changed > 3 {
            return;
        }
        for op in &ops {
            let (old, new) = (&before[op.old_range()], &after[op.new_range()]);
            match op {
                DiffOp::Equal { .. } => {}
                DiffOp::Replace { .. } => self.replace(old, new, op.old_range().start == 0),
                DiffOp::Delete { .. } => self.remove(old, changed == 1, op.old_range().start == 0),
                DiffOp::Insert { .. } => self.add(new),
            }
        }
    }

    fn replace(&mut self, old: &[&str], new: &[&str], is_first: bool) {
        let (old, new) = without_shared(old, new);
        // Other languages write more than names with a capital.
        let are_names = self.is_english && !is_first && is_name(old) && is_name(new);
        if let (Some(over), Some(term)) = (term(old, is_first), term(new, is_first))
            && !are_names
            && is_other_word(&over, &term)
        {
            *self.replaced.entry((over, term)).or_default() += 1;
        }
    }

    fn remove(&mut self, old: &[&str], alone: bool, is_first: bool) {
        let intensifier = old.first().filter(|word| old.len() == 1 && INTENSIFIERS.contains(word));
        let is_one_name = !is_first && is_name(old);
        if let Some(term) = intensifier.map(|word| (*word).to_owned()).or_else(|| term(old, is_first)) {
            let removed = self.removed.entry(term).or_default();
            removed.places += 1;
            removed.alone |= alone && !is_one_name && intensifier.is_none();
        }
    }

    fn add(&mut self, new: &[&str]) {
        if let Some(term) = term(new, false) {
            *self.added.entry(term).or_default() += 1;
        }
    }

    pub(super) fn rules(self) -> Vec<Rule> {
        let single = self.replaced.values().filter(|places| **places == 1).count();
        let least = if single > MAX_SINGLE_SWAPS { 2 } else { 1 };
        let mut swapped: Vec<_> = self.replaced.into_iter().filter(|(_, places)| *places >= least).collect();
        swapped.sort_by_key(|(_, places)| std::cmp::Reverse(*places));
        let mut seen = BTreeSet::new();
        // One term has one better one: the most frequent.
        swapped.retain(|((over, _), _)| seen.insert(over.clone()));
        // The form of a verb is no other term.
        let is_form = |over: &str, term: &str| features::forms(over, self.is_english).iter().any(|form| form == term);
        swapped.retain(|((over, term), _)| !is_form(over, term) && !is_form(term, over));
        let prefer = swapped.into_iter().map(|((over, term), _)| Rule::Prefer { term, over });
        let removed = self.removed.into_iter().filter(|(_, removed)| removed.alone || removed.places >= 2);
        let removed = removed.map(|(term, _)| Rule::Term { term, wanted: false });
        let added = self.added.into_iter().filter(|(_, places)| *places >= MIN_ADDED);
        let added = added.map(|(term, _)| Rule::Term { term, wanted: true });
        prefer.chain(removed).chain(added).take(MAX_TERMS).collect()
    }
}

/// Words that replaced others, without those that both begin or end with.
fn without_shared<'a, 'b>(old: &'a [&'b str], new: &'a [&'b str]) -> (&'a [&'b str], &'a [&'b str]) {
    let lead = old.iter().zip(new).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    let (old, new) = (&old[lead..], &new[lead..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    (&old[..old.len() - tail], &new[..new.len() - tail])
}

/// Words as a term: few, with letters, without figures, and not of function words alone. In lower case, but for names.
fn term(words: &[&str], is_first: bool) -> Option<String> {
    let bare = |words: &[&str]| words.iter().all(|word| is_plain(word));
    let is_term = (1..=MAX_TERM_WORDS).contains(&words.len())
        && words.iter().all(|word| word.contains(char::is_alphabetic) && !word.contains(char::is_numeric))
        && !bare(words);
    // An article or a preposition at an end belongs to the sentence.
    let is_edge = |word: &&&str| bare(&[**word]);
    let start = words.iter().take_while(is_edge).count();
    let end = words.len() - words.iter().rev().take_while(is_edge).count();
    is_term.then(|| {
        let kept = &words[start..end];
        let cased = kept.iter().enumerate().map(|(n, word)| cased(word, is_first && start + n == 0));
        cased.collect::<Vec<_>>().join(" ")
    })
}

/// A word that says little by itself.
fn is_plain(word: &str) -> bool {
    copydesk_words::words(word).is_empty() || PLAIN.iter().any(|plain| word.eq_ignore_ascii_case(plain))
}

/// A word in lower case, but for a name: one with a capital that does not begin the sentence, or with several.
fn cased(word: &str, is_first: bool) -> String {
    let capitals = word.chars().filter(|c| c.is_uppercase()).count();
    if capitals > usize::from(is_first) { word.to_owned() } else { word.to_lowercase() }
}

fn is_name(words: &[&str]) -> bool {
    !words.is_empty() && words.iter().all(|word| word.starts_with(char::is_uppercase))
}

/// Whether two terms differ in more than their case, marks and spelling: a typing error is no rule.
fn is_other_word(one: &str, other: &str) -> bool {
    let letters =
        |term: &str| term.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (one, other) = (letters(one), letters(other));
    let lead = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let tail = one.iter().rev().zip(other.iter().rev()).take_while(|(a, b)| a == b).count();
    let most = one.len().max(other.len());
    // One letter more, less or other, or two that changed places.
    lead + tail + 2 < most || most < 4 && one != other
}

/// The terms of a sentence: words that stand next to each other and say something.
pub(super) fn runs(words: &[&str]) -> Vec<String> {
    let is_short = |word: &str| word.chars().count() < MIN_NEW_LETTERS;
    let runs = words.split(|word| is_plain(word) || is_short(word));
    let at = |run: &[&str]| run.as_ptr() == words.as_ptr();
    runs.filter(|run| !run.is_empty()).filter_map(|run| term(run, at(run))).collect()
}
