//! Finds the passages of a business's documents that speak of a topic: what the writer is given,
//! and what `GET /api/businesses/{id}/search` shows. Reads passages from Postgres and ranks them in
//! memory; making passages of documents is the worker's ingest.
//!
//! A business's index is built when it is first asked for, kept while the business's knowledge
//! stays at the same version and the budget allows, and built once however many ask at once.

use std::sync::Arc;

use copydesk_common::business::BusinessId;
use copydesk_common::document::Chunk;
use copydesk_common::store::{Store, StoreError, document};

mod bm25;
mod cache;
mod passages;
mod tokens;

use cache::Cache;
pub use passages::Passages;
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
}

impl Knowledge {
    /// Keeps indexes of at most `budget_bytes` in all; what was used last stays longest.
    pub fn new(store: Store, budget_bytes: usize) -> Self {
        Self { store, cache: Arc::new(Cache::new(budget_bytes)) }
    }

    /// The up to `limit` passages of `business_id` that fit `query` best, best first. The query is
    /// plain words: whatever characters it holds, none of them is an operator.
    pub async fn search(
        &self,
        business_id: &BusinessId,
        query: &str,
        limit: usize,
    ) -> Result<Vec<Hit>, KnowledgeError> {
        let version = document::knowledge_version(&self.store, business_id).await?;
        if version == 0 || limit == 0 || query.trim().is_empty() {
            return Ok(Vec::new());
        }
        let passages = self.cache.get(business_id, version, || self.load(business_id)).await?;
        let query = query.to_owned();
        tokio::task::spawn_blocking(move || passages.search(&query, limit)).await?
    }

    /// Reads the passages after their version: they may already be newer, in which case the next
    /// search sees a newer version and loads them again.
    async fn load(&self, business_id: &BusinessId) -> Result<Passages, KnowledgeError> {
        let chunks = document::chunks(&self.store, business_id).await?;
        tokio::task::spawn_blocking(|| Passages::index(chunks)).await?
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
