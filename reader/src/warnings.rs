//! What may be wrong with a text that could be read: its owner is told, and it is used all the same.

use copydesk_domain::document::{DocumentWarning, DocumentWarningCode};

/// The fewest words of which a judgement is made.
const MIN_WORDS: usize = 20;
/// The share of odd words from which a text counts as garbled, in percent.
const MAX_ODD_PERCENT: usize = 20;
/// The share of characters that could not be read, in per mille of the letters.
const MAX_UNREADABLE_PER_MILLE: usize = 10;
const ADVICE: &str = "search for a sentence of it to see what was understood, and send the text itself, or the file saved in another format, if it is wrong";

/// The warnings of one document.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Vec<DocumentWarning>);

impl Warnings {
    pub(crate) fn into_inner(self) -> Vec<DocumentWarning> {
        self.0
    }

    /// Some pages hold no text.
    pub(crate) fn pages_without_text(&mut self, empty: usize, pages: usize) {
        let detail = format!(
            "{empty} of {pages} pages hold no readable text: they may be images. Make their text readable with OCR if it matters."
        );
        self.0.push(DocumentWarning { code: DocumentWarningCode::PagesWithoutText, detail });
    }

    /// A page was taken whole, with its menus or teasers.
    pub(crate) fn main_text_unclear(&mut self) {
        let detail = "The main text of the page cannot be told from its menus, lists of links and teasers: all of it is \
            used. Send the main text alone if the rest matters, as HTML of its own, Markdown or plain text.";
        self.0.push(DocumentWarning { code: DocumentWarningCode::MainTextUnclear, detail: detail.to_owned() });
    }

    /// Looks at the whole text.
    pub(crate) fn look_at(&mut self, text: &str) {
        if let Some(what) = garbled(text) {
            let detail = format!("The text looks garbled: {what}. It is used as it is; {ADVICE}.");
            self.0.push(DocumentWarning { code: DocumentWarningCode::Garbled, detail });
        }
    }
}

/// What is odd about a text, if much is.
fn garbled(text: &str) -> Option<String> {
    let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
    let unreadable = unreadable(text);
    if unreadable * 1000 > (letters + unreadable) * MAX_UNREADABLE_PER_MILLE && unreadable > 2 {
        return Some(format!("{unreadable} characters could not be read"));
    }
    // Acronyms are written in capitals. Where most words are, they tell nothing.
    let capitals = |c: &char| c.is_uppercase();
    let is_in_capitals = text.chars().filter(capitals).count() * 2 > letters;
    let (mut words, mut odd) = (0, 0);
    for word in text.split(|c: char| c.is_whitespace() || "/|-–—_".contains(c)) {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        if word.chars().any(char::is_alphabetic) {
            words += 1;
            let is_latin = word.chars().all(|c| !c.is_alphabetic() || is_latin(c));
            odd += usize::from(if is_latin { is_odd(word, is_in_capitals) } else { mixes_scripts(word) });
        }
    }
    let is_much = words >= MIN_WORDS && odd * 100 > words * MAX_ODD_PERCENT;
    is_much.then(|| {
        format!("{}% of its words are single letters, or written as no language writes words", odd * 100 / words)
    })
}

/// The number of characters that stand for ones that could not be read: replacements, private and
/// control characters, and accents that stand on no letter.
fn unreadable(text: &str) -> usize {
    let mut before = ' ';
    let mut unreadable = 0;
    for c in text.chars() {
        let is_accent = |c: char| matches!(c, '\u{300}'..='\u{36f}');
        unreadable += usize::from(
            matches!(c, char::REPLACEMENT_CHARACTER | '\u{e000}'..='\u{f8ff}' | '\u{80}'..='\u{9f}')
                || is_accent(c) && !before.is_alphanumeric(),
        );
        before = c;
    }
    unreadable
}

/// Whether the letters of a word are of three scripts or more: no language writes so. Told by blocks
/// of 128 characters; those of East Asian scripts are larger.
fn mixes_scripts(word: &str) -> bool {
    let mut blocks: Vec<u32> =
        word.chars().filter(|&c| c.is_alphabetic() && c < '\u{2e80}').map(|c| u32::from(c) >> 7).collect();
    blocks.sort_unstable();
    blocks.dedup();
    blocks.len() >= 3
}

fn is_latin(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' | '\u{fb00}'..='\u{fb06}')
}

/// Whether a word in Latin letters is a single letter, has no vowel, or mixes letters with digits,
/// symbols and capitals as words do not.
fn is_odd(word: &str, is_in_capitals: bool) -> bool {
    let letters: Vec<char> = word.chars().filter(|c| c.is_alphabetic()).collect();
    let length = word.chars().count();
    if length == 1 {
        return !"aeiouyAEIOUY&àáèéìíòóùúÀÈÉÒ".contains(word);
    }
    let has_vowel = letters.iter().any(|&c| !c.is_ascii() || "aeiouyAEIOUY".contains(c));
    let is_acronym = !is_in_capitals && letters.iter().all(|c| c.is_uppercase()) && length <= 6;
    let inside: Vec<char> = word.chars().collect();
    let breaks = inside.windows(2).filter(|pair| pair[0].is_lowercase() && pair[1].is_uppercase()).count();
    let symbols = inside.iter().filter(|c| !c.is_alphanumeric() && !"'’.,·@&:+".contains(**c)).count();
    let mixes = inside.iter().any(char::is_ascii_digit) && letters.len() > 2 && !is_acronym;
    (letters.len() >= 3 && !has_vowel && !is_acronym) || breaks > 1 || symbols > 0 && length < 12 || mixes
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: [&str; 5] = [
        "Our clinics open at eight in the morning on weekdays, and patients have their findings on the same day as the scan.",
        "Unsere Kliniken öffnen um acht Uhr. Jeder Befund wird zweimal gelesen, und die Patienten erhalten ihn noch am selben Tag per Post.",
        "Prices: MRI 90 CHF, CT 120 CHF, X-ray 40 CHF. VAT 7.7% incl. Call +41 44 123 45 67, or write to info@example.ch. See our FAQ, e.g. on GDPR.",
        "Používáme nejmodernější přístroje. Nálezy čtou vždy dva lékaři. My jsme tu pro vás každý den od osmi hodin ráno do večera.",
        "Use `git push origin main`, then open https://example.com/docs/start?page=2. The JavaScript API v2 of Node.js 18 has fetchAll and more of it for you.",
    ];

    #[test]
    fn sound_texts_are_not_suspected() {
        for text in SOUND {
            assert_eq!(garbled(text), None, "{text}");
        }
        assert_eq!(garbled("旅客船は七時に出ます。毎日運航しています。"), None);
    }

    #[test]
    fn garbled_texts_are() {
        let spaced: String = SOUND[0].chars().filter(|c| !c.is_whitespace()).flat_map(|c| [c, ' ']).collect();
        let shifted: String =
            SOUND[0].chars().map(|c| if c == ' ' { c } else { char::from_u32(c as u32 - 29).unwrap_or(c) }).collect();
        let unread = SOUND[1].replace(['e', 'n'], "\u{fffd}");
        let private = SOUND[1].replace('e', "\u{f065}");
        let scripts = "ঞϳѤɼɭʞɺʂ ڛॵφꞌ कԔɠ҉ʂ ".repeat(8);
        let accents = "\u{319}\u{313}\u{314} \u{319}\u{31e} ".repeat(20);
        for text in [spaced, shifted, unread, private, scripts, accents] {
            assert!(garbled(&text).is_some(), "{text}");
        }
    }
}
