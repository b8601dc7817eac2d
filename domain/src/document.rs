//! Brand documents: the sources that a business uploads for its texts. The worker does the parsing
//! and chunking; the crate `knowledge` does the ranking.

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
    /// Whether the upload is text already. If not, it is a file from which the text must be
    /// extracted.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Markdown | Self::Plain | Self::Html)
    }
}

/// What was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Text, of a media type that is text.
    Text(String),
    /// A file, of a media type that is not text.
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

named_enum! {
    /// What a document is for. Style guides and policies guide the writer and are never content.
    DocumentKind {
        /// The business: who it is, where, since when.
        About = "about",
        /// What it offers: products, services, prices, manuals.
        Product = "product",
        /// What it did for a client, with results.
        Case = "case",
        /// Rules for the business itself: confidential, compliance, processes.
        Policy = "policy",
        /// How its texts are written.
        StyleGuide = "style_guide",
        /// Anything else.
        Other = "other",
    }
}

impl DocumentKind {
    /// Whether it guides the writer: nothing of it is content.
    pub const fn is_guidance(self) -> bool {
        matches!(self, Self::Policy | Self::StyleGuide)
    }
}

named_enum! {
    /// What may be wrong with the text of a document that was read.
    DocumentWarningCode {
        /// Much of the text looks garbled: words that no language has, single letters, or characters
        /// that could not be read.
        Garbled = "garbled_text",
        /// Pages without readable text: images, perhaps.
        PagesWithoutText = "pages_without_text",
        /// The main text of a page cannot be told from its menus, lists of links and teasers.
        MainTextUnclear = "main_text_unclear",
        /// Another document has, or had, the same `external_id` in another form of Unicode.
        SameExternalId = "same_external_id",
    }
}

/// Something that may be wrong with the text of a document: it is used, and should be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DocumentWarning {
    /// What, for programs.
    pub code: DocumentWarningCode,
    /// What, and what to do, for people.
    pub detail: String,
}

impl DocumentWarning {
    /// For a document that an upload replaced whose `external_id` was not in NFC.
    pub fn same_external_id() -> Self {
        let detail = "The external_id came in another form of Unicode than NFC, and a document of that id was there: \
            this one took its place. If both are wanted, give one of them another external_id and add both again.";
        Self { code: DocumentWarningCode::SameExternalId, detail: detail.to_owned() }
    }
}

/// The version of the readers. It grows with each change after which documents are read differently:
/// what an older version read can be read again.
pub const READER_VERSION: i32 = 3;

/// A document to be stored. It replaces an earlier one with the same business and `external_id`.
#[derive(Debug, Clone)]
pub struct NewDocument {
    /// Its id. If it replaces a document, that document's id is kept.
    pub id: DocumentId,
    /// Whose it is.
    pub business_id: BusinessId,
    /// The client's own name for it, in NFC.
    pub external_id: Option<String>,
    /// Whether the client wrote that name in another form of Unicode.
    pub is_id_in_other_form: bool,
    /// Its title.
    pub title: String,
    /// The format that it is about, if it is about one.
    pub content_type: Option<Format>,
    /// What it is for, if the client says so; else it is told by its text.
    pub kind: Option<DocumentKind>,
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
    /// The slug of the format that it is about, if it is about one.
    #[schema(required = true)]
    pub content_type: Option<Format>,
    /// What it is for: told by its text, unless the client said it. Null until it is told.
    #[serde(default)]
    #[schema(required = true)]
    pub kind: Option<DocumentKind>,
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
    /// What may be wrong with its text: it is used, and should be looked at.
    #[serde(default)]
    #[schema(required = true)]
    pub warnings: Vec<DocumentWarning>,
    /// The version of the readers that read it. Null until it is read, and for documents from before
    /// there were versions.
    #[serde(default)]
    #[schema(required = true)]
    pub reader_version: Option<i32>,
    /// Passages it was cut into.
    pub chunk_count: i32,
    /// The language of its text. Null until it is indexed, and for languages without stemming.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewChunk {
    /// `title › heading path`.
    pub heading_path: String,
    /// The passage without its heading path.
    pub text: String,
    /// SHA-256 of the normalised text: a passage that several documents share is indexed once.
    pub sha256: [u8; 32],
}

/// A stored passage.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The document that it belongs to.
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
    /// The document's language, if known.
    pub language: Option<Language>,
    /// What the document is for.
    pub kind: DocumentKind,
}
