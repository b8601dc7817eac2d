//! Scripts that are written without spaces.

use tantivy::tokenizer::{Token, TokenFilter, TokenStream, Tokenizer};

/// Cuts runs of Han, Hiragana, Katakana and Thai, which are written without spaces, into
/// overlapping pairs of characters, the usual substitute for words in these scripts.
#[derive(Clone)]
pub(crate) struct Pairs;

impl TokenFilter for Pairs {
    type Tokenizer<T: Tokenizer> = PairsTokenizer<T>;

    fn transform<T: Tokenizer>(self, inner: T) -> PairsTokenizer<T> {
        PairsTokenizer { inner }
    }
}

#[derive(Clone)]
pub(crate) struct PairsTokenizer<T> {
    inner: T,
}

impl<T: Tokenizer> Tokenizer for PairsTokenizer<T> {
    type TokenStream<'a> = PairsStream<T::TokenStream<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        PairsStream { inner: self.inner.token_stream(text), pending: Vec::new() }
    }
}

pub(crate) struct PairsStream<S> {
    inner: S,
    /// Pairs of the current token, last first.
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

/// The pairs of a word, last first; none if its script has spaces.
fn pairs(word: &str) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    if chars.len() < 3 || !chars.iter().any(|&c| is_unspaced(c)) {
        return Vec::new();
    }
    chars.windows(2).rev().map(|pair| pair.iter().collect()).collect()
}

/// Whether a script is written without spaces: Han, Hiragana, Katakana and Thai are.
pub fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}')
}
