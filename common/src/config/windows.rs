//! Context windows of models: how many tokens each can read and write in one call. The worker
//! decides what is put into them.

use std::collections::BTreeMap;

use super::by_model;

/// The window assumed for an unknown model: nearly all models have at least this.
pub const UNKNOWN_TOKENS: u32 = 8_192;
/// The smallest window that a text can be written in.
pub const MIN_TOKENS: u32 = 2_048;

/// Windows by model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows(BTreeMap<String, u32>);

/// The windows of Groq's and OpenAI's models, as of 2026.
const KNOWN: [(&str, u32); 16] = [
    ("llama-3.3-70b-versatile", 131_072),
    ("llama-3.1-8b-instant", 131_072),
    ("openai/gpt-oss-20b", 131_072),
    ("openai/gpt-oss-120b", 131_072),
    ("openai/gpt-oss-safeguard-20b", 131_072),
    ("meta-llama/llama-4-scout-17b-16e-instruct", 131_072),
    ("meta-llama/llama-4-maverick-17b-128e-instruct", 131_072),
    ("qwen/qwen3-32b", 131_072),
    ("moonshotai/kimi-k2-instruct-0905", 262_144),
    ("gpt-4o", 128_000),
    ("gpt-4o-mini", 128_000),
    ("gpt-4.1", 1_047_576),
    ("gpt-4.1-mini", 1_047_576),
    ("gpt-4.1-nano", 1_047_576),
    ("gpt-5", 400_000),
    ("gpt-5-mini", 400_000),
];

/// A list of windows that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no window: it takes model=tokens, from {MIN_TOKENS}")]
pub struct NoWindow(String);

impl Default for Windows {
    /// The known windows.
    fn default() -> Self {
        Self(KNOWN.iter().map(|(model, tokens)| ((*model).to_owned(), *tokens)).collect())
    }
}

impl Windows {
    /// The known windows, replaced or extended by a list such as `my-model=32768, other=8192`.
    pub fn parse(list: &str) -> Result<Self, NoWindow> {
        let Self(mut windows) = Self::default();
        let tokens = |text: &str| text.parse().ok().filter(|tokens| *tokens >= MIN_TOKENS);
        windows.extend(by_model::parse(list, tokens).map_err(|entry| NoWindow(entry.to_owned()))?);
        Ok(Self(windows))
    }

    /// The window of a model, in tokens, if known.
    pub fn of(&self, model: &str) -> Option<u32> {
        self.0.get(model).copied()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn windows_are_known_given_or_refused() {
        let windows = Windows::parse(" qwen3:8b = 32768, openai/gpt-oss-20b=16000 ,").unwrap();
        assert_eq!(windows.of("qwen3:8b"), Some(32_768));
        assert_eq!(windows.of("openai/gpt-oss-20b"), Some(16_000));
        assert_eq!(windows.of("llama-3.3-70b-versatile"), Some(131_072));
        assert_eq!(windows.of("other"), None);
        for wrong in ["a", "a=", "a=x", "=4096", "a=2047", "a=-1", "a=99999999999"] {
            assert_eq!(Windows::parse(wrong), Err(NoWindow(wrong.to_owned())));
        }
    }
}
