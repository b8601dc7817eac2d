//! Where a sentence ends: the one rule for all code that counts, compares, quotes or cuts
//! sentences. It uses punctuation only and knows no abbreviations: a sentence split in two does
//! less harm than two sentences taken as one.

use std::ops::Range;

use super::language;

/// Marks that end a sentence, of all scripts in use: Latin, Han and kana, Arabic and Urdu, Devanagari
/// and its kin, Armenian, Ethiopic, Khmer, Myanmar, Tibetan, Javanese, Balinese and others.
pub const MARKS: [char; 61] = [
    '.', '!', '?', '。', '！', '？', '．', '｡', '‼', '⁇', '⁈', '⁉', '‽', '؟', '۔', '؝', '؞', '।', '॥', '։', '՜', '՞',
    '።', '፧', '፨', '។', '៕', '៚', '။', '།', '༎', '༏', '༐', '༑', '༔', '꧈', '꧉', '᭚', '᭛', '᭞', '᭟', '᪨', '᪩', '᪪', '᪫',
    '᨞', '᠃', '᠉', '᥄', '᥅', '꩝', '꩞', '꩟', '꫰', '꫱', '꯫', '܀', '߹', '᱾', '᱿', '\u{37e}',
];
/// What may stand behind the mark of a finished sentence.
const CLOSERS: [char; 18] =
    ['*', '_', '"', '”', '“', '»', '«', '’', '\'', ')', ' ', '」', '』', '）', '】', '》', '›', '‹'];
/// A shorter line was not wrapped, in characters.
const WRAPPED_CHARS: usize = 50;
/// How far back a mark's script is looked for, in bytes.
const NEAR_BYTES: usize = 32;
/// A line of a script without marks is a sentence from so many words on.
const UNMARKED_WORDS: usize = 5;

/// The positions after the ends of sentences: after a mark before a space or the end of the text
/// (so not in `2.50`), after a mark of a script other than Latin, after a line break, since headings
/// and list entries have no full stop, but not where a long line was wrapped, and after a space between
/// words of Thai or Lao, which have no marks.
pub fn ends(text: &str) -> impl Iterator<Item = usize> {
    let next = move |end: usize| text[end..].chars().next();
    let ends = move |(at, c): (usize, char)| {
        // Most of a text is letters.
        if c.is_ascii_alphanumeric() {
            return None;
        }
        let end = at + c.len_utf8();
        let is_last = next(end).is_none_or(char::is_whitespace);
        let is_mark = (MARKS.contains(&c) && (!c.is_ascii() || is_last)) || (is_last && is_borrowed(&text[..at], c));
        let parts = c == ' ' && next(end).is_some_and(is_unmarked) && text[..at].ends_with(is_unmarked);
        ((c == '\n' && !is_wrapped(text, at)) || is_mark || parts).then_some(end)
    };
    text.char_indices().filter_map(ends)
}

/// Whether the line break at `at` only wraps a long line: the next one goes on in small letters or with a figure, and
/// begins no entry of a list.
fn is_wrapped(text: &str, at: usize) -> bool {
    let line = text[..at].rsplit('\n').next().unwrap_or_default();
    let next = text[at + 1..].trim_start_matches(' ');
    let figure = next.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_entry = figure.len() < next.len() && figure.starts_with(['.', ')', ':']);
    let goes_on = next.starts_with(|c: char| c.is_lowercase() || c.is_ascii_digit());
    goes_on && !is_entry && !line.starts_with(['#', '|']) && line.chars().count() >= WRAPPED_CHARS
}

/// Whether a mark ends a sentence here, behind `before`, that means something else elsewhere: a colon in Armenian, a
/// bar in Hindi and its kin, a semicolon in Greek, a second word space in Amharic. An ellipsis may end any sentence.
fn is_borrowed(before: &str, mark: char) -> bool {
    // A row of such marks is looked at from each of them: only what is near counts.
    let near = &before[before.ceil_char_boundary(before.len().saturating_sub(NEAR_BYTES))..];
    let behind = |is_its: fn(char) -> bool| near.trim_end_matches([mark, ' ']).ends_with(is_its);
    match mark {
        '…' => true,
        ':' => behind(|c| matches!(c, '\u{530}'..='\u{58f}')),
        ';' => behind(|c| matches!(c, '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}')),
        '፡' => before.ends_with('፡'),
        // A row of a table is none.
        '|' => {
            let line = || before.rsplit('\n').next().unwrap_or_default();
            behind(|c| matches!(c, '\u{900}'..='\u{dff}')) && !line().trim_start().starts_with('|')
        }
        _ => false,
    }
}

/// Whether a script has no mark that ends a sentence: Thai and Lao have none.
pub fn is_unmarked(c: char) -> bool {
    matches!(c, '\u{0e01}'..='\u{0edf}')
}

/// Whether a text ends like a sentence: with a mark, or, in a script that has none, with enough words.
/// Quotation marks, brackets and emphasis may stand behind the mark.
pub fn is_finished(text: &str) -> bool {
    let bare = text.trim_end().trim_end_matches(CLOSERS);
    let is_borrowed = bare.char_indices().next_back().is_some_and(|(at, mark)| is_borrowed(&bare[..at], mark));
    bare.ends_with(MARKS)
        || is_borrowed
        || (bare.ends_with(is_unmarked) && language::count_words(bare) >= UNMARKED_WORDS)
}

/// The ranges of the sentences in a text; the last may be unfinished.
pub fn sentences(text: &str) -> Vec<Range<usize>> {
    let mut start = 0;
    let ends = ends(text).chain([text.len()]);
    let pieces = ends.map(|end| std::mem::replace(&mut start, end)..end);
    pieces.map(|piece| trimmed(text, piece)).filter(|piece| !piece.is_empty()).collect()
}

/// The sentences of a text that are finished.
pub fn ended(text: &str) -> impl Iterator<Item = &str> {
    sentences(text).into_iter().map(move |place| &text[place]).filter(|sentence| is_finished(sentence))
}

/// The text without its last sentence, for a text that is still being written: the last one may be
/// incomplete, or the beginning of a remark that is removed at the end, even if it ends in a mark.
pub fn without_last(text: &str) -> &str {
    let sentences = sentences(text);
    let last_but_one = sentences.len().checked_sub(2).and_then(|at| sentences.get(at));
    last_but_one.map_or("", |sentence| &text[..sentence.end])
}

/// The pieces between marks, whatever follows a mark. For counting repetitions: a model in a loop
/// may drop the spaces, and it does no harm that `2.50` makes two pieces.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(ends_piece).map(str::trim).filter(|piece| !piece.is_empty())
}

/// Whether a character ends a piece.
pub(crate) fn ends_piece(c: char) -> bool {
    c == '\n' || MARKS.contains(&c)
}

fn trimmed(text: &str, range: Range<usize>) -> Range<usize> {
    let piece = &text[range.clone()];
    let lead = piece.len() - piece.trim_start().len();
    range.start + lead..(range.start + piece.trim_end().len()).max(range.start + lead)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A\n\nOne costs 2.50 euros. Two!  Three?\n我们。他们";

    #[test]
    fn sentences_are_found_where_they_stand() {
        let found: Vec<_> = sentences(TEXT).into_iter().map(|range| &TEXT[range]).collect();
        assert_eq!(found, ["# A", "One costs 2.50 euros.", "Two!", "Three?", "我们。", "他们"]);
        assert!(sentences(" \n ").is_empty());
    }

    #[test]
    fn what_has_no_end_is_told() {
        assert_eq!(ended(TEXT).collect::<Vec<_>>(), ["One costs 2.50 euros.", "Two!", "Three?", "我们。"]);
        assert_eq!(without_last("One. Two. Thr"), "One. Two.");
        assert_eq!(without_last("One."), "");
    }

    #[test]
    fn a_wrapped_line_ends_no_sentence() {
        let long = "Of those who stopped when it no longer hurt, we know it was";
        for (next, expected) in [
            ("27% (our figures).", 1),
            ("often more.", 1),
            ("  often more.", 1),
            ("27. Stand on one leg.", 3),
            ("3) Stand on one leg.", 2),
            ("- often more", 2),
            ("Preheader: often more", 2),
            ("\noften more.", 2),
            ("# Often", 2),
        ] {
            assert_eq!(sentences(&format!("{long}\n{next}")).len(), expected, "{next}");
        }
        for alone in ["A short line", &format!("# {long}"), &format!("| {long} |"), &format!("{long}.")] {
            assert_eq!(sentences(&format!("{alone}\nand more.")).len(), 2, "{alone}");
        }
    }

    #[test]
    fn every_script_has_its_own_ends() {
        for (text, expected) in [
            ("សូមស្វាគមន៍។ យើងមានកន្លែង។", 2),
            ("ကြိုဆိုပါတယ်။ ဆက်သွယ်ပါ။", 2),
            ("我们。他们！", 2),
            ("हम यहाँ हैं। आप भी।", 2),
            ("ہم یہاں ہیں۔ کیا آپ؟", 2),
            ("བོད་སྐད། བོད་ཡིག །", 2),
            ("ꦱꦠꦸ꧉ ꦢꦸꦮ꧉", 2),
            ("እንኳን ደህና መጡ። ይደውሉ።", 2),
            ("Բարեւ։ Զանգահարեք։", 2),
            ("ยินดีต้อนรับ โทรหาเราได้ทุกวัน", 2),
            ("มี 60 ลำ", 1),
            ("እንኳን ደህና መጡ፡፡ ይደውሉ፡፡", 2),
            ("እንኳን፡ደህና፡መጡ።", 1),
            ("Բարեւ: Զանգահարեք:", 2),
            ("हम यहाँ हैं | आप भी |", 2),
            ("| हम | आप |", 1),
            ("ᱡᱚᱦᱟᱨ ᱾ ᱟᱹᱰᱤ ᱾", 2),
            ("Πόσο κοστίζει; Είναι δωρεάν.", 2),
            ("One; two: three | four.", 1),
            ("We wait… Then we sail.", 2),
        ] {
            assert_eq!(sentences(text).len(), expected, "{text}");
        }
    }

    #[test]
    fn a_finished_sentence_is_told_in_every_script() {
        for text in [
            "It is.",
            "“It is.”",
            "**It is!**",
            "他们。」",
            "យើងមានកន្លែង។",
            "ကြိုဆိုပါတယ်။",
            "สำนักงานเปิดทุกวันตั้งแต่แปดโมงเช้า",
            "ຫ້ອງການເປີດທຸກມື້ແຕ່ເຊົ້າຈົນຄ່ຳ",
            "እንኳን ደህና መጡ፡፡",
            "Բարեւ:",
            "हम यहाँ हैं |",
            "ᱡᱚᱦᱟᱨ ᱾",
            "Πόσο κοστίζει;",
            "It goes on…",
        ] {
            assert!(is_finished(text), "{text}");
        }
        for text in ["It is", "It is:", "It is;", "It is |", "መጡ፡", "It is,", "他们", "យើងមានកន្លែង", "ท่าเรือ", ""]
        {
            assert!(!is_finished(text), "{text}");
        }
    }

    #[test]
    fn pieces_need_no_space_between() {
        assert_eq!(pieces("ha.ha! ha 2.50").collect::<Vec<_>>(), ["ha", "ha", "ha 2", "50"]);
    }
}
