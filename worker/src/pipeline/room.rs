//! How long an answer may be. A call reserves all that its answer may take, so a limit that is too wide costs other
//! texts their calls.

use copydesk_editorial::text::language;

use super::brief::Brief;

/// How many tokens an answer may take, by the length of its text.
pub(super) struct Room {
    /// For a word of an English text: models know English best.
    pub(super) english_word: u32,
    /// For a word of any other text.
    pub(super) other_word: u32,
    /// Beyond that, for all that is no text.
    pub(super) spare: u32,
    /// The most that models take orders for.
    pub(super) most: u32,
}

impl Room {
    /// The longest answer for a text, in tokens.
    pub(super) fn of(&self, brief: &Brief) -> u32 {
        let word = if language::is_english(&brief.language) { self.english_word } else { self.other_word };
        (u32::from(brief.words) * word + self.spare).min(self.most)
    }
}
