//! Text as words that can be compared: without case, accents and endings. Passages, and queries for
//! them, are seen in the passages' language; checks of citations see all text as English.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use copydesk_domain::language::Language;
use tantivy::tokenizer::{
    AsciiFoldingFilter, Language as Stem, LowerCaser, RemoveLongFilter, SimpleTokenizer, Stemmer, StopWordFilter,
    TextAnalyzer, Token, TokenFilter, TokenStream, Tokenizer,
};

mod counter;

pub(crate) use counter::Counter;

/// Longer words are data, such as hashes and base64. In bytes.
const MAX_WORD_BYTES: usize = 40;
/// Words so common in English that they tell no passage from another: Lucene's list, and the
/// question words, which topics are full of.
const STOP_WORDS: &[&str] = &[
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
    "how", "what", "when", "where", "which", "who", "why", "we", "our", "you", "your", "from", "can", "do", "does",
];

/// Words of English queries that ask rather than name something. Passages keep them, since checks of
/// citations weigh them; other languages' lists hold them already.
const ENGLISH_QUERY_STOP_WORDS: &[&str] = &[
    "i", "me", "my", "us", "he", "him", "his", "she", "her", "its", "them", "those", "am", "were", "been", "being",
    "have", "has", "had", "having", "did", "doing", "would", "should", "could", "ought", "may", "might", "must",
    "shall", "any", "some", "each", "every", "other", "another", "because", "while", "until", "about", "between",
    "through", "during", "than", "too", "very", "just", "also", "only", "same", "so", "both", "more", "most", "few",
    "own", "again", "here",
];

/// The words of a text, each once. Nothing in a text is an operator: what would be one in a query
/// language is punctuation here.
pub fn words(text: &str) -> BTreeSet<String> {
    static ANALYZER: LazyLock<TextAnalyzer> = LazyLock::new(|| analyzer(Language::English, &Counter::default()));
    first_words(&ANALYZER, text, usize::MAX)
}

/// The first `limit` words of a text, each once.
pub(crate) fn first_words(analyzer: &TextAnalyzer, text: &str, limit: usize) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let mut analyzer = analyzer.clone();
    let mut stream = analyzer.token_stream(text);
    while words.len() < limit && stream.advance() {
        words.insert(stream.token().text.clone());
    }
    words
}

/// A language's words without their endings, and its commonest not at all, each counted; scripts without
/// spaces are cut into pairs of characters.
pub(crate) fn analyzer(language: Language, counter: &Counter) -> TextAnalyzer {
    if language == Language::English { english(&[], counter) } else { other(stem(language), counter) }
}

/// The same for what is looked for: a query's words that say nothing are not looked up.
pub(crate) fn query_analyzer(language: Language) -> TextAnalyzer {
    let counter = Counter::default();
    if language == Language::English {
        english(ENGLISH_QUERY_STOP_WORDS, &counter)
    } else {
        other(stem(language), &counter)
    }
}

fn english(further_stop_words: &[&str], counter: &Counter) -> TextAnalyzer {
    let stop_words = STOP_WORDS.iter().chain(further_stop_words).map(|&word| word.to_owned());
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(Pairs)
        .filter(RemoveLongFilter::limit(MAX_WORD_BYTES))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .filter(StopWordFilter::remove(stop_words))
        .filter(Stemmer::new(Stem::English))
        .filter(counter.clone())
        .build()
}

/// Accents go last: endings are told by them.
fn other(stem: Stem, counter: &Counter) -> TextAnalyzer {
    let stop_words = StopWordFilter::new(stem).unwrap_or_else(|| StopWordFilter::remove(Vec::new()));
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(Pairs)
        .filter(RemoveLongFilter::limit(MAX_WORD_BYTES))
        .filter(LowerCaser)
        .filter(stop_words)
        .filter(Stemmer::new(stem))
        .filter(AsciiFoldingFilter)
        .filter(counter.clone())
        .build()
}

fn stem(language: Language) -> Stem {
    match language {
        Language::Arabic => Stem::Arabic,
        Language::Danish => Stem::Danish,
        Language::Dutch => Stem::Dutch,
        Language::English => Stem::English,
        Language::Finnish => Stem::Finnish,
        Language::French => Stem::French,
        Language::German => Stem::German,
        Language::Greek => Stem::Greek,
        Language::Hungarian => Stem::Hungarian,
        Language::Italian => Stem::Italian,
        Language::Norwegian => Stem::Norwegian,
        Language::Portuguese => Stem::Portuguese,
        Language::Romanian => Stem::Romanian,
        Language::Russian => Stem::Russian,
        Language::Spanish => Stem::Spanish,
        Language::Swedish => Stem::Swedish,
        Language::Tamil => Stem::Tamil,
        Language::Turkish => Stem::Turkish,
    }
}

/// Cuts runs of Han, Hiragana, Katakana and Thai, which are written without spaces, into
/// overlapping pairs of characters: the usual stand-in for words there.
#[derive(Clone)]
struct Pairs;

impl TokenFilter for Pairs {
    type Tokenizer<T: Tokenizer> = PairsTokenizer<T>;

    fn transform<T: Tokenizer>(self, inner: T) -> PairsTokenizer<T> {
        PairsTokenizer { inner }
    }
}

#[derive(Clone)]
struct PairsTokenizer<T> {
    inner: T,
}

impl<T: Tokenizer> Tokenizer for PairsTokenizer<T> {
    type TokenStream<'a> = PairsStream<T::TokenStream<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        PairsStream { inner: self.inner.token_stream(text), pending: Vec::new() }
    }
}

struct PairsStream<S> {
    inner: S,
    /// Pairs of the token under way, last first.
    pending: Vec<String>,
}

impl<S: TokenStream> TokenStream for PairsStream<S> {
    fn advance(&mut self) -> bool {
        if self.pending.is_empty() {
            if !self.inner.advance() {
                return false;
            }
            self.pending = pairs(&self.inner.token().text);
        }
        if let Some(pair) = self.pending.pop() {
            self.inner.token_mut().text = pair;
        }
        true
    }

    fn token(&self) -> &Token {
        self.inner.token()
    }

    fn token_mut(&mut self) -> &mut Token {
        self.inner.token_mut()
    }
}

/// The pairs of a word, last first; none where its script has spaces.
fn pairs(word: &str) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    if chars.len() < 3 || !chars.iter().any(|&c| is_unspaced(c)) {
        return Vec::new();
    }
    chars.windows(2).rev().map(|pair| pair.iter().collect()).collect()
}

fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        words(text).into_iter().collect()
    }

    #[test]
    fn words_lose_case_accents_endings_and_what_is_common() {
        assert_eq!(list("The Scans of the CAFÉ are scanning, scanned!"), ["cafe", "scan"]);
        assert_eq!(list("What is it?"), Vec::<String>::new());
        assert_eq!(list(""), Vec::<String>::new());
    }

    #[test]
    fn scripts_without_spaces_are_cut_into_pairs() {
        assert_eq!(list("我们的诊所"), ["们的", "我们", "的诊", "诊所"]);
        assert_eq!(list("scan 诊所"), ["scan", "诊所"]);
    }
}
