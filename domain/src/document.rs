//! Brand documents: what a business gives us to write from. Parsing, chunking and ranking are the
//! worker's.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::business::BusinessId;
use crate::format::Format;
use crate::id::DocumentId;
use crate::language::Language;
use crate::named_enum;

named_enum! {
    /// What an uploaded document is written in.
    MediaType {
        /// Markdown.
        Markdown = "text/markdown",
        /// Plain text.
        Plain = "text/plain",
        /// HTML.
        Html = "text/html",
        /// PDF.
        Pdf = "application/pdf",
        /// Word, since 2007.
        Docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    }
}

impl MediaType {
    /// Whether it is text as it stands; else it is a file that must be taken apart first.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Markdown | Self::Plain | Self::Html)
    }
}

/// What was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Text, of a media type that is text.
    Text(String),
    /// A file, of a media type that is none.
    File(Vec<u8>),
}

named_enum! {
    /// Whether the writer can use a document yet.
    DocumentStatus {
        /// Accepted; a job will index it.
        Pending = "pending",
        /// Chunked and indexed.
        Ready = "ready",
        /// Could not be indexed: `error` says why.
        Failed = "failed",
    }
}

/// A document to be stored. One with the same business and `external_id` replaces the old one.
#[derive(Debug, Clone)]
pub struct NewDocument {
    /// Its id, kept where it replaces another.
    pub id: DocumentId,
    /// Whose it is.
    pub business_id: BusinessId,
    /// The client's own name for it.
    pub external_id: Option<String>,
    /// Its title.
    pub title: String,
    /// The format it speaks of, where it speaks of one.
    pub content_type: Option<Format>,
    /// What it is written in.
    pub media_type: MediaType,
    /// Where it can be read.
    pub url: Option<String>,
    /// The text or file as uploaded.
    pub body: Body,
}

/// A document as clients see it, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Document {
    /// Its id.
    pub id: DocumentId,
    /// Whose it is.
    pub business_id: BusinessId,
    /// The client's own name for it.
    #[schema(required = true)]
    pub external_id: Option<String>,
    /// Its title.
    pub title: String,
    /// The format it speaks of, a slug.
    #[schema(required = true)]
    pub content_type: Option<Format>,
    /// What it is written in.
    pub media_type: MediaType,
    /// Where it can be read.
    #[schema(required = true)]
    pub url: Option<String>,
    /// Whether the writer can use it yet.
    pub status: DocumentStatus,
    /// Why it could not be indexed.
    #[schema(required = true)]
    pub error: Option<String>,
    /// Passages it was cut into.
    pub chunk_count: i32,
    /// The language that its text is in; null while it is not indexed, and where it is none whose
    /// words are compared without their endings.
    #[schema(required = true)]
    pub language: Option<Language>,
    /// Size of the text or file, in bytes.
    pub size_bytes: i32,
    /// When it was first uploaded.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

/// The payload of an ingest job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngestPayload {
    /// The document to index.
    pub document_id: DocumentId,
}

/// A passage to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChunk {
    /// `title › heading path`.
    pub heading_path: String,
    /// The passage without its heading path.
    pub text: String,
    /// SHA-256 of the normalised text: two documents' same passage is indexed once.
    pub sha256: [u8; 32],
}

/// A stored passage.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The document it is of.
    pub document_id: DocumentId,
    /// Its place in the document, from 0.
    pub ordinal: i32,
    /// `title › heading path`.
    pub heading_path: String,
    /// The passage.
    pub text: String,
    /// The document's title.
    pub title: String,
    /// Where the document can be read.
    pub url: Option<String>,
    /// The document's language, where it is known.
    pub language: Option<Language>,
}
