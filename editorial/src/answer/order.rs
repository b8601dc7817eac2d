//! Orders about a text: those of a request, and those that an editor gives where the text itself was asked for.

use std::sync::LazyLock;

use super::task::speaks_of_its_task_and_not_of;
use crate::phrases::{Patterns, any_of};
use crate::text::sentence::sentences;

/// The parts of a text, as an editor names them.
const PARTS: &str = r"(?:paragraph|sentence|heading|headline|subheading|section|introduction|intro|conclusion|draft|citation|subject line|call to action)";
/// How a sentence begins that tells what to do with a text.
const VERBS: [&str; 36] = [
    "add",
    "address",
    "always",
    "avoid",
    "begin",
    "cite",
    "close",
    "cut",
    "describe",
    "do not",
    "don't",
    "emphasise",
    "emphasize",
    "end",
    "ensure",
    "explain",
    "focus",
    "highlight",
    "include",
    "keep",
    "leave out",
    "make",
    "make sure",
    "mention",
    "never",
    "omit",
    "please",
    "refer",
    "remember",
    "say",
    "speak",
    "start",
    "stress",
    "talk",
    "use",
    "write",
];

/// What says how a paragraph should be, in place of one.
static ORDER: Patterns = LazyLock::new(|| {
    let article = r"(?:the|this|that|an?|each|every|more|its)";
    let patterns = [
        format!(
            r"^{article} (?:[a-z-]+ ){{0,2}}{PARTS}s? (?:should|must|needs? to|has to|is too|could be|can be|lacks|does not)\b"
        ),
        r"\b(?:paragraph|call to action)s?\b.*\b(?:should|must|needs to)\b|\b(?:should|must|needs to)\b.*\b(?:paragraph|call to action)\b"
            .to_owned(),
        format!(
            r"^(?:please )?(?:add|replace|remove|shorten|rewrite|rephrase|reword|move|delete|split|merge|combine|expand|tighten|cut|change|improve|simplify|insert) {article} (?:[a-z-]+ ){{0,3}}{PARTS}s?(?:[.!,;]|$| (?:to|in|with|at|so|by|after|before|about|that|from|into)\b)"
        ),
        r"^(?:no changes?|unchanged|as it (?:is|was)|same as (?:before|the original)|see above)\b".to_owned(),
    ];
    any_of(patterns)
});

/// Whether a paragraph is none but says what one should be, or speaks of its task. On a topic that is about such
/// parts it may.
pub fn is_order(paragraph: &str, topic: &str) -> bool {
    let (lower, topic) = (paragraph.to_lowercase().replace('’', "'"), topic.to_lowercase());
    let is_own = ["paragraph", "call to action", "calls to action", "heading", "headline", "subject line", "writing"]
        .iter()
        .any(|part| topic.contains(part));
    let told = |place: std::ops::Range<usize>| {
        let bare = lower[place].trim_start_matches(|c: char| !c.is_alphanumeric());
        ORDER.as_ref().is_some_and(|order| order.is_match(bare))
    };
    (!is_own && sentences(&lower).into_iter().any(told)) || speaks_of_its_task_and_not_of(paragraph, &topic)
}

/// The sentences of a request's instructions that are orders. Others are facts, which a text may take as they stand;
/// what stands behind a colon or in quotation marks is meant to be taken.
pub fn orders(instructions: &str) -> impl Iterator<Item = &str> {
    let sentences = sentences(instructions).into_iter().map(|place| &instructions[place]);
    sentences.filter(|sentence| {
        let lower = sentence.trim_start_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
        let begins = |verb: &str| lower.strip_prefix(verb).is_some_and(|rest| rest.starts_with(' '));
        VERBS.iter().any(|verb| begins(verb)) && !lower.contains([':', '"', '“', '„', '«'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_paragraph_should_be_is_no_paragraph() {
        for text in [
            "The paragraph should be shorter and end with a call to action.",
            "The second paragraph is too long.",
            "This section needs to name the price.",
            "Add a call to action at the end.",
            "Rewrite the introduction in the active voice.",
            "Shorten this paragraph to two sentences.",
            "There should be a call to action here.",
            "- Replace the heading.",
            "No change needed.",
            "The text describes how scans are read.",
        ] {
            assert!(is_order(text, "Scans"), "{text}");
        }
        for text in [
            "Every scan should be read twice.",
            "You must book a day ahead.",
            "Add a second reading to every scan.",
            "This section of the harbour is closed in winter.",
            "Move the heading of your boat into the wind.",
            "Call us today to book your visit.",
            "The draft of the boat is two metres.",
            "Change the way you moor.",
        ] {
            assert!(!is_order(text, "Scans"), "{text}");
        }
        assert!(!is_order("A call to action should be short.", "Calls to action that work"));
    }

    #[test]
    fn orders_are_told_from_facts() {
        let told = "The harbour opened in 1962 and has 240 berths. Use the third person throughout the text. Mention our \
                    offer: two nights cost as much as one. Don't name the competitors by their names.";
        assert_eq!(
            orders(told).collect::<Vec<_>>(),
            ["Use the third person throughout the text.", "Don't name the competitors by their names."]
        );
    }
}
