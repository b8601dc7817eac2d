//! A filter that counts the words of an analyzer: tantivy keeps a passage's length rounded, and the mean of all
//! needs it whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tantivy::tokenizer::{Token, TokenFilter, TokenStream, Tokenizer};

/// Counts what passes. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// How many words there were since the last call.
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

/// Counts the words of another tokenizer.
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

/// Counts the words of a text.
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
