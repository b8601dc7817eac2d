//! One form for texts that look the same: Unicode's NFC, without characters that nobody sees.
//! Which words are equal is not decided here.

use std::borrow::Cow;

use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::pairs::{is_phonetic, is_unspaced};

const SOFT_HYPHEN: char = '\u{ad}';
const ZERO_WIDTH_SPACE: char = '\u{200b}';
/// The flag that tag characters make one of a region, such as that of Wales.
const FLAG: char = '\u{1f3f4}';
const LAST_TAG: char = '\u{e007f}';

/// The text in NFC: `e` and an accent behind it are one character.
pub fn nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc(text) { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) }
}

/// The text as it is kept: in NFC and without invisible characters. Those that change what is seen
/// stay: joiners, which Persian, Indic scripts and emoji need, marks of direction in Arabic and
/// Hebrew, and between the letters of Thai, Khmer, Lao and Myanmar the spaces without width that
/// mark words. A word that a soft hyphen cuts at the end of a line is joined.
pub fn clean(text: &str) -> Cow<'_, str> {
    normal(without(text, is_invisible, true))
}

/// The text as it is compared and indexed: as [`clean`], and without what only some authors write:
/// spaces without width and marks of direction.
pub fn comparable(text: &str) -> Cow<'_, str> {
    normal(without(text, |c| is_invisible(c) || matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}'), false))
}

fn normal(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => nfc(text),
        Cow::Owned(text) if is_nfc(&text) => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text.nfc().collect()),
    }
}

/// Soft hyphens, characters without width, controls of direction, and tags. A text can hide orders
/// to a model in the last two.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        SOFT_HYPHEN | ZERO_WIDTH_SPACE | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// The text without these characters, except where they have a meaning. Each run of them is looked
/// at once, so the cost is linear.
fn without(text: &str, is_dropped: impl Fn(char) -> bool + Copy, keeps_spaces: bool) -> Cow<'_, str> {
    if text.is_ascii() || !text.contains(is_dropped) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(is_dropped) {
        kept.push_str(&rest[..at]);
        let behind = rest[at..].trim_start_matches(is_dropped);
        let run = &rest[at..rest.len() - behind.len()];
        let before = kept.chars().next_back();
        rest = behind;
        if before == Some(FLAG) && is_region(run) {
            kept.push_str(run);
        } else if run.contains(SOFT_HYPHEN) && before.is_some_and(char::is_alphabetic) {
            rest = rest_of_word(behind).unwrap_or(behind);
        } else if keeps_spaces && run.contains(ZERO_WIDTH_SPACE) {
            let marks_words = before.is_some_and(is_phonetic) && behind.starts_with(is_phonetic);
            kept.extend(marks_words.then_some(ZERO_WIDTH_SPACE));
        }
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

/// What goes on behind a line break, if it may be the same word: it begins in small letters.
fn rest_of_word(behind: &str) -> Option<&str> {
    let next = behind.trim_start_matches([' ', '\t', '\r', '\n']);
    let is_broken = behind[..behind.len() - next.len()].contains('\n');
    (is_broken && next.starts_with(|c: char| c.is_alphabetic() && !c.is_uppercase() && !is_unspaced(c))).then_some(next)
}

/// Whether tags name a region: few letters and figures, and an end.
fn is_region(tags: &str) -> bool {
    let name = tags.strip_suffix(LAST_TAG).unwrap_or_default();
    let is_letter = |c| matches!(c, '\u{e0030}'..='\u{e0039}' | '\u{e0061}'..='\u{e007a}');
    (3..=6).contains(&name.chars().count()) && name.chars().all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_in_nfc_without_what_nobody_sees() {
        for (text, expected) in [
            ("re\u{301}sume\u{301}", "résumé"),
            ("\u{110b}\u{1167}\u{1100}\u{1162}\u{11a8}\u{1109}\u{1165}\u{11ab}", "여객선"),
            ("\u{212b}ngstro\u{308}m", "Ångström"),
            ("Wert\u{ad}papier\u{ad}abteilung", "Wertpapierabteilung"),
            ("Wert\u{ad}\npapier", "Wertpapier"),
            ("Wert\u{ad} \r\n\r\n  papier", "Wertpapier"),
            ("Wert\u{ad}\n\nPapiere", "Wert\n\nPapiere"),
            ("Wert\u{ad}\n- papier", "Wert\n- papier"),
            ("Wert\u{ad} papier", "Wert papier"),
            ("\u{ad}", ""),
            ("\u{feff}a\u{200b}b\u{2060}c\u{feff}d", "abcd"),
            ("e\u{200b}\u{301}", "é"),
            ("ខ្ញុំ\u{200b}ទៅ", "ខ្ញុំ\u{200b}ទៅ"),
            ("ข้าว\u{200b}\u{200b}ผัด\u{200b}.", "ข้าว\u{200b}ผัด."),
            ("ນ້ຳ\u{200b}ປາ ကား\u{200b}လမ်း", "ນ້ຳ\u{200b}ປາ ကား\u{200b}လမ်း"),
            ("我\u{200b}们", "我们"),
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
            ("क्\u{200d}ष", "क्\u{200d}ष"),
            ("👩\u{200d}👩\u{200d}👧 ❤\u{fe0f}", "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f}"),
            ("a\u{202e}b\u{202c}c\u{2066}d\u{2069}e\u{206a}", "abcde"),
            ("Hi\u{e0001}\u{e0069}\u{e0067}\u{e006e}\u{e007f}!", "Hi!"),
            (
                "🏴\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}!",
                "🏴\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}!",
            ),
            ("🏴\u{e0069}\u{e0067}\u{e006e}\u{e006f}\u{e0072}\u{e0065}\u{e0020}\u{e007f}", "🏴"),
            ("א\u{200f}ב", "א\u{200f}ב"),
        ] {
            assert_eq!(clean(text), expected, "{text:?}");
            assert_eq!(clean(expected), expected, "again: {text:?}");
        }
    }

    #[test]
    fn what_only_some_authors_write_is_not_compared() {
        for (text, expected) in
            [("ខ្ញុំ\u{200b}ទៅ", "ខ្ញុំទៅ"), ("א\u{200f}ב", "אב"), ("re\u{301}", "ré"), ("می\u{200c}خواهم", "می\u{200c}خواهم")]
        {
            assert_eq!(comparable(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_text_that_needs_nothing_is_not_copied() {
        for text in ["", "plain", "résumé 여객선 👩\u{200d}👧", "می\u{200c}خواهم"] {
            for cleaned in [clean(text), comparable(text), nfc(text)] {
                assert!(matches!(cleaned, Cow::Borrowed(_)), "{text:?}");
            }
        }
    }

    #[test]
    fn hostile_texts_cost_little() {
        let texts = ["\u{ad}\u{200b}", "a\u{ad}\n", "a\u{ad} ", "\u{301}", "e\u{301}\u{323}", "🏴\u{e0061}"];
        for text in texts.map(|unit| unit.repeat(1_000_000 / unit.len())) {
            let began = std::time::Instant::now();
            let _ = (clean(&text), comparable(&text));
            assert!(began.elapsed().as_secs() < 5);
        }
    }
}
