//! One business's passages in an inverted index in memory: BM25 over the text and, weighing more,
//! the title and headings above it, each in its document's language. Knows nothing of where passages
//! come from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use copydesk_common::document::{Chunk, Language};
use tantivy::collector::TopDocs;
use tantivy::directory::RamDirectory;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{TextAnalyzer, TokenizerManager};
use tantivy::{DocAddress, Index, IndexReader, ReloadPolicy, TantivyDocument, Term};

use crate::{Hit, KnowledgeError, tokens};

/// A word in a heading says more of what a passage is about than the same word in its text.
const HEADING_BOOST: f32 = 1.5;
/// Words of a query that are looked up; a pasted page would otherwise cost as much as it is long.
const MAX_QUERY_WORDS: usize = 64;
/// What tantivy sizes its first tables by while it builds an index, in bytes. It is given back
/// afterwards.
const BUILD_MEMORY_BYTES: usize = 15_000_000;

/// A business's passages, searchable.
pub(crate) struct Passages {
    /// In the order of the index: a document's number there is its place here.
    chunks: Vec<Chunk>,
    /// By the languages that there are. A query is looked up in each as that language's words.
    fields: BTreeMap<Language, Fields>,
    reader: IndexReader,
    size_bytes: usize,
}

/// Where the passages of one language are indexed.
struct Fields {
    analyzer: TextAnalyzer,
    heading: Field,
    text: Field,
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
    pub(crate) fn index(chunks: Vec<Chunk>) -> Result<Self, KnowledgeError> {
        let mut schema = Schema::builder();
        let tokenizers = TokenizerManager::new();
        let mut fields = BTreeMap::new();
        for language in chunks.iter().map(language).collect::<BTreeSet<_>>() {
            let analyzer = tokens::analyzer(language);
            tokenizers.register(language.as_str(), analyzer.clone());
            let heading = schema.add_text_field(&format!("heading_{language}"), indexed(language));
            let text = schema.add_text_field(&format!("text_{language}"), indexed(language));
            fields.insert(language, Fields { analyzer, heading, text });
        }
        let directory = RamDirectory::create();
        // One segment without threads: documents keep the order in which they are added.
        let mut writer = Index::builder()
            .schema(schema.build())
            .tokenizers(tokenizers)
            .single_segment_index_writer(directory.clone(), BUILD_MEMORY_BYTES)?;
        for chunk in &chunks {
            let mut document = TantivyDocument::default();
            if let Some(fields) = fields.get(&language(chunk)) {
                document.add_text(fields.heading, &chunk.heading_path);
                document.add_text(fields.text, &chunk.text);
            }
            writer.add_document(document)?;
        }
        let reader = writer.finalize()?.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let size_bytes = directory.total_mem_usage() + chunks.iter().map(chunk_bytes).sum::<usize>();
        Ok(Self { chunks, fields, reader, size_bytes })
    }

    /// What it takes in memory, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    /// The up to `limit` passages that fit `query` best, best first. None where no word of the
    /// query says anything, or no passage holds one that does.
    pub(crate) fn search(&self, query: &str, limit: usize) -> Result<Vec<Hit>, KnowledgeError> {
        let clauses: Vec<_> = self.fields.values().flat_map(|fields| fields.any_of(query)).collect();
        // No more than there are, since tantivy makes room for as many as it is asked for.
        let limit = limit.min(self.chunks.len());
        if clauses.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let ranked = TopDocs::with_limit(limit).order_by_score();
        let found = self.reader.searcher().search(&BooleanQuery::new(clauses), &ranked)?;
        let hit = |(score, address): (f32, DocAddress)| {
            let chunk = self.chunks.get(usize::try_from(address.doc_id).ok()?)?.clone();
            Some(Hit { chunk, score })
        };
        Ok(found.into_iter().filter_map(hit).collect())
    }
}

impl Fields {
    /// Looks for the words of a query.
    fn any_of(&self, query: &str) -> Vec<(Occur, Box<dyn Query>)> {
        let term = |field, word: &str| -> Box<dyn Query> {
            Box::new(TermQuery::new(Term::from_field_text(field, word), IndexRecordOption::WithFreqs))
        };
        let words = tokens::first_words(&self.analyzer, query, MAX_QUERY_WORDS);
        let clauses = words.iter().flat_map(|word| {
            let in_heading = Box::new(BoostQuery::new(term(self.heading, word), HEADING_BOOST));
            [(Occur::Should, in_heading as Box<dyn Query>), (Occur::Should, term(self.text, word))]
        });
        clauses.collect()
    }
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
