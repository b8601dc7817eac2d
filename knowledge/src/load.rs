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
    /// The current passages of a business, made from the kept ones.
    ///
    /// The version is that of the moment when the documents are listed. A document that is read
    /// afterwards may be newer. It is recorded with the revision that was read, so a later listing
    /// finds it unchanged or reads it again.
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

    /// Reads the vectors that are not kept. If the model's vectors now have another dimension, all
    /// are read again.
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

    /// Merges a business's segments in the background, unless a merge is already running.
    pub(crate) fn merge_meanwhile(&self, business_id: &BusinessId) {
        if let Some(claim) = self.cache.claim_merge(business_id) {
            let (knowledge, business_id) = (self.clone(), business_id.clone());
            tokio::spawn(async move {
                // After a failure the segments are unchanged, and a later search tries the merge
                // again.
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
