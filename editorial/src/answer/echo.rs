//! Answers that repeat the prompt: its fixed text, its tags, or what was only for the writer.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use copydesk_words::is_unspaced;

use super::Defect;
use crate::text::sentence::sentences;
use crate::text::{language, phrase};

/// The shortest line of the prompt, in characters, whose occurrence in a text is a copy and no
/// coincidence.
const MIN_COPIED_CHARS: usize = 40;
/// The same in scripts without spaces, in words.
const MIN_COPIED_WORDS: usize = 8;
/// The shortest run of its words, within a sentence.
const RUN_WORDS: usize = 9;
/// Tags of the prompt, which no text contains.
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
    "<p n=",
    "<plan>",
    "</plan>",
    "<shape>",
    "</shape>",
    "</topic>",
    "</voice>",
    "<house_voice",
    "<guidance",
    "<rule>",
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
/// Mentions of the passages, which readers do not know.
const PASSAGES: [&str; 5] = [
    "provided passages",
    "passages provided",
    "according to passage ",
    "according to the passages",
    "based on the passages",
];

/// How a note begins that asks for another answer.
const NOT_USED: &str = "your last answer could not be used";

/// Whether a text repeats its prompt.
pub(super) fn is_echo(text: &str, instructions: &str) -> bool {
    repeats_the_prompt(text) || quotes(text, instructions) || repeats(text, instructions) || is_dialogue(text)
}

/// Whether a text contains a sentence of the prompt's fixed text.
pub fn quotes(text: &str, instructions: &str) -> bool {
    let text = spaced(text);
    sentences(instructions).into_iter().any(|sentence| is_copied(&text, &instructions[sentence]))
}

/// Whether a text contains a run of words of the prompt's fixed text: half a sentence of an order is no coincidence.
pub fn repeats(text: &str, instructions: &str) -> bool {
    let (said, told) = (plain_words(text), plain_words(instructions));
    let told: HashSet<&[String]> = told.windows(RUN_WORDS).filter(|run| is_telling(run)).collect();
    said.windows(RUN_WORDS).any(|run| told.contains(run))
}

fn plain_words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Whether a run is long enough in characters too.
fn is_telling(run: &[String]) -> bool {
    run.iter().map(|word| word.chars().count() + 1).sum::<usize>() > MIN_COPIED_CHARS
}

/// Whether a text continues as a dialogue between a user and a model.
fn is_dialogue(text: &str) -> bool {
    let says = |who: &[&str]| text.lines().any(|line| who.iter().any(|who| line.trim_start().starts_with(who)));
    says(&["User:", "Human:"]) && says(&["Assistant:", "AI:"])
}

/// Whether a text contains tags of the prompt, escaped or not.
pub fn repeats_the_prompt(text: &str) -> bool {
    let lower = text.to_lowercase().replace("&lt;", "<").replace("&quot;", "\"");
    PROMPT_TAGS.iter().any(|tag| lower.contains(tag))
}

/// Whether a text contains a sentence of what was only for the writer, or mentions the passages.
pub(super) fn is_leak(text: &str, private: &[Cow<'_, str>]) -> bool {
    let lower = text.to_lowercase();
    PASSAGES.iter().any(|words| lower.contains(words))
        || repeats_a_note(text)
        || private.iter().any(|said| quotes(text, said))
}

/// Whether a text contains what a writer is told whose answer could not be used.
pub fn repeats_a_note(text: &str) -> bool {
    static NOTES: LazyLock<String> = LazyLock::new(|| Defect::ALL.map(|defect| defect.to_string()).join("\n"));
    quotes(text, &NOTES) || spaced(text).contains(NOT_USED)
}

/// Whether a text, already [`spaced`], contains a copy of `said`.
fn is_copied(text: &str, said: &str) -> bool {
    let is_long = said.chars().count() >= MIN_COPIED_CHARS
        || (said.contains(is_unspaced) && language::count_words(said) >= MIN_COPIED_WORDS);
    is_long && text.contains(&spaced(said))
}

/// A text in lower case and one form with single spaces, so that line breaks do not matter.
fn spaced(text: &str) -> String {
    phrase::comparable(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}
