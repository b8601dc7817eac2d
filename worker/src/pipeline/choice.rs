//! Which passages a text's prompts show, and what of each: fewer than were found, and of each the sentences that fit
//! the topic. Decided once a job, since its prompts are to begin alike; which citations hold is judged by the whole
//! passages all the same.

use copydesk_domain::generation::SourceKind;
use copydesk_editorial::citation::markers;
use copydesk_editorial::text::clip::chars;
use copydesk_editorial::text::excerpt::excerpt;

use super::brief::Brief;
use super::passage::Passage;
use crate::tokens;

/// From so many words on a text is long.
const LONG_WORDS: u16 = 300;
/// What a short text is shown.
const SHORT: Share = Share { own: 7, all: 11, tokens: 1_700 };
/// What a long one is shown.
const LONG: Share = Share { own: 8, all: 13, tokens: 2_700 };
/// An editor of another model than the writer's is shown at least so many passages: it may have to add a fact.
const MIN_FOR_THE_EDITOR: usize = 3;

/// How much is shown.
struct Share {
    /// Passages of the business's own before there is one of the web, at most.
    own: usize,
    /// Passages in all.
    all: usize,
    /// Their texts, in tokens.
    tokens: usize,
}

/// The passages that the writer is shown, under their numbers. Both kinds are in the order in which the searches ranked
/// them; what one kind leaves free is the other's.
pub fn chosen(passages: &[Passage], brief: &Brief) -> Vec<Passage> {
    let Share { own, all, tokens } = if brief.words < LONG_WORDS { SHORT } else { LONG };
    let (knowledge, web): (Vec<_>, Vec<_>) = passages.iter().partition(|passage| passage.kind == SourceKind::Knowledge);
    let own = own.max(all.saturating_sub(web.len())).min(knowledge.len());
    let shown: Vec<_> = knowledge.into_iter().take(own).chain(web).take(all).collect();
    let topic = format!("{} {}", brief.topic, brief.keywords.join(" "));
    let (mut left, count) = (tokens, shown.len());
    let cut = |(at, passage): (usize, &&Passage)| {
        // What a short one does not need is its successors'.
        let (text, took) = within(&passage.text, &topic, left / (count - at));
        left -= took;
        Passage { text, ..(*passage).clone() }
    };
    shown.iter().enumerate().map(cut).collect()
}

/// What of a text fits the topic, in so many tokens at most, and how many it takes.
fn within(text: &str, topic: &str, most: usize) -> (String, usize) {
    let mut cut = text.trim().to_owned();
    loop {
        let took = tokens::count(&cut);
        if took <= most {
            return (cut, took);
        }
        // A little less than its part, since the parts of a text are not alike.
        cut = excerpt(text, topic, (chars(&cut) * most / took).saturating_sub(1));
    }
}

/// Those of the shown passages that a text cites, and the first others where these are few.
pub fn cited(shown: &[Passage], text: &str) -> Vec<Passage> {
    let cited: Vec<u16> = markers(text).into_iter().flat_map(|marker| marker.numbers).collect();
    let is_cited = |passage: &&Passage| cited.contains(&passage.n);
    let lacking = MIN_FOR_THE_EDITOR.saturating_sub(shown.iter().filter(is_cited).count());
    let mut others: Vec<u16> = shown.iter().filter(|passage| !is_cited(passage)).map(|passage| passage.n).collect();
    others.truncate(lacking);
    shown.iter().filter(|passage| is_cited(passage) || others.contains(&passage.n)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use copydesk_domain::format::Format;

    use super::super::brief::tests::brief;
    use super::*;

    fn passages(own: u16, web: u16, text: &str) -> Vec<Passage> {
        let passage = |n| Passage {
            n,
            kind: if n <= own { SourceKind::Knowledge } else { SourceKind::Web },
            title: format!("Page {n}"),
            url: None,
            document_id: None,
            chunk: None,
            is_about_others: false,
            text: format!("{text} {n}."),
        };
        (1..=own + web).map(passage).collect()
    }

    fn numbers(passages: &[Passage]) -> Vec<u16> {
        passages.iter().map(|passage| passage.n).collect()
    }

    #[test]
    fn a_short_text_is_shown_fewer_passages_and_each_keeps_its_number() {
        let chosen = |format, own, web| numbers(&chosen(&passages(own, web, "A"), &brief(format)));
        assert_eq!(chosen(Format::LinkedIn, 8, 5), [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12]);
        assert_eq!(chosen(Format::Blog, 8, 5), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
        assert_eq!(chosen(Format::Ad, 8, 0), [1, 2, 3, 4, 5, 6, 7, 8], "what the web leaves free is the documents'");
        assert_eq!(chosen(Format::Ad, 0, 5), [1, 2, 3, 4, 5]);
        assert_eq!(chosen(Format::Ad, 1, 5), [1, 2, 3, 4, 5, 6]);
        assert!(chosen(Format::Blog, 0, 0).is_empty());
    }

    #[test]
    fn their_texts_are_bounded_and_keep_what_fits_the_topic() {
        let filler = "Parking is free and the garden is open to all who visit. ".repeat(30);
        let text = format!("{filler}AI helps radiology in healthcare every day. {filler}");
        for (format, most) in [(Format::LinkedIn, 1_700), (Format::Blog, 2_700)] {
            let chosen = chosen(&passages(8, 5, &text), &brief(format));
            let tokens: usize = chosen.iter().map(|passage| tokens::count(&passage.text)).sum();
            assert!((most * 3 / 4..=most).contains(&tokens), "{format}: {tokens}");
            assert!(chosen.iter().all(|passage| passage.text.contains("AI helps radiology")), "{chosen:?}");
        }
        for text in ["人工知能は医療の現場で診断を支援し。".repeat(200), "👩‍👩‍👧‍👦🎉".repeat(900)]
        {
            let chosen = chosen(&passages(8, 5, &text), &brief(Format::Blog));
            assert!(chosen.iter().map(|passage| tokens::count(&passage.text)).sum::<usize>() <= 2_700);
        }
    }

    #[test]
    fn another_editor_is_shown_what_the_text_cites_and_a_little_more() {
        let all = passages(6, 4, "A");
        assert_eq!(numbers(&cited(&all, "One [4]. Two [7][9]. Three [4, 2].")), [2, 4, 7, 9]);
        assert_eq!(numbers(&cited(&all, "One [4].")), [1, 2, 4]);
        assert_eq!(numbers(&cited(&all, "None.")), [1, 2, 3]);
        assert!(cited(&[], "One [4].").is_empty());
    }
}
