//! The text of a Word file as it is put together.
//!
//! Elements nest: a table stands in a cell, a text box in the middle of a sentence. Each element
//! that holds text has a frame on a stack; at its end, what it holds goes to the frame around it.

use std::mem::take;

use quick_xml::events::BytesStart;

use super::element::Element;
use super::notes::Notes;
use super::package::Part;
use super::styles::{Style, Styles, level, outline_level};
use super::{attribute, is_on};

/// What is being read.
#[derive(Debug)]
enum Frame {
    /// Paragraphs and tables one after the other: the document, or a text box.
    Story(Story),
    /// The same of a foot- or endnote.
    Note(Note, Story),
    Paragraph(Paragraph),
    /// The rows so far.
    Table(Vec<String>),
    /// The cells so far.
    Row(Vec<String>),
    /// The paragraphs and tables so far.
    Cell(Vec<String>),
}

#[derive(Debug)]
struct Note {
    id: Option<String>,
    /// Whether it is one, and not a line that separates notes from the text.
    is_text: bool,
}

#[derive(Debug, Default)]
struct Story {
    markdown: String,
    ends_with_item: bool,
}

impl Story {
    fn push(&mut self, text: &str) {
        if self.ends_with_item {
            self.markdown.push('\n');
        }
        self.ends_with_item = false;
        self.markdown.push_str(text);
        self.markdown.push_str("\n\n");
    }

    fn push_item(&mut self, text: &str) {
        self.ends_with_item = true;
        self.markdown.push_str("- ");
        self.markdown.push_str(text);
        self.markdown.push('\n');
    }
}

#[derive(Debug, Default)]
struct Paragraph {
    text: String,
    style: Style,
    /// The text boxes within it.
    boxes: Vec<String>,
}

/// The text that is being read.
#[derive(Debug)]
pub(super) struct Body<'s> {
    styles: &'s Styles,
    frames: Vec<Frame>,
    /// The notes: those of the document that were not referred to yet, or those read so far.
    pub(super) notes: Notes,
    /// The notes of the paragraph or table that is being read.
    referred: Vec<String>,
    /// In which part notes are being read.
    part: Part,
    in_paragraph_properties: bool,
    /// Whether the run's text is hidden; `None` outside runs.
    run: Option<bool>,
    /// Whether the position is within a text: other text is not content.
    in_text: bool,
    /// The depth inside elements that must not be read.
    left: usize,
}

impl<'s> Body<'s> {
    pub(super) fn of_document(styles: &'s Styles, notes: Notes) -> Self {
        Self::new(styles, notes, Part::Main)
    }

    pub(super) fn of_notes(styles: &'s Styles, notes: Notes, part: Part) -> Self {
        Self::new(styles, notes, part)
    }

    fn new(styles: &'s Styles, notes: Notes, part: Part) -> Self {
        Self {
            styles,
            frames: vec![Frame::Story(Story::default())],
            notes,
            referred: Vec::new(),
            part,
            in_paragraph_properties: false,
            run: None,
            in_text: false,
            left: 0,
        }
    }

    pub(super) fn into_markdown(self) -> String {
        let Some(Frame::Story(mut story)) = self.frames.into_iter().next() else { return String::new() };
        self.notes.rest().for_each(|note| story.push(&note));
        story.markdown
    }

    pub(super) fn begin(&mut self, element: Element, tag: &BytesStart<'_>) {
        // A text box is as hidden as the run that it stands in.
        let is_hidden_box = element == Element::TextBox && self.run == Some(true);
        if element == Element::Left || self.left > 0 || is_hidden_box {
            self.left += 1;
            // The notes of what must not be read must not be read either.
            match element {
                Element::FootnoteReference => drop(self.note(Part::Footnotes, tag)),
                Element::EndnoteReference => drop(self.note(Part::Endnotes, tag)),
                _ => {}
            }
            return;
        }
        match element {
            Element::Paragraph => self.frames.push(Frame::Paragraph(Paragraph::default())),
            Element::Table => self.frames.push(Frame::Table(Vec::new())),
            Element::Row => self.frames.push(Frame::Row(Vec::new())),
            Element::Cell => self.frames.push(Frame::Cell(Vec::new())),
            Element::TextBox => self.frames.push(Frame::Story(Story::default())),
            Element::Note => self.begin_note(tag),
            Element::Run => self.run = Some(self.style().is_hidden == Some(true)),
            Element::Text => self.in_text = true,
            Element::ParagraphProperties => self.in_paragraph_properties = true,
            Element::FootnoteReference => self.refer(Part::Footnotes, tag),
            Element::EndnoteReference => self.refer(Part::Endnotes, tag),
            Element::Tab | Element::Break => self.write(" "),
            Element::NoBreakHyphen => self.write("-"),
            _ => self.mark(element, tag),
        }
    }

    /// Notes a property of the paragraph or run.
    fn mark(&mut self, element: Element, tag: &BytesStart<'_>) {
        // The properties of the mark at a paragraph's end are none of its text.
        if !self.in_paragraph_properties {
            match element {
                Element::RunStyle => {
                    let style = attribute(tag, "val").and_then(|id| self.styles.get(&id));
                    self.run = style.and_then(|style| style.is_hidden).or(self.run);
                }
                Element::Hidden => self.run = self.run.map(|_| is_on(tag)),
                _ => {}
            }
            return;
        }
        let styles = self.styles;
        let Some(paragraph) = self.paragraph() else { return };
        match element {
            Element::ParagraphStyle => {
                let id = attribute(tag, "val").unwrap_or_default();
                let usual = || Style { level: level(&id), ..Style::default() };
                paragraph.style = styles.get(&id).copied().unwrap_or_else(usual);
            }
            Element::OutlineLevel => paragraph.style.level = outline_level(tag),
            Element::ListItem => paragraph.style.is_list = Some(true),
            _ => {}
        }
    }

    pub(super) fn end(&mut self, element: Element) {
        if self.left > 0 {
            self.left -= 1;
            return;
        }
        match element {
            Element::Run => self.run = None,
            Element::Text => self.in_text = false,
            Element::ParagraphProperties => self.in_paragraph_properties = false,
            Element::Paragraph | Element::Table | Element::Row | Element::Cell | Element::TextBox | Element::Note => {
                // The document's own frame is no element's.
                if self.frames.len() > 1
                    && let Some(frame) = self.frames.pop()
                {
                    self.close(frame);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, frame: Frame) {
        match frame {
            Frame::Paragraph(paragraph) => self.close_paragraph(paragraph),
            Frame::Cell(parts) => match self.frames.last_mut() {
                Some(Frame::Row(cells)) => cells.push(parts.join(" ")),
                _ => self.block(&parts.join(" ")),
            },
            Frame::Row(cells) => {
                let row = cells.join(" | ");
                let row = row.trim_end_matches([' ', '|']);
                match self.frames.last_mut() {
                    Some(Frame::Table(rows)) if !row.is_empty() => rows.push(row.to_owned()),
                    Some(Frame::Table(_)) => {}
                    _ => self.block(row),
                }
            }
            Frame::Table(rows) => {
                let is_nested = matches!(self.frames.last(), Some(Frame::Cell(_)));
                // A row of a table within a cell cannot have a line of its own.
                let table = if is_nested { rows.join("; ").replace(" | ", ", ") } else { rows.join("\n") };
                self.block(&table);
                self.tell_notes();
            }
            Frame::Story(story) => match self.frames.iter_mut().rev().find_map(as_paragraph) {
                Some(paragraph) => paragraph.boxes.push(story.markdown),
                None => self.block(story.markdown.trim()),
            },
            Frame::Note(note, story) => {
                let text = story.markdown.trim();
                if note.is_text && !text.is_empty() {
                    self.notes.add(self.part, note.id, text.to_owned());
                }
            }
        }
    }

    fn close_paragraph(&mut self, paragraph: Paragraph) {
        let text = escaped(paragraph.text.trim());
        let level = paragraph.style.level.filter(|&level| level > 0);
        match (self.frames.last_mut(), level) {
            _ if text.is_empty() => {}
            (Some(Frame::Story(story)), Some(level)) => story.push(&format!("{} {text}", "#".repeat(level))),
            (Some(Frame::Story(story) | Frame::Note(_, story)), _) if paragraph.style.is_list == Some(true) => {
                story.push_item(&text);
            }
            _ => self.block(&text),
        }
        for text_box in paragraph.boxes {
            self.block(text_box.trim());
        }
        self.tell_notes();
    }

    /// Adds a paragraph or table to what is around it.
    fn block(&mut self, text: &str) {
        match self.frames.last_mut() {
            _ if text.is_empty() => {}
            Some(Frame::Story(story) | Frame::Note(_, story)) => story.push(text),
            Some(Frame::Cell(parts)) => parts.push(text.replace('\n', " ")),
            Some(Frame::Paragraph(paragraph)) => paragraph.boxes.push(text.to_owned()),
            // Text between cells or rows, where none belongs.
            Some(Frame::Row(parts) | Frame::Table(parts)) => parts.push(text.replace('\n', " ")),
            None => {}
        }
    }

    fn begin_note(&mut self, tag: &BytesStart<'_>) {
        let is_text = matches!(attribute(tag, "type").as_deref(), None | Some("normal"));
        self.frames.push(Frame::Note(Note { id: attribute(tag, "id"), is_text }, Story::default()));
    }

    /// Takes a note along. Once, however often it is referred to.
    fn refer(&mut self, part: Part, tag: &BytesStart<'_>) {
        let note = self.note(part, tag);
        self.referred.extend(note);
    }

    fn note(&mut self, part: Part, tag: &BytesStart<'_>) -> Option<String> {
        attribute(tag, "id").and_then(|id| self.notes.take(part, id))
    }

    /// Adds the notes of what has ended, if it stands between paragraphs.
    fn tell_notes(&mut self) {
        if let Some(Frame::Story(story)) = self.frames.last_mut() {
            take(&mut self.referred).iter().for_each(|note| story.push(note));
        }
    }

    pub(super) fn push(&mut self, text: &str) {
        if self.in_text {
            self.write(text);
        }
    }

    /// Adds to the paragraph, unless it is hidden.
    fn write(&mut self, text: &str) {
        if self.left == 0
            && self.run != Some(true)
            && let Some(paragraph) = self.paragraph()
        {
            paragraph.text.push_str(text);
        }
    }

    fn style(&self) -> Style {
        match self.frames.last() {
            Some(Frame::Paragraph(paragraph)) => paragraph.style,
            _ => Style::default(),
        }
    }

    fn paragraph(&mut self) -> Option<&mut Paragraph> {
        self.frames.last_mut().and_then(as_paragraph)
    }
}

fn as_paragraph(frame: &mut Frame) -> Option<&mut Paragraph> {
    match frame {
        Frame::Paragraph(paragraph) => Some(paragraph),
        _ => None,
    }
}

/// Escapes what would be markup at the beginning of a paragraph.
fn escaped(text: &str) -> String {
    if text.starts_with(['#', '>']) { format!("\\{text}") } else { text.to_owned() }
}
