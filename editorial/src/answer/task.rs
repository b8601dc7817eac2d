//! Texts that speak of their task instead of doing it: "The task is to write a summary of the text", "Here is the email
//! that you asked for". What people write of their own articles ("this post explains"), of documents and of writing is
//! something else.

use std::sync::LazyLock;

use regex::Regex;

/// What a task asks for.
const KINDS: &str = r"(?:text|e-?mail|message|article|post|blog|blog (?:post|article)|linkedin post|thread|newsletter|press release|release|summary|description|product description|case study|faq|script|video script|landing page|ad|ad copy|copy|content|document|draft|response|answer|paragraph|outline)";
/// What only a task is about, as the subject of a sentence.
const SUBJECTS: &str = r"(?:(?:the|this|your) (?:text|summary|draft|prompt|passage|above text|(?:given|provided|following|original|source) (?:text|document|passage|passages|information|content|article))|(?:the|this) document|the passages)";
/// What such a subject does.
const SAYS: &str = r"(?:also )?(?:provides?|describes?|discuss(?:es)?|explains?|summari[sz]es?|outlines?|presents?|covers?|highlights?|mentions?|states?|emphasi[sz]es?|focus(?:es)? on|aims? to|introduces?|details|contains?|includes?|talks? about|is about|are about|is a (?:summary|description|list|guide|brief|short|comprehensive)|is an? (?:overview|introduction|explanation)|is written|was written|is intended to|is structured|is divided|does not (?:mention|provide|contain|say|state|include|specify)|can be summari[sz]ed|should (?:be|include|contain|have|start|begin|end)|must (?:be|include|contain|have))";

/// What every pattern holds one of: most sentences need no closer look.
const ROOTS: &[&str] = &[
    "tâche",
    "resumen",
    "task",
    "assignment",
    "prompt",
    "goal",
    "purpose",
    "aim",
    "objective",
    "text",
    "summar",
    "passage",
    "document",
    "information",
    "content",
    "context",
    "data",
    "topic",
    "article",
    "description",
    "overview",
    "here's",
    "here is",
    "here are",
    "here comes",
    "request",
    "asked",
    "i will",
    "i'll",
    "i am going",
    "i'm going",
    "let me",
    "i have",
    "i've",
    "aufgabe",
    "zusammenfassung",
    "write",
    "compose",
    "draft",
    "generate",
    "tone of",
    "the user",
    "response",
    "answer",
    "mail",
    "post",
    "résumé",
    "tarea",
];
/// Patterns of the language that a task is put in, each behind the beginning of a sentence where it starts with `^`.
static PATTERNS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let start = r"(?:^|[.!?:]\s+)[\s>*_#\-0-9./)]*";
    let here = r"here(?:'s| is| are| comes)";
    let patterns = [
        r"\b(?:the|your|my|our|this) (?:task|assignment|prompt) (?:is|was|asks|requires)(?: you| me| us)? (?:to|for|that)\b".to_owned(),
        format!(r"\b(?:goal|purpose|aim|objective) of (?:this|the) {KINDS} (?:is|was) to\b"),
        format!(
            r"\b(?:goal|purpose|aim|objective) is to (?:write|compose|draft|summari[sz]e) (?:an?|the|this) {KINDS}\b"
        ),
        format!(r"{start}{SUBJECTS} {SAYS}\b"),
        format!(
            r"{start}(?:in|according to|based on|as (?:stated|described|mentioned) in) (?:the|this) (?:(?:text|summary|passages?),|(?:given|provided|above|following) (?:text|document|passages?|information|context|data)\b)"
        ),
        r"\b(?:summary|summari[sz]ation|content|contents|description|overview) of the (?:(?:given|provided|following|above|original) )?(?:text|document|passages?)\b".to_owned(),
        r"\b(?:the|this) (?:provided|given|above) (?:text|passages?|document|context|data|prompt|topic)\b".to_owned(),
        format!(
            r"{start}{here} (?:the|your|an?|my|one|some) (?:[a-z-]+ ){{0,2}}{KINDS}(?: (?:about|on|for|of|to|with|in|based)[^.!?\n]*)?:\s*$"
        ),
        format!(
            r"{start}{here} (?:the|your|an?|my|one) (?:[a-z-]+ ){{0,2}}{KINDS}\b[^.!?\n]*\b(?:you (?:asked|requested|wanted)|as requested|as you asked|per your request)"
        ),
        format!(
            r"{start}(?:as requested[,:]|as you (?:requested|asked),|per your request\b|in response to your (?:request|prompt)\b)"
        ),
        format!(
            r"{start}(?:i will|i'll|i am going to|i'm going to|let me|i have|i've)(?: now)? (?:writ(?:e|ten)|draft(?:ed)?|compose(?:d)?|create(?:d)?|generate(?:d)?|summari[sz]ed?) (?:an?|the|you an?|your|this) (?:[a-z-]+ ){{0,2}}{KINDS}\b"
        ),
        format!(
            r"{start}(?:please )?(?:write|compose|draft|generate|summari[sz]e) (?:an?|the|this) (?:[a-z-]+ ){{0,2}}{KINDS} (?:about|on|of|for|that|based|in) [^.!?\n]*\b(?:following|provided|given|above|words|passages?|text|document)\b"
        ),
        format!(
            r"\bthe user (?:has )?(?:asked|requested|instructed)\b|\bthe user's (?:request|prompt|instructions?)\b|\bthe user (?:wants|asks|is asking) (?:me|us|for an? {KINDS})\b"
        ),
        r"\b(?:tone|style|voice|language|length|structure|format) of (?:the|this) (?:text|summary|document|draft|response|answer) (?:is|should|must|will)\b".to_owned(),
        r"\b(?:the|this) (?:text|summary|document|draft|response|e-?mail|post|article) (?:is|should be|must be) (?:written )?in the (?:style|tone|format|shape) of\b".to_owned(),
        // Other languages.
        r"\bdie aufgabe (?:ist|besteht darin|lautet)\b[^.!?\n]*\b(?:text|artikel|zusammenfassung|e-?mail|beitrag)\b"
            .to_owned(),
        format!(
            r"{start}(?:der|dieser|das) (?:text|dokument) (?:beschreibt|erklärt|behandelt|handelt|fasst|enthält|soll|gibt)\b|\bdiese zusammenfassung\b"
        ),
        format!(
            r"{start}(?:le|ce) (?:texte|document|résumé) (?:décrit|explique|présente|traite|résume|contient|doit)\b|\bla tâche (?:est|consiste)\b"
        ),
        format!(
            r"{start}(?:el|este) (?:texto|documento|resumen) (?:describe|explica|presenta|trata|resume|contiene|debe)\b|\bla tarea (?:es|consiste)\b"
        ),
    ];
    Regex::new(&format!("(?im){}", patterns.map(|pattern| format!("(?:{pattern})")).join("|"))).ok()
});

/// Whether a text speaks of its task. Code is ignored.
pub fn speaks_of_its_task(text: &str) -> bool {
    let prose: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ").replace('’', "'");
    let lower = prose.to_lowercase();
    ROOTS.iter().any(|root| lower.contains(root)) && PATTERNS.as_ref().is_some_and(|patterns| patterns.is_match(&prose))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_speak_of_their_task_are_told() {
        for text in [
            "The task is to write a summary of the text, including the content of the document.",
            "Subject: Scans\n\nHi Ann,\n\nYour task is to write an email about scans.",
            "The text provides an overview of how scans are read.",
            "Scans are read twice. This text describes how that works.",
            "**This summary** is short.\n\nThis summary covers the main points.",
            "The document outlines the steps that a clinic takes.",
            "1. The passage mentions two readers.",
            "The purpose of this email is to inform you about scans.",
            "The goal is to write a blog post on scans.",
            "Based on the provided information, scans are read twice.",
            "In this text, we look at scans.",
            "Here is the email you requested about scans and how they are read twice.",
            "# Scans\n\nHere's a short blog post about scans:\n\nThey are read twice.",
            "As requested, scans are read twice.",
            "I have written an article on scans.",
            "Let me write a short post for you.",
            "Write a summary of the following text in 100 words.",
            "The user asked for a post on scans.",
            "The tone of the text is friendly and professional.",
            "The document should include the price of each scan.",
            "The summary should be written in the third person.",
            "Die Aufgabe ist, einen Text über Scans zu schreiben.",
            "Der Text beschreibt, wie Bilder gelesen werden.",
            "Le texte décrit la lecture des images.",
            "El texto explica cómo se leen las imágenes.",
        ] {
            assert!(speaks_of_its_task(text), "{text}");
        }
    }

    #[test]
    fn texts_about_texts_and_their_own_contents_are_not() {
        for text in [
            "This post explains how we moved to a new database.",
            "In this article, we look at how scans are read.",
            "This guide covers the first week.",
            "Sign the document and send it back.",
            "Open the document in the editor, and the text appears on the left.",
            "The document is signed by both parties within a day.",
            "You see the text as your readers do.",
            "Highlight the text that you want to change.",
            "Text messages remind patients of their visit.",
            "The task of a radiologist is to look twice.",
            "Our goal is to create a web that is safe for all.",
            "The purpose of the visit is to see the whole picture.",
            "Here is the thing: most scans are fine.",
            "Here are three reasons to look twice:",
            "Here's what we learned in a year:",
            "Here is how a draft becomes a post.",
            "I'll write to you next week.",
            "Write a letter to your representative about it.",
            "Let me tell you a story.",
            "The user wants speed, and gets it.",
            "In the summary of the year, sales rose by a tenth.",
            "Search finds every document that mentions a name.",
            "The tone of our brand is warm.",
            "As you asked us in March, the shop opens on Sundays.",
            "A summary of the results is on page two.",
            "Use `the text provides` as a name.",
            "The contents of the box fit on one shelf.",
        ] {
            assert!(!speaks_of_its_task(text), "{text}");
        }
    }
}
