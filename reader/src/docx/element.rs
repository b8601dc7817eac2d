//! What the elements of a Word file mean. They are told by their namespace, whatever its prefix; an
//! unknown namespace counts as the one for which its prefix is usual.

use quick_xml::events::Event;
use quick_xml::name::{NamespaceResolver, QName, ResolveResult};

/// The meaning of an element; [`Other`](Self::Other) for those that only contain others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Paragraph,
    ParagraphProperties,
    ParagraphStyle,
    OutlineLevel,
    ListItem,
    Run,
    RunStyle,
    Hidden,
    Text,
    Tab,
    Break,
    NoBreakHyphen,
    Table,
    Row,
    Cell,
    TextBox,
    /// A foot- or endnote.
    Note,
    FootnoteReference,
    EndnoteReference,
    Style,
    StyleName,
    BasedOn,
    /// What must not be read: deleted text, text at the place that it was moved from, the reading
    /// aid above a character, and what stands for the choice before it.
    Left,
    Other,
}

#[derive(Clone, Copy)]
enum Vocabulary {
    Word,
    Compatibility,
    Math,
    Unknown,
}

impl Vocabulary {
    fn of(name: QName<'_>, resolver: &NamespaceResolver) -> Self {
        if let (ResolveResult::Bound(namespace), _) = resolver.resolve_element(name) {
            // The second of each pair is that of "strict" files.
            let known = match namespace.0 {
                "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
                | "http://purl.oclc.org/ooxml/wordprocessingml/main" => Some(Self::Word),
                "http://schemas.openxmlformats.org/officeDocument/2006/math"
                | "http://purl.oclc.org/ooxml/officeDocument/math" => Some(Self::Math),
                "http://schemas.openxmlformats.org/markup-compatibility/2006" => Some(Self::Compatibility),
                _ => None,
            };
            if let Some(known) = known {
                return known;
            }
        }
        match name.prefix().map(|prefix| prefix.into_inner()) {
            Some("w") => Self::Word,
            Some("m") => Self::Math,
            Some("mc") => Self::Compatibility,
            _ => Self::Unknown,
        }
    }
}

impl Element {
    pub(super) fn of(event: &Event<'_>, resolver: &NamespaceResolver) -> Self {
        let name = match event {
            Event::Start(tag) | Event::Empty(tag) => tag.name(),
            Event::End(tag) => tag.name(),
            _ => return Self::Other,
        };
        match (Vocabulary::of(name, resolver), name.local_name().into_inner()) {
            (Vocabulary::Word, name) => Self::of_word(name),
            (Vocabulary::Math, "t") => Self::Text,
            (Vocabulary::Compatibility, "Fallback") => Self::Left,
            _ => Self::Other,
        }
    }

    fn of_word(name: &str) -> Self {
        match name {
            "p" => Self::Paragraph,
            "pPr" => Self::ParagraphProperties,
            "pStyle" => Self::ParagraphStyle,
            "outlineLvl" => Self::OutlineLevel,
            "numPr" => Self::ListItem,
            "r" => Self::Run,
            "rStyle" => Self::RunStyle,
            "vanish" => Self::Hidden,
            "t" => Self::Text,
            "tab" | "ptab" => Self::Tab,
            "br" | "cr" => Self::Break,
            "noBreakHyphen" => Self::NoBreakHyphen,
            "tbl" => Self::Table,
            "tr" => Self::Row,
            "tc" => Self::Cell,
            "txbxContent" => Self::TextBox,
            "footnote" | "endnote" => Self::Note,
            "footnoteReference" => Self::FootnoteReference,
            "endnoteReference" => Self::EndnoteReference,
            "style" => Self::Style,
            "name" => Self::StyleName,
            "basedOn" => Self::BasedOn,
            "del" | "moveFrom" | "rt" => Self::Left,
            _ => Self::Other,
        }
    }
}
