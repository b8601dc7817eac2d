//! BM25F over the postings of one language's passages: how often a word stands in the heading and in
//! the text is added up by weight before it is damped, so that the two are no separate votes
//! (Robertson, Zaragoza, Taylor: Simple BM25 Extension to Multiple Weighted Fields, 2004). Exact: every
//! passage that holds a word is scored, and a word's rarity and the mean lengths are those of all shown
//! passages, in however many segments they stand. tantivy's own scorer fixes k1 and b, adds fields after
//! damping, and counts what was deleted.

use std::sync::Arc;

use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{Postings as _, SegmentPostings};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, InvertedIndexReader, SegmentReader, TERMINATED, Term};

/// How slowly a word's further occurrences in a passage count less. The customary 1.2 is for words
/// counted in one field; headings make the frequencies here larger.
const K1: f32 = 2.0;
/// How far a passage's length counts against it, 0 to 1.
const B: f32 = 0.75;
/// A word in a heading says more of what a passage is about than the same word in its text.
const HEADING_WEIGHT: f32 = 2.5;

/// Words of a passage's heading and of its text.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Length {
    pub(crate) heading: u64,
    pub(crate) text: u64,
}

/// What one occurrence of a word counts, by field and the length's one-byte code.
pub(crate) struct Weights {
    heading: [f32; 256],
    text: [f32; 256],
}

impl Weights {
    /// Of so many passages of one language that have these lengths together.
    pub(crate) fn of(total: Length, passages: usize) -> Self {
        let weights = |weight, total| weights(weight, total, passages);
        Self { heading: weights(HEADING_WEIGHT, total.heading), text: weights(1.0, total.text) }
    }
}

fn weights(weight: f32, total: u64, passages: usize) -> [f32; 256] {
    let mean = (total as f32 / passages.max(1) as f32).max(1.0);
    let mut weights = [0.0; 256];
    for (code, slot) in (0..=u8::MAX).zip(&mut weights) {
        *slot = weight / (1.0 - B + B * FieldNormReader::id_to_fieldnorm(code) as f32 / mean);
    }
    weights
}

/// Adds to the scores of the passages that hold a word, each with how often by weight and length, what they
/// have for that; `all` are the passages of all languages: a word's rarity is comparable between them.
pub(crate) fn add(holding: &[(usize, f32)], all: usize, scores: &mut [f32]) {
    let rarity = rarity(holding.len(), all);
    for &(passage, frequency) in holding {
        if let Some(score) = scores.get_mut(passage) {
            *score += rarity * (K1 + 1.0) * frequency / (K1 + frequency);
        }
    }
}

/// How much a word says that `holding` of `all` passages hold (Lucene's form, which is never negative).
fn rarity(holding: usize, all: usize) -> f32 {
    let (holding, all) = (holding as f32, all as f32);
    (1.0 + (all - holding + 0.5) / (holding + 0.5)).ln()
}

/// The postings of one segment.
pub(crate) struct Postings {
    heading: FieldPostings,
    text: FieldPostings,
}

impl Postings {
    /// Reads the two fields of a segment.
    pub(crate) fn open(segment: &SegmentReader, heading: Field, text: Field) -> tantivy::Result<Self> {
        let (heading, text) = (FieldPostings::open(segment, heading)?, FieldPostings::open(segment, text)?);
        Ok(Self { heading, text })
    }

    /// Hands each passage that holds `word` to `found`, and how often it does, by weight and length.
    pub(crate) fn find(&self, word: &str, weights: &Weights, mut found: impl FnMut(DocId, f32)) -> tantivy::Result<()> {
        let (heading, text) = (self.heading.of(word)?, self.text.of(word)?);
        if heading.is_none() && text.is_none() {
            return Ok(());
        }
        let mut heading = heading.unwrap_or_else(SegmentPostings::empty);
        let mut text = text.unwrap_or_else(SegmentPostings::empty);
        loop {
            let passage = heading.doc().min(text.doc());
            if passage == TERMINATED {
                return Ok(());
            }
            let in_heading = self.heading.take(&mut heading, passage, &weights.heading);
            found(passage, in_heading + self.text.take(&mut text, passage, &weights.text));
        }
    }
}

/// One field's postings and its passages' lengths.
struct FieldPostings {
    field: Field,
    index: Arc<InvertedIndexReader>,
    lengths: FieldNormReader,
}

impl FieldPostings {
    fn open(segment: &SegmentReader, field: Field) -> tantivy::Result<Self> {
        Ok(Self { field, index: segment.inverted_index(field)?, lengths: segment.get_fieldnorms_reader(field)? })
    }

    /// `None` where no passage holds the word.
    fn of(&self, word: &str) -> tantivy::Result<Option<SegmentPostings>> {
        let term = Term::from_field_text(self.field, word);
        Ok(self.index.read_postings(&term, IndexRecordOption::WithFreqs)?)
    }

    /// What the postings' word counts in `passage`, where they stand at it; they move on then.
    fn take(&self, postings: &mut SegmentPostings, passage: DocId, weights: &[f32; 256]) -> f32 {
        if postings.doc() != passage {
            return 0.0;
        }
        let frequency = postings.term_freq() as f32 * weights[usize::from(self.lengths.fieldnorm_id(passage))];
        postings.advance();
        frequency
    }
}
