//! Converts PDF files to Markdown. The text comes from poppler's `pdftotext`, in its reading order:
//! it knows the fonts, encodings and layouts of other people's programs as no small reader does. A
//! second run tells the sizes of its lines, of which the larger ones are headings. Running heads and
//! feet stay out. Images of text are not read.
//!
//! The program is started by the process that reads, and has that process's limits.

mod running;
mod sizes;
mod tool;

use std::collections::BTreeMap;
use std::io::Read as _;

use crate::{Unusable, Warnings};
use sizes::Sizes;
pub(crate) use tool::PROGRAM;
use tool::Tool;

/// The most pages.
const MAX_PAGES: usize = 2_000;
/// The most text, in bytes.
const MAX_TEXT_BYTES: usize = 10 * 1024 * 1024;
/// How much larger than the body text a heading is.
const HEADING_RATIO: f32 = 1.15;
/// The longest heading, in characters.
const MAX_HEADING_CHARS: usize = 120;
const FORMAT: &str = "PDF";

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    text: String,
    /// The height in half points; 0 if unknown.
    size: u16,
    begins_paragraph: bool,
}

pub(super) fn markdown(file: &[u8], warnings: &mut Warnings) -> Result<String, Unusable> {
    let text = text(file, MAX_TEXT_BYTES)?;
    // Each page ends with a form feed.
    let pages: Vec<&str> = text.strip_suffix('\u{c}').unwrap_or(&text).split('\u{c}').collect();
    if pages.len() > MAX_PAGES {
        return Err(Unusable::TooManyPages(MAX_PAGES));
    }
    if text.trim().is_empty() {
        return Err(Unusable::NoTextInPdf);
    }
    let empty = pages.iter().filter(|page| page.trim().is_empty()).count();
    if empty > 0 {
        warnings.pages_without_text(empty, pages.len());
    }
    let sizes = Sizes::read(file, MAX_PAGES);
    let mut read: Vec<Vec<Line>> = pages.iter().enumerate().map(|(n, page)| lines(page, n, &sizes)).collect();
    running::remove(&mut read);
    Ok(written(&read))
}

/// The text of all pages, if it is at most `most` bytes.
fn text(file: &[u8], most: usize) -> Result<String, Unusable> {
    let last_page = (MAX_PAGES + 1).to_string();
    let mut tool = Tool::start(&["-enc", "UTF-8", "-eol", "unix", "-l", &last_page], file)?;
    let mut text = Vec::new();
    // One byte more than is allowed, to see that the limit is exceeded.
    let read = tool.output().take(most as u64 + 1).read_to_end(&mut text);
    if text.len() > most {
        return Err(Unusable::TooLarge(most as u64));
    }
    read.map_err(|error| Unusable::Damaged(FORMAT, error.into()))?;
    tool.end()?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn lines(page: &str, number: usize, sizes: &Sizes) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut begins_paragraph = true;
    for text in page.lines().map(str::trim) {
        if text.is_empty() {
            begins_paragraph = true;
            continue;
        }
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        lines.push(Line { size: sizes.of(number, &text), text, begins_paragraph });
        begins_paragraph = false;
    }
    lines
}

/// The lines as Markdown.
fn written(pages: &[Vec<Line>]) -> String {
    let sizes = heading_sizes(pages);
    let mut markdown = String::new();
    let mut last_level = None;
    for line in pages.iter().flatten() {
        let text = line.text.trim();
        let level = sizes.iter().position(|&size| size == line.size).map(|place| place + 1);
        let is_heading = text.chars().count() <= MAX_HEADING_CHARS && text.chars().any(char::is_alphabetic);
        let level = level.filter(|_| is_heading);
        match level {
            // A heading of several lines.
            Some(_) if level == last_level && !line.begins_paragraph => {
                markdown.truncate(markdown.trim_end().len());
                markdown.push_str(&format!(" {text}\n\n"));
            }
            Some(level) => {
                markdown.truncate(markdown.trim_end().len());
                markdown.push_str(&format!("\n\n{} {text}\n\n", "#".repeat(level)));
            }
            None => {
                if line.begins_paragraph && !markdown.ends_with("\n\n") && !is_cut(&markdown, text) {
                    markdown.push('\n');
                }
                join(&mut markdown, text);
            }
        }
        last_level = level;
    }
    markdown
}

/// Whether the last word of the line before was hyphenated there, and goes on with `text`.
fn is_cut(markdown: &str, text: &str) -> bool {
    // Soft hyphens are joined later, in texts of all types.
    let before = markdown.trim_end_matches('\n').strip_suffix('-');
    before.is_some_and(|before| before.ends_with(char::is_alphabetic)) && text.starts_with(char::is_lowercase)
}

/// Adds a line, and joins a word that was hyphenated at the end of the line before.
fn join(markdown: &mut String, text: &str) {
    if is_cut(markdown, text) {
        markdown.truncate(markdown.trim_end_matches('\n').len());
        markdown.pop();
    }
    // Escapes characters that would be markup at the start of a line.
    if text.starts_with(['#', '>']) {
        markdown.push('\\');
    }
    markdown.push_str(text);
    markdown.push('\n');
}

/// The sizes of headings, largest first, at most three.
fn heading_sizes(pages: &[Vec<Line>]) -> Vec<u16> {
    let mut chars: BTreeMap<u16, usize> = BTreeMap::new();
    for line in pages.iter().flatten().filter(|line| line.size > 0) {
        *chars.entry(line.size).or_default() += line.text.len();
    }
    let Some((&body, _)) = chars.iter().max_by_key(|(_, chars)| **chars) else { return Vec::new() };
    let is_larger = |size: &u16| f32::from(*size) > f32::from(body) * HEADING_RATIO;
    chars.into_keys().rev().filter(is_larger).take(3).collect()
}

#[cfg(test)]
mod tests;
