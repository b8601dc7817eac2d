//! Citations: `[n]` behind a sentence says that passage n supports it. What a passage does not
//! support is cut from the text; what remains is numbered in the order of its first use.

use std::collections::BTreeSet;

use copydesk_common::generation::Source;
use copydesk_knowledge::words;

use super::passage::Passage;
use crate::format::language;

/// The share of a sentence's words that a passage must hold to support it. Low, since a writer's
/// words are not the passage's; a passage about something else shares next to none.
const MIN_SHARE_PERCENT: usize = 20;
/// Words that both must hold: one alone is a coincidence.
const MIN_SHARED_WORDS: usize = 2;

/// A text whose citations all hold, with what they cite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The text.
    pub text: String,
    /// What it cites, in the order of first use.
    pub sources: Vec<Source>,
    /// Citations that were cut.
    pub cut: usize,
}

/// Cuts what is not supported, and numbers the rest from 1. In other languages than English one
/// shared word is enough: passages are often in another language than the text, and share with it
/// names and numbers only.
pub fn check(text: &str, passages: &[Passage], language: &str) -> Checked {
    let mut checked = Checked { text: String::with_capacity(text.len()), sources: Vec::new(), cut: 0 };
    let mut order: Vec<u16> = Vec::new();
    let mut rest = 0;
    for marker in markers(text) {
        let sentence = sentence_before(text, marker.start);
        let supported = |n: &&u16| {
            passages
                .iter()
                .find(|passage| passage.n == **n)
                .is_some_and(|passage| supports(passage, sentence, language))
        };
        let kept: Vec<u16> = marker.numbers.iter().filter(supported).copied().collect();
        checked.cut += marker.numbers.len() - kept.len();
        let before = &text[rest..marker.start];
        checked.text.push_str(if kept.is_empty() { before.trim_end_matches(' ') } else { before });
        for n in kept {
            let place = order.iter().position(|known| *known == n).unwrap_or_else(|| {
                order.push(n);
                order.len() - 1
            });
            checked.text.push_str(&format!("[{}]", place + 1));
        }
        rest = marker.end;
    }
    checked.text.push_str(&text[rest..]);
    let cited = (1..).zip(&order);
    checked.sources = cited
        .filter_map(|(n, old)| passages.iter().find(|passage| passage.n == *old).map(|passage| passage.source(n)))
        .collect();
    checked
}

/// `[3]` or `[1, 2]` in a text.
struct Marker {
    start: usize,
    end: usize,
    numbers: Vec<u16>,
}

/// The citations of a text. `[1](https://…)` is a link, and left alone.
fn markers(text: &str) -> Vec<Marker> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find('[').map(|at| from + at) {
        from = start + 1;
        let Some(end) = text[from..].find([']', '[', '\n']).map(|at| from + at) else { break };
        let is_citation = text[end..].starts_with(']') && !text[end + 1..].starts_with('(');
        let numbers: Option<Vec<u16>> = text[from..end].split([',', ';']).map(|n| n.trim().parse().ok()).collect();
        if let Some(numbers) = numbers.filter(|_| is_citation) {
            found.push(Marker { start, end: end + 1, numbers });
        }
    }
    found
}

/// The sentence that a citation at `at` stands behind: it may stand before the full stop or after.
fn sentence_before(text: &str, at: usize) -> &str {
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = &text[line_start..at];
    // Citations of the same sentence, and its full stop, where that comes first.
    let body = line.trim_end_matches(|c: char| c.is_ascii_digit() || "[],; ".contains(c));
    let body = body.trim_end_matches(['.', '!', '?', '"', '”', '*', '_', '。', '！', '？']);
    let end_of_previous = body.char_indices().zip(body.chars().skip(1)).filter(|((_, mark), next)| {
        (matches!(mark, '.' | '!' | '?') && next.is_whitespace()) || matches!(mark, '。' | '！' | '？')
    });
    let start = end_of_previous.last().map_or(0, |((at, mark), _)| at + mark.len_utf8());
    &body[start..]
}

fn supports(passage: &Passage, sentence: &str, language: &str) -> bool {
    let said: BTreeSet<String> = words(sentence);
    let known: BTreeSet<String> = words(&format!("{} {}", passage.title, passage.text));
    let shared = said.intersection(&known).count();
    if !language::is_english(language) {
        return shared >= 1;
    }
    // A sentence of one word cannot share two.
    shared >= MIN_SHARED_WORDS.min(said.len().max(1)) && shared * 100 >= said.len() * MIN_SHARE_PERCENT
}

#[cfg(test)]
mod tests {
    use copydesk_common::generation::SourceKind;

    use super::*;

    fn passage(n: u16, text: &str) -> Passage {
        Passage {
            n,
            kind: SourceKind::Web,
            title: format!("Page {n}"),
            url: Some(format!("https://{n}.example")),
            document_id: None,
            chunk: None,
            text: text.to_owned(),
        }
    }

    fn passages() -> Vec<Passage> {
        vec![
            passage(1, "Every scan is read twice, once by a model and once by a radiologist."),
            passage(2, "The clinics open at eight in the morning."),
            passage(3, "Lime and sand make mortar."),
        ]
    }

    fn checked(text: &str) -> (String, Vec<String>) {
        let checked = check(text, &passages(), "en");
        (checked.text, checked.sources.into_iter().map(|source| format!("{} {}", source.n, source.title)).collect())
    }

    #[test]
    fn supported_citations_stay_and_are_numbered_in_order_of_use() {
        let (text, sources) =
            checked("Clinics open at eight [2]. Scans are read twice [1]. All open in the morning [2].");
        assert_eq!(text, "Clinics open at eight [1]. Scans are read twice [2]. All open in the morning [1].");
        assert_eq!(sources, ["1 Page 2", "2 Page 1"]);
    }

    #[test]
    fn unsupported_and_unknown_citations_are_cut_with_the_space_before() {
        let (text, sources) = checked("Scans are read twice [3]. They open early [7][2]. It is so [0].");
        assert_eq!(text, "Scans are read twice. They open early. It is so.");
        assert!(sources.is_empty());
        let (text, sources) = checked("Scans are read twice by a radiologist [1, 3][9].");
        assert_eq!((text.as_str(), sources.len()), ("Scans are read twice by a radiologist [1].", 1));
    }

    #[test]
    fn only_the_sentence_before_the_citation_counts() {
        let (text, _) = checked("Every scan is read twice by a radiologist. Pigs can fly high [1].");
        assert_eq!(text, "Every scan is read twice by a radiologist. Pigs can fly high.");
        let (text, _) = checked("Pigs fly.\nEvery scan is read twice. [1] Pigs swim.");
        assert_eq!(text, "Pigs fly.\nEvery scan is read twice. [1] Pigs swim.");
    }

    #[test]
    fn links_and_other_brackets_are_left_alone() {
        let odd = "A [link](https://a.example), [1](https://b.example), [x], [], [1\n], [CITY], [ and ünï[";
        assert_eq!(checked(odd), (odd.to_owned(), Vec::new()));
    }

    #[test]
    fn names_and_numbers_support_a_text_in_another_language() {
        let own = [passage(1, "Acme opened 12 clinics in 2026.")];
        let text = "Acme hat zwölf Kliniken eröffnet [1]. Das Wetter ist schön [1].";
        let checked = check(text, &own, "de");
        assert_eq!(checked.text, "Acme hat zwölf Kliniken eröffnet [1]. Das Wetter ist schön.");
        assert_eq!(checked.cut, 1);
    }
}
