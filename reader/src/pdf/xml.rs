//! The text in the XML that poppler's programs print.

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

/// Adds the characters of an event, if it has any.
pub(super) fn push_text(text: &mut String, event: &Event<'_>) {
    match event {
        Event::Text(characters) => text.push_str(&characters.xml_content(XmlVersion::Implicit1_0)),
        Event::GeneralRef(entity) => match entity.resolve_char_ref() {
            Ok(Some(c)) => text.push(c),
            _ => text.push_str(resolve_predefined_entity(entity).unwrap_or_default()),
        },
        _ => {}
    }
}
