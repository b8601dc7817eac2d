//! Answers that repeat themselves.

use std::collections::{HashMap, HashSet};

use copydesk_words::is_unspaced;

use super::{kind, unwrap_unfinished};
use crate::text::{language, sentence};

/// The same sentence this many times is a loop.
const MAX_SAME_SENTENCES: usize = 4;
/// The same sentence this many times in a row is a loop, however long the text.
const MAX_SAME_IN_A_ROW: usize = 3;
/// So many different sentences that come again make a text turn in a circle, where they are a third of it.
const MAX_REPEATED: usize = 3;
/// The number of sentences that differ only in their numbers from which they are a loop.
const MAX_COUNTED_SENTENCES: usize = 12;
/// The longest run without a space, in characters. Addresses may be long.
const MAX_WORD_CHARS: usize = 300;
/// The lowest share of distinct three-word runs in a long text that does not repeat itself.
const MIN_VARIETY: f64 = 0.35;
/// The fewest words for which the share is checked.
const MIN_WORDS_FOR_VARIETY: usize = 120;
/// The length of a text's end that is looked at for a loop, in bytes.
const LOOP_BYTES: usize = 1_200;
/// So many sentences one after the other that were all there before are a loop, where the text repeats itself.
const MIN_STALE_SENTENCES: usize = 4;
/// The longest piece that a loop repeats, in bytes.
const MAX_PERIOD: usize = 300;

/// Whether a text has run into a loop, as small models do until they have no room left. Can be told while the text is
/// being written; what it tells of, [`is_repetition`] tells of too.
pub fn is_loop(text: &str) -> bool {
    if is_periodic(text) {
        return true;
    }
    // What a model thought may be said again; the same words in a review's JSON speak of another criterion each time.
    let inside = unwrap_unfinished(text);
    !kind::is_data(text) && !kind::is_data(&inside) && says_nothing_new(&inside.to_lowercase())
}

/// Whether a text's end is one piece, at least four times, which differs in no more than its digits.
fn is_periodic(text: &str) -> bool {
    let Some(start) = text.len().checked_sub(LOOP_BYTES) else { return false };
    let plain = |byte: &u8| if byte.is_ascii_digit() { b'0' } else { *byte };
    let end: Vec<u8> = text.as_bytes()[start..].iter().map(plain).collect();
    (1..=MAX_PERIOD).any(|period| end[period..] == end[..end.len() - period])
}

/// Whether the last sentences of a text in lower case were all there before, and so much of it comes again that it is a
/// defect.
fn says_nothing_new(lower: &str) -> bool {
    // The last one is being written.
    let whole = lower.rsplit_once(sentence::ends_piece).map_or("", |(whole, _)| whole);
    let mut said = HashSet::new();
    let stale = |run, piece| if said.insert(piece) { 0 } else { run + 1 };
    let stale = sentence::pieces(whole).filter(|piece| is_sentence(piece)).fold(0, stale);
    stale >= MIN_STALE_SENTENCES && turns_in_a_circle(lower)
}

/// Whether a text in lower case repeats itself.
pub(super) fn is_repetition(lower: &str) -> bool {
    let is_endless =
        lower.split_whitespace().any(|word| word.chars().filter(|c| c.is_ascii()).count() > MAX_WORD_CHARS);
    turns_in_a_circle(lower) || is_endless || is_periodic(lower) || !is_varied(lower)
}

/// Whether its sentences come again, too often or too many of them.
fn turns_in_a_circle(lower: &str) -> bool {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let (mut last, mut in_a_row, mut most_in_a_row) = ("", 0, 0);
    for sentence in sentence::pieces(lower) {
        in_a_row = if sentence == last { in_a_row + 1 } else { 1 };
        last = sentence;
        if is_sentence(sentence) {
            most_in_a_row = most_in_a_row.max(in_a_row);
            *counts.entry(sentence).or_default() += 1;
        }
    }
    let sentences: usize = counts.values().sum();
    let mut counted: HashMap<String, usize> = HashMap::new();
    for (sentence, n) in &counts {
        *counted.entry(sentence.chars().filter(|c| !c.is_ascii_digit()).collect()).or_default() += n;
    }
    let counts_on = counted.values().any(|&n| n >= MAX_COUNTED_SENTENCES && n * 2 >= sentences);
    let most = counts.values().copied().max().unwrap_or(0);
    let repeated = counts.values().filter(|&&n| n > 1).count();
    let circles = repeated >= MAX_REPEATED && (sentences - counts.len()) * 3 >= sentences;
    let loops = most_in_a_row >= MAX_SAME_IN_A_ROW || (most >= MAX_SAME_SENTENCES && most * 5 >= sentences);
    loops || circles || counts_on
}

/// Whether a piece is long enough to be a sentence.
fn is_sentence(piece: &str) -> bool {
    piece.split_whitespace().count() >= 4 || language::count_words(piece) >= 4
}

fn is_varied(lower: &str) -> bool {
    // What counts as a word of an unspaced script depends on where it begins: there, runs of characters are compared.
    let chars: Vec<char> = lower.chars().filter(|&c| is_unspaced(c)).collect();
    let words: Vec<&str> = lower.split_whitespace().collect();
    (words.len() < MIN_WORDS_FOR_VARIETY || is_varied_in(&words, 3))
        && (language::count_words(lower) < MIN_WORDS_FOR_VARIETY
            || chars.len() < lower.len() / 8
            || is_varied_in(&chars, 10))
}

#[expect(clippy::cast_precision_loss, reason = "counts of words are far below 2^52")]
fn is_varied_in<T: Eq + std::hash::Hash>(units: &[T], run: usize) -> bool {
    let different: HashSet<&[T]> = units.windows(run).collect();
    different.len() as f64 >= MIN_VARIETY * units.len().saturating_sub(run - 1) as f64
}
