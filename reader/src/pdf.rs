//! Converts PDF files to Markdown: the text on the pages, line by line, with larger text as
//! headings, and without running heads and feet. There is no layout analysis beyond lines: columns
//! come in the order in which the file draws them. Images of text are not read.

mod page;
mod running;

use std::collections::BTreeMap;

use lopdf::{DecompressError, Document, Error, LoadOptions};

use super::Unusable;
use page::{Fonts, Line};

/// The most pages.
const MAX_PAGES: usize = 2_000;
/// The most that one page, and all pages together, may unpack to, in bytes.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
const MAX_PAGES_BYTES: usize = 32 * 1024 * 1024;
/// The most that all packed objects of the file together may unpack to, in bytes, and the least
/// limit for one container of them.
const MAX_OBJECTS_BYTES: usize = 128 * 1024 * 1024;
const MIN_CONTAINER_BYTES: usize = 64 * 1024;
/// The most text, in bytes.
const MAX_TEXT_BYTES: usize = 10 * 1024 * 1024;
/// How much larger than the body text a heading is.
const HEADING_RATIO: f32 = 1.15;
/// The longest heading, in characters.
const MAX_HEADING_CHARS: usize = 120;
const FORMAT: &str = "PDF";

pub(super) fn markdown(file: &[u8]) -> Result<String, Unusable> {
    let document = load(file)?;
    let pages: Vec<_> = document.page_iter().take(MAX_PAGES + 1).collect();
    if pages.len() > MAX_PAGES {
        return Err(Unusable::TooManyPages(MAX_PAGES));
    }
    let mut fonts = Fonts::new(&document);
    let (mut budget, mut text_bytes) = (MAX_PAGES_BYTES, 0);
    let mut read = Vec::new();
    for page in pages {
        let content = document.get_page_content_with_limit(page, budget.min(MAX_PAGE_BYTES)).map_err(refused)?;
        budget = budget.saturating_sub(content.len());
        let lines = page::lines(&mut fonts, page, &content, MAX_TEXT_BYTES - text_bytes)?;
        text_bytes += lines.iter().map(|line| line.text.len()).sum::<usize>();
        if text_bytes > MAX_TEXT_BYTES {
            return Err(Unusable::TooLarge(MAX_TEXT_BYTES as u64));
        }
        read.push(lines);
    }
    running::remove(&mut read);
    let markdown = written(&read);
    if markdown.trim().is_empty() { Err(Unusable::NoTextInPdf) } else { Ok(markdown) }
}

fn load(file: &[u8]) -> Result<Document, Unusable> {
    let most = (MAX_OBJECTS_BYTES / containers(file).max(1)).max(MIN_CONTAINER_BYTES);
    let options = LoadOptions { max_decompressed_size: Some(most), ..LoadOptions::default() };
    let document = Document::load_mem_with_options(file, options).map_err(refused)?;
    if document.is_encrypted() { Err(Unusable::Encrypted(FORMAT)) } else { Ok(document) }
}

/// The number of containers of packed objects that a file may have. All are unpacked at once, so
/// each gets only a share of the limit. If a name is written with escapes, which no program does,
/// every stream counts.
fn containers(file: &[u8]) -> usize {
    let count = |word: &[u8]| file.windows(word.len()).filter(|window| *window == word).count();
    let is_escaped =
        file.windows(3).any(|name| matches!(name, [b'/' | b'a'..=b'z' | b'A'..=b'Z', b'#', b'4' | b'6' | b'5' | b'7']));
    if is_escaped { count(b"stream") } else { count(b"/ObjStm") }
}

fn refused(error: Error) -> Unusable {
    match error {
        Error::InvalidPassword | Error::Decryption(_) => Unusable::Encrypted(FORMAT),
        Error::Decompress(DecompressError::MemoryLimitExceeded { limit }) => Unusable::TooLarge(limit as u64),
        error => Unusable::Damaged(FORMAT, error.into()),
    }
}

/// The lines as Markdown.
fn written(pages: &[Vec<Line>]) -> String {
    let sizes = heading_sizes(pages);
    let mut markdown = String::new();
    for line in pages.iter().flatten() {
        let text = line.text.trim();
        let level = sizes.iter().position(|&size| size == rounded(line.size)).map(|place| place + 1);
        let is_heading = text.chars().count() <= MAX_HEADING_CHARS && text.chars().any(char::is_alphabetic);
        if let Some(level) = level.filter(|_| is_heading) {
            markdown.push_str(&format!("\n\n{} {text}\n\n", "#".repeat(level)));
            continue;
        }
        if line.begins_paragraph && !markdown.ends_with("\n\n") {
            markdown.push('\n');
        }
        join(&mut markdown, text);
    }
    markdown
}

/// Adds a line, and joins a word that was hyphenated at the end of the line before.
fn join(markdown: &mut String, text: &str) {
    let is_cut = markdown.ends_with("-\n")
        && markdown[..markdown.len() - 2].ends_with(char::is_alphabetic)
        && text.starts_with(char::is_lowercase);
    if is_cut {
        markdown.truncate(markdown.len() - 2);
    }
    // Escapes characters that would be markup at the start of a line.
    if text.starts_with(['#', '>']) {
        markdown.push('\\');
    }
    markdown.push_str(text);
    markdown.push('\n');
}

/// The font sizes of headings in half points, largest first, at most three.
fn heading_sizes(pages: &[Vec<Line>]) -> Vec<u16> {
    let mut chars: BTreeMap<u16, usize> = BTreeMap::new();
    for line in pages.iter().flatten() {
        *chars.entry(rounded(line.size)).or_default() += line.text.len();
    }
    let Some((&body, _)) = chars.iter().max_by_key(|(_, chars)| **chars) else { return Vec::new() };
    let is_larger = |size: &u16| f32::from(*size) > f32::from(body) * HEADING_RATIO;
    chars.into_keys().rev().filter(is_larger).take(3).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn rounded(size: f32) -> u16 {
    (size * 2.0).round().clamp(0.0, 10_000.0) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_counted_however_they_write_their_name() {
        assert_eq!(containers(b"1 0 obj <</Type/ObjStm>> stream 2 0 obj <</Type /ObjStm>> stream"), 2);
        assert_eq!(containers(b"1 0 obj <</Type/Obj#53tm>> stream 2 0 obj <<>> stream 3 0 obj <<>> stream"), 3);
    }
}
