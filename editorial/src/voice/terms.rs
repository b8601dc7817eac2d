//! The words that distinguish a business's documents: frequent in them, rare in English.

use std::collections::HashMap;
use std::sync::LazyLock;

use copydesk_words::{unicode, words};
use regex::Regex;

use crate::phrases::{Phrases, phrases};

/// The most terms that are kept.
const MAX_TERMS: usize = 10;
/// The fewest occurrences of a term.
const MIN_COUNT: usize = 3;
/// The shortest term, in characters.
const MIN_CHARS: usize = 5;
/// Words that any business uses.
static COMMON: Phrases = phrases!("common_words.txt");

/// Matches the targets of links and bare addresses, which are not words of the text.
#[expect(clippy::expect_used, reason = "a pattern that is none fails in the first test")]
static ADDRESS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\]\([^)\s]*\)|\b\w+://\S+|\bwww\.\S+").expect("a pattern"));

/// The terms, most frequent first; equal ones in alphabetical order.
pub(super) fn distinctive(text: &str) -> Vec<String> {
    let lower = ADDRESS.replace_all(&unicode::comparable(text), " ").to_lowercase();
    let tokens: Vec<&str> = lower
        .split(|c: char| c.is_whitespace() || ".,;:!?()[]{}\"“”<>|#*_/".contains(c))
        .filter(|token| !token.is_empty())
        .collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for token in tokens.iter().filter(|token| is_term(token)) {
        *counts.entry((*token).to_owned()).or_default() += 1;
    }
    // Two such words that often occur together are one term.
    for pair in tokens.windows(2).filter(|pair| pair.iter().all(|token| is_word(token) && !COMMON.contains(token))) {
        *counts.entry(pair.join(" ")).or_default() += 1;
    }
    let mut ranked: Vec<(String, usize)> = counts.into_iter().filter(|(_, count)| *count >= MIN_COUNT).collect();
    ranked.sort_by(|(a, n), (b, m)| (m * a_weight(b)).cmp(&(n * a_weight(a))).then_with(|| a.cmp(b)));
    let mut terms: Vec<String> = Vec::new();
    for (term, _) in ranked {
        let is_part = terms.iter().any(|known| known.split(' ').any(|word| term.split(' ').any(|other| word == other)));
        if terms.len() < MAX_TERMS && !is_part {
            terms.push(term);
        }
    }
    terms
}

/// The weight of a term: two words count more than one.
fn a_weight(term: &str) -> usize {
    if term.contains(' ') { 3 } else { 2 }
}

fn is_term(token: &str) -> bool {
    is_word(token) && token.chars().count() >= MIN_CHARS && !COMMON.contains(&token)
}

/// A word that is neither common in English nor a number.
fn is_word(token: &str) -> bool {
    token.chars().all(|c| c.is_alphabetic() || c == '-') && token.chars().count() >= 4 && !words(token).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_frequent_here_and_rare_elsewhere() {
        let text = "Our gait analysis is quick. Gait analysis shows a lot. After the gait analysis we plan. The physiotherapist \
            helps. A physiotherapist plans. Your physiotherapist, our customers: customers, customers. Minutes, minutes, minutes.";
        assert_eq!(distinctive(text), ["gait analysis", "physiotherapist"]);
        let linked =
            "[Read](https://docs.example/guide) [it](/docs/guide) at https://docs.example/guide www.docs.example.";
        assert!(distinctive(&linked.repeat(3)).is_empty(), "addresses are no words");
        assert!(distinctive("").is_empty());
    }
}
