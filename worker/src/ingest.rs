//! The handler of ingest jobs: turns a document into passages, which `copydesk_knowledge` ranks.
//! Files are untrusted: they are read in processes of their own, [`readers`].

pub mod readers;

use std::error::Error;

use copydesk_common::quota::Rank;
use copydesk_common::store::Store;
use copydesk_common::store::document::ingest::{self, Ingested};
use copydesk_domain::document::NewChunk;
use copydesk_domain::id::DocumentId;
use copydesk_domain::job::{Progress, StartedJob, WaitReason, Waiting};
use copydesk_knowledge::Unembedded;
use copydesk_reader::wire::Refusal;
use copydesk_reader::{Reading, Upload};

use crate::embed::{EmbedError, Embedder};
use crate::outcome::Interruption;
use crate::provider::ProviderError;
use readers::{ReadError, Readers};

/// Reads documents, a few at once.
#[derive(Debug, Clone)]
pub struct Ingest {
    store: Store,
    readers: Readers,
    embedder: Option<Embedder>,
}

impl Ingest {
    /// Makes a handler that stores passages in `store`.
    pub fn new(store: Store, readers: Readers, embedder: Option<Embedder>) -> Self {
        Self { store, readers, embedder }
    }

    /// Indexes the document and ends the job.
    pub async fn run(&self, job: &StartedJob, id: DocumentId) -> Result<(), Interruption> {
        // Waited for before the document is read into memory, so that waiting jobs hold nothing.
        let desk = self.readers.free().await;
        let Some(source) = ingest::source(&self.store, &job.business_id, id).await? else {
            // The document was deleted meanwhile: no revision of it is left to change.
            let gone = Ingested::Unusable("The document was deleted before it was indexed.".into());
            return Ok(ingest::settle(&self.store, job, id, 0, &gone).await?);
        };
        self.report(job, "read", 0).await?;
        let upload = Upload { title: source.title, media_type: source.media_type, body: source.body };
        let ingested = match desk.read(&upload).await {
            Ok(reading) => outcome(id, &upload.title, Ok(reading)),
            Err(ReadError::Refused(refusal)) => outcome(id, &upload.title, Err(refusal)),
            Err(error) => return Err(Interruption::Retry(error.into())),
        };
        let revision = source.revision;
        drop((upload, desk));
        if let (Some(embedder), Ingested::Ready { chunks, .. }) = (&self.embedder, &ingested) {
            self.report(job, "embed", 1).await?;
            // Boxed, to keep it out of every job's future.
            Box::pin(embed(embedder, job, chunks)).await?;
        }
        self.report(job, "store", self.stages() - 1).await?;
        Ok(ingest::settle(&self.store, job, id, revision, &ingested).await?)
    }

    fn stages(&self) -> u16 {
        2 + u16::from(self.embedder.is_some())
    }

    async fn report(&self, job: &StartedJob, stage: &str, completed: u16) -> Result<(), Interruption> {
        let progress = Progress { stage: stage.to_owned(), completed, total: self.stages() };
        Ok(ingest::progress(&self.store, job, &progress).await?)
    }
}

/// Makes vectors of passages before the passages are stored, so that they are found by meaning at
/// once. Waits for a full quota; vectors that exist are not requested again. If anything else
/// fails, the document is stored and found by its words, and its vectors are made with the
/// business's next texts.
async fn embed(embedder: &Embedder, job: &StartedJob, chunks: &[NewChunk]) -> Result<(), Interruption> {
    let passages: Vec<_> = chunks.iter().map(|chunk| Unembedded::of(&chunk.heading_path, &chunk.text)).collect();
    let rank = Rank::new_job(job.id, job.business_id.clone(), job.created_at).of_priority(job.priority);
    match embedder.all(&rank, &job.business_id, &passages).await {
        Ok(()) => Ok(()),
        Err(EmbedError::Provider(ProviderError::Throttled { provider, until })) => {
            let provider = Some(provider.to_string());
            Err(Interruption::Wait(Waiting { reason: WaitReason::RateLimited, provider, until }))
        }
        Err(EmbedError::Provider(error)) => {
            let error = &error as &dyn Error;
            tracing::warn!(error, "a document is stored without vectors: they are made with the business's next texts");
            Ok(())
        }
        Err(EmbedError::Store(error)) => Err(error.into()),
    }
}

fn outcome(id: DocumentId, title: &str, read: Result<Reading, Refusal>) -> Ingested {
    match read {
        Ok(Reading { chunks, language, kind, warnings }) => {
            let found = warnings.len();
            tracing::info!(
                document.id = %id, document.kind = %kind, chunks = chunks.len(), warnings = found,
                "a document was indexed"
            );
            Ingested::Ready { chunks, language, kind, warnings }
        }
        Err(reason) if reason.is_operators => {
            tracing::error!(document.id = %id, error = %reason, "a document cannot be read by this worker: its ingest fails");
            Ingested::Unread(format!("{title}: {reason}."))
        }
        Err(reason) => {
            tracing::info!(
                document.id = %id, error = %reason, error.sources = ?reason.causes,
                "a document cannot be used: its ingest fails"
            );
            Ingested::Unusable(format!("{title}: {reason}."))
        }
    }
}
