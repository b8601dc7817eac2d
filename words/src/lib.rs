//! Text as words that can be compared: without case, accents and endings, whatever form of Unicode
//! they are written in. Passages, and queries for
//! them, are analyzed in the passages' language; checks of texts analyze every text as English. The
//! callers decide what is compared.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use copydesk_domain::language::Language;
use tantivy::tokenizer::{
    AsciiFoldingFilter, Language as Stem, LowerCaser, RemoveLongFilter, Stemmer, StopWordFilter, TextAnalyzer,
    TokenStream,
};

mod counter;
mod pairs;
mod stop;
mod tokens;
pub mod unicode;

pub use counter::Counter;
use pairs::Pairs;
pub use pairs::{is_dense, is_unspaced};
use tokens::Tokens;

/// The longest word, in bytes. Longer ones are data, such as hashes and base64.
const MAX_WORD_BYTES: usize = 40;
/// The words of a text, each once. There are no operators: characters with a meaning in query
/// languages are punctuation here.
pub fn words(text: &str) -> BTreeSet<String> {
    static ANALYZER: LazyLock<TextAnalyzer> = LazyLock::new(|| analyzer(Language::English, &Counter::default()));
    first_words(&ANALYZER, text, usize::MAX)
}

/// The first `limit` words of a text, each once.
pub fn first_words(analyzer: &TextAnalyzer, text: &str, limit: usize) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let mut analyzer = analyzer.clone();
    let mut stream = analyzer.token_stream(text);
    while words.len() < limit && stream.advance() {
        words.insert(stream.token().text.clone());
    }
    words
}

/// Stems a language's words, drops its stop words and counts what is left. Scripts without spaces
/// are cut into pairs of characters.
pub fn analyzer(language: Language, counter: &Counter) -> TextAnalyzer {
    if language == Language::English { english(&[], counter) } else { other(stem(language), counter) }
}

/// The same for queries: words of a question that name nothing are dropped too.
pub fn query_analyzer(language: Language) -> TextAnalyzer {
    let counter = Counter::default();
    if language == Language::English {
        english(stop::QUERY_STOP_WORDS, &counter)
    } else {
        other(stem(language), &counter)
    }
}

fn english(further_stop_words: &[&str], counter: &Counter) -> TextAnalyzer {
    let stop_words = stop::STOP_WORDS.iter().chain(further_stop_words).map(|&word| word.to_owned());
    TextAnalyzer::builder(Tokens::default())
        .filter(Pairs)
        .filter(RemoveLongFilter::limit(MAX_WORD_BYTES))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .filter(StopWordFilter::remove(stop_words))
        .filter(Stemmer::new(Stem::English))
        .filter(counter.clone())
        .build()
}

/// Accents are removed last: the stemmers need them to recognise endings.
fn other(stem: Stem, counter: &Counter) -> TextAnalyzer {
    let stop_words = StopWordFilter::new(stem).unwrap_or_else(|| StopWordFilter::remove(Vec::new()));
    TextAnalyzer::builder(Tokens::default())
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
    fn words_are_equal_in_every_form_of_unicode() {
        for (one, other) in [
            ("re\u{301}sume\u{301}s des e\u{301}le\u{300}ves", "résumés des élèves"),
            ("\u{110b}\u{1167}\u{1100}\u{1162}\u{11a8}\u{1109}\u{1165}\u{11ab}", "여객선"),
            ("Wert\u{ad}papier\u{ad}abteilung", "Wertpapierabteilung"),
            ("Wert\u{ad}\npapier", "Wertpapier"),
            ("har\u{200b}bour\u{feff}s do\u{2060}cks", "harbours docks"),
            ("ក\u{17c6}\u{200b}ពង់\u{200b}ផែ", "កំពង់ផែ"),
        ] {
            assert_eq!(list(one), list(other), "{one:?}");
            for language in [Language::English, Language::French, Language::German] {
                let of = |text| first_words(&analyzer(language, &Counter::default()), text, usize::MAX);
                let asked = |text| first_words(&query_analyzer(language), text, usize::MAX);
                assert_eq!((of(one), asked(one)), (of(other), asked(other)), "{one:?} as {language:?}");
            }
        }
    }

    #[test]
    fn scripts_without_spaces_are_cut_into_pairs() {
        assert_eq!(list("我们的诊所"), ["们的", "我们", "的诊", "诊所"]);
        assert_eq!(list("scan 诊所"), ["scan", "诊所"]);
        let long = "កំពង់ផែមានកន្លែងចតទូកចំនួនហុកសិប";
        assert!(!words(long).is_disjoint(&words("កន្លែងចតទូក")), "longer than any word of other scripts");
    }
}
