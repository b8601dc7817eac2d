//! Detects a text's language, by whatlang's trigrams and by common words. Cautious on purpose: it
//! reports another language only if both agree, or if one has no result.

use copydesk_words::{is_dense, is_unspaced};
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
/// Languages that are written without spaces, and a letter of each script that they use.
const UNSPACED: &[(&str, &[char])] = &[
    ("zh", &['中']),
    ("yue", &['中']),
    ("ja", &['中', 'あ', 'ア']),
    ("th", &['ก']),
    ("lo", &['ກ']),
    ("my", &['က']),
    ("km", &['ក']),
    ("bo", &['ཀ']),
    ("dz", &['ཀ']),
];
/// Characters of unspaced scripts that make a word, for [`is_dense`] ones and for others.
const WORD_CHARS: (usize, usize) = (2, 5);
/// Languages whose questions need no question mark.
const UNMARKED_QUESTIONS: [&str; 8] = ["th", "lo", "my", "km", "bo", "dz", "jv", "shn"];
/// Question marks of all scripts. The Greek one looks like a semicolon.
const QUESTION_MARKS: [char; 10] = ['?', '？', '؟', '՞', '፧', '⁇', '⁈', '⁉', '‽', '\u{37e}'];
/// A language's own script makes up at least this share of a text in it, in percent of its letters.
const MIN_OWN_SCRIPT: usize = 25;

/// English calls to action.
static CALLS_TO_ACTION: Phrases = phrases!("calls_to_action.txt");

/// Whether a BCP 47 tag means English.
pub fn is_english(tag: &str) -> bool {
    primary(tag) == "en"
}

fn primary(tag: &str) -> String {
    tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase()
}

/// The number of words, as length limits count them.
pub fn count_words(text: &str) -> usize {
    words(text).count()
}

/// The words of a text. Where a script has no spaces, a few characters count as a word.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    let spaced = text.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric));
    spaced.flat_map(|word| if word.contains(is_unspaced) { pieces(word) } else { vec![word] })
}

/// What a word of an unspaced script is cut into: its characters by twos or fives, and what stands
/// between them in other scripts.
fn pieces(word: &str) -> Vec<&str> {
    let kind = |c: char| match c {
        c if is_dense(c) => WORD_CHARS.0,
        c if is_unspaced(c) => WORD_CHARS.1,
        c if c.is_alphanumeric() => usize::MAX,
        _ => 0,
    };
    let (mut pieces, mut rest) = (Vec::new(), word);
    while let Some(most) = rest.chars().next().map(kind) {
        let run = rest.find(|c: char| kind(c) != most).unwrap_or(rest.len());
        let end = rest[..run].char_indices().nth(most).map_or(run, |(end, _)| end);
        let is_whole = end < run || pieces.is_empty() || rest[..end].chars().count() * 2 > most;
        if most == usize::MAX || (most > 0 && is_whole) {
            pieces.push(&rest[..end]);
        }
        rest = &rest[if most == 0 { run } else { end }..];
    }
    pieces
}

/// Whether a line asks something. Some languages ask without a mark: there any line may.
pub fn asks(line: &str, language: &str) -> bool {
    let language = primary(language);
    line.contains(QUESTION_MARKS)
        || (language == "el" && line.trim_end().ends_with(';'))
        || UNMARKED_QUESTIONS.contains(&language.as_str())
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
    let is_romanised = asked.to_ascii_lowercase().contains("-latn");
    let asked = primary(asked);
    let own_script = UNSPACED.iter().find(|(tag, _)| *tag == asked).map(|(_, letters)| *letters);
    // Multilingual models sometimes switch to another language. Of a language that is not listed, the script is not
    // known.
    let unspaced = text.chars().filter(|&c| is_unspaced(c)).count();
    let is_listed = TOLD.iter().any(|(_, tag)| *tag == asked) && own_script.is_none();
    if unspaced >= MIN_WORDS && unspaced * 10 >= text.chars().count() && is_listed {
        return Some("another language");
    }
    if own_script.is_some_and(|letters| !is_romanised && !is_written_in(text, letters)) {
        return Some("another language");
    }
    let hits = |common: &[&str]| words.iter().filter(|word| common.contains(&word.as_str())).count();
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

/// Whether enough letters of a text are of the scripts of these letters.
fn is_written_in(text: &str, scripts: &[char]) -> bool {
    let script = |c: char| match c {
        '\u{3041}'..='\u{309f}' => 1,
        '\u{30a0}'..='\u{30ff}' | '\u{ff66}'..='\u{ff9f}' => 2,
        c if is_dense(c) => 3,
        // The blocks of these scripts begin at multiples of 128.
        c if is_unspaced(c) => u32::from(c) >> 7,
        _ => 0,
    };
    let same = |a: u32, b: u32| a == b || (a == 30 && b == 31) || (a == 32 && b == 33);
    let letters = text.chars().filter(|&c| c.is_alphabetic() || is_unspaced(c));
    let (own, all) = letters.fold((0, 0), |(own, all), c| {
        (own + usize::from(scripts.iter().any(|&letter| same(script(letter), script(c)))), all + 1)
    });
    own * 100 >= all * MIN_OWN_SCRIPT
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
        assert_eq!(count_words("我们，2026年 Acme"), 3, "two characters, a number and a name");
        let khmer = "យើងមានកន្លែងចតទូកចំនួនហុកសិបនិងស្ទូចមួយ។";
        assert_eq!(count_words(khmer), 8, "about five characters a word");
        assert_eq!(count_words("สำนักงานเปิดทุกวันตั้งแต่แปดโมงเช้าถึงห้าโมงเย็น"), 10);
    }

    #[test]
    fn a_text_in_another_script_is_told() {
        let khmer = "សូមស្វាគមន៍មកកាន់កំពង់ផែរបស់យើង។ ការិយាល័យបើកជារៀងរាល់ថ្ងៃចាប់ពីម៉ោងប្រាំបីព្រឹក។";
        let thai = "ยินดีต้อนรับสู่ท่าเรือของเรา สำนักงานเปิดทุกวันตั้งแต่แปดโมงเช้าถึงห้าโมงเย็น";
        let han = "欢迎来到我们的港口。办公室每天早上八点到下午五点开放。我们有六十个泊位和一台起重机，可以停泊十吨以下的船。";
        let kana = "私たちの港へようこそ。事務所は毎日朝八時から夕方五時まで開いています。六十の係留場所とクレーンがあります。";
        for (asked, text) in [("km", khmer), ("th", thai), ("zh-Hant", han), ("yue", han), ("ja", kana), ("kxm", khmer)]
        {
            assert_eq!(other_than(asked, text), None, "{asked}");
        }
        for (asked, text) in [
            ("km", thai),
            ("th", khmer),
            ("lo", thai),
            ("zh", khmer),
            ("en", khmer),
            ("km", ENGLISH),
            ("ko", han),
            ("ja", han),
        ] {
            assert!(other_than(asked, text).is_some(), "{asked}");
        }
        assert_eq!(other_than("zh-Latn", &"women de gangkou meitian zaoshang kaimen ".repeat(9)), None);
    }

    #[test]
    fn questions_are_asked_as_the_language_does() {
        for (line, tag) in
            [("Why?", "en"), ("为什么？", "zh"), ("لماذا؟", "ar"), ("Γιατί;", "el"), ("ทำไมถึงเป็นอย่างนั้น", "th")]
        {
            assert!(asks(line, tag), "{line}");
        }
        assert!(!asks("Why; so it is.", "en") && !asks("为什么", "zh"));
    }

    #[test]
    fn calls_to_action_are_whole_words() {
        assert!(calls_to_act("Book a visit today."));
        assert!(calls_to_act("**Get in touch**"));
        assert!(!calls_to_act("The bookshelf stands in the together room."));
    }
}
