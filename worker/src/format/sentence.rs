//! Sentences of a text, as rules of punctuation tell them. Knows no abbreviations: a piece too many
//! does less harm to those who count and compare than a sentence too long.

use std::ops::Range;

/// The sentences of a text, where they stand in it. A line break ends one too: headings and list
/// entries have no full stop.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let ends = c == '\n'
            || matches!(c, '。' | '！' | '？')
            || (matches!(c, '.' | '!' | '?') && next.is_none_or(char::is_whitespace));
        if ends || next.is_none() {
            let end = at + c.len_utf8();
            let piece = &text[start..end];
            let lead = piece.len() - piece.trim_start().len();
            if !piece.trim().is_empty() {
                found.push(start + lead..start + piece.trim_end().len());
            }
            start = end;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_found_where_they_stand() {
        let text = "# A\n\nOne costs 2.50 euros. Two!  Three?\n我们。他们";
        let found: Vec<_> = sentences(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["# A", "One costs 2.50 euros.", "Two!", "Three?", "我们。", "他们"]);
    }
}
