//! Converts PDF files to Markdown. The text comes from poppler's `pdftotext`, in its reading order:
//! it knows the fonts, encodings and layouts of other people's programs as no small reader does. A
//! second run tells the sizes of its lines, of which the larger ones are headings, and so are those
//! that the outline names. Running heads and feet stay out. Images of text are not read.
//!
//! The program is started by the process that reads, and has that process's limits.

mod headings;
mod outline;
mod running;
mod sizes;
mod tool;
mod xml;

use std::io::Read as _;

use crate::{Unusable, Warnings};
use headings::Levels;
use outline::Outline;
use sizes::Sizes;
pub(crate) use tool::PROGRAM;
use tool::Tool;

/// The most pages.
const MAX_PAGES: usize = 2_000;
/// The most text, in bytes.
const MAX_TEXT_BYTES: usize = 10 * 1024 * 1024;
const FORMAT: &str = "PDF";

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
struct Line {
    text: String,
    /// The height in half points; 0 if unknown.
    size: u16,
    begins_paragraph: bool,
    /// Its place in a heading that the outline names.
    place: Option<Place>,
}

/// The place of a line in a heading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It begins one, so deep in the outline.
    Begins(usize),
    GoesOn,
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
    Outline::read(file).mark(&mut read);
    Ok(written(&read))
}

pub(super) fn read_layout(xml: &[u8]) {
    // An error ends the reading, as with a program that fails.
    let _ = Sizes::default().learn(xml);
}

pub(super) fn read_outline(xml: &[u8]) {
    let mut outline = Outline::default();
    let _ = outline.learn(xml);
    let text = String::from_utf8_lossy(xml);
    let mut pages: Vec<Vec<Line>> =
        (0..2).map(|number| lines(&text.replace('>', "\n"), number, &Sizes::default())).collect();
    outline.mark(&mut pages);
    let _ = written(&pages);
}

/// The text of all pages, if it is at most `most` bytes.
fn text(file: &[u8], most: usize) -> Result<String, Unusable> {
    let last_page = (MAX_PAGES + 1).to_string();
    let mut tool = Tool::start(PROGRAM, None, &["-enc", "UTF-8", "-eol", "unix", "-l", &last_page], file)?;
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
        lines.push(Line { size: sizes.of(number, &text), text, begins_paragraph, place: None });
        begins_paragraph = false;
    }
    lines
}

/// The lines as Markdown.
fn written(pages: &[Vec<Line>]) -> String {
    let levels = Levels::of(pages);
    let mut markdown = String::new();
    let mut last_level = None;
    for line in pages.iter().flatten() {
        let text = line.text.trim();
        let level = if line.place == Some(Place::GoesOn) { last_level } else { levels.level(line) };
        match level {
            // A heading of several lines.
            Some(_) if goes_on(line, level == last_level) => {
                markdown.truncate(markdown.trim_end().len());
                let space = if cut_hyphen(&mut markdown, text) { "" } else { " " };
                markdown.push_str(&format!("{space}{text}\n\n"));
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

/// Whether a line of a heading goes on with the one before, which may be of the same level.
fn goes_on(line: &Line, is_of_same_level: bool) -> bool {
    match line.place {
        Some(place) => place == Place::GoesOn,
        None => is_of_same_level && !line.begins_paragraph,
    }
}

/// Whether the last word of the line before was hyphenated there, and goes on with `text`.
fn is_cut(markdown: &str, text: &str) -> bool {
    // Soft hyphens are joined later, in texts of all types.
    let before = markdown.trim_end_matches('\n').strip_suffix('-');
    before.is_some_and(|before| before.ends_with(char::is_alphabetic)) && text.starts_with(char::is_lowercase)
}

/// Adds a line, and joins a word that was hyphenated at the end of the line before.
fn join(markdown: &mut String, text: &str) {
    cut_hyphen(markdown, text);
    // Escapes characters that would be markup at the start of a line.
    if text.starts_with(['#', '>']) {
        markdown.push('\\');
    }
    markdown.push_str(text);
    markdown.push('\n');
}

/// Takes the hyphen away, and the line's end, if a word goes on with `text`.
fn cut_hyphen(markdown: &mut String, text: &str) -> bool {
    let is_cut = is_cut(markdown, text);
    if is_cut {
        markdown.truncate(markdown.trim_end_matches('\n').len());
        markdown.pop();
    }
    is_cut
}

#[cfg(test)]
pub(super) mod tests;
