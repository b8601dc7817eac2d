//! Sound files that were cut off, or lost a piece, on their way.

use rand::RngExt as _;

use crate::{Attack, Rng, sound};

pub(crate) const ATTACKS: &[Attack] = &[
    ("cut.pdf", |rng| cut(rng, "pdf")),
    ("cut.docx", |rng| cut(rng, "docx")),
    ("cut.html", |rng| cut(rng, "html")),
    ("hole.pdf", |rng| without_a_piece(rng, "pdf")),
    ("hole.docx", |rng| without_a_piece(rng, "docx")),
    ("cut.md", |rng| cut(rng, "md")),
    ("blank.pdf", |rng| with_a_blank(rng, "pdf")),
    ("blank.docx", |rng| with_a_blank(rng, "docx")),
    ("tail.pdf", |rng| with_a_tail(rng, "pdf")),
    ("tail.docx", |rng| with_a_tail(rng, "docx")),
    ("hole.html", |rng| without_a_piece(rng, "html")),
    ("first-bytes.pdf", |rng| sound("pdf")[..rng.random_range(5..60)].to_vec()),
    ("first-bytes.docx", |rng| sound("docx")[..rng.random_range(4..60)].to_vec()),
];

/// The beginning of a sound file.
fn cut(rng: &mut Rng, extension: &str) -> Vec<u8> {
    let mut file = sound(extension);
    let end = place(rng, &file, 64);
    file.truncate(end);
    file
}

fn without_a_piece(rng: &mut Rng, extension: &str) -> Vec<u8> {
    let file = sound(extension);
    let begin = place(rng, &file, 64);
    let end = place(rng, &file, begin);
    [&file[..begin], &file[end..]].concat()
}

/// A disk that was full leaves zeros.
fn with_a_blank(rng: &mut Rng, extension: &str) -> Vec<u8> {
    let mut file = sound(extension);
    let begin = place(rng, &file, 64);
    let end = (begin + rng.random_range(1..4_096)).min(file.len());
    file[begin..end].fill(0);
    file
}

/// A file and the end of another behind it.
fn with_a_tail(rng: &mut Rng, extension: &str) -> Vec<u8> {
    let file = sound(extension);
    let begin = place(rng, &file, 64);
    [&file[..], &file[begin..]].concat()
}

/// A place after the first bytes where text can be cut.
fn place(rng: &mut Rng, file: &[u8], from: usize) -> usize {
    let mut at = rng.random_range(from.min(file.len() - 1)..file.len());
    // A byte that continues a character of UTF-8.
    while str::from_utf8(file).is_ok() && file.get(at).is_some_and(|byte| byte & 0xc0 == 0x80) {
        at += 1;
    }
    at
}
