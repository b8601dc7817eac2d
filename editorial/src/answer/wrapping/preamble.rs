//! First lines that announce the text, such as "Sure! Here is the post:".

use crate::phrases::{Phrases, phrases};

/// Beginnings of a line that addresses the user.
static REPLIES: Phrases = phrases!("replies.txt");
/// Beginnings of a line that announces the text, if it also contains one of [`KINDS`].
static ANNOUNCEMENTS: Phrases = phrases!("announcements.txt");
static KINDS: Phrases = phrases!("kinds.txt");

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
    let announces = ANNOUNCEMENTS.iter().any(|begin| line.starts_with(begin));
    leads && (replies || (announces && KINDS.iter().any(|kind| line.contains(kind))))
}
