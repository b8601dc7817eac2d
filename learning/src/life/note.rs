//! Which notes ask for the same: those that share most of their words. Without it a store of notes fills with
//! duplicates.

use std::collections::BTreeSet;

use copydesk_domain::lesson::Rule;

/// The notes of a business that are read: the last ones. Each is compared with all before it.
pub(super) const WINDOW: usize = 500;
/// Two notes that share this part of all their words are one, as Jaccard's index.
const ALIKE: f64 = 0.6;
/// Words that tell no two notes apart.
const EMPTY: [&str; 24] = [
    "a", "an", "and", "are", "as", "at", "be", "for", "in", "into", "is", "it", "its", "more", "of", "on", "or", "our",
    "that", "the", "this", "to", "with", "your",
];

/// The notes seen so far, in order: a later one takes the slot of the first that is like it.
#[derive(Debug, Default)]
pub(super) struct Notes {
    seen: Vec<(BTreeSet<String>, String)>,
}

impl Notes {
    /// The slot of a note.
    pub(super) fn slot(&mut self, rule: &Rule) -> String {
        let slot = rule.slot();
        let words: BTreeSet<String> =
            slot.trim_start_matches("note:").split(' ').filter(|word| !EMPTY.contains(word)).map(stem).collect();
        if let Some((_, first)) = self.seen.iter().find(|(seen, _)| is_alike(seen, &words)) {
            return first.clone();
        }
        self.seen.push((words, slot.clone()));
        slot
    }
}

fn is_alike(a: &BTreeSet<String>, b: &BTreeSet<String>) -> bool {
    let (shared, all) = (a.intersection(b).count(), a.union(b).count());
    #[expect(clippy::cast_precision_loss, reason = "a note has few words")]
    let is_alike = all > 0 && shared as f64 >= ALIKE * all as f64;
    is_alike
}

/// Without the endings of plurals and verbs: `stories` and `story` need not meet, `patients` and `patient` do.
fn stem(word: &str) -> String {
    let bare = word.strip_suffix("ing").or_else(|| word.strip_suffix("es")).or_else(|| word.strip_suffix('s'));
    bare.filter(|bare| bare.chars().count() >= 3).unwrap_or(word).to_owned()
}
