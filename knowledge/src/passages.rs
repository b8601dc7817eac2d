//! One business's passages in memory, ranked by BM25F over the text and, with a higher weight, the
//! title and headings above it, each in its document's language. Reading passages from storage is
//! not part of this module.
//!
//! Passages are in immutable segments. A change of a document marks its old passages as stale and
//! indexes the new ones as another segment; small and mostly stale segments are merged later. A
//! search counts only shown passages, so it finds the same passages in the same order as a search
//! in one new index.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use copydesk_common::embedding::{self, InputHash, Vector};
use copydesk_common::store::knowledge::Revision;
use copydesk_domain::document::Chunk;
use copydesk_domain::id::DocumentId;
use copydesk_domain::language::Language;
use tantivy::tokenizer::TextAnalyzer;

use crate::bm25::{self, Length, Weights};
use crate::fusion::fuse;
use crate::segment::{Passage, Segment};
use crate::vectors::Vectors;
use crate::{Hit, KnowledgeError};

mod change;
mod marks;
mod merge;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

pub(crate) use change::Change;
use marks::Marks;

/// The most words of a query that are looked up: bounds the cost of a pasted page.
const MAX_QUERY_WORDS: usize = 64;
/// The most passages of each ranking that are fused: one that is lower in both does not reach the
/// top.
const FUSED: usize = 200;

/// A business's passages, searchable.
#[derive(Default)]
pub struct Passages {
    /// Parts of the same language are adjacent.
    parts: Vec<Part>,
    /// The languages of the passages. A query is looked up in each, analyzed as that language.
    languages: Vec<Words>,
    /// The documents of these passages, each with the revision that was read.
    documents: HashMap<DocumentId, Revision>,
    /// The number of shown passages.
    shown: usize,
    /// The dimension of the vectors, if there are any.
    dimension: usize,
}

/// A segment, and which of its passages still count.
#[derive(Clone)]
struct Part {
    segment: Arc<Segment>,
    /// The position of its first passage among those of all segments.
    first: usize,
    /// Passages of documents that have since changed or been deleted.
    stale: Marks,
    /// Passages that a search finds: the first passage of each key that is not stale.
    shown: Marks,
    /// The vectors of the shown passages.
    vectors: Vectors,
}

/// What a search needs for one language's passages.
struct Words {
    /// The analyzer of queries.
    analyzer: TextAnalyzer,
    weights: Weights,
    parts: Range<usize>,
}

/// A passage without a vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unembedded {
    /// The hash of the input of its vector.
    pub hash: InputHash,
    /// The input itself.
    pub input: String,
}

impl Unembedded {
    /// The input of a passage under these headings.
    pub fn of(heading_path: &str, text: &str) -> Self {
        Self { hash: InputHash::of(heading_path, text), input: embedding::input(heading_path, text) }
    }
}

impl fmt::Debug for Passages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (segments, size_bytes) = (self.parts.len(), self.size_bytes());
        f.debug_struct("Passages")
            .field("shown", &self.shown)
            .field("segments", &segments)
            .field("size_bytes", &size_bytes)
            .finish_non_exhaustive()
    }
}

impl Passages {
    /// Indexes passages without merging equal ones; this order decides between equal scores.
    /// CPU-bound: call it on a blocking thread.
    ///
    /// # Errors [`KnowledgeError::Index`] if the index cannot be built.
    pub fn index(chunks: Vec<Chunk>) -> Result<Self, KnowledgeError> {
        let passage = |(number, chunk)| Passage { key: numbered(number), chunk: Arc::new(chunk) };
        let passages = (0..).zip(chunks).map(passage).collect();
        Self::default().changed(Change { passages, ..Change::default() })
    }

    /// The same passages with these vectors, all from one model.
    #[must_use]
    pub fn with_vectors(mut self, known: &HashMap<InputHash, Vector>) -> Self {
        if known.is_empty() {
            return self;
        }
        for Part { segment, shown, vectors, .. } in &mut self.parts {
            for (place, hash) in segment.hashes().iter().enumerate().filter(|(place, _)| shown.has(*place)) {
                let is_comparable = |vector: &&Vector| [0, vector.dimension()].contains(&self.dimension);
                if let Some(vector) = known.get(hash).filter(is_comparable) {
                    self.dimension = vector.dimension();
                    vectors.set(place, vector.numbers().into());
                }
            }
        }
        self
    }

    /// The same passages without vectors of another dimension: vectors of different dimensions
    /// cannot be compared.
    #[must_use]
    pub(crate) fn of_dimension(mut self, dimension: Option<usize>) -> Self {
        let dimension = dimension.unwrap_or_default();
        if self.dimension != dimension {
            self.dimension = dimension;
            self.parts.iter_mut().for_each(|part| part.vectors = Vectors::default());
        }
        self
    }

    /// The dimension of the vectors; `None` without vectors.
    pub(crate) fn dimension(&self) -> Option<usize> {
        let has_vectors = self.parts.iter().any(|part| part.vectors.count() > 0);
        has_vectors.then_some(self.dimension)
    }

    /// The input hashes of the missing vectors, each once.
    pub(crate) fn without_vector(&self) -> Vec<InputHash> {
        let missing = self.parts.iter().filter(|part| part.vectors.count() < part.shown.count()).flat_map(|part| {
            let missing = part.shown.iter().filter(|place| part.vectors.get(*place).is_none());
            missing.filter_map(|place| part.segment.hashes().get(place).copied())
        });
        missing.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The passages that have no vector of this dimension.
    pub fn unembedded(&self, dimension: usize) -> impl Iterator<Item = Unembedded> {
        let is_comparable = self.dimension == dimension;
        let missing = self.parts.iter().flat_map(move |part| {
            let missing = move |place: &usize| !(is_comparable && part.vectors.get(*place).is_some());
            part.shown.iter().filter(missing).filter_map(|place| part.segment.passages.get(place))
        });
        missing.map(|passage| Unembedded::of(&passage.chunk.heading_path, &passage.chunk.text))
    }

    /// Whether any passage has no vector of this dimension.
    pub(crate) fn lacks_vectors(&self, dimension: usize) -> bool {
        let is_comparable = self.dimension == dimension;
        let known: usize = self.parts.iter().map(|part| part.vectors.count()).sum();
        !is_comparable && self.shown > 0 || known < self.shown
    }

    /// The number of shown passages.
    pub fn len(&self) -> usize {
        self.shown
    }

    /// Whether there are no passages.
    pub fn is_empty(&self) -> bool {
        self.shown == 0
    }

    /// The size in memory, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        let languages = size_of_val(self.languages.as_slice());
        let documents = self.documents.capacity() * size_of::<(DocumentId, Revision)>();
        languages + documents + self.parts.iter().map(Part::size_bytes).sum::<usize>()
    }

    /// Up to `limit` passages that match `query` best, best first; equal ones in the order of their
    /// keys. Empty if the query has only stop words or no passage contains any of its words.
    ///
    /// # Errors
    /// [`KnowledgeError::Index`] if the index cannot be read.
    pub fn search(&self, query: &str, limit: usize) -> Result<Vec<Hit>, KnowledgeError> {
        Ok(self.hits(self.best(self.scores(query)?.into_iter().enumerate(), limit)))
    }

    /// Up to `limit` passages that match best by words and meaning combined, best first. By words
    /// only if no passage has a vector or the query's has another dimension.
    ///
    /// # Errors
    /// [`KnowledgeError::Index`] if the index cannot be read.
    pub fn search_hybrid(&self, query: &str, vector: &Vector, limit: usize) -> Result<Vec<Hit>, KnowledgeError> {
        let depth = limit.max(FUSED);
        let by_words = self.best(self.scores(query)?.into_iter().enumerate(), depth);
        let comparable = if vector.dimension() == self.dimension { self.parts.as_slice() } else { &[] };
        let likeness = comparable
            .iter()
            .flat_map(|part| part.vectors.likeness(vector).map(|(place, likeness)| (part.first + place, likeness)));
        let by_meaning = self.best(likeness, depth);
        Ok(self.hits(fuse([&by_words, &by_meaning], limit, |a, b| self.order(a, b))))
    }

    fn hits(&self, ranked: Vec<(usize, f32)>) -> Vec<Hit> {
        let hit = |(place, score)| Some(Hit { chunk: Chunk::clone(&self.passage(place)?.chunk), score });
        ranked.into_iter().filter_map(hit).collect()
    }

    /// The score of the passage at each position: 0 if it contains none of the query's words or is
    /// not shown.
    fn scores(&self, query: &str) -> Result<Vec<f32>, KnowledgeError> {
        let mut scores = vec![0.0; self.parts.last().map_or(0, |last| last.first + last.segment.passages.len())];
        let mut holding = Vec::new();
        for Words { analyzer, weights, parts } in &self.languages {
            for word in copydesk_words::first_words(analyzer, query, MAX_QUERY_WORDS) {
                holding.clear();
                for Part { segment, first, shown, .. } in self.parts.get(parts.clone()).unwrap_or_default() {
                    segment.postings.find(&word, weights, |place, frequency| {
                        if shown.has(place as usize) {
                            holding.push((first + place as usize, frequency));
                        }
                    })?;
                }
                bm25::add(&holding, self.shown, &mut scores);
            }
        }
        Ok(scores)
    }

    /// The `limit` highest scores above 0 with their positions, highest first; equal ones in the
    /// order of their keys.
    fn best(&self, scores: impl Iterator<Item = (usize, f32)>, limit: usize) -> Vec<(usize, f32)> {
        let by_score = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1).then_with(|| self.order(a.0, b.0));
        let mut ranked: Vec<_> = scores.filter(|(_, score)| *score > 0.0).collect();
        if (1..ranked.len()).contains(&limit) {
            ranked.select_nth_unstable_by(limit, by_score);
        }
        ranked.truncate(limit);
        ranked.sort_unstable_by(by_score);
        ranked
    }

    /// The order of the passages at two positions, by their keys.
    fn order(&self, a: usize, b: usize) -> Ordering {
        let key = |place| self.passage(place).map(|passage| &passage.key);
        key(a).cmp(&key(b))
    }

    fn passage(&self, place: usize) -> Option<&Passage> {
        let part = self.parts.partition_point(|part| part.first <= place).checked_sub(1)?;
        let Part { segment, first, .. } = self.parts.get(part)?;
        segment.passages.get(place - first)
    }

    /// Combines these parts, and computes what a search needs over all of them.
    fn of(mut parts: Vec<Part>, documents: HashMap<DocumentId, Revision>, dimension: usize) -> Self {
        parts.sort_by_key(|part| part.segment.language);
        let mut first = 0;
        for part in &mut parts {
            part.first = first;
            first += part.segment.passages.len();
        }
        let shown = parts.iter().map(|part| part.shown.count()).sum();
        let (mut languages, mut begin) = (Vec::new(), 0);
        for parts in parts.chunk_by(|one, next| one.segment.language == next.segment.language) {
            let end = begin + parts.len();
            languages.extend(parts.first().map(|part| Words::of(part.segment.language, parts, begin..end)));
            begin = end;
        }
        Self { parts, languages, documents, shown, dimension }
    }
}

impl Words {
    /// Sums up the parts of a language; `parts` are their positions.
    fn of(language: Language, of_language: &[Part], parts: Range<usize>) -> Self {
        let (mut total, mut passages) = (Length::default(), 0);
        for Part { segment, shown, .. } in of_language {
            for length in shown.iter().filter_map(|place| segment.lengths.get(place)) {
                total.heading += length.heading;
                total.text += length.text;
            }
            passages += shown.count();
        }
        Self { analyzer: copydesk_words::query_analyzer(language), weights: Weights::of(total, passages), parts }
    }
}

impl Part {
    /// A segment whose passages are not shown yet.
    fn new(segment: Arc<Segment>) -> Self {
        let marks = Marks::none(segment.passages.len());
        Self { segment, first: 0, stale: marks.clone(), shown: marks, vectors: Vectors::default() }
    }

    /// The number of passages that are not stale.
    fn live(&self) -> usize {
        self.segment.passages.len() - self.stale.count()
    }

    fn size_bytes(&self) -> usize {
        let marks = self.stale.size_bytes() + self.shown.size_bytes();
        size_of::<Self>() + self.segment.size_bytes() + marks + self.vectors.size_bytes()
    }
}

/// The key of a passage that is identified by its number.
fn numbered(number: u64) -> [u8; 32] {
    let mut key = [0; 32];
    if let Some(first) = key.first_chunk_mut() {
        *first = number.to_be_bytes();
    }
    key
}
