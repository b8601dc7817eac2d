//! How an answer ends: complete, or in the middle of a sentence.

use copydesk_words::is_unspaced;

use crate::text::language;
use crate::text::sentence::is_unmarked;

/// Endings of an unfinished text.
const UNFINISHED: &[&str] = &[
    "a", "an", "and", "as", "at", "because", "but", "by", "for", "from", "in", "into", "its", "of", "on", "or", "our",
    "that", "the", "their", "these", "this", "to", "which", "while", "with", "your", "und", "der", "die", "das", "et",
    "le", "la", "les", "de", "y", "el",
];
/// Those of them that no short line ends with either: `Check in` and `Read on` are whole.
const OPEN: &[&str] =
    &["a", "an", "and", "because", "but", "its", "or", "our", "the", "their", "while", "your", "und", "et", "y"];
/// A line with so many words may end in a particle.
const SHORT_WORDS: usize = 3;
/// A last line with at least this many words is a sentence, and must end like one.
const SENTENCE_WORDS: usize = 9;
/// The same in scripts without spaces, whose words are only estimated.
const UNSPACED_SENTENCE_WORDS: usize = 15;
/// Commas of all scripts.
const COMMAS: [char; 8] = [',', '，', '、', '،', '၊', '፣', '՝', '꧈'];

/// Whether a text breaks off.
pub(super) fn is_cut_off(text: &str) -> bool {
    let last = text.trim_end().lines().next_back().unwrap_or_default().trim();
    if text.matches("```").count() % 2 == 1 {
        return true;
    }
    let bare = without_marks(last);
    let Some(end) = bare.chars().next_back() else { return false };
    let last_word = bare.split_whitespace().next_back().unwrap_or_default().to_lowercase();
    let is_short = language::count_words(bare) <= SHORT_WORDS || last.starts_with("Call to action:");
    let unfinished = if is_short { OPEN } else { UNFINISHED };
    if unfinished.contains(&last_word.as_str()) || (COMMAS.contains(&end) && language::count_words(bare) > 4) {
        return true;
    }
    let is_prose = !last.starts_with(['#', '-', '*', '|', '>']) && !last.contains("://");
    let sentence_words = match end {
        // A sentence needs no mark here, and may end in a name or a number.
        _ if bare.contains(is_unmarked) => usize::MAX,
        end if is_unspaced(end) => UNSPACED_SENTENCE_WORDS,
        _ => SENTENCE_WORDS,
    };
    is_prose && (end.is_alphanumeric() || is_unspaced(end)) && language::count_words(bare) >= sentence_words
}

/// A line without citations, quotes and emphasis at its end.
pub(super) fn without_marks(line: &str) -> &str {
    let mut line = line;
    loop {
        let trimmed =
            line.trim_end_matches(['*', '_', '"', '”', '»', '’', '\'', ')', ' ', '」', '』', '）', '】', '》']);
        let uncited = trimmed.strip_suffix(']').and_then(|rest| {
            let (before, number) = rest.rsplit_once('[')?;
            number.chars().all(|c| c.is_ascii_digit() || c == ',' || c == ' ').then_some(before)
        });
        match uncited {
            Some(before) => line = before,
            None => return trimmed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_goes_on_is_told_from_one_that_ends() {
        for last in [
            "It is read by the",
            "Call to action: Book your",
            "and the",
            "The second reading is done by people who have been",
            "We look forward to hearing from",
            "ကြိုဆိုပါတယ် ဆက်သွယ်ပါ ကြိုဆိုပါတယ် ဆက်သွယ်ပါ ကြိုဆိုပါတယ် ဆက်သွယ်ပါ ကြိုဆိုပါတယ် ဆက်သွယ်ပါ ကြိုဆိုပါတယ် ဆက်သွယ်ပါ",
        ] {
            assert!(is_cut_off(last), "{last}");
        }
        for last in [
            "ติดต่อเราเพื่อจองที่จอดเรือล่วงหน้าได้ทุกวันที่ Acme Marina",
            "ติดต่อเราเพื่อจองที่จอดเรือล่วงหน้าได้ทุกวันที่ 02-123-4567",
            "ຕິດຕໍ່ພວກເຮົາເພື່ອຈອງບ່ອນຈອດເຮືອລ່ວງໜ້າໄດ້ທຸກມື້ທີ່ Acme Marina",
            "Call to action: Check in",
            "Call to action: Log in",
            "**Read on**",
            "Sign in",
            "Kind regards",
        ] {
            assert!(!is_cut_off(last), "{last}");
        }
    }
}
