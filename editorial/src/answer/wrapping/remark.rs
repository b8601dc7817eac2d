//! Removes what models add after the text: remarks, offers to change it, notes and sources.

use crate::phrases::{Phrases, phrases};

/// Offers to change the text: one of these together with one of [`CHANGES`].
const OFFERS: [&str; 7] = [
    "let me know if",
    "feel free to",
    "would you like me to",
    "if you'd like",
    "if you would like",
    "i can also",
    "please let me know",
];
const CHANGES: [&str; 8] = ["change", "adjust", "revis", "tweak", "edits", "modif", "different tone", "tailor"];
/// Last lines that are about the text, without emphasis and brackets.
const REMARKS: [&str; 6] =
    ["word count", "total word count", "i hope this helps", "hope it helps", "hope this helps", "would you like me to"];
/// Words in a last line "Note: …" that show that it addresses the user.
const NOTED: [&str; 10] = [
    "i ",
    "i've",
    "draft",
    "outline",
    "passage",
    "this text",
    "this article",
    "this post",
    "instructions",
    "placeholder",
];
/// Headings of lists after the text: changes, and sources, which the job lists itself.
static APPENDICES: Phrases = phrases!("appendices.txt");

/// The text without remarks about it at its end, and without lists after it.
pub(super) fn without_remarks(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(rest) = without_last_remark(text) {
        // A rule above the remark belonged to it.
        let rest = rest.trim_end();
        text = rest.strip_suffix("\n---").unwrap_or(rest).trim_end();
    }
    text
}

fn without_last_remark(text: &str) -> Option<&str> {
    let (rest, last) = text.rsplit_once('\n')?;
    if is_remark(last) {
        return Some(rest);
    }
    let mut above = text;
    while let Some((rest, last)) = above.rsplit_once('\n') {
        if is_appendix(last, &text[above.len()..]) {
            return Some(rest);
        }
        if !(last.trim().is_empty() || is_listed(last)) {
            return None;
        }
        above = rest;
    }
    None
}

fn is_remark(line: &str) -> bool {
    let bare = bare(line);
    let offers = OFFERS.iter().any(|offer| bare.contains(offer)) && CHANGES.iter().any(|change| bare.contains(change));
    let remarks = REMARKS.iter().any(|remark| bare.starts_with(remark)) || bare == "end";
    let hopes =
        bare.starts_with("i hope this") && ["meets", "expectations", "your needs"].iter().any(|met| bare.contains(met));
    let ends = line.trim_start().starts_with(['[', '(', '-', '*']) && bare.starts_with("end of ");
    let notes = bare.starts_with("note:") && NOTED.iter().any(|noted| bare.contains(noted));
    let counts = line.trim_start().starts_with(['(', '['])
        && bare.starts_with(|c: char| c.is_ascii_digit())
        && bare.contains(" words");
    offers || remarks || hopes || ends || notes || counts || is_source(line)
}

/// Whether a line explains a citation or a footnote: no sentence begins with one.
fn is_source(line: &str) -> bool {
    let label = line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    label.is_some_and(|(label, rest)| {
        let label = label.trim_start_matches('^');
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit()) && !rest.trim().is_empty()
    })
}

/// Whether a line is the heading of an appendix, or an appendix of one line: `Sources: [1] …`.
/// Notes that do not mention the text may be a part of it.
fn is_appendix(line: &str, list: &str) -> bool {
    let bare = bare(line);
    let (title, listed) = bare.split_once(':').unwrap_or((&bare, ""));
    let title = title.trim_matches(['*', ' ']);
    let is_heading = line.trim_start().starts_with(['#', '*']) || bare.contains(':');
    let is_list = listed.trim_matches(['*', ' ']).is_empty() || listed.contains("[1]");
    let list = list.to_lowercase();
    let is_noted = title != "notes" || NOTED.iter().any(|noted| list.contains(noted));
    is_heading && is_list && is_noted && APPENDICES.contains(&title)
}

fn is_listed(line: &str) -> bool {
    line.trim_start().starts_with(|c: char| c.is_ascii_digit() || "-*•[".contains(c))
}

/// A line in lower case, without emphasis and brackets around it.
fn bare(line: &str) -> String {
    let marks = |c: char| c.is_whitespace() || "*_#([)]-".contains(c);
    line.trim_matches(marks).to_lowercase().replace('’', "'").replace("**", "")
}
