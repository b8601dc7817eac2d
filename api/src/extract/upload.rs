//! Uploaded documents: a JSON body, or a multipart form with one file. Both become the same
//! [`DocumentBody`] with the same limits. The worker extracts the text.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{StatusCode, header};
use copydesk_common::config::LARGEST_BODY_BYTES;
use copydesk_common::store::job::IdempotencyKey;
use copydesk_domain::document::MediaType;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::body;
use super::disposition::{Disposition, latin1};
use super::document::DocumentBody;
use super::idempotency::Name;
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::faults::bounded;
use crate::parsing::Parsing;
use crate::state::Services;

/// The largest document, in bytes of text.
pub const DOCUMENT_BYTES: usize = 10 * 1024 * 1024;
/// The largest body with a document, in bytes. It is larger than a document, because escapes make a
/// text longer in JSON.
pub const UPLOAD_BODY_BYTES: usize = LARGEST_BODY_BYTES;
/// The longest detail that quotes a part's header, in bytes.
const MAX_DETAIL_BYTES: usize = 200;
/// The fields of a form beside the file, together, in bytes.
const FIELDS_BYTES: usize = 1024 * 1024;
/// How long a client may take to send a form.
const MAX_TIME: Duration = Duration::from_secs(60);

/// A document in the request's body, with its idempotency key.
#[derive(Debug)]
pub struct Upload {
    /// The key, if the client gave one.
    pub key: Option<IdempotencyKey>,
    /// The document.
    pub document: DocumentBody,
}

impl FromRequest<Services> for Upload {
    type Rejection = ApiError;

    async fn from_request(request: Request, services: &Services) -> Result<Self, ApiError> {
        let name = Name::of(&request)?;
        let parsing = &services.parsing;
        let upload = if is_form(&request) {
            of_form(request, name, parsing).await?
        } else {
            of_json(request, name, parsing).await?
        };
        if upload.document.text.len() > DOCUMENT_BYTES { Err(ApiError::TooLarge(DOCUMENT_BYTES)) } else { Ok(upload) }
    }
}

impl From<MultipartRejection> for ApiError {
    fn from(_: MultipartRejection) -> Self {
        Self::Malformed("the content type names no multipart boundary".to_owned())
    }
}

impl From<MultipartError> for ApiError {
    fn from(error: MultipartError) -> Self {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Self::TooLarge(UPLOAD_BODY_BYTES)
        } else {
            Self::Malformed(format!("the multipart body cannot be read: {}", error.body_text()))
        }
    }
}

async fn of_json(request: Request, name: Option<Name>, parsing: &Parsing) -> Result<Upload, ApiError> {
    let bytes = body::bytes(request, UPLOAD_BODY_BYTES).await.map_err(name_both_kinds)?;
    parsing.run(bytes.len(), move || read_json(&bytes, name)).await?
}

fn read_json(bytes: &[u8], name: Option<Name>) -> Result<Upload, ApiError> {
    let document: DocumentBody = body::parse(bytes)?;
    if document.media_type.is_some_and(|kind| !kind.is_text()) {
        return Err(ApiError::invalid("/media_type", "is for files: send it as multipart/form-data"));
    }
    Ok(Upload { key: name.map(|name| name.of_body(bytes)), document })
}

async fn of_form(request: Request, name: Option<Name>, parsing: &Parsing) -> Result<Upload, ApiError> {
    let caller = request.extensions().get::<Caller>().cloned();
    let form = Multipart::from_request(request, &()).await?;
    let (fields, file) = timeout(MAX_TIME, read(form)).await.map_err(|_| ApiError::TooSlow(MAX_TIME.as_secs()))??;
    Caller::still(caller.as_ref())?;
    let text_bytes: usize = fields.values().filter_map(Value::as_str).map(str::len).sum();
    parsing.run(file.bytes.len() + text_bytes, move || read_form(fields, file, name)).await?
}

fn read_form(fields: Map<String, Value>, file: File, name: Option<Name>) -> Result<Upload, ApiError> {
    let document = file.into_document(fields)?;
    // The fingerprint uses the document, not the body: clients put another boundary into every
    // form.
    let key = name.map(|name| {
        let mut request = serde_json::to_vec(&document)?;
        request.extend(document.file.iter().flatten());
        Ok(name.of_body(&request))
    });
    let key = key.transpose().map_err(|error: serde_json::Error| ApiError::Internal(error.into()))?;
    Ok(Upload { key, document })
}

fn is_form(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data"))
}

fn name_both_kinds(error: ApiError) -> ApiError {
    match error {
        ApiError::UnsupportedMediaType(_) => ApiError::UnsupportedMediaType("application/json or multipart/form-data"),
        error => error,
    }
}

async fn read(mut form: Multipart) -> Result<(Map<String, Value>, File), ApiError> {
    let mut fields = Map::new();
    let mut text_left = FIELDS_BYTES;
    let mut file = None;
    while let Some(field) = form.next_field().await? {
        let Disposition { name, file_name } = disposition(&field)?;
        let name = name.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| ApiError::Malformed("a part of the form has no name".to_owned()))?;
        if name == "file" {
            let read = File::read(field, file_name.unwrap_or_default()).await?;
            if file.replace(read).is_some() {
                return Err(ApiError::invalid("/file", "must be one file"));
            }
        } else {
            let text = text_of(&name, field).await?;
            let is_long =
                || ApiError::invalid(format!("/{name}"), "is too long: all fields have 1 MiB, beside the file");
            text_left = text_left.checked_sub(name.len() + text.len()).ok_or_else(is_long)?;
            if fields.insert(name.clone(), text.into()).is_some() {
                return Err(ApiError::invalid(format!("/{name}"), "must occur only once"));
            }
        }
    }
    if fields.contains_key("text") {
        return Err(ApiError::invalid("/text", "unknown field `text`: in a form, the file is the text"));
    }
    Ok((fields, file.ok_or_else(|| ApiError::invalid("/file", "is required"))?))
}

/// What a part is. Its bytes must be sent as they are: other encodings are of e-mail.
fn disposition(field: &Field<'_>) -> Result<Disposition, ApiError> {
    let encoding = field.headers().get("content-transfer-encoding").map_or(&b""[..], |value| value.as_bytes());
    if ![&b""[..], b"binary", b"8bit", b"7bit"].iter().any(|plain| encoding.eq_ignore_ascii_case(plain)) {
        let encoding = String::from_utf8_lossy(encoding);
        let detail = format!("the content-transfer-encoding {encoding:?} is of e-mail: forms are sent as they are");
        return Err(ApiError::Malformed(bounded(&detail, MAX_DETAIL_BYTES)));
    }
    let header = field.headers().get(header::CONTENT_DISPOSITION).map_or(&b""[..], |value| value.as_bytes());
    Disposition::parse(header).map_err(|error| ApiError::Malformed(error.to_string()))
}

async fn text_of(name: &str, field: Field<'_>) -> Result<String, ApiError> {
    let kind = field.content_type().unwrap_or_default().to_ascii_lowercase();
    let bytes = field.bytes().await?;
    if ["iso-8859-1", "latin1"].iter().any(|charset| kind.contains(&format!("charset={charset}"))) {
        return Ok(latin1(&bytes));
    }
    String::from_utf8(bytes.into()).map_err(|_| ApiError::Malformed(format!("the field {name} is not UTF-8")))
}

/// The form's `file` part.
struct File {
    name: String,
    /// The part's own content type.
    kind: String,
    bytes: Bytes,
}

impl File {
    async fn read(field: Field<'_>, name: String) -> Result<Self, ApiError> {
        let kind = field.content_type().unwrap_or_default().to_owned();
        let bytes = field.bytes().await?;
        if bytes.len() > DOCUMENT_BYTES {
            Err(ApiError::TooLarge(DOCUMENT_BYTES))
        } else {
            Ok(Self { name, kind, bytes })
        }
    }

    /// Builds the document from the file and the form's other fields.
    fn into_document(self, mut fields: Map<String, Value>) -> Result<DocumentBody, ApiError> {
        let (stem, extension) = self.name.rsplit_once('.').unwrap_or((&self.name, ""));
        if !fields.contains_key("media_type") {
            let kind = media_type(extension, &self.kind);
            let kind = kind.ok_or_else(|| self.wrong("must be a .md, .txt, .html, .pdf or .docx file"))?;
            fields.insert("media_type".to_owned(), kind.as_str().into());
        }
        if !fields.contains_key("title") && !stem.trim().is_empty() {
            fields.insert("title".to_owned(), stem.trim().into());
        }
        // The text is checked below; it is too large to copy.
        fields.insert("text".to_owned(), "checked".into());
        let mut document = body::of_fields::<DocumentBody>(&fields)?;
        match document.media_type.filter(|kind| !kind.is_text()) {
            Some(kind) => document.file = Some(self.file(kind)?),
            None => document.text = self.text()?,
        }
        Ok(document)
    }

    fn text(&self) -> Result<String, ApiError> {
        if let Some(kind) = disguised(&self.bytes) {
            return Err(self.wrong(&format!("must be text, and is a {kind}")));
        }
        let text = str::from_utf8(&self.bytes).map_err(|error| {
            self.wrong(&format!(
                "must be UTF-8 text, and is invalid from byte {} on: save it as UTF-8",
                error.valid_up_to()
            ))
        })?;
        let text = text.trim_start_matches('\u{feff}');
        if text.contains('\0') {
            return Err(self.wrong("must be text, and contains the character U+0000"));
        }
        if text.trim().is_empty() {
            return Err(self.wrong("must not be empty"));
        }
        Ok(text.to_owned())
    }

    fn file(self, kind: MediaType) -> Result<Vec<u8>, ApiError> {
        let head = &self.bytes[..self.bytes.len().min(1024)];
        match kind {
            // The mark may come a little later: mail programs and printers put lines before it.
            MediaType::Pdf if !head.windows(PDF_MARK.len()).any(|mark| mark == PDF_MARK) => {
                Err(self.wrong("must be a PDF, and does not begin like one"))
            }
            MediaType::Docx if head.starts_with(OLE_MARK) => Err(self.wrong(
                "must be a .docx without a password, and is a protected or an old Word file: save it as .docx without one",
            )),
            MediaType::Docx if !head.starts_with(ZIP_MARK) => {
                Err(self.wrong("must be a .docx file, and does not begin like one"))
            }
            _ => Ok(self.bytes.into()),
        }
    }

    /// An error about the file, with its name: clients send many files.
    fn wrong(&self, what: &str) -> ApiError {
        const MAX_NAME_CHARS: usize = 100;
        let name: String = self.name.chars().filter(|c| !c.is_control()).take(MAX_NAME_CHARS).collect();
        ApiError::invalid("/file", if name.is_empty() { what.to_owned() } else { format!("{name} {what}") })
    }
}

/// The beginning of PDF files.
const PDF_MARK: &[u8] = b"%PDF-";
/// The beginning of zip files, such as .docx.
const ZIP_MARK: &[u8] = b"PK\x03\x04";
/// The beginning of Microsoft's older and encrypted files.
const OLE_MARK: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// The actual type of a binary file that is named as text.
fn disguised(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        _ if bytes.starts_with(PDF_MARK) => Some("PDF: name it .pdf"),
        _ if bytes.starts_with(ZIP_MARK) => Some("zip or Word file: name it .docx if it is one"),
        _ if bytes.starts_with(OLE_MARK) => Some("file of an old Office: save it as .docx"),
        _ => None,
    }
}

/// The media type by the file's extension, else by the part's content type.
fn media_type(extension: &str, kind: &str) -> Option<MediaType> {
    match extension.to_ascii_lowercase().as_str() {
        "md" | "markdown" => Some(MediaType::Markdown),
        "txt" => Some(MediaType::Plain),
        "html" | "htm" => Some(MediaType::Html),
        "pdf" => Some(MediaType::Pdf),
        "docx" => Some(MediaType::Docx),
        "" => kind.split(';').next()?.trim().parse().ok(),
        _ => None,
    }
}
