//! A filter that counts the words of an analyzer. tantivy stores a passage's length rounded; the
//! mean length needs the exact one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tantivy::tokenizer::{Token, TokenFilter, TokenStream, Tokenizer};

/// Counts the words that pass. Clones share one count.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// The number of words since the last call.
    pub fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl TokenFilter for Counter {
    type Tokenizer<T: Tokenizer> = CountingTokenizer<T>;

    fn transform<T: Tokenizer>(self, inner: T) -> CountingTokenizer<T> {
        CountingTokenizer { inner, counter: self }
    }
}

/// A tokenizer that counts the words of another one.
#[derive(Debug, Clone)]
pub struct CountingTokenizer<T> {
    inner: T,
    counter: Counter,
}

impl<T: Tokenizer> Tokenizer for CountingTokenizer<T> {
    type TokenStream<'a> = CountingStream<'a, T::TokenStream<'a>>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        CountingStream { inner: self.inner.token_stream(text), counter: &self.counter }
    }
}

/// A token stream that counts the words of a text.
#[derive(Debug)]
pub struct CountingStream<'a, S> {
    inner: S,
    counter: &'a Counter,
}

impl<S: TokenStream> TokenStream for CountingStream<'_, S> {
    fn advance(&mut self) -> bool {
        let is_word = self.inner.advance();
        if is_word {
            self.counter.0.fetch_add(1, Ordering::Relaxed);
        }
        is_word
    }

    fn token(&self) -> &Token {
        self.inner.token()
    }

    fn token_mut(&mut self) -> &mut Token {
        self.inner.token_mut()
    }
}
