//! BM25F over the postings of one language's passages. A word's frequencies in the heading and in
//! the text are weighted and added before saturation, so that the two fields are not scored
//! separately (Robertson, Zaragoza, Taylor: Simple BM25 Extension to Multiple Weighted Fields,
//! 2004). The ranking is exact: every passage that contains a word is scored, and document
//! frequencies and mean lengths are computed over all shown passages, whatever segments they are
//! in. tantivy's own scorer is not used: it fixes k1 and b, adds fields after saturation, and
//! counts deleted passages.

use std::sync::Arc;

use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{Postings as _, SegmentPostings};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, InvertedIndexReader, SegmentReader, TERMINATED, Term};

/// BM25's k1: how late a word's frequency saturates. The customary 1.2 assumes one field; weighted
/// headings make the frequencies here larger.
const K1: f32 = 2.0;
/// BM25's b: how much a passage's length is normalised, 0 to 1.
const B: f32 = 0.75;
/// The weight of a heading. A word there says more about the passage's subject than the same word
/// in its text.
const HEADING_WEIGHT: f32 = 2.5;

/// The number of words in a passage's heading and in its text.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Length {
    pub(crate) heading: u64,
    pub(crate) text: u64,
}

/// The weight of one occurrence of a word, by field and by tantivy's one-byte code of the length.
pub(crate) struct Weights {
    heading: [f32; 256],
    text: [f32; 256],
}

impl Weights {
    /// The weights for this number of passages of one language; `total` is their length together.
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

/// Adds one word's score to the passages that contain it. `holding` has each passage with the
/// word's weighted frequency. `all` is the number of passages in all languages, so that rarities
/// are comparable between languages.
pub(crate) fn add(holding: &[(usize, f32)], all: usize, scores: &mut [f32]) {
    let rarity = rarity(holding.len(), all);
    for &(passage, frequency) in holding {
        if let Some(score) = scores.get_mut(passage) {
            *score += rarity * (K1 + 1.0) * frequency / (K1 + frequency);
        }
    }
}

/// The inverse document frequency of a word that `holding` of `all` passages contain (Lucene's
/// form, which is never negative).
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

    /// Calls `found` with each passage that contains `word` and its weighted frequency.
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

/// One field's postings and lengths.
struct FieldPostings {
    field: Field,
    index: Arc<InvertedIndexReader>,
    lengths: FieldNormReader,
}

impl FieldPostings {
    fn open(segment: &SegmentReader, field: Field) -> tantivy::Result<Self> {
        Ok(Self { field, index: segment.inverted_index(field)?, lengths: segment.get_fieldnorms_reader(field)? })
    }

    /// `None` if no passage contains the word.
    fn of(&self, word: &str) -> tantivy::Result<Option<SegmentPostings>> {
        let term = Term::from_field_text(self.field, word);
        Ok(self.index.read_postings(&term, IndexRecordOption::WithFreqs)?)
    }

    /// Returns the weighted frequency in `passage` and advances, if the postings are at it; else 0.
    fn take(&self, postings: &mut SegmentPostings, passage: DocId, weights: &[f32; 256]) -> f32 {
        if postings.doc() != passage {
            return 0.0;
        }
        let frequency = postings.term_freq() as f32 * weights[usize::from(self.lengths.fieldnorm_id(passage))];
        postings.advance();
        frequency
    }
}
