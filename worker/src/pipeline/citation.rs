//! The citations of a text, held against the job's passages: what no passage supports is cut; what remains
//! is numbered in the order of its first use. What supports what is [`copydesk_editorial::citation`]'s.

use std::collections::HashMap;

use copydesk_domain::generation::{Source, SourceKind};
use copydesk_editorial::citation::{markers, quote, sentence_before};
use copydesk_editorial::text::language;
use copydesk_editorial::text::sentence::{MARKS, sentences};

use super::passage::Passage;

/// A sentence of so many words that stands in a page of the web is taken from it.
const MIN_COPIED_WORDS: usize = 8;

/// A text whose citations all hold, with what they cite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The text.
    pub text: String,
    /// What it cites, in the order of first use.
    pub sources: Vec<Source>,
    /// Citations that were cut, in order.
    pub cut: Vec<Cut>,
}

/// A citation that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The passage.
    pub n: u16,
    /// The sentence that it was said to support.
    pub sentence: String,
}

/// Cuts what is not supported, and numbers the rest from 1.
pub fn check(text: &str, passages: &[Passage], language: &str) -> Checked {
    let mut checked = Checked { text: String::with_capacity(text.len()), sources: Vec::new(), cut: Vec::new() };
    let mut cited = Cited::default();
    let mut rest = 0;
    for marker in markers(text) {
        let sentence = sentence_before(text, marker.start);
        let mut places = String::new();
        for &n in &marker.numbers {
            let passage = passages.iter().find(|passage| passage.n == n);
            match passage.and_then(|passage| quote(sentence, &passage.text, &passage.title, language)) {
                Some(quote) => places.push_str(&format!("[{}]", cited.place(n, quote))),
                None => checked.cut.push(Cut { n, sentence: sentence.trim().to_owned() }),
            }
        }
        let before = &text[rest..marker.start];
        checked.text.push_str(if places.is_empty() { before.trim_end_matches(' ') } else { before });
        checked.text.push_str(&places);
        rest = marker.end;
    }
    checked.text.push_str(&text[rest..]);
    checked.sources = cited.sources(passages);
    checked
}

/// The passages that a text cites, in the order of first use.
#[derive(Default)]
struct Cited<'a> {
    order: Vec<u16>,
    quotes: HashMap<u16, &'a str>,
}

impl<'a> Cited<'a> {
    /// The number that a passage has in the text.
    fn place(&mut self, n: u16, quote: &'a str) -> usize {
        self.quotes.entry(n).or_insert(quote);
        let known = self.order.iter().position(|known| *known == n);
        known.unwrap_or_else(|| {
            self.order.push(n);
            self.order.len() - 1
        }) + 1
    }

    fn sources(&self, passages: &[Passage]) -> Vec<Source> {
        let source = |(n, old): (u16, &u16)| {
            let passage = passages.iter().find(|passage| passage.n == *old)?;
            Some(passage.source(n, self.quotes.get(old).copied().unwrap_or_default()))
        };
        (1..).zip(&self.order).filter_map(source).collect()
    }
}

/// The text with a citation behind each sentence that a page of the web holds word for word: whose
/// words they are must be seen, whether or not the writer said so.
pub fn mark_copied(text: &str, passages: &[Passage]) -> String {
    let web: Vec<(u16, String)> = passages
        .iter()
        .filter(|passage| passage.kind == SourceKind::Web)
        .map(|passage| (passage.n, spaced(&passage.text)))
        .collect();
    let mut marked = String::with_capacity(text.len());
    let mut done = 0;
    for range in sentences(text) {
        let sentence = &text[range.clone()];
        let words = spaced(sentence);
        let is_own = sentence.starts_with('#') || language::count_words(&words) < MIN_COPIED_WORDS;
        let behind = text[range.end..].lines().next().unwrap_or_default();
        let is_cited = !markers(sentence).is_empty() || markers(behind).first().is_some_and(|marker| marker.start <= 1);
        if is_own || is_cited {
            continue;
        }
        if let Some((n, _)) = web.iter().find(|(_, page)| page.contains(&words)) {
            let end = range.start + sentence.trim_end_matches(MARKS).len();
            marked.push_str(&text[done..end]);
            marked.push_str(&format!(" [{n}]"));
            done = end;
        }
    }
    marked + &text[done..]
}

/// A text's words alone, each between spaces.
fn spaced(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(String::from(" "), |text, word| text + &word.to_lowercase() + " ")
}

#[cfg(test)]
mod tests {
    use copydesk_domain::generation::SourceKind;

    use super::*;

    fn passage(n: u16, text: &str) -> Passage {
        Passage {
            n,
            kind: SourceKind::Web,
            title: format!("Page {n}"),
            url: Some(format!("https://{n}.example")),
            document_id: None,
            chunk: None,
            is_about_others: false,
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
        assert_eq!(checked.cut, [Cut { n: 1, sentence: "Das Wetter ist schön".into() }]);
    }

    #[test]
    fn a_source_quotes_the_sentence_that_supports() {
        let own = [passage(1, "We like it here. The clinics open at eight in the morning. Parking is free.")];
        let checked = check("Clinics open at eight in the morning [1].", &own, "en");
        assert_eq!(checked.sources[0].quote, "The clinics open at eight in the morning.");
        let checked = check("Clinics open at nine in the morning [1].", &own, "en");
        assert_eq!((checked.text.as_str(), checked.sources.len()), ("Clinics open at nine in the morning.", 0));
        assert_eq!(checked.cut[0].sentence, "Clinics open at nine in the morning");
    }

    #[test]
    fn words_of_the_web_are_marked_as_such() {
        let text = "# Every scan is read twice, once by a model and once by a radiologist.\n\nWe say: \
            Every scan is read twice! Every scan is read twice, once by a model and once by a radiologist. Ours too.";
        let marked = mark_copied(text, &passages());
        assert!(marked.ends_with("once by a model and once by a radiologist [1]. Ours too."), "{marked}");
        assert_eq!(marked.matches("[1]").count(), 1);
        assert_eq!(mark_copied(&marked, &passages()), marked, "once");
        let han = [passage(1, "欢迎。我们的港口每天早上八点开门，下午五点关门。")];
        assert_eq!(
            mark_copied("我们的港口每天早上八点开门，下午五点关门。", &han),
            "我们的港口每天早上八点开门，下午五点关门 [1]。"
        );
        let own = [Passage { kind: SourceKind::Knowledge, ..passages().remove(0) }];
        assert_eq!(mark_copied(text, &own), text);
    }
}
