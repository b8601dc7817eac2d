//! Applies changes of documents to passages: only the changed documents are indexed.

use std::collections::BTreeSet;

use super::{DocumentId, HashMap, HashSet, KnowledgeError, Part, Passage, Passages, Revision, Segment};

/// Documents that have changed.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// Documents whose old passages become stale: they were deleted or read again.
    pub(crate) gone: HashSet<DocumentId>,
    /// The passages of the documents that were read.
    pub(crate) passages: Vec<Passage>,
    /// All current documents.
    pub(crate) documents: HashMap<DocumentId, Revision>,
}

impl Passages {
    /// Compares a business's documents with these: first the ones to read (new, or at another
    /// revision), then the ones whose passages become stale (deleted, or at another revision).
    pub(crate) fn compare(&self, documents: &[(DocumentId, Revision)]) -> (Vec<DocumentId>, HashSet<DocumentId>) {
        let mut gone: HashSet<DocumentId> = self.documents.keys().copied().collect();
        let mut unread = Vec::new();
        for (id, revision) in documents {
            if self.documents.get(id) == Some(revision) {
                gone.remove(id);
            } else {
                unread.push(*id);
            }
        }
        (unread, gone)
    }

    /// The passages after a change. Unchanged segments are shared with the old ones. CPU-bound,
    /// since it indexes the change's passages: call it on a blocking thread.
    pub(crate) fn changed(&self, change: Change) -> Result<Self, KnowledgeError> {
        let Change { gone, passages, documents } = change;
        let mut parts = self.parts.clone();
        let mut keys = BTreeSet::new();
        if !gone.is_empty() {
            parts.iter_mut().for_each(|part| part.forget(&gone, &mut keys));
            parts.retain(|part| part.live() > 0);
        }
        keys.extend(passages.iter().map(|passage| passage.key));
        parts.extend(Segment::index_all(passages)?.into_iter().map(Part::new));
        for key in &keys {
            show_first(&mut parts, key);
        }
        Ok(Self::of(parts, documents, self.dimension))
    }
}

impl Part {
    /// Marks the passages of these documents as stale and collects their keys.
    fn forget(&mut self, gone: &HashSet<DocumentId>, keys: &mut BTreeSet<[u8; 32]>) {
        for (place, passage) in self.segment.passages.iter().enumerate() {
            if gone.contains(&passage.chunk.document_id) && !self.stale.has(place) {
                self.stale.set(place, true);
                self.shown.set(place, false);
                self.vectors.remove(place);
                keys.insert(passage.key);
            }
        }
    }
}

/// Of the passages of a key that are not stale, shows the first one of the first document.
fn show_first(parts: &mut [Part], key: &[u8; 32]) {
    let mut first: Option<(_, usize, usize)> = None;
    for (number, part) in parts.iter_mut().enumerate() {
        for place in part.segment.places(key) {
            let Some(passage) = part.segment.passages.get(place) else { continue };
            let rank = passage.rank();
            let is_better = !part.stale.has(place) && first.as_ref().is_none_or(|(best, ..)| rank < *best);
            if is_better {
                first = Some((rank, number, place));
            }
        }
    }
    let shown = first.map(|(_, number, place)| (number, place));
    for (number, part) in parts.iter_mut().enumerate() {
        for place in part.segment.places(key) {
            let is_shown = shown == Some((number, place));
            part.shown.set(place, is_shown);
            if !is_shown {
                part.vectors.remove(place);
            }
        }
    }
}
