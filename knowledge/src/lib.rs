//! Finds the passages of a business's documents that speak of a topic: what the writer is given,
//! and what `GET /api/businesses/{id}/search` shows. Reads passages from Postgres and ranks them in
//! memory; making passages of documents is the worker's ingest.
//!
//! A business's index is built when it is first asked for, kept while the business's knowledge
//! stays at the same version and the budget allows, and built once however many ask at once.

use std::collections::HashMap;
use std::sync::Arc;

use copydesk_common::business::BusinessId;
use copydesk_common::document::Chunk;
use copydesk_common::embedding::Vector;
use copydesk_common::store::{Store, StoreError, document, embedding};

mod bm25;
mod cache;
mod fusion;
mod passages;
mod tokens;
mod vectors;

use cache::Cache;
pub use fusion::votes;
pub use passages::{Passages, Unembedded};
pub use tokens::words;

/// A passage that a search found.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The passage as it is stored.
    pub chunk: Chunk,
    /// How well it fits: comparable within one search only.
    pub score: f32,
}

/// Why a search found no answer.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    /// The passages cannot be read.
    #[error("the passages cannot be read")]
    Store(#[from] StoreError),
    /// The index cannot be built or searched.
    #[error("the index of the passages failed")]
    Index(#[from] tantivy::TantivyError),
    /// The search was cut off: the process is ending, or a bug made it panic.
    #[error("the search was cut off")]
    CutOff(#[from] tokio::task::JoinError),
}

/// Searches the passages of every business. Cheap to clone: clones share one cache.
#[derive(Debug, Clone)]
pub struct Knowledge {
    store: Store,
    cache: Arc<Cache>,
    /// The model whose vectors are kept beside the words; `None` for none.
    model: Option<Arc<str>>,
}

impl Knowledge {
    /// Keeps indexes of at most `budget_bytes` in all; what was used last stays longest.
    pub fn new(store: Store, budget_bytes: usize) -> Self {
        Self { store, cache: Arc::new(Cache::new(budget_bytes)), model: None }
    }

    /// Keeps the vectors of this model with the words, within the same budget.
    #[must_use]
    pub fn with_vectors_of(self, model: &str) -> Self {
        Self { model: Some(model.into()), ..self }
    }

    /// The up to `limit` passages of `business_id` that fit `query` best, best first. The query is
    /// plain words: whatever characters it holds, none of them is an operator.
    pub async fn search(
        &self,
        business_id: &BusinessId,
        query: &str,
        limit: usize,
    ) -> Result<Vec<Hit>, KnowledgeError> {
        match self.current(business_id).await? {
            Some(snapshot) => snapshot.search(query, limit).await,
            None => Ok(Vec::new()),
        }
    }

    /// The business's passages as they are now; `None` where there never were any. One round trip, and
    /// those that read the passages where they are not kept.
    pub async fn current(&self, business_id: &BusinessId) -> Result<Option<Snapshot>, KnowledgeError> {
        let version = document::knowledge_version(&self.store, business_id).await?;
        if version == 0 {
            return Ok(None);
        }
        let passages = self.cache.get(business_id, version, || self.load(business_id)).await?;
        Ok(Some(Snapshot { version, passages }))
    }

    /// Reads the passages after their version: they may already be newer, in which case the next
    /// search sees a newer version and loads them again.
    async fn load(&self, business_id: &BusinessId) -> Result<Passages, KnowledgeError> {
        let chunks = document::chunks(&self.store, business_id).await?;
        let vectors: HashMap<_, _> = match &self.model {
            Some(model) => embedding::all(&self.store, business_id, model).await?.into_iter().collect(),
            None => HashMap::new(),
        };
        tokio::task::spawn_blocking(move || Ok(Passages::index(chunks)?.with_vectors(&vectors))).await?
    }
}

/// A business's passages at one moment. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot {
    version: i64,
    passages: Arc<Passages>,
}

impl Snapshot {
    /// The version of the business's knowledge.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// Whether there are no passages.
    pub fn is_empty(&self) -> bool {
        self.passages.is_empty()
    }

    /// [`Knowledge::search`].
    pub async fn search(&self, query: &str, limit: usize) -> Result<Vec<Hit>, KnowledgeError> {
        let (passages, query) = (Arc::clone(&self.passages), query.to_owned());
        tokio::task::spawn_blocking(move || passages.search(&query, limit)).await?
    }

    /// The same by words and by meaning together; `vector` is the query's, by the model of
    /// [`Knowledge::with_vectors_of`]. Passages that have no vector are found by their words.
    pub async fn search_hybrid(&self, query: &str, vector: Vector, limit: usize) -> Result<Vec<Hit>, KnowledgeError> {
        let (passages, query) = (Arc::clone(&self.passages), query.to_owned());
        tokio::task::spawn_blocking(move || passages.search_hybrid(&query, &vector, limit)).await?
    }

    /// Up to `limit` passages that have no vector of this dimension.
    pub async fn unembedded(&self, dimension: usize, limit: usize) -> Result<Vec<Unembedded>, KnowledgeError> {
        let passages = Arc::clone(&self.passages);
        Ok(tokio::task::spawn_blocking(move || passages.unembedded(dimension).take(limit).collect()).await?)
    }
}

/// A passage as the tests of this crate need it.
#[cfg(test)]
fn chunk(heading_path: &str, text: &str) -> Chunk {
    Chunk {
        document_id: copydesk_common::document::DocumentId::new(),
        ordinal: 0,
        heading_path: heading_path.to_owned(),
        text: text.to_owned(),
        title: heading_path.split(" › ").next().unwrap_or_default().to_owned(),
        url: None,
        language: None,
    }
}
