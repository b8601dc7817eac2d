//! Converts Word files to Markdown: paragraphs, headings, lists, tables, text boxes, and foot- and
//! endnotes beside their references. What the document hides, deletes or moved away stays out.
//! Headers, footers and comments are not read.
//!
//! Reads the parts of the archive that the main part's relations name, each within a limit, and
//! writes nothing to disk. Declared entities are refused, not expanded.

mod body;
mod element;
mod notes;
mod package;
mod styles;

use std::collections::HashMap;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{NsReader, XmlVersion};

use crate::Unusable;
use body::Body;
use element::Element;
use notes::Notes;
use package::{Package, Part, Source};

/// The most that one part may unpack to, in bytes: about a thousand pages.
const MAX_PART_BYTES: u64 = 16 * 1024 * 1024;
/// The deepest nesting of elements: no editor writes deeper ones.
const MAX_DEPTH: usize = 500;
const FORMAT: &str = "Word file";

pub(super) fn markdown(file: &[u8]) -> Result<String, Unusable> {
    let mut package = Package::open(file)?;
    let styles = match package.part(Part::Styles)? {
        Some(part) => styles::read(part)?,
        None => HashMap::new(),
    };
    let mut notes = Notes::default();
    for kind in [Part::Footnotes, Part::Endnotes] {
        if let Some(part) = package.part(kind)? {
            notes = read(part, Body::of_notes(&styles, notes, kind))?.notes;
        }
    }
    let main = package.part(Part::Main)?.ok_or(Unusable::NotTheFormat(FORMAT))?;
    Ok(read(main, Body::of_document(&styles, notes))?.into_markdown())
}

/// Reads a part with text.
fn read<'s>(part: Source<'_, '_>, mut body: Body<'s>) -> Result<Body<'s>, Unusable> {
    events(part, |event, element| match event {
        Event::Start(tag) => body.begin(element, tag),
        Event::Empty(tag) => {
            body.begin(element, tag);
            body.end(element);
        }
        Event::End(_) => body.end(element),
        Event::Text(text) => body.push(&text.xml_content(XmlVersion::Implicit1_0)),
        Event::CData(text) => body.push(&text.xml_content(XmlVersion::Implicit1_0)),
        Event::GeneralRef(entity) => match entity.resolve_char_ref() {
            Ok(Some(c)) => body.push(c.encode_utf8(&mut [0; 4])),
            _ => body.push(resolve_predefined_entity(entity).unwrap_or_default()),
        },
        _ => {}
    })?;
    Ok(body)
}

fn damaged(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Unusable {
    Unusable::Damaged(FORMAT, error.into())
}

/// Calls `visit` with every event of a part, within the limits, and with what its element means.
fn events(part: Source<'_, '_>, mut visit: impl FnMut(&Event<'_>, Element)) -> Result<(), Unusable> {
    let mut part = NsReader::from_reader(part);
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
        visit(&event, Element::of(&event, part.resolver()));
        buffer.clear();
    }
}

/// An attribute by its name without a prefix.
fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes();
    let mut valid = attributes.with_checks(false).filter_map(Result::ok);
    let attribute = valid.find(|attribute| attribute.key.local_name().as_ref() == name)?;
    Some(attribute.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned())
}

/// Whether an element that switches something on does so: it can say that it does not.
fn is_on(tag: &BytesStart<'_>) -> bool {
    !matches!(attribute(tag, "val").as_deref(), Some("0" | "false" | "off"))
}

#[cfg(test)]
mod tests;
