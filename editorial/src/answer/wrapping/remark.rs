//! Removes what models add after the text: remarks, offers to change it, notes and sources.

use std::sync::LazyLock;

use crate::phrases::{Patterns, Phrases, any_of, phrases};
use crate::text::phrase;

/// Offers to change the text. What a business offers to its customers ("feel free to change your booking") is none.
static OFFERS: Patterns = LazyLock::new(|| {
    let offers = r"(?:let me know|feel free to|if you'd like|if you would like|i can also|i'm happy to|happy to|would you like)\b";
    let changing = r"(?:adjust|revis|tweak|edit|modif|tailor|chang|expand|shorten|rewrit|refin|make)[a-z]*";
    let text = r"(?:text|draft|post|article|version|tone|e-?mail|copy|newsletter|thread|script|content|style)s?";
    let patterns = [
        format!(r"{offers}.*\b{changing}\b.*\b(?:the|this|that|another) (?:[a-z-]+ )?{text}\b"),
        format!(r"{offers}.*\b(?:{changing}\b.*\b{text}\b.*\b(?:me|i can|i'll)|(?:me|i can|i'll)\b.*\b{changing}\b.*\b{text}|{text}\b.*\b(?:me|i can|i'll)\b.*\b{changing})\b"),
        format!(r"{offers} (?:if )?(?:you(?:'d| would)? (?:like|need|want)|there are)(?: me to make)? (?:(?:any|some|further|more|other|additional) )*(?:changes|edits|revisions|adjustments|modifications|tweaks)\b"),
        r"\b(?:like|want|need) me to (?:adjust|revise|change|tweak|modify|make|expand|shorten|rewrite|edit|tailor|refine)\b".to_owned(),
        r"\blet me know\b.*\bi can (?:also )?(?:revise|tweak|edit|rewrite|expand|shorten|refine)\b".to_owned(),
        r"\b(?:a|in a) different tone\b".to_owned(),
    ];
    any_of(patterns)
});
/// Last lines that are about the text, without emphasis and brackets.
const REMARKS: [&str; 6] =
    ["word count", "total word count", "i hope this helps", "hope it helps", "hope this helps", "would you like me to"];
/// Words in a last line "Note: …" that show that it addresses the user.
const NOTED: [&str; 31] = [
    "i've",
    "i have",
    "i used",
    "i kept",
    "i assumed",
    "i could not",
    "i couldn't",
    "i did not",
    "i didn't",
    "i included",
    "i left",
    "i wrote",
    "i added",
    "i avoided",
    "i based",
    "i followed",
    "i made",
    "this draft",
    "the outline",
    "the passages",
    "provided passage",
    "no passage",
    "passage 1",
    "this text",
    "the text",
    "this article",
    "this post",
    "your instructions",
    "the instructions above",
    "placeholder",
    "placeholders",
];
/// Words in a list of changes that show that they are changes of the text.
const EDITED: [&str; 14] = [
    "paragraph",
    "paragraphs",
    "sentence",
    "sentences",
    "intro",
    "introduction",
    "tone",
    "wording",
    "headline",
    "heading",
    "call to action",
    "the draft",
    "passive",
    "citations",
];
/// Headings of lists of sources after the text, which the job lists itself.
const SOURCES: [&str; 7] = ["sources", "references", "citations", "works cited", "bibliography", "quellen", "fuentes"];
/// Headings of lists after the text that are about it.
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
        if is_appendix(last, &text[above.len()..], rest) {
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
    let offers = OFFERS.as_ref().is_some_and(|offers| offers.is_match(&bare));
    let remarks = REMARKS.iter().any(|remark| bare.starts_with(remark)) || bare == "end";
    let hopes =
        bare.starts_with("i hope this") && ["meets", "expectations", "your needs"].iter().any(|met| bare.contains(met));
    let ends = line.trim_start().starts_with(['[', '(', '-', '*']) && bare.starts_with("end of ");
    let notes = bare.starts_with("note:") && holds_any(&bare, &NOTED);
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

/// Whether a line is the heading of an appendix, or an appendix of one line: `Sources: [1] …`. Notes and changes may be
/// a part of the text: they are none behind a rule, or where they mention the text.
fn is_appendix(line: &str, list: &str, above: &str) -> bool {
    let bare = bare(line);
    let (title, listed) = bare.split_once(':').unwrap_or((&bare, ""));
    let title = title.trim_matches(['*', ' ']);
    let is_heading = line.trim_start().starts_with(['#', '*']) || bare.contains(':');
    let is_list = listed.trim_matches(['*', ' ']).is_empty() || listed.contains("[1]");
    let list = list.to_lowercase();
    let is_apart = title != "notes" && above.trim_end().ends_with("\n---");
    let is_noted = is_apart || holds_any(&list, &NOTED) || (title != "notes" && holds_any(&list, &EDITED));
    is_heading && is_list && (SOURCES.contains(&title) || (is_noted && APPENDICES.contains(&title)))
}

fn holds_any(text: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|words| phrase::holds(text, words))
}

fn is_listed(line: &str) -> bool {
    line.trim_start().starts_with(|c: char| c.is_ascii_digit() || "-*•[".contains(c))
}

/// A line in lower case, without emphasis and brackets around it.
fn bare(line: &str) -> String {
    let marks = |c: char| c.is_whitespace() || "*_#([)]-".contains(c);
    line.trim_matches(marks).to_lowercase().replace('’', "'").replace("**", "")
}
