//! What a worker and the process that reads for it say to each other, over pipes: frames, each a
//! length of four bytes (big-endian) and that many bytes. A request is two frames, the head as JSON
//! and the document; an answer is one, as JSON.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};
use std::iter::successors;

use copydesk_domain::document::{Body, MediaType};
use serde::{Deserialize, Serialize};

use crate::{Reading, Unusable, Upload};

/// The longest frame, in bytes: the passages of the longest text, as JSON.
pub const MAX_FRAME_BYTES: usize = 96 * 1024 * 1024;

/// What is said of a document in front of its bytes.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    title: String,
    media_type: MediaType,
    is_text: bool,
}

/// What became of a request.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// The document, or why it cannot be used.
    pub outcome: Result<Reading, Refusal>,
    /// Whether the process ends after this answer.
    pub is_last: bool,
}

/// Why a document cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What its owner is told.
    pub message: String,
    /// The causes, for the log.
    pub causes: Vec<String>,
    /// Whether the document is not to blame, but what the worker lacks.
    pub is_operators: bool,
}

impl From<&Unusable> for Refusal {
    fn from(reason: &Unusable) -> Self {
        let causes =
            successors(reason.source(), |cause: &&(dyn Error + 'static)| (*cause).source()).map(ToString::to_string);
        Self {
            message: reason.to_string(),
            causes: causes.collect(),
            is_operators: matches!(reason, Unusable::NoTool(_)),
        }
    }
}

/// The two frames of a request.
///
/// # Errors
/// The head cannot be written as JSON.
pub fn request(upload: &Upload) -> io::Result<(Vec<u8>, &[u8])> {
    let (is_text, body) = match &upload.body {
        Body::Text(text) => (true, text.as_bytes()),
        Body::File(file) => (false, file.as_slice()),
    };
    let head = Head { title: upload.title.clone(), media_type: upload.media_type, is_text };
    Ok((serde_json::to_vec(&head)?, body))
}

/// The next request; `None` after the last.
pub(crate) fn next(input: &mut impl Read) -> io::Result<Option<Upload>> {
    let Some(head) = frame(input)? else { return Ok(None) };
    let head: Head = serde_json::from_slice(&head)?;
    let body = frame(input)?.ok_or(ErrorKind::UnexpectedEof)?;
    let body = if head.is_text {
        Body::Text(String::from_utf8(body).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?)
    } else {
        Body::File(body)
    };
    Ok(Some(Upload { title: head.title, media_type: head.media_type, body }))
}

/// Writes an answer.
pub(crate) fn answer(output: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let json = serde_json::to_vec(answer)?;
    output.write_all(&length(json.len())?)?;
    output.write_all(&json)?;
    output.flush()
}

/// The length in front of a frame of `bytes` bytes.
///
/// # Errors
/// The frame would be too long.
pub fn length(bytes: usize) -> io::Result<[u8; 4]> {
    let within = (bytes <= MAX_FRAME_BYTES).then_some(bytes);
    let length = within.and_then(|bytes| u32::try_from(bytes).ok()).ok_or(ErrorKind::FileTooLarge)?;
    Ok(length.to_be_bytes())
}

fn frame(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = u64::from(u32::from_be_bytes(length));
    let mut bytes = Vec::new();
    let read = input.take(length).read_to_end(&mut bytes)?;
    if read as u64 == length { Ok(Some(bytes)) } else { Err(ErrorKind::UnexpectedEof.into()) }
}
