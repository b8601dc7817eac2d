//! Phrases in a text.

use copydesk_words::unicode;

/// A text or phrase as phrases are looked for: in lower case and in one form of Unicode.
pub fn comparable(text: &str) -> String {
    unicode::comparable(text).to_lowercase()
}

/// Whether a text contains a phrase as whole words: "best" is not in "bestiary".
pub fn holds(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(start, found)| {
        let before = text[..start].chars().next_back();
        let after = text[start + found.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}
