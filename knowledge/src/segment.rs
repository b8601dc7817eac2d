//! Passages of one language that were indexed together. A segment is immutable: which of its
//! passages still count is stored outside it.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use copydesk_common::embedding::InputHash;
use copydesk_domain::document::Chunk;
use copydesk_domain::id::DocumentId;
use copydesk_domain::language::Language;
use copydesk_words::Counter;
use tantivy::directory::RamDirectory;
use tantivy::schema::{IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::TokenizerManager;
use tantivy::{Index, ReloadPolicy, TantivyDocument, TantivyError};

use crate::KnowledgeError;
use crate::bm25::{Length, Postings};

/// The fewest passages for each core of a build: every further segment adds to the cost of each
/// search.
const MIN_SHARED: usize = 2_500;
/// The most cores that one build uses: others are left to searches.
const MAX_CORES: usize = 4;
/// The memory budget from which tantivy sizes its first tables during a build, in bytes: for each
/// passage, and at most. It is freed afterwards.
const BUILD_BYTES_A_PASSAGE: usize = 4_096;
const MIN_BUILD_BYTES: usize = 400_000;
const MAX_BUILD_BYTES: usize = 15_000_000;
/// The names of the two fields, and of the analyzers that count their words.
const HEADING: &str = "heading";
const TEXT: &str = "text";

/// A passage with its key. Passages with the same key count as one, and equal scores are ordered by
/// key.
#[derive(Debug, Clone)]
pub(crate) struct Passage {
    pub(crate) key: [u8; 32],
    /// Shared with later segments that it is merged into.
    pub(crate) chunk: Arc<Chunk>,
}

impl Passage {
    /// English if it is unknown: English stemming does little harm to other languages.
    fn language(&self) -> Language {
        self.chunk.language.unwrap_or(Language::English)
    }

    /// The sort key within a segment: passages of one key are ordered by document.
    pub(crate) fn rank(&self) -> ([u8; 32], DocumentId, i32) {
        (self.key, self.chunk.document_id, self.chunk.ordinal)
    }

    fn size_bytes(&self) -> usize {
        let Chunk { heading_path, text, title, url, .. } = &*self.chunk;
        size_of::<Self>()
            + size_of::<Chunk>()
            + heading_path.len()
            + text.len()
            + title.len()
            + url.as_ref().map_or(0, String::len)
    }
}

/// Passages of one language, indexed.
pub(crate) struct Segment {
    pub(crate) language: Language,
    /// In the order of the index, which is that of the keys: tantivy's document number is the
    /// position here.
    pub(crate) passages: Vec<Passage>,
    /// The length of each passage.
    pub(crate) lengths: Vec<Length>,
    pub(crate) postings: Postings,
    /// The input hashes of the passages' vectors, computed at the first use.
    hashes: OnceLock<Vec<InputHash>>,
    /// Without the hashes.
    size_bytes: usize,
}

impl Segment {
    /// Indexes passages of one language. CPU-bound.
    pub(crate) fn index(language: Language, mut passages: Vec<Passage>) -> Result<Self, KnowledgeError> {
        passages.sort_unstable_by_key(Passage::rank);
        let mut schema = Schema::builder();
        let tokenizers = TokenizerManager::new();
        let counters = [HEADING, TEXT].map(|name| {
            let counter = Counter::default();
            tokenizers.register(name, copydesk_words::analyzer(language, &counter));
            (schema.add_text_field(name, indexed(name)), counter)
        });
        let [(heading, heading_words), (text, text_words)] = &counters;
        let directory = RamDirectory::create();
        let build_bytes = (passages.len() * BUILD_BYTES_A_PASSAGE).clamp(MIN_BUILD_BYTES, MAX_BUILD_BYTES);
        // One segment without threads: documents keep the order in which they are added.
        let mut writer = Index::builder()
            .schema(schema.build())
            .tokenizers(tokenizers)
            .single_segment_index_writer(directory.clone(), build_bytes)?;
        let mut lengths = Vec::with_capacity(passages.len());
        for Passage { chunk, .. } in &passages {
            let mut document = TantivyDocument::default();
            document.add_text(*heading, &chunk.heading_path);
            document.add_text(*text, &chunk.text);
            writer.add_document(document)?;
            lengths.push(Length { heading: heading_words.take(), text: text_words.take() });
        }
        let reader = writer.finalize()?.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let searcher = reader.searcher();
        let Some(segment) = searcher.segment_readers().first() else {
            return Err(TantivyError::InternalError("an index without a segment".into()).into());
        };
        let postings = Postings::open(segment, *heading, *text)?;
        let size_bytes = directory.total_mem_usage()
            + size_of_val(lengths.as_slice())
            + passages.iter().map(Passage::size_bytes).sum::<usize>();
        Ok(Self { language, passages, lengths, postings, hashes: OnceLock::new(), size_bytes })
    }

    /// Indexes passages, each language separately, on several cores if there are many.
    pub(crate) fn index_all(passages: Vec<Passage>) -> Result<Vec<Arc<Self>>, KnowledgeError> {
        let mut by_language: BTreeMap<Language, Vec<Passage>> = BTreeMap::new();
        for passage in passages {
            by_language.entry(passage.language()).or_default().push(passage);
        }
        let shares = by_language.into_iter().flat_map(|(language, passages)| {
            let share = passages.len().div_ceil(cores().min(passages.len() / MIN_SHARED).max(1));
            shares(passages, share).into_iter().map(move |passages| (language, passages))
        });
        let shares: Vec<_> = shares.collect();
        if shares.len() < 2 || shares.iter().all(|(_, passages)| passages.len() < MIN_SHARED / 2) {
            let segments = shares.into_iter().map(|(language, passages)| Self::index(language, passages));
            return segments.map(|segment| segment.map(Arc::new)).collect();
        }
        in_parallel(shares, |(language, passages)| Self::index(language, passages).map(Arc::new))
    }

    /// The input hashes of the passages' vectors, in order.
    pub(crate) fn hashes(&self) -> &[InputHash] {
        let hash = |Passage { chunk, .. }: &Passage| InputHash::of(&chunk.heading_path, &chunk.text);
        self.hashes.get_or_init(|| self.passages.iter().map(hash).collect())
    }

    /// The positions of the passages with a key.
    pub(crate) fn places(&self, key: &[u8; 32]) -> std::ops::Range<usize> {
        let first = self.passages.partition_point(|passage| passage.key < *key);
        let holding = self.passages.get(first..).unwrap_or_default().iter().take_while(|passage| passage.key == *key);
        first..first + holding.count()
    }

    /// What it takes in memory, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.size_bytes + self.hashes.get().map_or(0, |hashes| size_of_val(hashes.as_slice()))
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get).min(MAX_CORES)
}

/// Splits passages into chunks of this size.
fn shares(mut passages: Vec<Passage>, share: usize) -> Vec<Vec<Passage>> {
    let mut shares = Vec::new();
    while passages.len() > share {
        let rest = passages.split_off(share);
        shares.push(std::mem::replace(&mut passages, rest));
    }
    shares.push(passages);
    shares
}

/// Processes the chunks on a few threads and returns the first error.
fn in_parallel<T: Send, U: Send>(
    shares: Vec<T>,
    work: impl Fn(T) -> Result<U, KnowledgeError> + Sync,
) -> Result<Vec<U>, KnowledgeError> {
    let (work, shares) = (&work, &Mutex::new(shares));
    let next = || shares.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let run = move || std::iter::from_fn(next).map(work).collect::<Result<Vec<_>, _>>();
    let run = &run;
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..cores()).map(|_| scope.spawn(run)).collect();
        let mut done = run()?;
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }
        Ok(done)
    })
}

/// Indexes frequencies for the ranking, but no positions, since there are no phrase queries. Stores
/// no text, since the passages are kept outside the index.
fn indexed(analyzer: &str) -> TextOptions {
    let indexing = TextFieldIndexing::default().set_tokenizer(analyzer).set_index_option(IndexRecordOption::WithFreqs);
    TextOptions::default().set_indexing_options(indexing)
}
