//! What of a longer text fits a topic: whole sentences of it, in their order, and nothing that it does not say.

use super::clip::{chars, clip};
use super::sentence::sentences;

/// Stands where sentences are left out.
const GAP: &str = " … ";

/// The sentences of a text that share most with a topic, in the text's order, at most `max_chars` together; the whole
/// text where it is no longer. The first sentence says what the others speak of: of equals the earlier one stays.
pub fn excerpt(text: &str, topic: &str, max_chars: usize) -> String {
    let text = text.trim();
    if chars(text) <= max_chars {
        return text.to_owned();
    }
    let wanted = copydesk_words::words(topic);
    let pieces = sentences(text);
    let shared = |at: &usize| copydesk_words::words(&text[pieces[*at].clone()]).intersection(&wanted).count();
    let mut order: Vec<(usize, usize)> = (0..pieces.len()).map(|at| (shared(&at), at)).collect();
    order.sort_by_key(|&(shared, at)| (std::cmp::Reverse(shared), at));
    let (mut kept, mut left) = (Vec::new(), max_chars);
    for (_, at) in order {
        let takes = chars(&text[pieces[at].clone()]) + chars(GAP);
        if takes <= left {
            left -= takes;
            kept.push(at);
        }
    }
    // A sentence that is longer than all the room there is.
    if kept.is_empty() {
        return clip(text, max_chars).to_owned();
    }
    kept.sort_unstable();
    let mut excerpt = String::with_capacity(max_chars);
    for (n, &at) in kept.iter().enumerate() {
        let follows = n.checked_sub(1).map(|before| kept[before] + 1 == at);
        match follows {
            // As it stands in the text: a heading or a list entry keeps its line.
            Some(true) => excerpt.push_str(between(text, pieces[at - 1].end, pieces[at].start)),
            Some(false) => excerpt.push_str(GAP),
            None => {}
        }
        excerpt.push_str(&text[pieces[at].clone()]);
    }
    excerpt
}

/// What stands between two sentences: a line break, or a space.
fn between(text: &str, end: usize, start: usize) -> &'static str {
    if text[end..start].contains('\n') { "\n" } else { " " }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Welcome to our page. Cookies help us. Every scan is read twice. The reading takes two hours.\n\
        Parking is free! Radiologists read scans at night too.";

    #[test]
    fn the_sentences_that_fit_stay_in_their_order() {
        assert_eq!(excerpt(TEXT, "scans", 1_000), TEXT);
        let cut = excerpt(TEXT, "How radiologists read scans", 70);
        assert_eq!(cut, "Every scan is read twice. … Radiologists read scans at night too.");
        assert_eq!(excerpt(TEXT, "parking", 22), "Parking is free!");
        assert_eq!(excerpt(TEXT, "of nothing at all", 45), "Welcome to our page. Cookies help us.", "the first ones");
    }

    #[test]
    fn it_is_bounded_and_says_nothing_of_its_own() {
        for most in 0..200 {
            let cut = excerpt(TEXT, "scans at night", most);
            assert!(chars(&cut) <= most, "{most}: {cut}");
            for piece in cut.split('…') {
                assert!(piece.trim().split(['.', '!', '\n']).all(|part| TEXT.contains(part.trim())), "{most}: {cut}");
            }
        }
        assert_eq!(excerpt("ünïcödé ".repeat(9).trim(), "x", 15), "ünïcödé");
        assert_eq!(excerpt("", "x", 5), "");
    }
}
