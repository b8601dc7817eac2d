//! Merges segments, to keep their number and the share of stale passages low: each segment adds to
//! the cost of every search, and stale passages take memory. Merging a large segment takes long. So
//! it runs concurrently with searches and changes, on a snapshot, and changes since the snapshot
//! are applied afterwards.

use std::sync::Arc;

use super::{KnowledgeError, Marks, Part, Passage, Passages, Segment};
use crate::vectors::Vectors;

/// The most segments of one language; beyond it, the smallest are merged.
pub(super) const MAX_SEGMENTS: usize = 10;
/// A segment is rewritten when more than one in this many passages is stale.
pub(super) const MAX_STALE: usize = 4;

/// A finished merge of several segments into one.
pub(crate) struct Merge {
    sources: Vec<Arc<Segment>>,
    merged: Arc<Segment>,
    /// Where each passage of the merged segment comes from: the source and the position there.
    origins: Vec<(usize, usize)>,
}

impl Passages {
    /// Whether there is something to merge.
    pub(crate) fn wants_merge(&self) -> bool {
        self.to_merge().is_some()
    }

    /// Does the first pending merge; `None` if there is none. CPU-bound, and long for a large
    /// segment.
    pub(crate) fn merge(&self) -> Result<Option<Merge>, KnowledgeError> {
        let Some(sources) = self.to_merge() else { return Ok(None) };
        let passages = sources.iter().enumerate().flat_map(|(source, part)| {
            let live = part.segment.passages.iter().enumerate().filter(|(place, _)| !part.stale.has(*place));
            live.map(move |(place, passage)| ((source, place), passage.clone()))
        });
        let mut passages: Vec<((usize, usize), Passage)> = passages.collect();
        // The same order as in the merged segment.
        passages.sort_unstable_by_key(|(_, passage)| passage.rank());
        let (origins, passages) = passages.into_iter().unzip();
        let Some(language) = sources.first().map(|part| part.segment.language) else { return Ok(None) };
        let merged = Arc::new(Segment::index(language, passages)?);
        let sources = sources.iter().map(|part| Arc::clone(&part.segment)).collect();
        Ok(Some(Merge { sources, merged, origins }))
    }

    /// These passages with the merged segment in place of its sources; `None` if no source is here.
    pub(crate) fn merged(&self, merge: &Merge) -> Option<Self> {
        let is_of = |part: &Part, source: &Arc<Segment>| Arc::ptr_eq(&part.segment, source);
        let find = |source| self.parts.iter().find(|part| is_of(part, source));
        // All passages of a missing source have become stale.
        let sources: Vec<Option<&Part>> = merge.sources.iter().map(find).collect();
        if sources.iter().all(Option::is_none) {
            return None;
        }
        let is_replaced = |part: &Part| merge.sources.iter().any(|source| is_of(part, source));
        let mut parts: Vec<Part> = self.parts.iter().filter(|part| !is_replaced(part)).cloned().collect();
        let part = merge.part(&sources);
        parts.extend((part.live() > 0).then_some(part));
        Some(Self::of(parts, self.documents.clone(), self.dimension))
    }

    /// The segments of a language that are to be merged into one.
    fn to_merge(&self) -> Option<Vec<&Part>> {
        let of_a_language = |one: &Part, next: &Part| one.segment.language == next.segment.language;
        self.parts.chunk_by(of_a_language).map(chosen).find(|parts| !parts.is_empty())
    }
}

/// The segments with too many stale passages. If there are too many segments, also the smallest, up
/// to the first that is more than twice as large as the chosen ones together: so each passage is
/// merged only a few times, however many changes come.
fn chosen(parts: &[Part]) -> Vec<&Part> {
    let is_wasteful = |part: &&Part| part.stale.count() * MAX_STALE > part.segment.passages.len();
    let (mut chosen, mut others): (Vec<_>, Vec<_>) = parts.iter().partition(is_wasteful);
    if parts.len() > MAX_SEGMENTS {
        others.sort_unstable_by_key(|part| part.live());
        let mut total: usize = chosen.iter().map(|part| part.live()).sum();
        for part in others {
            if chosen.len() >= 2 && part.live() > 2 * total {
                break;
            }
            total += part.live();
            chosen.push(part);
        }
    }
    chosen
}

impl Merge {
    /// The merged segment, with the current marks of its sources.
    fn part(&self, sources: &[Option<&Part>]) -> Part {
        let places = self.origins.len();
        let (mut stale, mut shown) = (Marks::none(places), Marks::none(places));
        let mut vectors = Vectors::default();
        for (place, (source, origin)) in self.origins.iter().enumerate() {
            let source = sources.get(*source).copied().flatten();
            stale.set(place, source.is_none_or(|source| source.stale.has(*origin)));
            shown.set(place, source.is_some_and(|source| source.shown.has(*origin)));
            if let Some(numbers) = source.and_then(|source| source.vectors.get(*origin)) {
                vectors.set(place, Arc::clone(numbers));
            }
        }
        Part { segment: Arc::clone(&self.merged), first: 0, stale, shown, vectors }
    }
}
