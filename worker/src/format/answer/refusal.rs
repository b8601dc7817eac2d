//! Answers in which a model speaks of itself instead of writing: refusals, and giveaways.

/// Beginnings of an answer that are no answer.
const BEGINNINGS: [&str; 39] = [
    "as an ai language model",
    "as an ai assistant",
    "as an ai model",
    "as an ai,",
    "as a language model",
    "as a large language model",
    "i'm sorry, but",
    "i am sorry, but",
    "i'm sorry, i",
    "i apologize, but",
    "sorry, but i",
    "sorry, i can't",
    "unfortunately, i can't",
    "unfortunately, i cannot",
    "i cannot help",
    "i can't help",
    "i cannot assist",
    "i can't assist",
    "i cannot fulfill",
    "i can't fulfill",
    "i cannot write",
    "i can't write",
    "i cannot create",
    "i can't create",
    "i cannot comply",
    "i can't comply",
    "i must decline",
    "i have to decline",
    "i am unable to",
    "i'm unable to",
    "i'm not able to",
    "i am not able to",
    // German, French, Spanish, Italian, Portuguese, Dutch.
    "es tut mir leid, aber ich",
    "tut mir leid, aber ich",
    "je suis désolé, mais je ne",
    "lo siento, pero no puedo",
    "mi dispiace, ma non posso",
    "sinto muito, mas não posso",
    "het spijt me, maar ik kan",
];
/// What gives a model away anywhere in a text.
const GIVEAWAYS: [&str; 14] = [
    "as an ai language model",
    "as a large language model",
    "my training data",
    "my knowledge cutoff",
    "i can't help with that",
    "i cannot help with that",
    "i can't assist with that",
    "i cannot assist with that",
    "violates my guidelines",
    "against my guidelines",
    "als ki-sprachmodell",
    "en tant que modèle de langage",
    "como modelo de lenguaje",
    "come modello linguistico",
];
/// Paragraphs in which a refusal may begin: a title may stand before it.
const PARAGRAPHS: usize = 3;

/// Whether a text refuses or speaks of its author.
pub(crate) fn is_refusal(text: &str) -> bool {
    let plain = text.to_lowercase().replace('’', "'");
    let mut paragraphs = plain.lines().map(|line| line.trim_start_matches(|c: char| !c.is_alphanumeric()));
    let begins = |line: &str| BEGINNINGS.iter().any(|words| line.starts_with(words));
    let first = paragraphs.by_ref().filter(|line| !line.is_empty()).take(PARAGRAPHS).any(begins);
    first || GIVEAWAYS.iter().any(|words| plain.contains(words))
}
