//! Where a sentence ends: the one rule for all code that counts, compares, quotes or cuts
//! sentences. It uses punctuation only and knows no abbreviations: a sentence split in two does
//! less harm than two sentences taken as one.

use std::ops::Range;

/// Marks that end a sentence.
pub const MARKS: [char; 6] = ['.', '!', '?', '。', '！', '？'];

/// The positions after the ends of sentences: after a mark before a space or the end of the text
/// (so not in `2.50`), after a mark of a script without spaces, and after a line break, since
/// headings and list entries have no full stop.
pub fn ends(text: &str) -> impl Iterator<Item = usize> {
    let next = move |end: usize| text[end..].chars().next();
    let ends = move |(at, c): (usize, char)| {
        let end = at + c.len_utf8();
        let is_end = c == '\n' || (MARKS.contains(&c) && (!c.is_ascii() || next(end).is_none_or(char::is_whitespace)));
        is_end.then_some(end)
    };
    text.char_indices().filter_map(ends)
}

/// The ranges of the sentences in a text; the last may be unfinished.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let ends = ends(text).chain([text.len()]);
    let pieces = ends.map(|end| std::mem::replace(&mut start, end)..end);
    pieces.map(|piece| trimmed(text, piece)).filter(|piece| !piece.is_empty()).collect()
}

/// The sentences of a text that end in a mark.
pub fn ended(text: &str) -> impl Iterator<Item = &str> {
    sentences(text).into_iter().map(move |place| &text[place]).filter(|sentence| sentence.ends_with(MARKS))
}

/// The text without its last sentence, for a text that is still being written: the last one may be
/// incomplete, or the beginning of a remark that is removed at the end, even if it ends in a mark.
pub fn without_last(text: &str) -> &str {
    let sentences = sentences(text);
    let last_but_one = sentences.len().checked_sub(2).and_then(|at| sentences.get(at));
    last_but_one.map_or("", |sentence| &text[..sentence.end])
}

/// The pieces between marks, whatever follows a mark. For counting repetitions: a model in a loop
/// may drop the spaces, and it does no harm that `2.50` makes two pieces.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| c == '\n' || MARKS.contains(&c)).map(str::trim).filter(|piece| !piece.is_empty())
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let piece = &text[range.clone()];
    let lead = piece.len() - piece.trim_start().len();
    range.start + lead..(range.start + piece.trim_end().len()).max(range.start + lead)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A\n\nOne costs 2.50 euros. Two!  Three?\n我们。他们";

    #[test]
    fn sentences_are_found_where_they_stand() {
        let found: Vec<_> = sentences(TEXT).into_iter().map(|range| &TEXT[range]).collect();
        assert_eq!(found, ["# A", "One costs 2.50 euros.", "Two!", "Three?", "我们。", "他们"]);
        assert!(sentences(" \n ").is_empty());
    }

    #[test]
    fn what_has_no_end_is_told() {
        assert_eq!(ended(TEXT).collect::<Vec<_>>(), ["One costs 2.50 euros.", "Two!", "Three?", "我们。"]);
        assert_eq!(without_last("One. Two. Thr"), "One. Two.");
        assert_eq!(without_last("One."), "");
    }

    #[test]
    fn pieces_need_no_space_between() {
        assert_eq!(pieces("ha.ha! ha 2.50").collect::<Vec<_>>(), ["ha", "ha", "ha 2", "50"]);
    }
}
