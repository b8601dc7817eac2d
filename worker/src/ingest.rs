//! The handler of ingest jobs: turns a document into passages. Each type of file has a reader that
//! converts it to Markdown; `passages` cuts that into passages. `copydesk_knowledge` ranks them.
//!
//! Files are untrusted: readers limit what they unpack and run on separate threads, and a panic or
//! a stall in one fails only that job.

mod docx;
mod html;
mod language;
mod passages;
mod pdf;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use copydesk_common::quota::Rank;
use copydesk_common::store::Store;
use copydesk_common::store::document::ingest::{self, Ingested, Source};
use copydesk_domain::document::{Body, DocumentKind, MediaType, NewChunk};
use copydesk_domain::id::DocumentId;
use copydesk_domain::job::{Progress, StartedJob, WaitReason, Waiting};
use copydesk_domain::language::Language;
use copydesk_editorial::document;
use copydesk_knowledge::Unembedded;
use tokio::sync::{Semaphore, oneshot};

use crate::embed::{EmbedError, Embedder};
use crate::outcome::Interruption;
use crate::provider::ProviderError;

/// The time limit for reading a document. The readers' own limits normally end it within seconds.
const MAX_READING_TIME: Duration = Duration::from_secs(60);
/// The most documents that are read at once: reading one can take a few hundred MiB.
const READERS: usize = 2;
/// A reader's stack, in bytes: parsers recurse as deep as a document nests.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// The highest share of control characters in a text, in percent.
const MAX_CONTROL_PERCENT: usize = 5;

/// Why a document cannot be used. The message tells its owner what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    #[error("the document contains no text: add some")]
    NoText,
    #[error(
        "the PDF contains no readable text: it may be a scan. Make its text readable with OCR, or send the text itself"
    )]
    NoTextInPdf,
    #[error(
        "the document is not text: it contains binary data. Send the text itself, or the .pdf or .docx file as a form"
    )]
    Binary,
    #[error("the {0} is protected by a password: save it without one")]
    Encrypted(&'static str),
    #[error("the file is not a {0}: send the file as it was saved, under its own extension")]
    NotTheFormat(&'static str),
    #[error("the {0} is damaged ({1}): open it, save it again and send that")]
    Damaged(&'static str, #[source] Box<dyn Error + Send + Sync>),
    #[error("the document has more than {0} pages: split it")]
    TooManyPages(usize),
    #[error("the document has more than {0} passages: split it")]
    TooManyPassages(usize),
    #[error("the document unpacks to more than is allowed ({} KiB when it was stopped): split it", .0 / 1024)]
    TooLarge(u64),
    #[error("the document nests its elements more than {0} deep: simplify it")]
    TooDeep(usize),
    #[error("the Word file declares entities, which no editor does: open it, save it again and send that")]
    Entities,
    #[error("reading the document took more than {} seconds: split it", MAX_READING_TIME.as_secs())]
    TooSlow,
    #[error("the document could not be read: its reader failed. Save it in another format and send that")]
    Panicked,
}

/// Reads documents, a few at once.
#[derive(Debug, Clone)]
pub struct Ingest {
    store: Store,
    readers: Arc<Semaphore>,
    embedder: Option<Embedder>,
}

impl Ingest {
    /// Makes a handler that stores passages in `store`.
    pub fn new(store: Store, embedder: Option<Embedder>) -> Self {
        Self { store, readers: Arc::new(Semaphore::new(READERS)), embedder }
    }

    /// Indexes the document and ends the job.
    pub async fn run(&self, job: &StartedJob, id: DocumentId) -> Result<(), Interruption> {
        // Acquired before the document is read into memory, so that waiting jobs hold nothing.
        let permit = self.readers.clone().acquire_owned().await.map_err(|error| Interruption::Retry(error.into()))?;
        let Some(source) = ingest::source(&self.store, &job.business_id, id).await? else {
            // The document was deleted meanwhile: no revision of it is left to change.
            let gone = Ingested::Unusable("The document was deleted before it was indexed.".into());
            return Ok(ingest::settle(&self.store, job, id, 0, &gone).await?);
        };
        let (revision, title) = (source.revision, source.title.clone());
        self.report(job, "read", 0).await?;
        let read = apart(move || {
            let read = ingest(&source);
            // A reader that takes too long keeps its permit until it ends.
            drop(permit);
            read
        });
        let ingested = outcome(id, &title, read.await);
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

/// The passages of a document that is uploaded as plain text, its language, and what it is for.
///
/// # Errors
/// Why it cannot be used.
pub fn read_text(title: &str, text: &str) -> Read {
    let body = Body::Text(text.to_owned());
    ingest(&Source { title: title.to_owned(), media_type: MediaType::Plain, body, revision: 1 })
}

/// The passages and language of a document, and what it is for.
type Read = Result<(Vec<NewChunk>, Option<Language>, DocumentKind), Unusable>;

fn outcome(id: DocumentId, title: &str, read: Read) -> Ingested {
    match read {
        Ok((chunks, language, kind)) => {
            tracing::info!(document.id = %id, document.kind = %kind, chunks = chunks.len(), "a document was indexed");
            Ingested::Ready { chunks, language, kind }
        }
        Err(reason) => {
            tracing::info!(document.id = %id, error = &reason as &dyn Error, "a document cannot be used: its ingest fails");
            Ingested::Unusable(format!("{title}: {reason}."))
        }
    }
}

/// Runs a reader on a separate thread with a large stack.
async fn apart(read: impl FnOnce() -> Read + Send + 'static) -> Read {
    let (done, outcome) = oneshot::channel();
    let thread = std::thread::Builder::new().name("reader".into()).stack_size(STACK_BYTES);
    // If the caller is gone, the result is dropped.
    let started = thread.spawn(move || drop(done.send(read())));
    if let Err(error) = started {
        return Err(Unusable::Damaged("document", error.into()));
    }
    match tokio::time::timeout(MAX_READING_TIME, outcome).await {
        Ok(Ok(read)) => read,
        Ok(Err(_)) => Err(Unusable::Panicked),
        Err(_) => Err(Unusable::TooSlow),
    }
}

/// A document's passages and language, or why there are none.
fn ingest(source: &Source) -> Read {
    let markdown = markdown(source)?;
    let chunks = passages::passages(&source.title, &markdown)?;
    let language = language::detect(&markdown);
    Ok((chunks, language, document::kind(&source.title, &markdown)))
}

fn markdown(source: &Source) -> Result<String, Unusable> {
    match (&source.body, source.media_type) {
        (Body::Text(text), _) if is_binary(text) => Err(Unusable::Binary),
        (Body::Text(text), MediaType::Markdown) => Ok(without_front_matter(&text.replace("\r\n", "\n")).to_owned()),
        (Body::Text(text), MediaType::Html) => html::markdown(text),
        (Body::Text(text), _) => Ok(text.replace("\r\n", "\n")),
        (Body::File(file), MediaType::Pdf) => pdf::markdown(file),
        (Body::File(file), MediaType::Docx) => docx::markdown(file),
        (Body::File(_), _) => Err(Unusable::Binary),
    }
}

/// Drops the YAML front matter between two lines of `---` at the top: it is for Markdown tools, not
/// for readers.
fn without_front_matter(markdown: &str) -> &str {
    let Some(rest) = markdown.trim_start_matches('\u{feff}').strip_prefix("---\n") else { return markdown };
    let Some((yaml, text)) = rest.split_once("\n---\n") else { return markdown };
    let is_yaml = |line: &str| line.is_empty() || line.contains(':') || line.starts_with([' ', '-', '#']);
    if yaml.lines().all(is_yaml) { text } else { markdown }
}

fn is_binary(text: &str) -> bool {
    let (mut control, mut all) = (0_usize, 0_usize);
    for c in text.chars() {
        all += 1;
        if c == '\0' {
            return true;
        }
        control += usize::from((c.is_control() && !c.is_whitespace()) || c == char::REPLACEMENT_CHARACTER);
    }
    control * 100 > all * MAX_CONTROL_PERCENT
}

#[cfg(test)]
mod tests;
