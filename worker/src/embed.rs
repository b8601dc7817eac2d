//! Makes vectors of passages that have none, and stores them by the hash of their input, so that
//! nothing is paid for again after a crash or for the same passage in another document.
//! `copydesk_knowledge` compares them.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use copydesk_common::embedding::{InputHash, Vector};
use copydesk_common::quota::Rank;
use copydesk_common::store::{Store, StoreError, embedding, knowledge};
use copydesk_domain::business::BusinessId;
use copydesk_knowledge::Unembedded;

use crate::metric;
use crate::provider::ProviderError;
use crate::provider::embeddings::{self, Embedded, Embeddings};

/// Why passages have no vectors yet.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The provider returned none.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// They could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Fills the table of vectors. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Embedder {
    store: Store,
    embeddings: Arc<Embeddings>,
    /// The longest that a call may take.
    call_timeout: Duration,
    /// The businesses for which a generation of this process is making missing vectors, so that
    /// others do not pay for the same ones.
    filling: Arc<Mutex<HashSet<BusinessId>>>,
}

impl Embedder {
    /// Makes vectors with `embeddings` and stores them in `store`.
    pub fn new(store: Store, embeddings: Arc<Embeddings>, call_timeout: Duration) -> Self {
        Self { store, embeddings, call_timeout, filling: Arc::default() }
    }

    /// The model that makes the vectors.
    pub fn model(&self) -> &str {
        self.embeddings.model()
    }

    /// Makes the missing vectors of these passages, one call after the other. The vectors of each
    /// call are stored before the next call, so an interruption loses none.
    pub async fn all(&self, rank: &Rank, business_id: &BusinessId, passages: &[Unembedded]) -> Result<(), EmbedError> {
        let mut missing = self.without_vector(business_id, None, passages).await?;
        while !missing.is_empty() {
            let batch = self.first_of(&mut missing);
            let Embedded { vectors, tokens, .. } =
                self.embeddings.embed(rank.clone(), self.call_timeout, &inputs(&batch)).await?;
            metric::tokens(self.embeddings.provider(), tokens.unwrap_or(0), 0);
            self.keep(business_id, &batch, vectors).await?;
        }
        Ok(())
    }

    /// Makes vectors of as many of these passages as fit into one call of `embed`, and announces
    /// them to searches by a new version. Does nothing while another job of this process does this
    /// for the business.
    pub async fn some<E: From<StoreError>>(
        &self,
        business_id: &BusinessId,
        dimension: usize,
        passages: &[Unembedded],
        embed: impl AsyncFnOnce(&[String]) -> Result<Embedded, E>,
    ) -> Result<(), E> {
        let Some(_turn) = Turn::take(&self.filling, business_id) else { return Ok(()) };
        // If all are stored, a process ended before it could announce them.
        let mut missing = self.without_vector(business_id, Some(dimension), passages).await?;
        if !missing.is_empty() {
            let batch = self.first_of(&mut missing);
            let Embedded { vectors, .. } = embed(&inputs(&batch)).await?;
            self.keep(business_id, &batch, vectors).await?;
        }
        Ok(knowledge::changed(&self.store, business_id).await?)
    }

    async fn without_vector(
        &self,
        business_id: &BusinessId,
        dimension: Option<usize>,
        passages: &[Unembedded],
    ) -> Result<Vec<Unembedded>, StoreError> {
        let hashes: Vec<InputHash> = passages.iter().map(|passage| passage.hash).collect();
        let known = embedding::known(&self.store, business_id, self.model(), dimension, &hashes).await?;
        Ok(passages.iter().filter(|passage| !known.contains(&passage.hash)).cloned().collect())
    }

    /// Removes and returns as many passages from the front as fit into one call.
    fn first_of(&self, missing: &mut Vec<Unembedded>) -> Vec<Unembedded> {
        let rest = missing.split_off(embeddings::batch(missing.iter().map(|passage| passage.input.as_str())));
        std::mem::replace(missing, rest)
    }

    async fn keep(
        &self,
        business_id: &BusinessId,
        batch: &[Unembedded],
        vectors: Vec<Vector>,
    ) -> Result<(), StoreError> {
        let vectors: Vec<_> = batch.iter().map(|passage| passage.hash).zip(vectors).collect();
        embedding::put(&self.store, business_id, self.model(), &vectors).await
    }
}

fn inputs(batch: &[Unembedded]) -> Vec<String> {
    batch.iter().map(|passage| passage.input.clone()).collect()
}

/// The right to make a business's missing vectors, given back when dropped.
struct Turn<'a> {
    filling: &'a Mutex<HashSet<BusinessId>>,
    business_id: &'a BusinessId,
}

impl<'a> Turn<'a> {
    fn take(filling: &'a Mutex<HashSet<BusinessId>>, business_id: &'a BusinessId) -> Option<Self> {
        let is_first = filling.lock().unwrap_or_else(PoisonError::into_inner).insert(business_id.clone());
        is_first.then_some(Self { filling, business_id })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.filling.lock().unwrap_or_else(PoisonError::into_inner).remove(self.business_id);
    }
}
