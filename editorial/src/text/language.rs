//! Detects a text's language, by whatlang's trigrams and by common words. Cautious on purpose: it
//! reports another language only if both agree, or if one has no result.

use copydesk_words::is_unspaced;
use whatlang::Lang;

use super::phrase;
use crate::phrases::{Phrases, phrases};

/// The commonest words of some languages: a text of fifty words contains several.
const COMMON_WORDS: &[(&str, &[&str])] = &[
    ("en", &["the", "and", "of", "to", "is", "that", "with", "for", "are", "this", "your", "it", "from", "you"]),
    ("de", &["der", "die", "und", "das", "ist", "nicht", "mit", "für", "ein", "eine", "sie", "auf", "den", "wir"]),
    ("fr", &["le", "les", "des", "est", "une", "pour", "dans", "que", "et", "vous", "nous", "sur", "avec", "du"]),
    ("es", &["el", "los", "las", "una", "por", "con", "para", "que", "es", "del", "se", "su", "como", "más"]),
    ("it", &["il", "gli", "che", "per", "una", "con", "del", "della", "sono", "è", "non", "di", "le", "nel"]),
    ("pt", &["os", "uma", "por", "com", "para", "que", "não", "do", "da", "em", "são", "mais", "você", "se"]),
    ("nl", &["de", "het", "een", "en", "van", "niet", "met", "voor", "zijn", "op", "dat", "wij", "je", "ook"]),
];
/// The languages that whatlang detects and people ask for, by ISO 639-1.
const TOLD: &[(Lang, &str)] = &[
    (Lang::Eng, "en"),
    (Lang::Deu, "de"),
    (Lang::Fra, "fr"),
    (Lang::Spa, "es"),
    (Lang::Ita, "it"),
    (Lang::Por, "pt"),
    (Lang::Nld, "nl"),
    (Lang::Swe, "sv"),
    (Lang::Dan, "da"),
    (Lang::Fin, "fi"),
    (Lang::Pol, "pl"),
    (Lang::Ces, "cs"),
    (Lang::Hun, "hu"),
    (Lang::Ron, "ro"),
    (Lang::Tur, "tr"),
    (Lang::Ell, "el"),
    (Lang::Rus, "ru"),
    (Lang::Ukr, "uk"),
    (Lang::Ara, "ar"),
    (Lang::Heb, "he"),
    (Lang::Hin, "hi"),
    (Lang::Jpn, "ja"),
    (Lang::Kor, "ko"),
    (Lang::Cmn, "zh"),
    (Lang::Vie, "vi"),
    (Lang::Tha, "th"),
    (Lang::Ind, "id"),
];
/// The fewest words from which a language is detected.
const MIN_WORDS: usize = 40;
/// Languages that are written without spaces.
const UNSPACED: [&str; 4] = ["zh", "ja", "th", "yue"];

/// English calls to action.
static CALLS_TO_ACTION: Phrases = phrases!("calls_to_action.txt");

/// Whether a BCP 47 tag means English.
pub fn is_english(tag: &str) -> bool {
    primary(tag) == "en"
}

fn primary(tag: &str) -> String {
    tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase()
}

/// The number of words, as length limits count them. In scripts without spaces, two characters
/// count as a word.
pub fn count_words(text: &str) -> usize {
    let spaced = text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).count();
    spaced.max(text.chars().filter(|&c| is_unspaced(c)).count() / 2)
}

/// Whether a line tells the reader to do something.
pub fn calls_to_act(line: &str) -> bool {
    let lower = line.to_lowercase();
    CALLS_TO_ACTION.iter().any(|word| phrase::holds(&lower, word))
}

/// The language of a text that is clearly not in the requested one, as an ISO 639-1 tag.
pub fn other_than(asked: &str, text: &str) -> Option<&'static str> {
    let words: Vec<String> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    if words.len() < MIN_WORDS && text.chars().filter(|&c| is_unspaced(c)).count() < MIN_WORDS {
        return None;
    }
    // Multilingual models sometimes switch to another language.
    let unspaced = text.chars().filter(|&c| is_unspaced(c)).count();
    if unspaced >= MIN_WORDS && unspaced * 10 >= text.chars().count() && !UNSPACED.contains(&primary(asked).as_str()) {
        return Some("another language");
    }
    let hits = |common: &[&str]| words.iter().filter(|word| common.contains(&word.as_str())).count();
    let asked = primary(asked);
    let own = COMMON_WORDS.iter().find(|(tag, _)| *tag == asked).map(|(_, common)| hits(common));
    let (other, best) = COMMON_WORDS.iter().map(|(tag, common)| (*tag, hits(common))).max_by_key(|(_, n)| *n)?;
    if own.is_some_and(|own| best >= words.len() / 12 && best > 3 * own) {
        return Some(other);
    }
    // A text full of a language's commonest words is in that language, even if names in it give
    // other trigrams.
    let is_own = own.is_some_and(|own| own >= words.len() / 12);
    let foreign = (own == Some(0) && is_foreign_script(text)).then_some("another language");
    let other =
        detected(text).filter(|detected| !is_own && *detected != asked && TOLD.iter().any(|(_, tag)| *tag == asked));
    other.or(foreign)
}

/// The language that trigrams detect with confidence, as an ISO 639-1 tag.
pub fn detected(text: &str) -> Option<&'static str> {
    let info = whatlang::detect(text).filter(whatlang::Info::is_reliable)?;
    TOLD.iter().find(|(lang, _)| *lang == info.lang()).map(|(_, tag)| *tag)
}

/// Whether most letters are not Latin. All languages with common words above use Latin script.
fn is_foreign_script(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic());
    let (latin, foreign): (Vec<char>, Vec<char>) = letters.partition(|&c| c < '\u{0250}');
    foreign.len() > latin.len()
}

/// Whether a text of any length contains enough of the commonest English words to be English.
pub fn looks_english(text: &str) -> bool {
    let common = COMMON_WORDS[0].1;
    let words: Vec<String> =
        text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).filter(|word| !word.is_empty()).collect();
    !words.is_empty() && words.iter().filter(|word| common.contains(&word.as_str())).count() * 12 >= words.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGLISH: &str = "The clinic is open to all, and the scan that you get is read twice: by a model and by a \
        radiologist. This is the way to find what one of them would miss. For the patient it means fewer second visits, \
        and for the clinic it means that the day is planned with care.";
    const GERMAN: &str = "Die Klinik ist für alle offen, und das Bild, das Sie bekommen, wird zweimal gelesen: von einem \
        Modell und von einer Radiologin. So findet die eine, was das andere nicht sieht. Für den Patienten heißt das \
        weniger Termine, und die Klinik plant den Tag mit Sorgfalt, denn das ist der Sinn der Sache.";

    #[test]
    fn another_language_is_told_where_it_is_plain() {
        assert_eq!(other_than("en", ENGLISH), None);
        assert_eq!(other_than("en-GB", GERMAN), Some("de"));
        assert_eq!(other_than("de-CH", GERMAN), None);
        assert_eq!(other_than("de", ENGLISH), Some("en"));
        assert_eq!(other_than("fi", ENGLISH), Some("en"));
        assert_eq!(other_than("eo", ENGLISH), None, "nothing is known of Esperanto");
        assert_eq!(other_than("en", "Zu kurz, um es zu sagen."), None);
        assert_eq!(other_than("en", &"клиника открыта для всех ".repeat(15)), Some("another language"));
    }

    #[test]
    fn words_are_counted_in_every_script() {
        assert_eq!(count_words("One, two – three."), 3);
        assert_eq!(count_words("## Heading\n- a\n---"), 2);
        assert_eq!(count_words("我们的诊所每天八点开门"), 5);
    }

    #[test]
    fn calls_to_action_are_whole_words() {
        assert!(calls_to_act("Book a visit today."));
        assert!(calls_to_act("**Get in touch**"));
        assert!(!calls_to_act("The bookshelf stands in the together room."));
    }
}
