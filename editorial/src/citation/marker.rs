//! `[n]` in a text, and the sentence before it.

use crate::text::sentence;

/// `[3]` or `[1, 2]` in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Its position.
    pub start: usize,
    /// The position after its bracket.
    pub end: usize,
    /// The numbers of the passages.
    pub numbers: Vec<u16>,
}

/// The citations of a text. `[1](https://…)` is a link, not a citation.
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

/// The sentence before a citation at `at`. The citation may be before or after the full stop.
pub fn sentence_before(text: &str, at: usize) -> &str {
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[line_start..at];
    // Skips other citations of the same sentence, and its full stop if that comes first.
    let body = line.trim_end_matches(|c: char| c.is_ascii_digit() || "[],; ".contains(c));
    let body = body.trim_end_matches(|c| ['"', '”', '*', '_', '」', '』'].contains(&c) || sentence::MARKS.contains(&c));
    let start = sentence::ends(body).filter(|&end| end < body.len()).last().unwrap_or(0);
    &body[start..]
}
