//! Scripts that are written without spaces.

use tantivy::tokenizer::{Token, TokenFilter, TokenStream, Tokenizer};

/// Cuts runs of scripts that are written without spaces into overlapping pairs of characters, the
/// usual substitute for words in them.
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

/// Whether a character belongs to a script that is written without spaces. Punctuation does not.
pub fn is_unspaced(c: char) -> bool {
    is_dense(c) || is_phonetic(c)
}

/// Whether about two characters of an unspaced script make a word: Han, Bopomofo, Hiragana,
/// Katakana and Yi.
pub fn is_dense(c: char) -> bool {
    matches!(
        c,
        '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{3096}' | '\u{309d}'..='\u{309f}'
            | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{312f}' | '\u{31a0}'..='\u{31bf}' | '\u{31f0}'..='\u{31ff}'
            | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{a000}'..='\u{a48c}'
            | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}'
    )
}

/// The other unspaced scripts, whose words are spelled with vowels and tones: Thai, Lao, Tibetan,
/// Myanmar, Khmer, Tai Le, New Tai Lue, Buginese, Tai Tham, Balinese, Batak, Phags-pa, Javanese,
/// Cham and Tai Viet.
pub(crate) fn is_phonetic(c: char) -> bool {
    match c {
        // Signs that end or part sentences.
        '\u{0e4f}' | '\u{0e5a}' | '\u{0e5b}' | '\u{0f01}'..='\u{0f0a}' | '\u{0f0d}'..='\u{0f14}' => false,
        '\u{104a}'..='\u{104f}' | '\u{17d4}'..='\u{17d6}' | '\u{17d8}'..='\u{17da}' => false,
        '\u{1a1e}' | '\u{1a1f}' | '\u{1aa0}'..='\u{1aad}' | '\u{1b5a}'..='\u{1b60}' | '\u{1bfc}'..='\u{1bff}' => false,
        '\u{a874}'..='\u{a877}' | '\u{a9c1}'..='\u{a9cd}' | '\u{aa5c}'..='\u{aa5f}' | '\u{aade}' | '\u{aadf}' => false,
        '\u{0e01}'..='\u{0fff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17f9}' | '\u{1950}'..='\u{19ff}' => true,
        '\u{1a00}'..='\u{1aad}' | '\u{1b00}'..='\u{1b7f}' | '\u{1bc0}'..='\u{1bff}' | '\u{a840}'..='\u{a877}' => true,
        '\u{a980}'..='\u{a9fe}' | '\u{aa00}'..='\u{aadf}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unspaced_scripts_are_told_from_others_and_from_punctuation() {
        for word in [
            "我们",
            "ひらがな",
            "カタカナ",
            "ﾊﾝｶｸ",
            "𠀋",
            "ภาษาไทย",
            "ພາສາລາວ",
            "བོད་སྐད",
            "မြန်မာ",
            "ភាសាខ្មែរ",
            "ꦗꦮ",
            "ᬩᬮᬶ",
        ] {
            assert!(word.chars().all(is_unspaced), "{word}");
        }
        for other in [
            "Latin",
            "кириллица",
            "हिन्दी",
            "한국어",
            "العربية",
            "ქართული",
            "አማርኛ",
            "。",
            "、",
            "។",
            "၊",
            "။",
            "།",
            "꧉",
            "！",
            "・",
        ] {
            assert!(!other.chars().any(is_unspaced), "{other}");
        }
    }
}
