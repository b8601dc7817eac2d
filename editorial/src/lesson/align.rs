//! Which sentences of a draft stand in the edited text, and what stands between them. It works by counts, not by time:
//! the same texts always align the same.

use std::collections::HashSet;

use similar::{Algorithm, DiffOp};

use crate::text::language;
use crate::text::sentence;

/// Sentences of a text that are aligned: what follows is taken as one.
const MAX_SENTENCES: usize = 1_000;
/// Products of words that are compared one by one, of all changes together; a larger change is compared as a bag of
/// words.
const MAX_PRODUCTS: usize = 4_000_000;

/// What changed between two sentences that both texts have: the sentences of each text, in order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Change<'a> {
    /// Of the draft.
    pub(super) before: Vec<&'a str>,
    /// Of the edited text.
    pub(super) after: Vec<&'a str>,
}

/// The changes from a draft to an edited text, in order.
pub(super) fn changes<'a>(draft: &'a str, edited: &'a str) -> Vec<Change<'a>> {
    let (before, after) = (sentences(draft), sentences(edited));
    // Those of one text only cannot be aligned, and would cost most.
    let common: HashSet<&str> = {
        let of_after: HashSet<&str> = after.iter().copied().collect();
        before.iter().copied().filter(|sentence| of_after.contains(sentence)).collect()
    };
    let shared = |all: &[&'a str]| -> Vec<(usize, &'a str)> {
        all.iter().copied().enumerate().filter(|(_, sentence)| common.contains(sentence)).collect()
    };
    let (old, new) = (shared(&before), shared(&after));
    let texts = |all: &[(usize, &'a str)]| all.iter().map(|(_, text)| *text).collect::<Vec<_>>();
    let ops = similar::capture_diff_slices(Algorithm::Myers, &texts(&old), &texts(&new));
    let mut anchors: Vec<(usize, usize)> = Vec::new();
    for op in ops {
        if let DiffOp::Equal { old_index, new_index, len } = op {
            anchors.extend((0..len).map(|n| (old[old_index + n].0, new[new_index + n].0)));
        }
    }
    anchors.push((before.len(), after.len()));
    let (mut from, mut found) = ((0, 0), Vec::new());
    for (old, new) in anchors {
        let change = Change { before: before[from.0..old].to_vec(), after: after[from.1..new].to_vec() };
        if change != Change::default() {
            found.push(change);
        }
        from = (old + 1, new + 1);
    }
    found
}

fn sentences(text: &str) -> Vec<&str> {
    let places = sentence::sentences(text);
    let rest = places.get(MAX_SENTENCES).map(|rest| &text[rest.start..]);
    places.into_iter().take(MAX_SENTENCES).map(|place| &text[place]).chain(rest).collect()
}

/// The words of a draft and of an edited text that are the same, each counted once.
pub(super) fn same_words(draft: &str, edited: &str) -> usize {
    let changes = changes(draft, edited);
    let count = |sentences: &[&str]| sentences.iter().map(|one| language::count_words(one)).sum::<usize>();
    let changed: usize = changes.iter().map(|change| count(&change.before)).sum();
    let mut left = MAX_PRODUCTS;
    let kept = changes.iter().map(|change| same_of(change, &mut left)).sum::<usize>();
    language::count_words(draft).saturating_sub(changed) + kept
}

fn same_of(change: &Change<'_>, left: &mut usize) -> usize {
    let words = |sentences: &[&'_ str]| -> Vec<String> {
        sentences.iter().flat_map(|one| language::words(one)).map(str::to_owned).collect()
    };
    let (before, after) = (words(&change.before), words(&change.after));
    let product = before.len().saturating_mul(after.len());
    if product > *left {
        return in_common(before, after);
    }
    *left -= product;
    let ops = similar::capture_diff_slices(Algorithm::Myers, &before, &after);
    ops.iter().map(|op| if let DiffOp::Equal { len, .. } = op { *len } else { 0 }).sum()
}

/// Words of two bags that are in both.
fn in_common(mut before: Vec<String>, mut after: Vec<String>) -> usize {
    before.sort_unstable();
    after.sort_unstable();
    let (mut old, mut new, mut same) = (0, 0, 0);
    while let (Some(one), Some(other)) = (before.get(old), after.get(new)) {
        same += usize::from(one == other);
        (old, new) = (old + usize::from(one <= other), new + usize::from(other <= one));
    }
    same
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_stand_between_sentences_that_stay() {
        let found = changes("One. Two. Three. Four.", "One. 2. Three. Four. Five.");
        let expected =
            [Change { before: vec!["Two."], after: vec!["2."] }, Change { before: vec![], after: vec!["Five."] }];
        assert_eq!(found, expected);
        assert!(changes("One. Two.", "One. Two.").is_empty());
        assert_eq!(changes("", "New.").len(), 1);
    }

    #[test]
    fn words_in_common_are_counted_in_small_and_large_changes() {
        assert_eq!(same_words("One. Two three four.", "One. Two 3 four."), 3);
        let (before, after) = (vec!["b", "a", "b"], vec!["b", "c", "b", "b"]);
        let owned = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect();
        assert_eq!(in_common(owned(before), owned(after)), 2);
    }
}
