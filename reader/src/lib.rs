//! Reads documents of strangers: bytes in, Markdown and passages out. No database, no runtime.
//!
//! Each type of file has a reader that converts it to Markdown; `passages` cuts that into passages.
//! Files are untrusted. The readers bound what they unpack, but no check inside a process can stop
//! a parser that overflows its stack or takes all memory: the worker runs [`child`] in a process of
//! its own, with limits, and talks to it by [`wire`].

pub mod child;
mod docx;
mod html;
mod language;
mod markdown;
mod passages;
mod pdf;
mod unicode;
mod unusable;
mod warnings;
pub mod wire;

use copydesk_domain::document::{Body, DocumentKind, DocumentWarning, MediaType, NewChunk};
use copydesk_domain::language::Language;
use copydesk_editorial::document;
use serde::{Deserialize, Serialize};

pub use unusable::Unusable;
pub(crate) use warnings::Warnings;

/// The program that reads PDFs.
pub const PDF_PROGRAM: &str = pdf::PROGRAM;

/// Reads what the program prints of the layout of a PDF. For the fuzzer.
#[doc(hidden)]
pub fn read_layout(xml: &[u8]) {
    pdf::read_layout(xml);
}

/// Reads what the program prints of the outline of a PDF, and looks for its entries in a text. For
/// the fuzzer.
#[doc(hidden)]
pub fn read_outline(xml: &[u8]) {
    pdf::read_outline(xml);
}

/// A document as it was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its title.
    pub title: String,
    /// What it is written in.
    pub media_type: MediaType,
    /// The text or file.
    pub body: Body,
}

/// What was read of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Its passages, in order, each once.
    pub chunks: Vec<NewChunk>,
    /// Its language, if it is one with stemming.
    pub language: Option<Language>,
    /// What it is for, by its text.
    pub kind: DocumentKind,
    /// What may be wrong with the text.
    pub warnings: Vec<DocumentWarning>,
}

/// Reads a document.
///
/// # Errors
/// Why it cannot be used.
pub fn read(upload: &Upload) -> Result<Reading, Unusable> {
    let (markdown, warnings) = markdown(upload)?;
    let chunks = passages::passages(&unicode::clean(upload.title.clone()), &markdown)?;
    Ok(Reading {
        chunks,
        language: language::detect(&markdown),
        kind: document::kind(&upload.title, &markdown),
        warnings,
    })
}

/// The document as Markdown, and what may be wrong with its text.
///
/// # Errors
/// Why it cannot be used.
pub fn markdown(upload: &Upload) -> Result<(String, Vec<DocumentWarning>), Unusable> {
    let mut warnings = Warnings::default();
    let markdown = unicode::clean(convert(upload, &mut warnings)?);
    warnings.look_at(&markdown);
    Ok((markdown, warnings.into_inner()))
}

fn convert(upload: &Upload, warnings: &mut Warnings) -> Result<String, Unusable> {
    match (&upload.body, upload.media_type) {
        (Body::Text(text), _) if is_binary(text) => Err(Unusable::Binary),
        (Body::Text(text), MediaType::Markdown) => Ok(markdown::markdown(text)),
        (Body::Text(text), MediaType::Html) => html::markdown(text, warnings),
        (Body::Text(text), _) => Ok(text.replace("\r\n", "\n")),
        (Body::File(file), MediaType::Pdf) => pdf::markdown(file, warnings),
        (Body::File(file), MediaType::Docx) => docx::markdown(file),
        (Body::File(_), _) => Err(Unusable::Binary),
    }
}

/// The highest share of control characters in a text, in percent.
const MAX_CONTROL_PERCENT: usize = 5;

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
