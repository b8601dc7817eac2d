//! Characters that would forge a line of a log, or hide a part of one, written as escapes: a name in
//! a document or a message of a stranger's server is shown as it is, and does nothing.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// Whether a terminal or a reader of lines would not show the character, but obey it.
pub(crate) fn is_obeyed(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Separators of lines and paragraphs.
            '\u{2028}' | '\u{2029}'
            // Marks of direction: they change the order in which the others are shown.
            | '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Invisible: marks of width and the byte-order mark.
            | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

/// The text in one line, with escapes such as `\n` and `\u{202e}`.
pub fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 16);
    let _ = fmt::Write::write_str(&mut Escaping(&mut line), text);
    Cow::Owned(line)
}

/// Writes text with such escapes.
pub(super) struct Escaping<W>(pub(super) W);

impl<W: fmt::Write> fmt::Write for Escaping<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(is_obeyed) {
            let (plain, obeyed) = rest.split_at(at);
            self.0.write_str(plain)?;
            let Some(character) = obeyed.chars().next() else { break };
            write!(self.0, "{}", character.escape_default())?;
            rest = &obeyed[character.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

/// Writes lines of JSON, in which such characters stand in strings only, with the escapes of JSON.
pub(super) struct JsonLines<W>(pub(super) W);

impl<W: io::Write> io::Write for JsonLines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let escaped = str::from_utf8(line).ok().and_then(json_line);
        self.0.write_all(escaped.as_ref().map_or(line, |line| line.as_bytes()))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The line with escapes; `None` if it needs none.
fn json_line(line: &str) -> Option<String> {
    // The end of the line is its own; JSON itself has escaped the other ASCII ones.
    let is_obeyed = |character: char| character != '\n' && is_obeyed(character);
    line.contains(is_obeyed).then(|| {
        line.chars().fold(String::with_capacity(line.len() + 16), |mut escaped, character| {
            if is_obeyed(character) {
                escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
            } else {
                escaped.push(character);
            }
            escaped
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each kind.
    const OBEYED: &str = "a\nb\rc\td\u{1b}[31me\u{7f}f\u{9b}g\u{2028}h\u{2029}i\u{202e}j\u{2066}k\u{200f}l\u{feff}m\0";

    #[test]
    fn what_is_obeyed_is_escaped() {
        let line = one_line(OBEYED);
        assert!(!line.contains(is_obeyed), "{line}");
        assert!(line.starts_with("a\\nb\\rc\\td\\u{1b}[31me\\u{7f}f\\u{9b}g\\u{2028}h"), "{line}");
        let plain = "Übersicht “ünî” 日本語 🙂 \\n";
        assert!(matches!(one_line(plain), Cow::Borrowed(same) if same == plain));
    }

    #[test]
    fn json_stays_json() {
        let value = serde_json::json!({ "message": OBEYED });
        let mut written = Vec::new();
        let line = format!("{value}\n");
        let taken = io::Write::write(&mut JsonLines(&mut written), line.as_bytes());
        assert_eq!(taken.ok(), Some(line.len()));
        let text = String::from_utf8(written).unwrap_or_default();
        assert!(text.ends_with("\"}\n") && !text.trim_end().contains(is_obeyed), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).ok(), Some(value));
    }
}
