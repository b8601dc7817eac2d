//! A model's context window: what it can read and write at once. What gives way where that is too
//! little is the prompt's.

/// Other tokenizers than ours count more for the same text: one part in so many is kept free.
const MARGIN: u32 = 10;

/// The window of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The model.
    pub model: String,
    /// How many tokens it can read and write at once.
    pub tokens: u32,
}

impl Window {
    /// How many tokens a prompt may have beside an answer of so many.
    pub fn beside(&self, completion_tokens: u32) -> usize {
        usize::try_from(self.usable().saturating_sub(completion_tokens)).unwrap_or(usize::MAX)
    }

    /// How many tokens an answer may have behind a prompt of so many: one at least, since nobody takes
    /// an order for none.
    pub(super) fn behind(&self, prompt_tokens: u32) -> u32 {
        self.usable().saturating_sub(prompt_tokens).max(1)
    }

    fn usable(&self) -> u32 {
        self.tokens - self.tokens / MARGIN
    }
}
