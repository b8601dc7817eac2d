//! One business's passages in an inverted index in memory: BM25F over the text and, weighing more,
//! the title and headings above it, each in its document's language. Knows nothing of where passages
//! come from.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use copydesk_common::document::{Chunk, Language};
use copydesk_common::embedding::{self, InputHash, Vector};
use tantivy::directory::RamDirectory;
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{TextAnalyzer, TokenizerManager};
use tantivy::{Index, ReloadPolicy, TantivyDocument};

use crate::bm25::Bm25;
use crate::fusion::fuse;
use crate::vectors::Vectors;
use crate::{Hit, KnowledgeError, tokens};

/// Words of a query that are looked up; a pasted page would otherwise cost as much as it is long.
const MAX_QUERY_WORDS: usize = 64;
/// Passages of each ranking that are fused: what stands lower in both is not among the first in the end.
const FUSED: usize = 200;
/// What tantivy sizes its first tables by while it builds an index, in bytes. It is given back
/// afterwards.
const BUILD_MEMORY_BYTES: usize = 15_000_000;

/// A business's passages, searchable.
pub struct Passages {
    /// In the order of the index: a document's number there is its place here.
    chunks: Vec<Chunk>,
    /// The languages that there are. A query is looked up in each as that language's words.
    languages: Vec<Words>,
    vectors: Vectors,
    /// Without the vectors.
    size_bytes: usize,
}

/// A passage without a vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unembedded {
    /// Names what its vector is to be made from.
    pub hash: InputHash,
    /// That itself.
    pub input: String,
}

impl Unembedded {
    /// A passage under these headings.
    pub fn of(heading_path: &str, text: &str) -> Self {
        Self { hash: InputHash::of(heading_path, text), input: embedding::input(heading_path, text) }
    }
}

/// The words of one language's passages.
struct Words {
    /// Of queries.
    analyzer: TextAnalyzer,
    bm25: Bm25,
}

/// Where the passages of one language are indexed.
struct Fields {
    heading: Field,
    text: Field,
    passages: usize,
}

/// Of a passage. English where it is not known: its endings are rules that harm others little.
fn language(chunk: &Chunk) -> Language {
    chunk.language.unwrap_or(Language::English)
}

impl fmt::Debug for Passages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passages").field("chunks", &self.chunks.len()).field("size_bytes", &self.size_bytes).finish()
    }
}

impl Passages {
    /// Indexes passages. Keeps a core busy for long where there are many: not for a runtime's own
    /// threads.
    ///
    /// # Errors
    /// [`KnowledgeError::Index`] where the index cannot be built.
    pub fn index(chunks: Vec<Chunk>) -> Result<Self, KnowledgeError> {
        let mut schema = Schema::builder();
        let tokenizers = TokenizerManager::new();
        let mut fields = BTreeMap::new();
        for language in chunks.iter().map(language).collect::<BTreeSet<_>>() {
            tokenizers.register(language.as_str(), tokens::analyzer(language));
            let heading = schema.add_text_field(&format!("heading_{language}"), indexed(language));
            let text = schema.add_text_field(&format!("text_{language}"), indexed(language));
            fields.insert(language, Fields { heading, text, passages: 0 });
        }
        let directory = RamDirectory::create();
        // One segment without threads: documents keep the order in which they are added.
        let mut writer = Index::builder()
            .schema(schema.build())
            .tokenizers(tokenizers)
            .single_segment_index_writer(directory.clone(), BUILD_MEMORY_BYTES)?;
        for chunk in &chunks {
            let mut document = TantivyDocument::default();
            if let Some(fields) = fields.get_mut(&language(chunk)) {
                document.add_text(fields.heading, &chunk.heading_path);
                document.add_text(fields.text, &chunk.text);
                fields.passages += 1;
            }
            writer.add_document(document)?;
        }
        let languages = open(&writer.finalize()?, &fields)?;
        let size_bytes = directory.total_mem_usage() + chunks.iter().map(chunk_bytes).sum::<usize>();
        Ok(Self { chunks, languages, vectors: Vectors::default(), size_bytes })
    }

    /// The same with the vectors of those passages that have one, all made by one model.
    #[must_use]
    pub fn with_vectors(mut self, known: &HashMap<InputHash, Vector>) -> Self {
        for (place, chunk) in self.chunks.iter().enumerate() {
            if let Some(vector) = known.get(&InputHash::of(&chunk.heading_path, &chunk.text)) {
                self.vectors.push(place, vector);
            }
        }
        self
    }

    /// The passages that have no vector of this dimension.
    pub fn unembedded(&self, dimension: usize) -> impl Iterator<Item = Unembedded> {
        let is_comparable = self.vectors.dimension() == Some(dimension);
        let missing = move |(place, _): &(usize, &Chunk)| !(is_comparable && self.vectors.has(*place));
        let missing = self.chunks.iter().enumerate().filter(missing);
        missing.map(|(_, chunk)| Unembedded::of(&chunk.heading_path, &chunk.text))
    }

    /// Whether one has no vector of this dimension.
    pub(crate) fn lacks_vectors(&self, dimension: usize) -> bool {
        self.vectors.count(dimension) < self.chunks.len()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// What it takes in memory, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.size_bytes + self.vectors.size_bytes()
    }

    /// The up to `limit` passages that fit `query` best, best first; those that fit equally in their own
    /// order. None where no word of the query says anything, or no passage holds one that does.
    ///
    /// # Errors
    /// [`KnowledgeError::Index`] where the index cannot be read.
    pub fn search(&self, query: &str, limit: usize) -> Result<Vec<Hit>, KnowledgeError> {
        Ok(self.hits(best(self.scores(query)?.into_iter().enumerate(), limit)))
    }

    /// The up to `limit` passages that are best by words and by meaning together, best first. Where none has
    /// a vector, and where that of the query has another dimension, by words alone.
    ///
    /// # Errors
    /// [`KnowledgeError::Index`] where the index cannot be read.
    pub fn search_hybrid(&self, query: &str, vector: &Vector, limit: usize) -> Result<Vec<Hit>, KnowledgeError> {
        let depth = limit.max(FUSED);
        let by_words = best(self.scores(query)?.into_iter().enumerate(), depth);
        let by_meaning = best(self.vectors.likeness(vector), depth);
        Ok(self.hits(fuse([&by_words, &by_meaning], limit)))
    }

    fn hits(&self, ranked: Vec<(usize, f32)>) -> Vec<Hit> {
        let hit = |(place, score): (usize, f32)| Some(Hit { chunk: self.chunks.get(place)?.clone(), score });
        ranked.into_iter().filter_map(hit).collect()
    }

    /// How well each passage fits `query`: 0 where it holds none of its words.
    fn scores(&self, query: &str) -> Result<Vec<f32>, KnowledgeError> {
        let mut scores = vec![0.0; self.chunks.len()];
        for Words { analyzer, bm25 } in &self.languages {
            for word in tokens::first_words(analyzer, query, MAX_QUERY_WORDS) {
                bm25.add(&word, &mut scores)?;
            }
        }
        Ok(scores)
    }
}

/// The `limit` highest of the scores above 0 with their places, highest first, equal ones by place.
fn best(scores: impl Iterator<Item = (usize, f32)>, limit: usize) -> Vec<(usize, f32)> {
    let by_score = |a: &(usize, f32), b: &(usize, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    let mut ranked: Vec<_> = scores.filter(|(_, score)| *score > 0.0).collect();
    if (1..ranked.len()).contains(&limit) {
        ranked.select_nth_unstable_by(limit, by_score);
    }
    ranked.truncate(limit);
    ranked.sort_unstable_by(by_score);
    ranked
}

/// The postings of each language; none where there are no passages, and thus no segment.
fn open(index: &Index, fields: &BTreeMap<Language, Fields>) -> tantivy::Result<Vec<Words>> {
    let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
    let searcher = reader.searcher();
    let segments = searcher.segment_readers().iter();
    let of_segment = |segment| {
        fields.iter().map(move |(&language, fields)| {
            let bm25 = Bm25::open(segment, fields.heading, fields.text, fields.passages)?;
            Ok(Words { analyzer: tokens::query_analyzer(language), bm25 })
        })
    };
    segments.flat_map(of_segment).collect()
}

/// Frequencies for the ranking, no positions: nobody searches for phrases. Nothing is stored, since
/// the passages themselves are kept beside the index.
fn indexed(language: Language) -> TextOptions {
    let indexing =
        TextFieldIndexing::default().set_tokenizer(language.as_str()).set_index_option(IndexRecordOption::WithFreqs);
    TextOptions::default().set_indexing_options(indexing)
}

fn chunk_bytes(chunk: &Chunk) -> usize {
    let url_bytes = chunk.url.as_ref().map_or(0, String::len);
    size_of::<Chunk>() + chunk.heading_path.len() + chunk.text.len() + chunk.title.len() + url_bytes
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::chunk;

    fn clinic() -> Passages {
        Passages::index(vec![
            chunk("Acme Clinics › Opening hours", "Our clinics open at eight in the morning on weekdays."),
            chunk("Acme Clinics › Diagnostics", "Every scan is read twice: by a model, and by a radiologist."),
            chunk("Acme Clinics › Prices", "A consultation costs 90 francs. A scan costs more."),
            chunk("Le café d'Acme", "Nous ouvrons à huit heures."),
        ])
        .unwrap()
    }

    fn found(passages: &Passages, query: &str) -> Vec<String> {
        let hits = passages.search(query, 10).unwrap();
        hits.into_iter().map(|hit| hit.chunk.heading_path).collect()
    }

    #[test]
    fn words_are_found_whatever_their_endings_case_and_accents() {
        let clinic = clinic();
        assert_eq!(found(&clinic, "RADIOLOGISTS"), ["Acme Clinics › Diagnostics"]);
        assert_eq!(found(&clinic, "opened"), ["Acme Clinics › Opening hours"]);
        assert_eq!(found(&clinic, "cafe"), ["Le café d'Acme"]);
    }

    #[test]
    fn words_are_found_by_the_endings_of_their_passages_language() {
        let german = Chunk {
            language: Some(Language::German),
            ..chunk("Kliniken › Befunde", "Jeder Befund wird von zwei Ärztinnen gelesen.")
        };
        let passages = Passages::index(vec![german, chunk("Clinics", "Two doctors read every finding.")]).unwrap();
        assert_eq!(found(&passages, "Befunden"), ["Kliniken › Befunde"]);
        assert_eq!(found(&passages, "arztinnen"), ["Kliniken › Befunde"]);
        assert_eq!(found(&passages, "findings"), ["Clinics"]);
        assert!(found(&passages, "der von wird").is_empty(), "German words that say nothing");
    }

    #[test]
    fn a_heading_weighs_more_than_the_text_and_a_rare_word_more_than_a_common_one() {
        let clinic = clinic();
        assert_eq!(found(&clinic, "prices of a scan")[0], "Acme Clinics › Prices");
        let passages = Passages::index(vec![
            chunk("Guide › Other", "Some words about pricing, among many others that matter as much."),
            chunk("Guide › Pricing", "Some words about something, among many others that matter as much."),
        ])
        .unwrap();
        assert_eq!(found(&passages, "pricing"), ["Guide › Pricing", "Guide › Other"]);
    }

    /// Worked out from the formula in `bm25`, with k1 = 2, b = 0.75 and headings weighing 2.5.
    #[test]
    fn a_score_is_as_worked_out_by_hand() {
        let passages = Passages::index(vec![
            chunk("Clinics", "scan scan bed bed"),
            chunk("Scan", "bed bed"),
            chunk("Clinics", "bed bed bed bed bed bed"),
        ])
        .unwrap();
        let hits = passages.search("scans", 10).unwrap();
        // Two of three hold it. The first twice in a text of mean length; the second once in a heading of
        // mean length, for 2.5.
        let rarity = (1.0_f32 + 1.5 / 2.5).ln();
        let expected = [rarity * 3.0 * 2.5 / 4.5, rarity * 3.0 * 2.0 / 4.0];
        assert_eq!(hits[0].chunk.heading_path, "Scan");
        for (hit, expected) in hits.iter().zip(expected) {
            assert!((hit.score - expected).abs() < 1e-5, "{} is not {expected}", hit.score);
        }
        // Of two texts that hold it equally often the shorter one is about it.
        let beds: Vec<f32> = passages.search("bed", 10).unwrap().iter().map(|hit| hit.score).collect();
        assert_eq!(beds.len(), 3);
        let common = (1.0_f32 + 0.5 / 3.5).ln();
        let frequencies = [6.0 / (0.25 + 0.75 * 6.0 / 4.0), 2.0 / (0.25 + 0.75 * 2.0 / 4.0), 2.0_f32];
        for (score, frequency) in beds.iter().zip(frequencies) {
            let expected = common * 3.0 * frequency / (2.0 + frequency);
            assert!((score - expected).abs() < 1e-5, "{score} is not {expected}");
        }
    }

    #[test]
    fn words_and_meaning_are_fused_and_passages_without_a_vector_are_known() {
        let vector = |numbers: [f32; 2]| Vector::parse(numbers.to_vec()).unwrap();
        let known = |chunk: &Chunk, numbers| (InputHash::of(&chunk.heading_path, &chunk.text), vector(numbers));
        let chunks = [chunk("Prices", "A scan costs 90."), chunk("Fees", "What you pay."), chunk("Hours", "At eight.")];
        let vectors = HashMap::from([known(&chunks[0], [0.0, 1.0]), known(&chunks[1], [1.0, 0.1])]);
        let plain = Passages::index(chunks.to_vec()).unwrap();
        let plain_bytes = plain.size_bytes();
        let passages = plain.with_vectors(&vectors);
        assert!(passages.size_bytes() >= plain_bytes + 2 * 2 * size_of::<f32>(), "they count as memory");
        let found = |query, numbers| {
            let hits = passages.search_hybrid(query, &vector(numbers), 10).unwrap();
            hits.into_iter().map(|hit| hit.chunk.heading_path).collect::<Vec<_>>()
        };
        assert_eq!(found("expense", [1.0, 0.0]), ["Fees"], "none holds the word");
        assert_eq!(found("scan", [1.0, 0.2]), ["Prices", "Fees"], "first by words and second by meaning");
        assert_eq!(found("eight", [-1.0, -1.0]), ["Hours"], "without a vector by its words");
        let missing = |dimension| passages.unembedded(dimension).map(|passage| passage.input).collect::<Vec<_>>();
        assert_eq!(missing(2), ["Hours\nAt eight."]);
        assert_eq!(missing(3).len(), 3, "vectors of another dimension are none");
        assert!(passages.lacks_vectors(2) && passages.lacks_vectors(3));
        let other = Vector::parse(vec![1.0, 0.0, 0.0]).unwrap();
        let hits = passages.search_hybrid("scan", &other, 10).unwrap();
        assert_eq!(hits.len(), 1, "by words alone");
    }

    #[test]
    fn words_that_only_ask_find_nothing() {
        let clinic = clinic();
        assert!(found(&clinic, "what have we been doing about it").is_empty());
        assert_eq!(found(&clinic, "what would a consultation cost"), ["Acme Clinics › Prices"]);
    }

    #[test]
    fn scores_fall_and_the_limit_holds() {
        let hits = clinic().search("acme clinics scan", 2).unwrap();
        assert_eq!(hits.len(), 2);
        assert!(hits[0].score >= hits[1].score && hits[1].score > 0.0);
        assert!(clinic().search("acme", 0).unwrap().is_empty());
        assert_eq!(clinic().search("acme", usize::MAX).unwrap().len(), 4);
    }

    #[test]
    fn any_characters_make_a_query() {
        let clinic = clinic();
        for odd in [
            "",
            "   ",
            "\"",
            "scan\"",
            "+scan -price",
            "title:scan AND (OR NOT",
            "scan~2^3",
            "[a TO b]",
            "{",
            "*",
            "?",
            "\\",
            "/regex/",
            "🩻 scan 🩻",
            "\0",
            "\u{202e}",
            "the of and",
            "<b>scan</b>",
            "'; drop table chunks; --",
            &"scan ".repeat(100_000),
            &"x".repeat(100_000),
        ] {
            let hits = clinic.search(odd, 10).unwrap();
            assert_eq!(!hits.is_empty(), odd.contains("scan"), "{:.40}", odd);
        }
    }

    #[test]
    fn no_passages_answer_nothing() {
        let none = Passages::index(Vec::new()).unwrap();
        assert!(none.search("scan", 10).unwrap().is_empty());
    }

    #[test]
    fn equal_passages_come_in_a_stable_order() {
        let twins = || Passages::index((0..50).map(|n| chunk(&format!("T{n}"), "the same words")).collect()).unwrap();
        assert_eq!(found(&twins(), "words"), found(&twins(), "words"));
        assert_eq!(found(&twins(), "words")[0], "T0");
    }
}
