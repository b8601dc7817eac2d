//! What the styles of a Word file say of their text.

use std::collections::HashMap;

use quick_xml::events::{BytesStart, Event};

use super::element::Element;
use super::package::Source;
use super::{attribute, events, is_on};
use crate::Unusable;

/// The styles by their ids, which are in the author's language; the names are English.
pub(super) type Styles = HashMap<String, Style>;

/// The longest chain of styles that are based on each other.
const MAX_CHAIN: usize = 20;

/// A style. What is `None` is as in the style that it is based on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Style {
    /// The level of a heading, from 1; 0 for body text.
    pub(super) level: Option<usize>,
    pub(super) is_hidden: Option<bool>,
    pub(super) is_list: Option<bool>,
}

impl Style {
    fn or(self, other: Self) -> Self {
        Self {
            level: self.level.or(other.level),
            is_hidden: self.is_hidden.or(other.is_hidden),
            is_list: self.is_list.or(other.is_list),
        }
    }
}

#[derive(Default)]
struct Definition {
    style: Style,
    based_on: Option<String>,
}

pub(super) fn read(part: Source<'_, '_>) -> Result<Styles, Unusable> {
    let mut definitions: HashMap<String, Definition> = HashMap::new();
    let mut open: Option<(String, Definition)> = None;
    events(part, |event, element| match (event, element) {
        (Event::Start(tag), Element::Style) => open = attribute(tag, "styleId").map(|id| (id, Definition::default())),
        (Event::End(_), Element::Style) => definitions.extend(open.take()),
        (Event::Start(tag) | Event::Empty(tag), element) => {
            if let Some((_, definition)) = &mut open {
                definition.note(element, tag);
            }
        }
        _ => {}
    })?;
    Ok(definitions.keys().map(|id| (id.clone(), resolved(&definitions, id))).collect())
}

impl Definition {
    fn note(&mut self, element: Element, tag: &BytesStart<'_>) {
        match element {
            // The name of a heading wins over a level that is given.
            Element::StyleName => {
                self.style.level = attribute(tag, "val").and_then(|name| level(&name)).or(self.style.level);
            }
            Element::OutlineLevel => self.style.level = self.style.level.or_else(|| outline_level(tag)),
            Element::BasedOn => self.based_on = attribute(tag, "val"),
            Element::Hidden => self.style.is_hidden = Some(is_on(tag)),
            Element::ListItem => self.style.is_list = Some(true),
            _ => {}
        }
    }
}

fn resolved(definitions: &HashMap<String, Definition>, id: &str) -> Style {
    let mut style = Style::default();
    let mut next = definitions.get(id);
    for _ in 0..MAX_CHAIN {
        let Some(definition) = next else { break };
        style = style.or(definition.style);
        next = definition.based_on.as_ref().and_then(|id| definitions.get(id));
    }
    style
}

/// The level of the heading style with this name or usual id.
pub(super) fn level(name: &str) -> Option<usize> {
    let name = name.to_ascii_lowercase();
    if name == "title" {
        return Some(1);
    }
    let level = name.strip_prefix("heading")?.trim().parse().ok()?;
    (1..=6).contains(&level).then_some(level)
}

/// The level that an outline gives, from 1; 0 for body text.
pub(super) fn outline_level(tag: &BytesStart<'_>) -> Option<usize> {
    let level: usize = attribute(tag, "val")?.parse().ok()?;
    // Markdown has six levels; 9 is body text.
    Some(if level >= 9 { 0 } else { (level + 1).min(6) })
}
