//! The outline of a PDF, its bookmarks: the lines that it names are headings, however large they
//! are. poppler's `pdftohtml` prints it beside the pages; only the first page is asked for. A file
//! without one is read all the same, and so is one whose outline fits nothing.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read as _};

use copydesk_words::unicode;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::tool::Tool;
use super::{Line, Place, xml};

const PROGRAM: &str = "pdftohtml";
/// The processor time that the program may take, in seconds. It needs some milliseconds: an outline
/// is no reason to lose a text.
const MAX_SECONDS: u8 = 2;
/// The most that is read of what the program prints, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// The most entries that are looked for.
const MAX_ITEMS: usize = 5_000;
/// The longest entry that may be a heading, in letters and figures.
const MAX_TITLE_CHARS: usize = 240;
/// The most lines of a heading.
const MAX_LINES: usize = 4;
/// The longest number in front of a heading, in bytes ("XVIII.", "12.3.10").
const MAX_NUMBER_BYTES: usize = 8;

/// An entry of the outline.
#[derive(Debug, PartialEq, Eq)]
struct Item {
    title: String,
    /// Counted from 0.
    page: usize,
    /// How many entries it is within.
    depth: usize,
}

/// The entries that name a page, in order.
#[derive(Debug, Default)]
pub(super) struct Outline(Vec<Item>);

impl Outline {
    /// Asks the program for the outline, if there may be one.
    pub(super) fn read(file: &[u8]) -> Self {
        let arguments = ["-xml", "-i", "-q", "-nodrm", "-enc", "UTF-8", "-f", "1", "-l", "1", "-stdout"];
        let mut outline = Self::default();
        if may_have_one(file)
            && let Ok(mut tool) = Tool::start(PROGRAM, Some(MAX_SECONDS), &arguments, file)
        {
            // What was read until an error stands.
            let _ = outline.learn(BufReader::new(tool.output().take(MAX_BYTES)));
        }
        outline
    }

    pub(super) fn learn(&mut self, printed: impl BufRead) -> Result<(), quick_xml::Error> {
        let mut printed = Reader::from_reader(printed);
        printed.config_mut().check_end_names = false;
        let (mut buffer, mut depth, mut page, mut title) = (Vec::new(), 0_usize, None, String::new());
        while self.0.len() < MAX_ITEMS {
            match printed.read_event_into(&mut buffer)? {
                Event::Eof => break,
                Event::Start(tag) if tag.name().as_ref() == "outline" => depth += 1,
                Event::End(tag) if tag.name().as_ref() == "outline" => depth = depth.saturating_sub(1),
                Event::Start(tag) if tag.name().as_ref() == "item" => (page, title) = (page_of(&tag), String::new()),
                Event::End(tag) if tag.name().as_ref() == "item" => {
                    let title = std::mem::take(&mut title);
                    self.0.extend(page.take().map(|page| Item { title, page, depth }));
                }
                event if page.is_some() => xml::push_text(&mut title, &event),
                _ => {}
            }
            buffer.clear();
        }
        Ok(())
    }

    /// Marks the lines that the outline names: each entry at most one heading of its page, and the
    /// largest of those that say the same.
    pub(super) fn mark(&self, pages: &mut [Vec<Line>]) {
        let mut of_pages: HashMap<usize, Vec<&Item>> = HashMap::new();
        self.0.iter().for_each(|item| of_pages.entry(item.page).or_default().push(item));
        for (number, items) in of_pages {
            if let Some(lines) = pages.get_mut(number) {
                mark_page(lines, &items);
            }
        }
    }
}

/// Whether the file may have an outline. Its name may be packed.
fn may_have_one(file: &[u8]) -> bool {
    let has = |name: &[u8]| file.windows(name.len()).any(|bytes| bytes == name);
    has(b"/Outlines") || has(b"/ObjStm")
}

fn page_of(item: &BytesStart<'_>) -> Option<usize> {
    let page: usize = item.try_get_attribute("page").ok()??.value.parse().ok()?;
    page.checked_sub(1)
}

/// Marks the lines of a page that `items` name.
fn mark_page(lines: &mut [Line], items: &[&Item]) {
    let titles: Vec<Key> = items.iter().map(|item| Key::of(&item.title)).collect();
    let mut found = Found::new(lines, &titles);
    let mut taken = HashSet::new();
    for (item, title) in items.iter().zip(&titles) {
        let Some(place) = found.take(title, &taken) else { continue };
        for at in place.first..place.first + place.lines {
            taken.insert(at);
            lines[at].place = Some(if at == place.first { Place::Begins(item.depth) } else { Place::GoesOn });
        }
    }
}

/// What is compared of a title or line: its letters and figures.
#[derive(Debug, Default)]
struct Key {
    whole: String,
    /// The same without the number in front: many outlines leave it out.
    without_number: Option<String>,
}

impl Key {
    fn of(text: &str) -> Self {
        let text = unicode::comparable(text);
        let letters = |text: &str| -> String {
            text.chars()
                .filter(|c| c.is_alphanumeric())
                .take(MAX_TITLE_CHARS + 1)
                .flat_map(char::to_lowercase)
                .collect()
        };
        let (first, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        Self { whole: letters(&text), without_number: is_number(first).then(|| letters(rest)) }
    }

    fn both(&self) -> impl Iterator<Item = &String> {
        [Some(&self.whole), self.without_number.as_ref()].into_iter().flatten()
    }

    /// What a title is looked for as: not at all without letters, or if it is no heading by its length.
    fn of_title(&self) -> impl Iterator<Item = &String> {
        self.both().filter(|key| key.contains(char::is_alphabetic) && key.chars().count() <= MAX_TITLE_CHARS)
    }

    /// Goes on with the key of the next line.
    fn extend(&mut self, next: &Self, is_first: bool) {
        self.whole.push_str(&next.whole);
        match &mut self.without_number {
            None if is_first => self.without_number.clone_from(&next.without_number),
            rest => rest.iter_mut().for_each(|rest| rest.push_str(&next.whole)),
        }
    }
}

/// Whether a word is the number of a heading: "3", "2.10", "IV.", "b)".
fn is_number(word: &str) -> bool {
    let inner = word.trim_end_matches(['.', ')']);
    let is_counted = inner.len() < word.len() && (inner.len() == 1 || inner.chars().all(|c| "IVXLC".contains(c)));
    word.len() <= MAX_NUMBER_BYTES && (word.contains(|c: char| c.is_ascii_digit()) || is_counted)
}

/// Lines that may be a heading.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    first: usize,
    lines: usize,
    size: u16,
}

impl Stretch {
    /// The greatest is taken: the first of the largest lines.
    fn rank(&self) -> (u16, Reverse<usize>) {
        (self.size, Reverse(self.first))
    }

    fn is_taken(&self, taken: &HashSet<usize>) -> bool {
        (self.first..self.first + self.lines).any(|at| taken.contains(&at))
    }
}

/// The lines of a page that say what a title says, by their letters. The best ones come last.
#[derive(Debug, Default)]
struct Found(HashMap<String, Vec<Stretch>>);

impl Found {
    fn new(lines: &[Line], titles: &[Key]) -> Self {
        let wanted: HashSet<&String> = titles.iter().flat_map(Key::of_title).collect();
        let keys: Vec<Key> = lines.iter().map(|line| Key::of(&line.text)).collect();
        let mut found = Self::default();
        for first in 0..lines.len() {
            found.look_from(first, lines, &keys, &wanted);
        }
        found.0.values_mut().for_each(|places| places.sort_by_key(Stretch::rank));
        found
    }

    /// Looks at a line, and at those that it may go on in.
    fn look_from(&mut self, first: usize, lines: &[Line], keys: &[Key], wanted: &HashSet<&String>) {
        let (mut text, mut place) = (Key::default(), Stretch { first, lines: 0, size: 0 });
        for (line, key) in lines[first..].iter().zip(&keys[first..]).take(MAX_LINES) {
            // A number may stand apart from its heading.
            let is_number = || text.without_number.as_deref() == Some("") && place.size == line.size;
            if place.lines > 0 && line.begins_paragraph && !is_number() {
                break;
            }
            text.extend(key, place.lines == 0);
            place = Stretch { lines: place.lines + 1, size: place.size.max(line.size), ..place };
            for key in text.both().filter(|key| wanted.contains(key)) {
                self.0.entry(key.clone()).or_default().push(place);
            }
        }
    }

    /// Takes the best lines for a title of which none is `taken`.
    fn take(&mut self, title: &Key, taken: &HashSet<usize>) -> Option<Stretch> {
        let mut best: Option<(&String, Stretch)> = None;
        for key in title.of_title() {
            let Some(places) = self.0.get_mut(key) else { continue };
            while places.pop_if(|place| place.is_taken(taken)).is_some() {}
            let place = places.last().copied();
            let is_better = |place: &Stretch| best.is_none_or(|(_, best)| place.rank() > best.rank());
            best = place.filter(is_better).map(|place| (key, place)).or(best);
        }
        let (key, _) = best?;
        self.0.get_mut(key)?.pop()
    }
}

#[cfg(test)]
mod tests;
