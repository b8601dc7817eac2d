//! Answers that repeat what the model was told: the prompt's prose, its tags, what was for the writer's
//! eyes only.

use crate::text::sentence::sentences;

/// A line of the prompt's own prose that is at least so long is copied, not a coincidence, in
/// characters.
const MIN_COPIED_CHARS: usize = 40;
/// Tags of the prompt: no text holds them.
const PROMPT_TAGS: &[&str] = &[
    "<task ",
    "<passage",
    "</passage",
    "<lesson",
    "</lesson",
    "<business ",
    "</business",
    "<fixes>",
    "</fixes>",
    "<fix>",
    "<outline>",
    "<draft>",
    "</draft>",
    "</topic>",
    "</voice>",
    "<house_voice",
    "</instructions>",
    "kind=\"kb\"",
    "kind=\"web\"",
    "<|",
    "<｜",
    "[inst]",
    "<<sys>>",
    "<start_of_turn>",
    "◁think",
    "<tool_call",
    "<function=",
    "[tool_calls]",
    "### instruction:",
    "### response:",
];
/// How a text speaks of its passages, which its readers do not know.
const PASSAGES: [&str; 5] = [
    "provided passages",
    "passages provided",
    "according to passage ",
    "according to the passages",
    "based on the passages",
];

/// Whether a text repeats its prompt.
pub(super) fn is_echo(text: &str, instructions: &str) -> bool {
    repeats_the_prompt(text) || quotes(text, instructions) || is_dialogue(text)
}

/// Whether a text holds a sentence of the prompt's own prose.
pub fn quotes(text: &str, instructions: &str) -> bool {
    let text = spaced(text);
    sentences(instructions).into_iter().any(|sentence| is_copied(&text, &instructions[sentence]))
}

/// Whether a text went on with a talk: somebody asks, and a model answers.
fn is_dialogue(text: &str) -> bool {
    let says = |who: &[&str]| text.lines().any(|line| who.iter().any(|who| line.trim_start().starts_with(who)));
    says(&["User:", "Human:"]) && says(&["Assistant:", "AI:"])
}

/// Whether a text holds what only a prompt holds: its tags, escaped or not.
pub fn repeats_the_prompt(text: &str) -> bool {
    let lower = text.to_lowercase().replace("&lt;", "<").replace("&quot;", "\"");
    PROMPT_TAGS.iter().any(|tag| lower.contains(tag))
}

/// Whether a text holds what was said to the writer alone, or speaks of the passages.
pub(super) fn is_leak(text: &str, private: &[&str]) -> bool {
    let (lower, flat) = (text.to_lowercase(), spaced(text));
    private.iter().any(|said| is_copied(&flat, said)) || PASSAGES.iter().any(|words| lower.contains(words))
}

/// Whether a text, [`spaced`], holds words that were not meant for it.
fn is_copied(text: &str, said: &str) -> bool {
    said.chars().count() >= MIN_COPIED_CHARS && text.contains(&spaced(said))
}

/// A text in lower case with single spaces: however lines are broken.
fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}
