//! How large the lines of a PDF are, as far as it can be told: without it, the text has no headings
//! and is whole all the same.

use std::collections::HashMap;
use std::io::{BufReader, Read as _};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::tool::{PROGRAM, Tool};
use super::xml;

/// The most that is read of the program's layout, in bytes: about 100 a word.
const MAX_LAYOUT_BYTES: u64 = 96 * 1024 * 1024;

/// The sizes of lines, by page and by their text without spaces.
#[derive(Debug, Default)]
pub(super) struct Sizes(HashMap<(usize, String), u16>);

impl Sizes {
    /// Asks the program for the layout of up to `pages` pages.
    pub(super) fn read(file: &[u8], pages: usize) -> Self {
        let pages = pages.to_string();
        let Ok(mut tool) = Tool::start(PROGRAM, None, &["-bbox-layout", "-q", "-enc", "UTF-8", "-l", &pages], file)
        else {
            return Self::default();
        };
        let mut sizes = Self::default();
        // What was read until an error stands.
        let _ = sizes.learn(BufReader::new(tool.output().take(MAX_LAYOUT_BYTES)));
        sizes
    }

    /// The size of a line in half points; 0 if unknown.
    pub(super) fn of(&self, page: usize, line: &str) -> u16 {
        self.0.get(&(page, key(line))).copied().unwrap_or(0)
    }

    pub(super) fn learn(&mut self, layout: impl std::io::BufRead) -> Result<(), quick_xml::Error> {
        let mut layout = Reader::from_reader(layout);
        layout.config_mut().check_end_names = false;
        let (mut buffer, mut page, mut line) = (Vec::new(), 0_usize, String::new());
        let mut heights: Vec<f32> = Vec::new();
        let mut in_word = false;
        loop {
            match layout.read_event_into(&mut buffer)? {
                Event::Eof => return Ok(()),
                Event::Start(tag) => match tag.name().as_ref() {
                    "line" => (line.clear(), heights.clear()).0,
                    "word" => {
                        in_word = true;
                        heights.extend(height(&tag));
                    }
                    _ => {}
                },
                Event::End(tag) => match tag.name().as_ref() {
                    "word" => in_word = false,
                    "line" => self.note(page, &line, &mut heights),
                    "page" => page += 1,
                    _ => {}
                },
                event if in_word => xml::push_text(&mut line, &event),
                _ => {}
            }
            buffer.clear();
        }
    }

    /// Keeps the size of most words of a line.
    fn note(&mut self, page: usize, line: &str, heights: &mut [f32]) {
        heights.sort_unstable_by(f32::total_cmp);
        let Some(&height) = heights.get(heights.len() / 2) else { return };
        self.0.insert((page, key(line)), rounded(height));
    }
}

fn height(word: &BytesStart<'_>) -> Option<f32> {
    let number = |name: &str| word.try_get_attribute(name).ok()??.value.parse::<f32>().ok();
    Some((number("yMax")? - number("yMin")?).abs())
}

fn key(line: &str) -> String {
    line.chars().filter(|c| !c.is_whitespace()).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
fn rounded(height: f32) -> u16 {
    (height * 2.0).round().clamp(0.0, 10_000.0) as u16
}
