//! Extracts the lines of text on one page of a PDF from its drawing commands.

use std::collections::HashMap;

use lopdf::content::{Content, Operation};
use lopdf::{Dictionary, Document, Encoding, Object, ObjectId};

use super::Unusable;

/// The most that a font's character table may unpack to, in bytes, and the most fonts that are
/// read.
const MAX_FONT_BYTES: usize = 1024 * 1024;
const MAX_FONTS: usize = 500;
/// A move down by this share of the font size begins a line; by the second one, a paragraph.
const LINE_STEP: f32 = 0.4;
const PARAGRAPH_STEP: f32 = 1.7;
/// A gap of this share of the font size is a space between words.
const SPACE: f32 = 0.18;
/// The width of a character that the font does not specify, as a share of the font size.
const USUAL_WIDTH: f32 = 0.5;

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) text: String,
    /// The font size in points.
    pub(super) size: f32,
    pub(super) begins_paragraph: bool,
}

/// A document's fonts, each read once.
pub(super) struct Fonts<'a> {
    document: &'a Document,
    known: HashMap<*const Dictionary, Option<Font<'a>>>,
}

struct Font<'a> {
    encoding: Encoding<'a>,
    first_code: usize,
    /// The widths of characters, in thousandths of the font size.
    widths: Vec<f32>,
}

impl<'a> Fonts<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        Self { document, known: HashMap::new() }
    }

    fn learn(&mut self, dictionary: &'a Dictionary) -> *const Dictionary {
        let id = std::ptr::from_ref(dictionary);
        if self.known.len() < MAX_FONTS && !self.known.contains_key(&id) {
            self.known.insert(id, Font::read(self.document, dictionary));
        }
        id
    }
}

impl<'a> Font<'a> {
    fn read(document: &'a Document, dictionary: &'a Dictionary) -> Option<Self> {
        let encoding = dictionary.get_font_encoding_with_limit(document, MAX_FONT_BYTES).ok()?;
        let first_code = dictionary.get_deref(b"FirstChar", document).and_then(Object::as_i64).unwrap_or(0);
        let widths = dictionary.get_deref(b"Widths", document).and_then(Object::as_array);
        let widths = widths.map(|widths| widths.iter().map(|width| width.as_float().unwrap_or(500.0)).collect());
        Some(Self {
            encoding,
            first_code: usize::try_from(first_code).unwrap_or(0),
            widths: widths.unwrap_or_default(),
        })
    }

    /// A string's text, and its width as a share of the font size.
    fn show(&self, bytes: &[u8]) -> (String, f32) {
        let text = self.encoding.bytes_to_string(bytes).unwrap_or_default();
        let width = if self.widths.is_empty() {
            text.chars().map(|_| USUAL_WIDTH).sum()
        } else {
            let width = |code: usize| self.widths.get(code.checked_sub(self.first_code)?).map(|width| width / 1000.0);
            bytes.iter().map(|&byte| width(byte.into()).unwrap_or(USUAL_WIDTH)).sum()
        };
        (text, width)
    }
}

/// The lines of a page with the drawing commands `content`. Stops at `max_bytes` of text.
pub(super) fn lines<'a>(
    fonts: &mut Fonts<'a>,
    page: ObjectId,
    content: &[u8],
    max_bytes: usize,
) -> Result<Vec<Line>, Unusable> {
    let on_page = fonts.document.get_page_fonts(page).unwrap_or_default();
    let by_name = on_page.into_iter().map(|(name, dictionary)| (name, fonts.learn(dictionary))).collect();
    let operations = Content::decode(content).map_err(super::refused)?.operations;
    let mut pen = Pen::new(fonts, by_name);
    for operation in &operations {
        pen.follow(operation);
        if pen.bytes > max_bytes {
            return Err(Unusable::TooLarge(super::MAX_TEXT_BYTES as u64));
        }
    }
    Ok(pen.finish())
}

/// A 2×3 matrix, as in the file: `[a b c d e f]`.
type Matrix = [f32; 6];
const IDENTITY: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

/// The product: applies `first`, then `then`.
fn product(first: Matrix, then: Matrix) -> Matrix {
    let [a, b, c, d, e, f] = first;
    let [ta, tb, tc, td, te, tf] = then;
    [a * ta + b * tc, a * tb + b * td, c * ta + d * tc, c * tb + d * td, e * ta + f * tc + te, e * tb + f * td + tf]
}

/// The most graphics states on the stack.
const MAX_SAVED: usize = 64;

/// Interprets the drawing commands.
struct Pen<'a, 'f> {
    fonts: &'f Fonts<'a>,
    by_name: HashMap<Vec<u8>, *const Dictionary>,
    font: Option<*const Dictionary>,
    size: f32,
    leading: f32,
    page: Matrix,
    saved: Vec<Matrix>,
    line: Matrix,
    text: Matrix,
    /// The position on the page where the last text ended.
    end: Option<(f32, f32)>,
    lines: Vec<Line>,
    bytes: usize,
}

impl<'a, 'f> Pen<'a, 'f> {
    fn new(fonts: &'f Fonts<'a>, by_name: HashMap<Vec<u8>, *const Dictionary>) -> Self {
        let (page, line, text) = (IDENTITY, IDENTITY, IDENTITY);
        let (font, size, leading, end) = (None, 1.0, 0.0, None);
        Self {
            fonts,
            by_name,
            font,
            size,
            leading,
            page,
            saved: Vec::new(),
            line,
            text,
            end,
            lines: Vec::new(),
            bytes: 0,
        }
    }

    fn follow(&mut self, operation: &Operation) {
        let operands = &operation.operands;
        let number = |at: usize| operands.get(at).and_then(|operand| operand.as_float().ok()).unwrap_or(0.0);
        let matrix = || [number(0), number(1), number(2), number(3), number(4), number(5)];
        match operation.operator.as_str() {
            "q" if self.saved.len() < MAX_SAVED => self.saved.push(self.page),
            "Q" => self.page = self.saved.pop().unwrap_or(self.page),
            "cm" => self.page = product(matrix(), self.page),
            "BT" => (self.line, self.text) = (IDENTITY, IDENTITY),
            "Tf" => {
                let name = operands.first().and_then(|name| name.as_name().ok());
                self.font = name.and_then(|name| self.by_name.get(name).copied());
                self.size = number(1);
            }
            "TL" => self.leading = number(0),
            "Tm" => (self.line, self.text) = (matrix(), matrix()),
            "Td" => self.step(number(0), number(1)),
            "TD" => {
                self.leading = -number(1);
                self.step(number(0), number(1));
            }
            "T*" => self.step(0.0, -self.leading),
            "Tj" | "TJ" => operands.iter().for_each(|operand| self.show(operand)),
            "'" | "\"" => {
                self.step(0.0, -self.leading);
                operands.iter().filter(|operand| operand.as_str().is_ok()).for_each(|operand| self.show(operand));
            }
            _ => {}
        }
    }

    fn step(&mut self, x: f32, y: f32) {
        self.line = product([1.0, 0.0, 0.0, 1.0, x, y], self.line);
        self.text = self.line;
    }

    fn show(&mut self, operand: &Object) {
        match operand {
            Object::String(bytes, _) => self.write(bytes),
            Object::Array(parts) => {
                parts.iter().filter(|part| !matches!(part, Object::Array(_))).for_each(|part| self.show(part));
            }
            moved => self.advance(-moved.as_float().unwrap_or(0.0) / 1000.0),
        }
    }

    /// Moves along the line by a share of the font size.
    fn advance(&mut self, share: f32) {
        self.text = product([1.0, 0.0, 0.0, 1.0, share * self.size, 0.0], self.text);
    }

    fn write(&mut self, bytes: &[u8]) {
        let font = self.font.and_then(|id| self.fonts.known.get(&id)).and_then(Option::as_ref);
        let Some((text, width)) = font.map(|font| font.show(bytes)) else { return };
        let [_, _, c, d, x, y] = product(self.text, self.page);
        let size = self.size.abs() * c.hypot(d);
        if !(size.is_finite() && x.is_finite() && y.is_finite()) {
            return;
        }
        self.place(x, y, size);
        self.bytes += text.len();
        if let Some(line) = self.lines.last_mut() {
            line.text.extend(text.chars().filter(|c| !c.is_control()));
            line.size = line.size.max(size);
        }
        self.advance(width);
        let [.., end_x, end_y] = product(self.text, self.page);
        self.end = Some((end_x, end_y));
    }

    /// Begins a line, or adds a space if there is a gap.
    fn place(&mut self, x: f32, y: f32, size: f32) {
        let Some((end_x, end_y)) = self.end.filter(|_| !self.lines.is_empty()) else {
            self.lines.push(Line { text: String::new(), size, begins_paragraph: true });
            return;
        };
        if (end_y - y).abs() > LINE_STEP * size {
            let begins_paragraph = (end_y - y).abs() > PARAGRAPH_STEP * size;
            self.lines.push(Line { text: String::new(), size, begins_paragraph });
        } else if (x - end_x).abs() > SPACE * size
            && let Some(line) = self.lines.last_mut()
            && !line.text.ends_with(' ')
        {
            line.text.push(' ');
        }
    }

    fn finish(self) -> Vec<Line> {
        self.lines.into_iter().filter(|line| !line.text.trim().is_empty()).collect()
    }
}
