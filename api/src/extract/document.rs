//! A document that a client adds, as JSON or as a form. [`super::upload`] reads both.

use copydesk_domain::business::BusinessId;
use copydesk_domain::document::{Body, DocumentKind, MediaType, NewDocument};
use copydesk_domain::format::Format;
use copydesk_domain::id::DocumentId;
use copydesk_words::unicode;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::body::RequestBody;
use crate::validate::{self, chars, web_url};

/// A document to be added.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DocumentRequest, example = <DocumentBody as RequestBody>::example)]
pub struct DocumentBody {
    /// Its title.
    #[garde(custom(chars(1..=300)))]
    #[serde(deserialize_with = "validate::title")]
    #[schema(min_length = 1, max_length = 300)]
    title: String,
    /// Its text, of at most 10 MiB as UTF-8.
    #[garde(custom(not_blank))]
    #[schema(min_length = 1)]
    pub text: String,
    /// The media type of the text; `text/markdown` if it is missing.
    #[garde(skip)]
    pub media_type: Option<MediaType>,
    /// Your own name for it: another document of this name replaces it, in whatever form of Unicode
    /// it is written.
    #[garde(inner(custom(chars(0..=200))))]
    #[serde(default, deserialize_with = "validate::option_as_given")]
    #[schema(max_length = 200)]
    external_id: Option<String>,
    /// The format that it is about, if it is about one: a format's name or slug.
    #[garde(skip)]
    #[schema(value_type = Option<String>)]
    content_type: Option<Format>,
    /// What it is for. If it is missing, its text tells. Style guides and policies guide the writer,
    /// and nothing of them is content.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<DocumentKind>,
    /// Where it can be read: an `http://` or `https://` URL.
    #[garde(inner(custom(chars(0..=2000)), custom(web_url)))]
    #[serde(default, deserialize_with = "validate::option_as_given")]
    #[schema(max_length = 2000)]
    url: Option<String>,
    /// The file, if it is not text.
    #[garde(skip)]
    #[serde(skip)]
    #[schema(ignore)]
    pub file: Option<Vec<u8>>,
}

impl RequestBody for DocumentBody {
    fn example() -> Value {
        json!({
            "title": "Brand guide",
            "text": "# Tone\n\nWe write as we speak: short sentences, no jargon.",
            "media_type": "text/markdown",
            "external_id": "brand-guide",
        })
    }
}

impl DocumentBody {
    /// The document of this business.
    pub fn into_document(self, business_id: BusinessId) -> NewDocument {
        let given = self.external_id;
        let external_id = given.as_deref().map(|given| unicode::nfc(given).into_owned());
        NewDocument {
            id: DocumentId::new(),
            business_id,
            is_id_in_other_form: external_id != given,
            external_id,
            title: self.title,
            content_type: self.content_type,
            kind: self.kind,
            media_type: self.media_type.unwrap_or(MediaType::Markdown),
            url: self.url,
            body: self.file.map_or(Body::Text(self.text), Body::File),
        }
    }
}

fn not_blank(text: &str, (): &()) -> garde::Result {
    if text.trim().is_empty() { Err(garde::Error::new("must not be empty")) } else { Ok(()) }
}

/// A document to be added, as a form. Missing fields have the same defaults as in JSON.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the form's shape for the reference; its parts are read one by one")]
pub struct DocumentForm {
    /// A file of at most 10 MiB: `.md`, `.txt` or `.html` as UTF-8, `.pdf` with text, or `.docx`.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// Its title; the file's name if it is missing.
    #[schema(max_length = 300, nullable = false)]
    title: Option<String>,
    /// The media type of the file; derived from its extension if it is missing.
    #[schema(nullable = false)]
    media_type: Option<MediaType>,
    /// Your own name for it.
    #[schema(max_length = 200, nullable = false)]
    external_id: Option<String>,
    /// The format that it is about: a format's name or slug.
    #[schema(nullable = false)]
    content_type: Option<String>,
    /// What it is for; told by its text if it is missing.
    #[schema(nullable = false)]
    kind: Option<DocumentKind>,
    /// Where it can be read.
    #[schema(max_length = 2000, nullable = false)]
    url: Option<String>,
}
