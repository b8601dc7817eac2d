//! Brings a business's passages up to date with Postgres: lists its documents, reads those that changed, and
//! leaves the rest of the index as it is.

use std::collections::HashMap;
use std::sync::Arc;

use copydesk_common::store::embedding;
use copydesk_common::store::knowledge::{self, StoredChunk};
use copydesk_domain::business::BusinessId;

use crate::cache::Fresh;
use crate::passages::{Change, Passages};
use crate::segment::Passage;
use crate::{Knowledge, KnowledgeError};

impl Knowledge {
    /// The passages of a business now, made of those that were kept.
    ///
    /// The version is that of the moment at which the documents are listed. One that is read after it may be newer,
    /// and is noted as it was read: a later list finds it unchanged, or reads it again.
    pub(crate) async fn load(
        &self,
        business_id: &BusinessId,
        kept: Option<Arc<Passages>>,
    ) -> Result<Fresh, KnowledgeError> {
        let kept = kept.unwrap_or_default();
        let manifest = knowledge::manifest(&self.store, business_id).await?;
        let (unread, gone) = kept.compare(&manifest.documents);
        let read = if unread.is_empty() {
            Vec::new()
        } else {
            knowledge::chunks_of(&self.store, business_id, &unread).await?
        };
        let mut documents: HashMap<_, _> = manifest.documents.into_iter().collect();
        documents.extend(read.iter().map(StoredChunk::document));
        let change = Change { gone, passages: read.into_iter().map(Passage::from).collect(), documents };
        let passages = tokio::task::spawn_blocking(move || kept.changed(change)).await??;
        let passages = match &self.model {
            Some(model) if self.keeps_vectors => self.with_vectors(business_id, model, passages).await?,
            _ => passages,
        };
        Ok(Fresh { version: manifest.version, passages })
    }

    /// Reads the vectors that are not kept. Where the model makes others than before, in another dimension, all
    /// are read anew.
    async fn with_vectors(
        &self,
        business_id: &BusinessId,
        model: &str,
        mut passages: Passages,
    ) -> Result<Passages, KnowledgeError> {
        loop {
            let (missing, known) = tokio::task::spawn_blocking(move || (passages.without_vector(), passages)).await?;
            passages = known;
            let found = embedding::of(&self.store, business_id, model, &missing).await?;
            let is_other = passages.dimension().is_some() && passages.dimension() != found.dimension;
            passages = passages.of_dimension(found.dimension);
            if !is_other {
                let vectors = found.vectors.into_iter().collect();
                return Ok(tokio::task::spawn_blocking(move || passages.with_vectors(&vectors)).await?);
            }
        }
    }

    /// Merges a business's segments, unless that is under way; nobody waits for it.
    pub(crate) fn merge_meanwhile(&self, business_id: &BusinessId) {
        if let Some(claim) = self.cache.claim_merge(business_id) {
            let (knowledge, business_id) = (self.clone(), business_id.clone());
            tokio::spawn(async move {
                // What fails is tried again after a later search: the segments are as good as before.
                while knowledge.merge_once(&business_id).await.unwrap_or(false) {}
                drop(claim);
            });
        }
    }

    /// Whether something was merged.
    async fn merge_once(&self, business_id: &BusinessId) -> Result<bool, KnowledgeError> {
        let Some(kept) = self.cache.kept(business_id) else { return Ok(false) };
        let Some(merge) = tokio::task::spawn_blocking(move || kept.merge()).await?? else { return Ok(false) };
        self.cache.replace(business_id, move |kept| kept.merged(&merge)).await
    }
}

impl From<StoredChunk> for Passage {
    fn from(stored: StoredChunk) -> Self {
        Self { key: stored.sha256, chunk: Arc::new(stored.chunk) }
    }
}
