//! First lines that announce the text, such as "Sure! Here is the post:".

use copydesk_words::is_unspaced;

use crate::phrases::{Phrases, phrases};

/// Beginnings of a line that addresses the user.
static REPLIES: Phrases = phrases!("replies.txt");
/// Beginnings of a line that announces the text, if it also contains one of [`KINDS`].
static ANNOUNCEMENTS: Phrases = phrases!("announcements.txt");
static KINDS: Phrases = phrases!("kinds.txt");

/// Words between an announcement and the kind of text, its article among them.
const MAX_ADJECTIVES: usize = 4;
/// Words that do not stand between them.
const SMALL: [&str; 20] = [
    "how", "what", "why", "when", "where", "who", "of", "that", "which", "we", "i", "our", "for", "to", "from", "in",
    "on", "is", "are", "and",
];
/// Words that may stand behind the kind.
const BEHIND: [&str; 34] = [
    "about",
    "on",
    "for",
    "based",
    "in",
    "with",
    "that",
    "you",
    "as",
    "to",
    "following",
    "of",
    "draft",
    "in",
    "version",
    "über",
    "für",
    "zu",
    "sur",
    "pour",
    "sobre",
    "para",
    "su",
    "sul",
    "sulla",
    "per",
    "over",
    "voor",
    "mit",
    "avec",
    "con",
    "com",
    "met",
    "written",
];

/// The text without a first line that announces it.
pub(super) fn without_preamble(text: &str) -> &str {
    let Some((first, rest)) = text.split_once('\n') else { return text };
    let rest = rest.trim();
    let is_title = first.starts_with("# ");
    if !is_title && is_preamble(first, rest) { rest.strip_prefix("---").unwrap_or(rest).trim() } else { text }
}

/// Whether a line announces the text: it ends in a colon, or a title or a rule follows.
fn is_preamble(line: &str, rest: &str) -> bool {
    let line = line.trim_matches(|c: char| c.is_whitespace() || "*_#¡".contains(c)).to_lowercase().replace('’', "'");
    let leads = line.ends_with([':', '：']) || rest.starts_with("# ") || rest.starts_with("---");
    let replies = REPLIES.iter().filter_map(|reply| line.strip_prefix(reply)).any(|rest| {
        let rest = rest.trim_start();
        rest.starts_with([',', '!', '.', ':', '，', '！']) || rest.starts_with("- ")
    });
    let announced = ANNOUNCEMENTS.iter().filter_map(|begin| line.strip_prefix(begin)).any(names_a_text);
    leads && (replies || announced)
}

/// Whether what is announced is a text: `the short blog post about scans`, and not `what our posts taught us`.
fn names_a_text(announced: &str) -> bool {
    if announced.contains("you asked for") || announced.contains("you requested") {
        return true;
    }
    if announced.contains(is_unspaced) {
        return KINDS.iter().any(|kind| announced.contains(kind));
    }
    // What stands in brackets belongs to the kind: `version (shorter)`.
    let (before, rest) = announced.split_once('(').unwrap_or((announced, ""));
    let announced = format!("{before} {}", rest.split_once(')').map_or("", |(_, behind)| behind));
    // What stands in brackets says more of the text, as a version does.
    let announced = announced.split('(').next().unwrap_or_default();
    let words: Vec<&str> =
        announced.split(|c: char| !(c.is_alphanumeric() || c == '-')).filter(|word| !word.is_empty()).collect();
    (0..=MAX_ADJECTIVES.min(words.len())).take_while(|&at| at == 0 || !SMALL.contains(&words[at - 1])).any(|at| {
        KINDS.iter().any(|kind| {
            let kind: Vec<&str> = kind.split(' ').collect();
            let behind = words[at..].strip_prefix(kind.as_slice()).map(|rest| rest.first().copied());
            behind.is_some_and(|next| next.is_none_or(|next| BEHIND.contains(&next)))
        })
    })
}
