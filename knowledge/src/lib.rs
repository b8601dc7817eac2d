//! Finds the passages of a business's documents about a topic, for the writer and for `GET
//! /api/businesses/{id}/search`. Reads passages from Postgres and ranks them in memory. The
//! worker's ingest cuts documents into passages.
//!
//! A business's index is built at the first request and kept while the budget allows. For a new
//! version of the business's knowledge, only the documents that changed are read and indexed, once
//! for all concurrent requests. Processes can share what they found:
//! [`Knowledge::sharing_results`].

use std::sync::Arc;

use copydesk_common::embedding::Vector;
use copydesk_common::redis::Redis;
use copydesk_common::store::{Store, StoreError, knowledge};
use copydesk_domain::business::BusinessId;
use copydesk_domain::document::Chunk;

mod bm25;
mod cache;
mod fusion;
mod load;
mod metric;
mod passages;
mod segment;
mod shared;
mod vectors;

use cache::Cache;
pub use fusion::votes;
use metric::Look;
pub use passages::{Passages, Unembedded};
use shared::SharedResults;

/// A passage that a search found.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The passage as it is stored.
    pub chunk: Chunk,
    /// The score; comparable only within one search.
    pub score: f32,
}

/// What a search found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The passages, best first.
    pub hits: Vec<Hit>,
    /// Whether some or all passages were searched by words only although search by meaning is
    /// configured.
    pub lacks_vectors: bool,
}

/// Why a search failed.
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
    /// The embedding model; `None` without search by meaning.
    model: Option<Arc<str>>,
    /// Whether this process keeps its vectors.
    keeps_vectors: bool,
    shared: Option<SharedResults>,
}

impl Knowledge {
    /// Keeps indexes of at most `budget_bytes` in total. The least recently used are evicted.
    pub fn new(store: Store, budget_bytes: usize) -> Self {
        Self { store, cache: Arc::new(Cache::new(budget_bytes)), model: None, keeps_vectors: false, shared: None }
    }

    /// Keeps this model's vectors too, within the same budget.
    #[must_use]
    pub fn with_vectors_of(self, model: &str) -> Self {
        Self { keeps_vectors: true, ..self.beside_vectors_of(model) }
    }

    /// For a process that cannot call the model. Others also search by this model's vectors; a
    /// search here is by words only and reports that it lacks vectors.
    #[must_use]
    pub fn beside_vectors_of(self, model: &str) -> Self {
        Self { model: Some(model.into()), ..self }
    }

    /// Shares results with every process that does the same: they use what one has found without
    /// calling the model or reading all passages.
    #[must_use]
    pub fn sharing_results(self, redis: Redis) -> Self {
        Self { shared: Some(SharedResults::new(redis)), ..self }
    }

    /// Up to `limit` passages of `business_id` that match `query` best, best first: a shared result
    /// if there is one, else a search by words. The query is plain words; no character is an
    /// operator.
    pub async fn search(&self, business_id: &BusinessId, query: &str, limit: usize) -> Result<Found, KnowledgeError> {
        let Some(now) = self.current(business_id).await? else { return Ok(Found::default()) };
        match now.shared(query, limit).await? {
            Some(hits) => Ok(Found { hits, lacks_vectors: false }),
            None => now.passages().await?.search(query, limit).await,
        }
    }

    /// The current state of the business's knowledge, without its passages; `None` if it never had
    /// any. One round trip.
    pub async fn current(&self, business_id: &BusinessId) -> Result<Option<Current>, KnowledgeError> {
        let version = knowledge::version(&self.store, business_id).await?;
        let current = Current { knowledge: self.clone(), business_id: business_id.clone(), version };
        Ok((version > 0).then_some(current))
    }
}

/// The state of a business's knowledge at one moment. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Current {
    knowledge: Knowledge,
    business_id: BusinessId,
    version: i64,
}

impl Current {
    /// The version of the business's knowledge.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The shared result of the same search at this version, if it is complete. Takes one round
    /// trip to Redis and one that reads its few passages. Also `None` if a search here needs
    /// neither the model nor a read of all passages.
    pub async fn shared(&self, query: &str, limit: usize) -> Result<Option<Vec<Hit>>, KnowledgeError> {
        let Self { knowledge: Knowledge { store, cache, model, shared, .. }, business_id, version } = self;
        let Some(shared) = shared.as_ref().filter(|_| limit <= shared::DEPTH) else { return Ok(None) };
        if model.is_none() && cache.has(business_id, *version) {
            return Ok(None);
        }
        let key = shared.key(business_id, *version, model.as_deref(), query);
        let Some(mut found) = shared.get(&key).await else { return Ok(None) };
        found.truncate(limit);
        let places: Vec<_> = found.iter().map(|place| (place.document_id, place.ordinal)).collect();
        let chunks = knowledge::chunks_at(store, business_id, *version, &places).await?;
        // There are fewer if the business's documents have changed since.
        let is_whole = chunks.len() == found.len();
        metric::shared_result(if is_whole { Look::Hit } else { Look::Miss });
        let hits = chunks.into_iter().zip(found).map(|(chunk, place)| Hit { chunk, score: place.score });
        Ok(is_whole.then(|| hits.collect()))
    }

    /// The passages. If this version is not in the cache, reads what changed since the cached one:
    /// two round trips, three with vectors.
    pub async fn passages(&self) -> Result<Snapshot, KnowledgeError> {
        let Self { knowledge, business_id, version } = self;
        let passages = knowledge.cache.get(business_id, *version, |kept| knowledge.load(business_id, kept)).await?;
        if passages.wants_merge() {
            knowledge.merge_meanwhile(business_id);
        }
        Ok(Snapshot { of: self.clone(), passages })
    }
}

/// A business's passages at one moment. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshot {
    of: Current,
    passages: Arc<Passages>,
}

impl Snapshot {
    /// The version of the business's knowledge.
    pub fn version(&self) -> i64 {
        self.of.version
    }

    /// Whether there are no passages.
    pub fn is_empty(&self) -> bool {
        self.passages.is_empty()
    }

    /// Up to `limit` passages that match the query best by words.
    pub async fn search(&self, query: &str, limit: usize) -> Result<Found, KnowledgeError> {
        let lacks_vectors = self.of.knowledge.model.is_some() && !self.is_empty();
        let words = query.to_owned();
        self.found(query, limit, lacks_vectors, move |passages, limit| passages.search(&words, limit)).await
    }

    /// The same by words and meaning combined. `vector` is the query's, from the model of
    /// [`Knowledge::with_vectors_of`]. Passages without a vector are found by their words.
    pub async fn search_hybrid(&self, query: &str, vector: Vector, limit: usize) -> Result<Found, KnowledgeError> {
        let lacks_vectors = self.passages.lacks_vectors(vector.dimension());
        let words = query.to_owned();
        let search = move |passages: &Passages, limit| passages.search_hybrid(&words, &vector, limit);
        self.found(query, limit, lacks_vectors, search).await
    }

    /// Searches, and shares the result unless passages lacked vectors.
    async fn found(
        &self,
        query: &str,
        limit: usize,
        lacks_vectors: bool,
        search: impl FnOnce(&Passages, usize) -> Result<Vec<Hit>, KnowledgeError> + Send + 'static,
    ) -> Result<Found, KnowledgeError> {
        let Current { knowledge: Knowledge { model, shared, .. }, business_id, version } = &self.of;
        let shared = shared.as_ref().filter(|_| !lacks_vectors);
        let depth = if shared.is_some() { limit.max(shared::DEPTH) } else { limit };
        let passages = Arc::clone(&self.passages);
        let mut hits = tokio::task::spawn_blocking(move || search(&passages, depth)).await??;
        if let Some(shared) = shared {
            let key = shared.key(business_id, *version, model.as_deref(), query);
            shared.put(key, hits.get(..shared::DEPTH).unwrap_or(&hits));
        }
        hits.truncate(limit);
        Ok(Found { hits, lacks_vectors })
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
        document_id: copydesk_domain::id::DocumentId::new(),
        ordinal: 0,
        heading_path: heading_path.to_owned(),
        text: text.to_owned(),
        title: heading_path.split(" › ").next().unwrap_or_default().to_owned(),
        url: None,
        language: None,
        kind: copydesk_domain::document::DocumentKind::Other,
    }
}
