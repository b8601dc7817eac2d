//! Why a document cannot be used, in words for its owner.

use std::error::Error;

/// Why a document cannot be used. The message tells its owner what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// Nothing in it is text.
    #[error("the document contains no text: add some")]
    NoText,
    /// A PDF of images.
    #[error(
        "the PDF contains no readable text: it may be a scan. Make its text readable with OCR, or send the text itself"
    )]
    NoTextInPdf,
    /// A text that is none.
    #[error(
        "the document is not text: it contains binary data. Send the text itself, or the .pdf or .docx file as a form"
    )]
    Binary,
    /// It needs a password.
    #[error("the {0} is protected by a password: save it without one")]
    Encrypted(&'static str),
    /// Its content is of another type than its name says.
    #[error("the file is not a {0}: send the file as it was saved, under its own extension")]
    NotTheFormat(&'static str),
    /// It breaks the rules of its type.
    #[error("the {0} is damaged ({1}): open it, save it again and send that")]
    Damaged(&'static str, #[source] Box<dyn Error + Send + Sync>),
    /// It has too many pages.
    #[error("the document has more than {0} pages: split it")]
    TooManyPages(usize),
    /// Its text is too long.
    #[error("the document has more than {0} passages: split it")]
    TooManyPassages(usize),
    /// It is too large, unpacked.
    #[error("the document unpacks to more than is allowed ({} KiB when it was stopped): split it", .0 / 1024)]
    TooLarge(u64),
    /// It nests too deeply.
    #[error("the document nests its elements more than {0} deep: simplify it")]
    TooDeep(usize),
    /// Reading it took too much memory.
    #[error("reading the document took more than {} MiB of memory: split it, or save it in another format", .0 / (1024 * 1024))]
    TooMuchMemory(u64),
    /// Reading it took too long.
    #[error("reading the document took too long: split it")]
    TooSlow,
    /// A program that reads this type is missing. That is the operator's to mend, not the owner's.
    #[error(
        "it cannot be read here: the program {0} is not installed where the worker runs. Ask the operator, then have the document read again"
    )]
    NoTool(&'static str),
    /// It declares entities, with which files attack parsers.
    #[error("the Word file declares entities, which no editor does: open it, save it again and send that")]
    Entities,
}
