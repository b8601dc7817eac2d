//! How much a human changed a text. It says nothing of whether that made the text better.

use std::io::Write;

use copydesk_domain::feedback::Effort;
use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::align::same_words;
use crate::text::language::count_words;

/// The longest piece that is compressed at once, in bytes: a piece of the draft and one of the edited text are within
/// deflate's window of 32 kB.
const PIECE_BYTES: usize = 14_000;

/// How much of a draft a human changed. `words_changed` is the share of words removed or added among those of both
/// texts. `compression` is `(C(draft + edited) − C(draft)) / C(edited)` with deflate (Devatine and Abraham, arXiv
/// 2412.17321). Deflate looks back 32 kB: longer texts are compared piece by piece, each with the piece of the draft
/// at the same share of the text, so that a passage moved across a piece's border costs as much as a new one.
pub fn effort(draft: &str, edited: &str) -> Effort {
    if draft == edited {
        return Effort { words_changed: 0.0, compression: 0.0 };
    }
    Effort { words_changed: words_changed(draft, edited), compression: compression(draft, edited) }
}

fn words_changed(draft: &str, edited: &str) -> f64 {
    let all = count_words(draft) + count_words(edited);
    let same = same_words(draft, edited);
    share(all.saturating_sub(2 * same), all)
}

fn compression(draft: &str, edited: &str) -> f64 {
    let pieces = draft.len().max(edited.len()).div_ceil(PIECE_BYTES).max(1);
    let (mut added, mut alone) = (0, 0);
    for n in 0..pieces {
        let (before, after) = (piece(draft, n, pieces), piece(edited, n, pieces));
        added += compressed(&[before, after]).saturating_sub(compressed(&[before]));
        alone += compressed(&[after]);
    }
    share(added, alone).clamp(0.0, 1.0)
}

/// The `n`th of so many equal pieces.
fn piece(text: &str, n: usize, of: usize) -> &[u8] {
    let text = text.as_bytes();
    &text[text.len() * n / of..text.len() * (n + 1) / of]
}

/// The size of texts one behind the other, in bytes. Of an empty text it is 0.
fn compressed(texts: &[&[u8]]) -> usize {
    if texts.iter().all(|text| text.is_empty()) {
        return 0;
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    // A vector takes whatever is written to it.
    let written = texts.iter().try_for_each(|text| encoder.write_all(text));
    written.and_then(|()| encoder.finish()).map_or(0, |bytes| bytes.len())
}

#[expect(clippy::cast_precision_loss, reason = "counts of words and bytes are far below 2^52")]
fn share(part: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAFT: &str = "We read every scan twice. Patients wait two hours at most. The clinic is open at night, too.";

    #[test]
    fn effort_grows_with_the_change() {
        let word = DRAFT.replace("Patients", "People");
        let sentence = DRAFT.replace("Patients wait two hours at most.", "Nobody has to sit in a hall for half a day.");
        let other = "Boats need paint. Our harbour lifts them gently, dries their hulls, then sands old layers away.";
        let efforts = [DRAFT, &word, &sentence, other].map(|edited| effort(DRAFT, edited));
        assert_eq!(efforts[0], Effort { words_changed: 0.0, compression: 0.0 });
        assert!(efforts.is_sorted_by(|one, next| one.words_changed < next.words_changed), "{efforts:?}");
        assert!(efforts.is_sorted_by(|one, next| one.compression < next.compression), "{efforts:?}");
        assert!((efforts[1].words_changed - 2.0 / 36.0).abs() < 0.01, "{efforts:?}");
        assert!(efforts[3].words_changed > 0.9 && efforts[3].compression > 0.6, "{efforts:?}");
    }

    #[test]
    fn nothing_and_something_have_nothing_in_common() {
        assert_eq!(effort("", ""), Effort { words_changed: 0.0, compression: 0.0 });
        assert_eq!(effort("", DRAFT).words_changed, 1.0);
        assert_eq!(effort("", DRAFT).compression, 1.0);
        assert_eq!(effort(DRAFT, "").words_changed, 1.0);
    }

    #[test]
    fn a_moved_passage_costs_little() {
        let (head, tail) = DRAFT.split_at(26);
        let moved = effort(DRAFT, &format!("{tail} {head}"));
        assert!(moved.compression < 0.35 && moved.words_changed > 0.2, "{moved:?}");
    }

    #[test]
    fn what_a_long_text_keeps_costs_little_behind_the_window_too() {
        let long: String =
            (0..6_000_u64).map(|n| format!("w{:x} ", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40)).collect();
        let changed = effort(&long, &long.replace("w1", "v1"));
        assert!(long.len() > 40_000 && changed.compression < 0.2, "{changed:?}");
    }
}
