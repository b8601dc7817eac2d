//! Sentences of documents that can stand in a text for readers, alone or with the one before them. Nothing here knows
//! what the text is about.

use std::sync::LazyLock;

use copydesk_words::is_unspaced;
use regex::RegexSet;

use super::QUOTES;
use crate::answer;
use crate::document;
use crate::text::clip::chars;
use crate::text::{language, sentence};

/// The longest sentence that is used whole, in characters.
const MAX_SENTENCE_CHARS: usize = 240;
/// The shortest sentence, in characters. Shorter ones are headings, labels and fragments.
const MIN_SENTENCE_CHARS: usize = 25;
/// The same in scripts without spaces, in words.
const MIN_SENTENCE_WORDS: usize = 5;
/// First words of sentences that need the one before them.
const LEANING: [&str; 34] = [
    "it",
    "this",
    "these",
    "that",
    "those",
    "its",
    "their",
    "his",
    "her",
    "them",
    "both",
    "meanwhile",
    "additionally",
    "furthermore",
    "moreover",
    "similarly",
    "thus",
    "finally",
    "instead",
    "they",
    "he",
    "she",
    "but",
    "and",
    "or",
    "so",
    "however",
    "therefore",
    "also",
    "then",
    "otherwise",
    "such",
    "here",
    "there",
];
/// The most words of a label in front of a sentence: `Conclusion: …`, `Fix (16256): …`.
const MAX_LABEL_WORDS: usize = 3;
/// Words that make a thing known, to which a later `it` may refer.
const NAMING: [&str; 12] = ["a", "an", "the", "every", "each", "this", "that", "our", "your", "my", "one", "no"];
/// How far a sentence is looked at for what it leans on, in words.
const LOOKED_AT_WORDS: usize = 12;
/// First words of rules.
const RULES: [&str; 8] = ["avoid", "never", "don't", "don’t", "capitalize", "spell", "note", "todo"];
/// What a business tells its own people, and what it has not done yet: no fact for readers.
const INTERNAL: &str = r"(?x)\b(we\ do(\ not|n't)\ write|(do\ not\ )?use\ the\ word|(3rd|third)\ person|our\ tone|tone\ of\ voice|style\ guide
    |must\ not|internal\ use|confidential|do\ not\ share|teammates?|handbook|this\ (page|section|doc|document|handbook)
    |in\ the\ future|roadmap|(this|next)\ (quarter|sprint)|fy\ ?\d\d|q[1-4]|wip|mvp|okrs?|key\ results?|tbd|coming\ soon
    |we\ (\w+\ )?(aim|plan|intend|hope|need)\ to|we\ still|our\ (strategy|priority|priorities|hypothesis)|i|i'm|i've)\b";
/// What pages say about themselves and where else to go.
const NAVIGATION: &str = r"(?x)^(read\ (more|on|the|about)|see\ (also|our|more|here|specific)|see\ the\ .*(page|section|guide|docs?|documentation|list)|click|learn\ more|(for\ )?more\ (information|details|on)
    |to\ learn\ more|check\ out|watch\ the|download|sign\ up|subscribe|follow\ us|share\ this|back\ to|skip\ to|(last\ )?updated|published|posted|written\ by|copyright|all\ rights|you\ can\ read\ more|follow\ the\ link)\b
    |\b(here|below|above|following)[.:!]$|https?://|\bwww\.|\S@\S|\d\ min(ute)?s?\ read|in\ this\ (article|post|video)";

/// The sentences of a passage that are understandable alone, or with the one before them, without Markdown marks.
pub(super) fn sentences(text: &str) -> Vec<String> {
    let is_long = |text: &str| {
        chars(text) >= MIN_SENTENCE_CHARS
            || (text.contains(is_unspaced) && language::count_words(text) >= MIN_SENTENCE_WORDS)
    };
    let mut kept: Vec<String> = Vec::new();
    for block in blocks(text) {
        // Whether the last kept sentence is the one before.
        let mut follows = false;
        for sentence in one_spaced(&block) {
            let (is_fit, leans) = (is_for_readers(&sentence), leans(&sentence));
            let last = kept.last_mut().filter(|last| follows && chars(last) + chars(&sentence) < MAX_SENTENCE_CHARS);
            match last {
                Some(last) if is_fit && leans => last.extend([" ", &sentence]),
                _ if is_fit && !leans && is_long(&sentence) && chars(&sentence) <= MAX_SENTENCE_CHARS => {
                    kept.push(sentence);
                    follows = true;
                }
                _ => follows = false,
            }
        }
    }
    kept
}

/// Whether a sentence can stand in a text for readers: it begins like one, and is no question, no rule for those who
/// write, no plan, and no word about the page that it comes from.
fn is_for_readers(sentence: &str) -> bool {
    let bare = sentence.trim_start_matches(QUOTES);
    let first = first_word(bare);
    let begins = bare.chars().next().is_some_and(|c| !c.is_lowercase() && c.is_alphanumeric());
    begins
        && !sentence.ends_with(['?', '？', '؟'])
        && !is_labelled(bare)
        && !RULES.contains(&first.as_str())
        && is_quoted_whole(sentence)
        && !is_internal(sentence)
}

fn first_word(sentence: &str) -> String {
    sentence.split_whitespace().next().unwrap_or_default().trim_end_matches([',', ':']).to_lowercase()
}

/// `Conclusion: …`, `Volume – …`.
fn is_labelled(sentence: &str) -> bool {
    let labels = [": ", " – ", " — ", " - "].iter().filter_map(|mark| sentence.split_once(mark));
    labels.map(|(label, _)| label.split_whitespace().count()).any(|words| (1..=MAX_LABEL_WORDS).contains(&words))
}

/// Whether no quotation begins or ends outside of the sentence.
fn is_quoted_whole(sentence: &str) -> bool {
    let count = |mark: char| sentence.matches(mark).count();
    count('"') % 2 == 0 && count('“') == count('”')
}

/// Whether a sentence needs the one before it: by its first word, or by an `it` that nothing in it names.
fn leans(sentence: &str) -> bool {
    if LEANING.contains(&first_word(sentence).as_str()) {
        return true;
    }
    let words: Vec<&str> = sentence.split_whitespace().take(LOOKED_AT_WORDS).collect();
    let plain = |word: &&str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let Some(at) = words.iter().position(|word| ["it", "them"].contains(&plain(word).as_str())) else { return false };
    // A name, or a thing with its article, may be meant.
    let names = |(place, word): (usize, &&str)| {
        NAMING.contains(&plain(word).as_str()) || (place > 0 && word.starts_with(char::is_uppercase))
    };
    !words[..at].iter().enumerate().any(names)
}

/// `We do not write …`, `In the future we aim to …`, `Read more here.`, and what speaks of the document.
fn is_internal(sentence: &str) -> bool {
    static INTERNALS: LazyLock<Option<RegexSet>> = LazyLock::new(|| RegexSet::new([INTERNAL, NAVIGATION]).ok());
    let lower = sentence.to_lowercase().replace('’', "'");
    INTERNALS.as_ref().is_some_and(|internals| internals.is_match(&lower))
        || document::orders_wording(sentence)
        || answer::speaks_of_its_task(sentence)
}

/// Paragraphs and bullets, each as running text, without headings, tables, code, quotations in blocks, and the brackets
/// of links.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines().map(str::trim) {
        let bare = line.trim_start_matches(['-', '*', '>', '+', ' ']);
        if bare.len() != line.len() || line.is_empty() || line.starts_with(['#', '|', '`', '<']) {
            blocks.push(String::new());
        }
        if let Some(block) = blocks.last_mut().filter(|_| !line.starts_with(['#', '|', '`', '<'])) {
            block.push_str(bare);
            block.push(' ');
        }
    }
    blocks.iter().map(|block| without_links(block).replace(['*', '_', '`', '[', ']'], "")).collect()
}

/// `[text](address)` as `text`.
fn without_links(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, address)) = rest.split_once("](") {
        plain.push_str(before);
        rest = address.split_once(')').map_or("", |(_, behind)| behind);
    }
    plain + rest
}

/// The sentences of a block, each on one line.
fn one_spaced(block: &str) -> Vec<String> {
    let block = block.split_whitespace().collect::<Vec<_>>().join(" ");
    sentence::ended(&block).map(str::to_owned).collect()
}
