//! Converts Word files to Markdown: paragraphs, headings by their styles, lists and tables. Reads
//! two parts of the archive by name, within a limit, and writes nothing to disk, so other parts and
//! their paths do not matter. Declared entities are refused, not expanded.

use std::collections::HashMap;
use std::io::{BufReader, Cursor, Read};

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};
use zip::ZipArchive;
use zip::result::ZipError;

use super::Unusable;

/// The most that one part may unpack to, in bytes: about a thousand pages.
const MAX_PART_BYTES: u64 = 16 * 1024 * 1024;
/// The deepest nesting of elements: no editor writes deeper ones.
const MAX_DEPTH: usize = 500;
const FORMAT: &str = "Word file";

pub(super) fn markdown(file: &[u8]) -> Result<String, Unusable> {
    let mut archive = ZipArchive::new(Cursor::new(file)).map_err(damaged)?;
    let styles = match part(&mut archive, "word/styles.xml") {
        Ok(part) => styles(part)?,
        Err(ZipError::FileNotFound) => HashMap::new(),
        Err(error) => return Err(damaged(error)),
    };
    match part(&mut archive, "word/document.xml") {
        Ok(part) => text(part, &styles),
        Err(ZipError::FileNotFound) => Err(Unusable::NotTheFormat(FORMAT)),
        Err(ZipError::UnsupportedArchive(reason)) if reason == ZipError::PASSWORD_REQUIRED => {
            Err(Unusable::Encrypted(FORMAT))
        }
        Err(error) => Err(damaged(error)),
    }
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Unusable {
    Unusable::Damaged(FORMAT, error.into())
}

type Part<'a, 'f> = Reader<BufReader<std::io::Take<zip::read::ZipFile<'a, Cursor<&'f [u8]>>>>>;

fn part<'a, 'f>(archive: &'a mut ZipArchive<Cursor<&'f [u8]>>, name: &str) -> Result<Part<'a, 'f>, ZipError> {
    // Reads one byte more than is allowed, to detect that the limit is exceeded.
    Ok(Reader::from_reader(BufReader::new(archive.by_name(name)?.take(MAX_PART_BYTES + 1))))
}

/// Calls `visit` with every event of a part, within the limits.
fn events(mut part: Part<'_, '_>, mut visit: impl FnMut(&Event<'_>)) -> Result<(), Unusable> {
    let (mut buffer, mut depth) = (Vec::new(), 0_usize);
    loop {
        let event = part.read_event_into(&mut buffer);
        if part.buffer_position() > MAX_PART_BYTES {
            return Err(Unusable::TooLarge(MAX_PART_BYTES));
        }
        let event = event.map_err(damaged)?;
        match event {
            Event::Eof if depth == 0 => return Ok(()),
            Event::Eof => return Err(damaged("it ends in the middle")),
            Event::DocType(_) => return Err(Unusable::Entities),
            Event::Start(_) if depth == MAX_DEPTH => return Err(Unusable::TooDeep(MAX_DEPTH)),
            Event::Start(_) => depth += 1,
            Event::End(_) => depth = depth.saturating_sub(1),
            _ => {}
        }
        visit(&event);
        buffer.clear();
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok()??;
    Some(attribute.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned())
}

/// The heading level of each heading style. Ids are in the author's language, names are English.
fn styles(part: Part<'_, '_>) -> Result<HashMap<String, usize>, Unusable> {
    let mut levels = HashMap::new();
    let mut id = None;
    events(part, |event| {
        let (Event::Start(element) | Event::Empty(element)) = event else { return };
        match element.name().as_ref() {
            "w:style" => id = attribute(element, "w:styleId"),
            "w:name" => {
                let level = attribute(element, "w:val").and_then(|name| level(&name));
                if let Some((id, level)) = id.take().zip(level) {
                    levels.insert(id, level);
                }
            }
            _ => {}
        }
    })?;
    Ok(levels)
}

fn level(style_name: &str) -> Option<usize> {
    let name = style_name.to_ascii_lowercase();
    if name == "title" {
        return Some(1);
    }
    let level = name.strip_prefix("heading")?.trim().parse().ok()?;
    (1..=6).contains(&level).then_some(level)
}

fn text(part: Part<'_, '_>, styles: &HashMap<String, usize>) -> Result<String, Unusable> {
    let mut body = Body::default();
    events(part, |event| match event {
        Event::Start(element) => body.begin(element, styles),
        Event::Empty(element) => body.mark(element, styles),
        Event::End(element) => body.end(element.name().as_ref()),
        Event::Text(text) => body.push(&text.xml_content(XmlVersion::Implicit1_0)),
        Event::CData(text) => body.push(&text.xml_content(XmlVersion::Implicit1_0)),
        Event::GeneralRef(entity) => match entity.resolve_char_ref() {
            Ok(Some(c)) => body.push(c.encode_utf8(&mut [0; 4])),
            _ => body.push(resolve_predefined_entity(entity).unwrap_or_default()),
        },
        _ => {}
    })?;
    Ok(body.markdown)
}

/// The text being built.
#[derive(Debug, Default)]
struct Body {
    markdown: String,
    paragraph: String,
    heading: Option<usize>,
    in_list: bool,
    /// Whether the position is within a run's text: other text is not content.
    in_text: bool,
    /// The number of tables around the paragraph.
    tables: usize,
    /// The depth inside elements that duplicate other content, such as the picture of a text box.
    skipped: usize,
}

impl Body {
    fn begin(&mut self, element: &BytesStart<'_>, styles: &HashMap<String, usize>) {
        match element.name().as_ref() {
            "mc:Fallback" => self.skipped += 1,
            "w:t" => self.in_text = true,
            "w:tbl" => self.tables += 1,
            _ => self.mark(element, styles),
        }
    }

    fn mark(&mut self, element: &BytesStart<'_>, styles: &HashMap<String, usize>) {
        match element.name().as_ref() {
            "w:pStyle" => {
                let style = attribute(element, "w:val").unwrap_or_default();
                self.heading = styles.get(&style).copied().or_else(|| level(&style));
            }
            "w:numPr" => self.in_list = true,
            "w:tab" | "w:br" | "w:cr" => self.paragraph.push(' '),
            "w:noBreakHyphen" => self.paragraph.push('-'),
            _ => {}
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "mc:Fallback" => self.skipped = self.skipped.saturating_sub(1),
            "w:t" => self.in_text = false,
            "w:p" => self.end_paragraph(),
            "w:tc" => self.markdown.push_str(" | "),
            "w:tr" => self.markdown.push('\n'),
            "w:tbl" => {
                self.tables = self.tables.saturating_sub(1);
                self.markdown.push('\n');
            }
            _ => {}
        }
    }

    fn push(&mut self, text: &str) {
        if self.in_text && self.skipped == 0 {
            self.paragraph.push_str(text);
        }
    }

    fn end_paragraph(&mut self) {
        let text = std::mem::take(&mut self.paragraph);
        let (text, heading, in_list) = (text.trim(), self.heading.take(), std::mem::take(&mut self.in_list));
        if text.is_empty() {
            return;
        }
        if self.tables > 0 {
            self.markdown.push_str(text);
            return;
        }
        match heading {
            Some(level) => self.markdown.push_str(&format!("\n{} {text}\n\n", "#".repeat(level))),
            None if in_list => self.markdown.push_str(&format!("- {text}\n")),
            None => self.markdown.push_str(&format!("{text}\n\n")),
        }
    }
}
