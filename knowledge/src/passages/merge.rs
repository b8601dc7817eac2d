//! Merges segments, so that they stay few and mostly of use: each costs every search a little, and stale
//! passages take memory. Merging takes long where a segment is large. So it is done beside searches and
//! changes, on the passages of one moment, and what has changed meanwhile is carried over.

use std::sync::Arc;

use super::{KnowledgeError, Marks, Part, Passage, Passages, Segment};
use crate::vectors::Vectors;

/// Segments of one language beyond which the smallest are merged.
pub(super) const MAX_SEGMENTS: usize = 10;
/// A segment is written anew when one passage in so many is stale.
pub(super) const MAX_STALE: usize = 4;

/// Segments merged into one.
pub(crate) struct Merge {
    sources: Vec<Arc<Segment>>,
    merged: Arc<Segment>,
    /// Where each passage of the merged one stood: the source, and the place there.
    origins: Vec<(usize, usize)>,
}

impl Passages {
    /// Whether there is something to merge.
    pub(crate) fn wants_merge(&self) -> bool {
        self.to_merge().is_some()
    }

    /// Merges what is to be merged first; `None` where nothing is. Keeps a core busy for long where a large
    /// segment is written anew.
    pub(crate) fn merge(&self) -> Result<Option<Merge>, KnowledgeError> {
        let Some(sources) = self.to_merge() else { return Ok(None) };
        let passages = sources.iter().enumerate().flat_map(|(source, part)| {
            let live = part.segment.passages.iter().enumerate().filter(|(place, _)| !part.stale.has(*place));
            live.map(move |(place, passage)| ((source, place), passage.clone()))
        });
        let mut passages: Vec<((usize, usize), Passage)> = passages.collect();
        // As the segment will sort them.
        passages.sort_unstable_by_key(|(_, passage)| passage.rank());
        let (origins, passages) = passages.into_iter().unzip();
        let Some(language) = sources.first().map(|part| part.segment.language) else { return Ok(None) };
        let merged = Arc::new(Segment::index(language, passages)?);
        let sources = sources.iter().map(|part| Arc::clone(&part.segment)).collect();
        Ok(Some(Merge { sources, merged, origins }))
    }

    /// These passages with the merged segment in place of its sources; `None` where they are not here.
    pub(crate) fn merged(&self, merge: &Merge) -> Option<Self> {
        let is_of = |part: &Part, source: &Arc<Segment>| Arc::ptr_eq(&part.segment, source);
        let find = |source| self.parts.iter().find(|part| is_of(part, source));
        // One that is missing has become stale as a whole.
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

/// Those of which too much is stale; and where there are too many, the smallest, up to one that is more than
/// twice as large as they are together: so a passage is merged a few times only, however many changes come.
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
    /// The merged segment, of which counts what counts of its sources by now.
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
