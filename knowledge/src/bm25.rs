//! BM25F over the postings of one language's passages: how often a word stands in the heading and in
//! the text is added up by weight before it is damped, so that the two are no separate votes
//! (Robertson, Zaragoza, Taylor: Simple BM25 Extension to Multiple Weighted Fields, 2004). Exact: every
//! passage that holds a word is scored. tantivy's own scorer fixes k1 and b, and adds fields after
//! damping.

use std::sync::Arc;

use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, DocSet, InvertedIndexReader, SegmentReader, TERMINATED, Term};

/// How slowly a word's further occurrences in a passage count less. The customary 1.2 is for words
/// counted in one field; headings make the frequencies here larger.
const K1: f32 = 2.0;
/// How far a passage's length counts against it, 0 to 1.
const B: f32 = 0.75;
/// A word in a heading says more of what a passage is about than the same word in its text.
const HEADING_WEIGHT: f32 = 2.5;

/// The postings of one language's passages.
pub(crate) struct Bm25 {
    heading: FieldPostings,
    text: FieldPostings,
    /// Passages of all languages: a word's rarity is comparable between them.
    all: DocId,
}

impl Bm25 {
    /// Reads the two fields of a segment, in which `passages` have them.
    pub(crate) fn open(segment: &SegmentReader, heading: Field, text: Field, passages: usize) -> tantivy::Result<Self> {
        Ok(Self {
            heading: FieldPostings::open(segment, heading, HEADING_WEIGHT, passages)?,
            text: FieldPostings::open(segment, text, 1.0, passages)?,
            all: segment.max_doc(),
        })
    }

    /// Adds to each passage's score what it has for holding `word`.
    pub(crate) fn add(&self, word: &str, scores: &mut [f32]) -> tantivy::Result<()> {
        let frequencies = self.frequencies(word)?;
        let rarity = rarity(frequencies.len(), self.all);
        for (passage, frequency) in frequencies {
            if let Some(score) = scores.get_mut(passage as usize) {
                *score += rarity * (K1 + 1.0) * frequency / (K1 + frequency);
            }
        }
        Ok(())
    }

    /// The passages that hold `word`, and how often, by weight and length.
    fn frequencies(&self, word: &str) -> tantivy::Result<Vec<(DocId, f32)>> {
        let mut heading = self.heading.of(word)?;
        let mut text = self.text.of(word)?;
        let mut frequencies = Vec::with_capacity((heading.size_hint().max(text.size_hint())) as usize);
        loop {
            let passage = heading.doc().min(text.doc());
            if passage == TERMINATED {
                return Ok(frequencies);
            }
            let in_heading = self.heading.take(&mut heading, passage);
            frequencies.push((passage, in_heading + self.text.take(&mut text, passage)));
        }
    }
}

/// How much a word says that `holding` of `all` passages hold (Lucene's form, which is never negative).
fn rarity(holding: usize, all: DocId) -> f32 {
    let (holding, all) = (holding as f32, all as f32);
    (1.0 + (all - holding + 0.5) / (holding + 0.5)).ln()
}

/// One field's postings and what its passages' lengths make of a frequency.
struct FieldPostings {
    field: Field,
    index: Arc<InvertedIndexReader>,
    lengths: FieldNormReader,
    /// What one occurrence counts, by the length's one-byte code.
    weights: [f32; 256],
}

impl FieldPostings {
    fn open(segment: &SegmentReader, field: Field, weight: f32, passages: usize) -> tantivy::Result<Self> {
        let index = segment.inverted_index(field)?;
        let mean = (index.total_num_tokens() as f32 / passages.max(1) as f32).max(1.0);
        let weigh = |code: u8| weight / (1.0 - B + B * FieldNormReader::id_to_fieldnorm(code) as f32 / mean);
        let mut weights = [0.0; 256];
        for (code, slot) in (0..=u8::MAX).zip(&mut weights) {
            *slot = weigh(code);
        }
        Ok(Self { field, index, lengths: segment.get_fieldnorms_reader(field)?, weights })
    }

    fn of(&self, word: &str) -> tantivy::Result<SegmentPostings> {
        let term = Term::from_field_text(self.field, word);
        let postings = self.index.read_postings(&term, IndexRecordOption::WithFreqs)?;
        Ok(postings.unwrap_or_else(SegmentPostings::empty))
    }

    /// What the postings' word counts in `passage`, where they stand at it; they move on then.
    fn take(&self, postings: &mut SegmentPostings, passage: DocId) -> f32 {
        if postings.doc() != passage {
            return 0.0;
        }
        let frequency = postings.term_freq() as f32 * self.weights[usize::from(self.lengths.fieldnorm_id(passage))];
        postings.advance();
        frequency
    }
}
