//! `[n]` in a text, and the sentence that it stands behind.

use crate::text::sentence;

/// `[3]` or `[1, 2]` in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Where it stands.
    pub start: usize,
    /// Behind its bracket.
    pub end: usize,
    /// The passages.
    pub numbers: Vec<u16>,
}

/// The citations of a text. `[1](https://…)` is a link, and left alone.
pub fn markers(text: &str) -> Vec<Marker> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find('[').map(|at| from + at) {
        from = start + 1;
        let Some(end) = text[from..].find([']', '[', '\n']).map(|at| from + at) else { break };
        let is_citation = text[end..].starts_with(']') && !text[end + 1..].starts_with('(');
        let numbers: Option<Vec<u16>> = text[from..end].split([',', ';']).map(|n| n.trim().parse().ok()).collect();
        if let Some(numbers) = numbers.filter(|_| is_citation) {
            found.push(Marker { start, end: end + 1, numbers });
        }
    }
    found
}

/// The sentence that a citation at `at` stands behind: it may stand before the full stop or after.
pub fn sentence_before(text: &str, at: usize) -> &str {
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[line_start..at];
    // Citations of the same sentence, and its full stop, where that comes first.
    let body = line.trim_end_matches(|c: char| c.is_ascii_digit() || "[],; ".contains(c));
    let body = body.trim_end_matches(['.', '!', '?', '"', '”', '*', '_', '。', '！', '？']);
    let start = sentence::ends(body).filter(|&end| end < body.len()).last().unwrap_or(0);
    &body[start..]
}
