//! An editor's edits of a text, paragraph by paragraph, and the text with them. Whether the result is good, or fit to
//! show, is judged as any other text's.

use std::ops::Range;

/// What becomes of a paragraph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The edit's text stands in its place.
    Replace,
    /// It goes.
    Remove,
    /// The edit's text stands behind it.
    InsertAfter,
}

/// An edit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The paragraph, from 1.
    pub paragraph: usize,
    /// What becomes of it.
    pub action: Action,
    /// The new text; of no account where the paragraph goes.
    pub text: String,
}

/// The paragraphs of a text: what stands between empty lines. Code in fences is one, whatever lines it holds.
pub fn paragraphs(text: &str) -> Vec<&str> {
    places(text).into_iter().map(|place| &text[place]).collect()
}

/// The text with the edits. Edits of paragraphs that there are not, and without a text where there should be one,
/// are passed over. Of several that replace or remove one paragraph the last one counts; what is inserted stands in
/// the order of the edits. What no edit names stays as it is, byte by byte.
pub fn apply(text: &str, edits: &[Edit]) -> String {
    let mut edited = String::with_capacity(text.len());
    let mut done = 0;
    for (n, place) in (1..).zip(places(text)) {
        let here: Vec<&Edit> = edits.iter().filter(|edit| edit.paragraph == n && edit.is_whole()).collect();
        let before = &text[std::mem::replace(&mut done, place.end)..place.start];
        let changed = here.iter().rev().find(|edit| edit.action != Action::InsertAfter);
        match changed {
            None => push(&mut edited, before, &text[place]),
            Some(edit) if edit.action == Action::Replace => push(&mut edited, before, edit.text.trim()),
            Some(_) => {}
        }
        let inserted = here.iter().filter(|edit| edit.action == Action::InsertAfter);
        inserted.for_each(|edit| push(&mut edited, "\n\n", edit.text.trim()));
    }
    edited + &text[done..]
}

impl Edit {
    fn is_whole(&self) -> bool {
        self.action == Action::Remove || !self.text.trim().is_empty()
    }
}

/// Puts a paragraph behind the others, with what stood between it and the one before it.
fn push(text: &mut String, between: &str, paragraph: &str) {
    if !text.is_empty() {
        text.push_str(if between.is_empty() { "\n\n" } else { between });
    }
    text.push_str(paragraph);
}

/// Where the paragraphs stand.
fn places(text: &str) -> Vec<Range<usize>> {
    let mut places: Vec<Range<usize>> = Vec::new();
    let (mut at, mut in_code, mut is_open) = (0, false, false);
    for line in text.split_inclusive('\n') {
        let start = at + (line.len() - line.trim_start().len());
        let end = at + line.trim_end().len();
        at += line.len();
        if line.trim().is_empty() && !in_code {
            is_open = false;
            continue;
        }
        in_code ^= line.trim_start().starts_with("```");
        match places.last_mut().filter(|_| is_open) {
            Some(last) => last.end = end.max(last.end),
            None => places.push(start..end.max(start)),
        }
        is_open = true;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Scans\n\nOne.\nTwo.\n\n\n- a\n- b\n\n```\ncode\n\nmore\n```\n\nLast.";

    fn edit(paragraph: usize, action: Action, text: &str) -> Edit {
        Edit { paragraph, action, text: text.to_owned() }
    }

    #[test]
    fn paragraphs_stand_between_empty_lines() {
        assert_eq!(paragraphs(TEXT), ["# Scans", "One.\nTwo.", "- a\n- b", "```\ncode\n\nmore\n```", "Last."]);
        assert!(paragraphs(" \n\t\n").is_empty() && paragraphs("").is_empty());
        assert_eq!(paragraphs("  a\r\n\r\n b  \n"), ["a", "b"]);
        assert_eq!(paragraphs("```\nnever\n\nclosed"), ["```\nnever\n\nclosed"]);
    }

    #[test]
    fn edits_change_what_they_name_and_nothing_else() {
        let one = |edits: &[Edit]| apply("A\n\nB\n\n\nC\n", edits);
        assert_eq!(one(&[]), "A\n\nB\n\n\nC\n");
        assert_eq!(one(&[edit(2, Action::Replace, " b \n")]), "A\n\nb\n\n\nC\n");
        assert_eq!(one(&[edit(2, Action::Remove, "")]), "A\n\n\nC\n");
        assert_eq!(one(&[edit(1, Action::Remove, "x")]), "B\n\n\nC\n");
        assert_eq!(one(&[edit(3, Action::InsertAfter, "D")]), "A\n\nB\n\n\nC\n\nD\n");
        let both = [edit(1, Action::InsertAfter, "x"), edit(1, Action::Remove, ""), edit(1, Action::InsertAfter, "y")];
        assert_eq!(one(&both), "x\n\ny\n\nB\n\n\nC\n");
        let twice = [edit(2, Action::Remove, ""), edit(2, Action::Replace, "b")];
        assert_eq!(one(&twice), "A\n\nb\n\n\nC\n", "the last one counts");
        let all: Vec<_> = (1..=3).map(|n| edit(n, Action::Remove, "")).collect();
        assert_eq!(one(&all).trim(), "");
    }

    #[test]
    fn edits_of_nothing_change_nothing() {
        for (n, text) in [(0, "x"), (6, "x"), (usize::MAX, "x"), (2, ""), (2, " \n ")] {
            for action in [Action::Replace, Action::InsertAfter] {
                assert_eq!(apply(TEXT, &[edit(n, action, text)]), TEXT, "{n} {text:?}");
            }
        }
        assert_eq!(apply("", &[edit(1, Action::Replace, "x")]), "");
    }

    /// A generator that needs no seed from outside: the same cases in every run.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, n: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(self.0 >> 33).unwrap_or(0) % n
        }
    }

    #[test]
    fn whatever_is_edited_the_rest_stays_in_its_order() {
        let mut dice = Dice(7);
        for _ in 0..2_000 {
            let count = 1 + dice.below(7);
            let text = (0..count).map(|n| format!("p{n} ünï")).collect::<Vec<_>>().join("\n\n");
            let edits: Vec<Edit> = (0..dice.below(6))
                .map(|n| {
                    let action = [Action::Replace, Action::Remove, Action::InsertAfter][dice.below(3)];
                    edit(dice.below(count + 3), action, ["", "new", "n1\n\nn2", "  "][n % 4])
                })
                .collect();
            // The plainest account of what is meant.
            let mut expected: Vec<String> = Vec::new();
            for n in 1..=count {
                let mut own = Some(format!("p{} ünï", n - 1));
                let mut behind = Vec::new();
                for edit in edits.iter().filter(|edit| edit.paragraph == n) {
                    match edit.action {
                        Action::Remove => own = None,
                        _ if edit.text.trim().is_empty() => {}
                        Action::Replace => own = Some(edit.text.trim().to_owned()),
                        Action::InsertAfter => behind.push(edit.text.trim().to_owned()),
                    }
                }
                expected.extend(own.into_iter().chain(behind));
            }
            assert_eq!(apply(&text, &edits), expected.join("\n\n"), "{text:?} {edits:?}");
        }
    }

    #[test]
    fn paragraphs_put_in_their_own_places_are_the_text() {
        let same: Vec<_> = (1..).zip(paragraphs(TEXT)).map(|(n, text)| edit(n, Action::Replace, text)).collect();
        assert_eq!(apply(TEXT, &same), TEXT);
    }
}
