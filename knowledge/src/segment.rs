//! Passages of one language that were indexed together. A segment never changes: which of its passages
//! still count is kept beside it.

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

/// Fewer passages are not shared between cores: each segment costs every search a little.
const MIN_SHARED: usize = 2_500;
/// Cores that one build takes at most: others search meanwhile.
const MAX_CORES: usize = 4;
/// What tantivy sizes its first tables by while it builds an index, in bytes a passage and at most. It is
/// given back afterwards.
const BUILD_BYTES_A_PASSAGE: usize = 4_096;
const MIN_BUILD_BYTES: usize = 400_000;
const MAX_BUILD_BYTES: usize = 15_000_000;
/// The names of the two fields, and of the analyzers that count their words.
const HEADING: &str = "heading";
const TEXT: &str = "text";

/// A passage and what it is told apart by: passages of the same key are one, and equally good ones come in
/// the order of their keys.
#[derive(Debug, Clone)]
pub(crate) struct Passage {
    pub(crate) key: [u8; 32],
    /// Shared with the segment that it is merged into.
    pub(crate) chunk: Arc<Chunk>,
}

impl Passage {
    /// English where it is not known: its endings are rules that harm others little.
    fn language(&self) -> Language {
        self.chunk.language.unwrap_or(Language::English)
    }

    /// Among a segment's: passages of one key in the order of their documents.
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
    /// In the order of the index, which is that of the keys: a document's number there is its place here.
    pub(crate) passages: Vec<Passage>,
    /// Of each passage.
    pub(crate) lengths: Vec<Length>,
    pub(crate) postings: Postings,
    /// What the passages' vectors are made from; empty until it is asked for.
    hashes: OnceLock<Vec<InputHash>>,
    /// Without the hashes.
    size_bytes: usize,
}

impl Segment {
    /// Indexes passages of one language. Keeps a core busy for long where there are many.
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

    /// Indexes passages, those of each language for themselves, on several cores where there are many.
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

    /// What the passages' vectors are made from, in their order.
    pub(crate) fn hashes(&self) -> &[InputHash] {
        let hash = |Passage { chunk, .. }: &Passage| InputHash::of(&chunk.heading_path, &chunk.text);
        self.hashes.get_or_init(|| self.passages.iter().map(hash).collect())
    }

    /// The places of the passages of a key.
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

/// Passages in shares of so many.
fn shares(mut passages: Vec<Passage>, share: usize) -> Vec<Vec<Passage>> {
    let mut shares = Vec::new();
    while passages.len() > share {
        let rest = passages.split_off(share);
        shares.push(std::mem::replace(&mut passages, rest));
    }
    shares.push(passages);
    shares
}

/// Does the work of each share on a few threads; what fails first is returned.
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

/// Frequencies for the ranking, no positions: nobody searches for phrases. Nothing is stored, since
/// the passages themselves are kept beside the index.
fn indexed(analyzer: &str) -> TextOptions {
    let indexing = TextFieldIndexing::default().set_tokenizer(analyzer).set_index_option(IndexRecordOption::WithFreqs);
    TextOptions::default().set_indexing_options(indexing)
}
