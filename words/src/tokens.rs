//! The words of a text before any filter, in one form of Unicode.

use std::borrow::Cow;

use tantivy::tokenizer::{SimpleTokenStream, SimpleTokenizer, Tokenizer};

use crate::unicode;

/// Splits at white space and punctuation. Passages are stored as they came, so each text is brought
/// into one form here; the offsets of the words are those in that form.
#[derive(Clone, Default)]
pub(crate) struct Tokens {
    inner: SimpleTokenizer,
    /// The last text that was in another form.
    text: String,
}

impl Tokenizer for Tokens {
    type TokenStream<'a> = SimpleTokenStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> SimpleTokenStream<'a> {
        match unicode::comparable(text) {
            Cow::Borrowed(text) => self.inner.token_stream(text),
            Cow::Owned(text) => {
                self.text = text;
                self.inner.token_stream(&self.text)
            }
        }
    }
}
