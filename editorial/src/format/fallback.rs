//! The material of a text that no model writes: sentences of the passages, each with its citation,
//! and stock sentences when they run out. Nothing is invented.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use copydesk_words::is_unspaced;

use crate::answer::{self, topic};
use crate::text::clip::chars;
use crate::text::phrase;
use crate::text::{language, sentence};

/// The longest sentence that is used whole, in characters.
const MAX_SENTENCE_CHARS: usize = 240;
/// The shortest sentence, in characters. Shorter ones are headings, labels and fragments.
const MIN_SENTENCE_CHARS: usize = 25;
/// The same in scripts without spaces, in words.
const MIN_SENTENCE_WORDS: usize = 5;
/// The most sentences from one passage: the next passage likely says something else.
const SENTENCES_PER_PASSAGE: usize = 4;

/// First words of sentences that need the one before them.
const LEANING: [&str; 21] = [
    "it",
    "this",
    "these",
    "that",
    "those",
    "they",
    "he",
    "she",
    "but",
    "and",
    "or",
    "so",
    "however",
    "therefore",
    "also",
    "then",
    "instead",
    "otherwise",
    "such",
    "here",
    "there",
];
/// The most words of a label in front of a sentence: `Conclusion: …`, `Fix (16256): …`.
const MAX_LABEL_WORDS: usize = 3;
/// Sentences that share this percentage of their words say the same.
const ALIKE_PERCENT: usize = 70;
/// A topic of fewer words does not tell which sentences are about it.
const MIN_TOPIC_WORDS: usize = 2;
/// First words of rules.
const RULES: [&str; 8] = ["avoid", "never", "don't", "don’t", "capitalize", "spell", "note", "todo"];
/// Words by which a business tells its own people how to write, or to keep things to themselves.
const HOUSE_RULES: [&str; 16] = [
    "we do not write",
    "we don't write",
    "do not use the word",
    "use the word",
    "3rd person",
    "third person",
    "our tone",
    "tone of voice",
    "style guide",
    "must not",
    "internal use",
    "confidential",
    "do not share",
    "teammates",
    "this page",
    "this section",
];

/// The material of a text.
#[derive(Debug, Clone)]
pub struct Material<'a> {
    /// What the text is about.
    pub topic: String,
    /// The business's name.
    pub business: String,
    /// The title planned for the text.
    pub title: String,
    /// The headings planned for it.
    pub headings: &'a [String],
    /// Sentences of the passages, best first.
    pub facts: Vec<Fact>,
    /// The date of a dated text.
    pub today: DateTime<Utc>,
}

/// A sentence of a passage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The passage's number.
    pub n: u16,
    /// The sentence.
    pub text: String,
}

impl Fact {
    /// The sentence with its citation before the full stop: `It is so [1].`
    fn cited(&self) -> String {
        let text = self.text.trim_end_matches(|c| c == ' ' || sentence::MARKS.contains(&c));
        // A mark of another script stays.
        let mark = self.text.chars().next_back().filter(|mark| !mark.is_ascii() && sentence::MARKS.contains(mark));
        format!("{text} [{}]{}", self.n, mark.unwrap_or('.'))
    }
}

/// A passage that a text may be composed of.
#[derive(Debug, Clone, Copy)]
pub struct Passage<'a> {
    /// Its number.
    pub n: u16,
    /// The text.
    pub text: &'a str,
    /// Whether its document speaks of other companies: only sentences that name the business are facts about it.
    pub is_about_others: bool,
}

/// Sentences of passages about the business, one from each passage in turn, the best of each first.
/// Where some speak of the topic, the others stay out.
pub fn facts<'a>(passages: impl IntoIterator<Item = Passage<'a>>, business: &str, topic: &str) -> Vec<Fact> {
    let of = |Passage { n, text, is_about_others }: Passage<'_>| {
        let own = sentences(text).filter(|text| !is_about_others || speaks_of(text, business));
        own.take(SENTENCES_PER_PASSAGE).map(|text| Fact { n, text }).collect()
    };
    let by_passage: Vec<Vec<Fact>> = passages.into_iter().map(of).collect();
    let in_turn =
        (0..SENTENCES_PER_PASSAGE).flat_map(|round| by_passage.iter().filter_map(move |facts| facts.get(round)));
    let (mut facts, mut told): (Vec<Fact>, Vec<BTreeSet<String>>) = (Vec::new(), Vec::new());
    for fact in in_turn {
        // Overlapping passages contain the same sentences, and pages of one kind nearly the same.
        let words = copydesk_words::words(&fact.text);
        if !told.iter().any(|known| are_alike(known, &words)) {
            facts.push(fact.clone());
            told.push(words);
        }
    }
    let Some(topic) = topic::telling(topic, MIN_TOPIC_WORDS) else { return facts };
    let (on_topic, beside): (Vec<_>, Vec<_>) =
        facts.into_iter().partition(|fact| !topic.is_disjoint(&topic::beginnings(&fact.text)));
    if on_topic.is_empty() { beside } else { on_topic }
}

/// Whether the words of two sentences are mostly the same.
fn are_alike(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    let (common, all) = (one.intersection(other).count(), one.union(other).count());
    common * 100 >= all * ALIKE_PERCENT
}

/// Whether a sentence names the business. That it says "we" is not enough beside other companies:
/// "what we hear" is about them.
fn speaks_of(sentence: &str, business: &str) -> bool {
    phrase::holds(&phrase::comparable(sentence), &phrase::comparable(business))
}

/// Whether a sentence can stand alone in a text for readers: it begins like one, leans on none before it, and is no
/// rule for those who write, and no word about the text that it comes from.
fn stands_alone(sentence: &str) -> bool {
    let first = sentence.split_whitespace().next().unwrap_or_default().trim_end_matches([',', ':']).to_lowercase();
    let begins = sentence.chars().next().is_some_and(|c| !c.is_lowercase() && c.is_alphanumeric());
    let label = sentence.split_once(": ").map_or(0, |(label, _)| label.split_whitespace().count());
    let is_labelled = (1..=MAX_LABEL_WORDS).contains(&label);
    begins
        && !is_labelled
        && !LEANING.contains(&first.as_str())
        && !RULES.contains(&first.as_str())
        && !is_house_rule(sentence)
}

/// `We do not write …`, `Our tone is …`, and what speaks of the document.
fn is_house_rule(sentence: &str) -> bool {
    let lower = sentence.to_lowercase().replace('’', "'");
    HOUSE_RULES.iter().any(|words| lower.contains(words)) || answer::speaks_of_its_task(sentence)
}

/// The sentences of a passage that are understandable alone, without Markdown marks.
fn sentences(text: &str) -> impl Iterator<Item = String> {
    let all = blocks(text).into_iter().flat_map(|block| one_spaced(&block));
    let is_long = |text: &str| {
        chars(text) >= MIN_SENTENCE_CHARS
            || (text.contains(is_unspaced) && language::count_words(text) >= MIN_SENTENCE_WORDS)
    };
    let all = all.filter(|sentence| stands_alone(sentence));
    all.filter(move |sentence| is_long(sentence) && chars(sentence) <= MAX_SENTENCE_CHARS)
}

/// Paragraphs and bullets, each as running text, without headings, tables, code, the brackets of
/// links and quotation marks.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines().map(str::trim) {
        let bare = line.trim_start_matches(['-', '*', '>', '+', ' ']);
        if bare.len() != line.len() || line.is_empty() || line.starts_with(['#', '|', '`', '<']) {
            blocks.push(String::new());
        }
        if let Some(block) = blocks.last_mut().filter(|_| !line.starts_with(['#', '|', '`', '<'])) {
            block.push_str(bare);
            block.push(' ');
        }
    }
    blocks.iter().map(|block| without_links(block).replace(['*', '_', '`', '[', ']', '"', '“', '”'], "")).collect()
}

/// `[text](address)` as `text`.
fn without_links(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, address)) = rest.split_once("](") {
        plain.push_str(before);
        rest = address.split_once(')').map_or("", |(_, behind)| behind);
    }
    plain + rest
}

/// The sentences of a block, each on one line.
fn one_spaced(block: &str) -> Vec<String> {
    let block = block.split_whitespace().collect::<Vec<_>>().join(" ");
    sentence::ended(&block).map(str::to_owned).collect()
}

/// Yields facts one after the other, and stock sentences once they are used up.
#[derive(Debug)]
pub(super) struct Telling<'a> {
    material: &'a Material<'a>,
    next: usize,
}

impl<'a> Telling<'a> {
    pub(super) fn of(material: &'a Material<'a>) -> Self {
        Self { material, next: 0 }
    }

    /// One sentence, with its citation if it has one.
    pub(super) fn sentence(&mut self) -> String {
        self.within(usize::MAX)
    }

    /// One sentence of at most `max_chars`. A longer fact is skipped.
    pub(super) fn within(&mut self, max_chars: usize) -> String {
        while let Some(fact) = self.material.facts.get(self.next) {
            self.next += 1;
            let cited = fact.cited();
            if chars(&cited) <= max_chars {
                return cited;
            }
        }
        let (business, topic) = (&self.material.business, &self.material.topic);
        let used_up = self.next - self.material.facts.len();
        self.next += 1;
        let plain = match used_up % 4 {
            0 => format!("{business} is glad to say more about this."),
            1 => format!("Whoever wants to know more about {topic} can ask {business}."),
            2 => format!("{business} answers questions about {topic} in person."),
            _ => "Further details are available on request.".to_owned(),
        };
        if chars(&plain) <= max_chars { plain } else { "Details are available on request.".to_owned() }
    }

    /// Several sentences as a paragraph.
    pub(super) fn paragraph(&mut self, sentences: usize) -> String {
        (0..sentences).map(|_| self.sentence()).collect::<Vec<_>>().join(" ")
    }

    /// The number of sentences for a part, so that the facts are spread over `parts`.
    pub(super) fn share(&self, parts: usize) -> usize {
        (self.material.facts.len() / parts.max(1)).clamp(1, 3)
    }
}

/// The planned headings, or `default` if fewer than `least` are planned.
pub(super) fn headings(material: &Material<'_>, least: usize, default: &[&str]) -> Vec<String> {
    if material.headings.len() >= least {
        material.headings.to_vec()
    } else {
        default.iter().map(|&heading| heading.to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Spec;
    use crate::format::tests::RULES;
    use crate::text::clip::one_line;
    use copydesk_domain::format::Format;

    const PASSAGE: &str = "# Scans

Every scan is read twice, once by a model
and once by a radiologist.

- **Results** arrive within two hours of the visit.
- A bullet without a full stop that is long enough
- The [second](https://a.example) reading costs nothing extra.

| a | table that is no sentence. |

Patients see their results in the portal. Yes. A fifth sentence that is long enough.";

    fn passage(n: u16, text: &str) -> Passage<'_> {
        Passage { n, text, is_about_others: false }
    }

    fn material(topic: &str, passages: &[&str]) -> Material<'static> {
        Material {
            topic: one_line(topic, 120),
            business: "Acme Clinics".into(),
            title: one_line(topic, 80),
            headings: &[],
            facts: facts((1..).zip(passages).map(|(n, text)| passage(n, text)), "Acme Clinics", topic),
            today: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn every_format_composes_a_text_in_its_own_shape() {
        let long_topic = "an endless topic, ".repeat(27);
        let odd_topic = "# <b>AI</b>\n> in \"healthcare\"\u{0}?";
        for topic in ["AI in healthcare", &long_topic, odd_topic] {
            for passages in [&[][..], &[PASSAGE], &[PASSAGE; 5], &["No sentence here"]] {
                for &format in Format::ALL {
                    let text = Spec::of(format).compose(&material(topic, passages));
                    // The length is the material's, and an odd topic may look like anything.
                    let excused = ["length", "language", "keywords"];
                    let checks = Spec::of(format).check(&text, &RULES).into_iter();
                    let failed: Vec<_> =
                        checks.filter(|check| !check.passed && !excused.contains(&check.name.as_str())).collect();
                    assert!(failed.is_empty(), "{format}: {failed:?}\n{text}");
                }
            }
        }
    }

    #[test]
    fn composed_texts_cite_what_they_take_over() {
        for &format in Format::ALL {
            let text = Spec::of(format).compose(&material("AI in healthcare", &[PASSAGE]));
            assert!(text.contains("[1]"), "{format}: {text}");
        }
    }

    #[test]
    fn nothing_of_competitors_rules_or_fragments_is_a_fact() {
        let rules = "Use the 3rd person, and never we, in press releases. We do not write \"suffer\" in texts for patients. \
            Avoid long words where short ones will do. the second half of a sentence that was cut. It leans on what stood \
            before it here. Prices of partners must not be named by anybody. Acme Clinics reads every scan twice.";
        let found = facts([passage(1, rules)], "Acme Clinics", "Scans");
        assert_eq!(
            found.iter().map(|fact| fact.text.as_str()).collect::<Vec<_>>(),
            ["Acme Clinics reads every scan twice."]
        );
        let others = "Livegrep is maintained by a Stripe developer in spare time. Acme Clinics supports every code host. \
            We index a million repositories each day.";
        let others = Passage { is_about_others: true, ..passage(1, others) };
        let found = facts([others], "Acme Clinics", "Scans");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].text.starts_with("Acme Clinics supports"), "{found:?}");
    }

    #[test]
    fn what_is_not_about_the_topic_labels_and_near_repetitions_stay_out() {
        let text = "Agencies buy software in small steps with us. Agencies can buy software in small steps with us. \
            Conclusion: agencies did not buy as there was no guidance. Fix (16256): Add a panel for agencies. \
            Include a period at the end of each bullet of a list. Contracts of software are short with us.";
        let told = |topic: &str| {
            let found = facts([passage(1, text)], "18F", topic);
            found.into_iter().map(|fact| fact.text).collect::<Vec<_>>()
        };
        let (first, last) =
            ("Agencies buy software in small steps with us.", "Contracts of software are short with us.");
        assert_eq!(told("How agencies can buy software"), [first, last]);
        let all = told("Software");
        assert_eq!(all.len(), 3, "too short a topic tells nothing: {all:?}");
        assert_eq!(told("Where the ferries of the harbour go"), all, "nothing is about it");
    }

    #[test]
    fn facts_are_whole_sentences_each_once() {
        let facts = facts([passage(1, PASSAGE), passage(2, PASSAGE)], "Acme Clinics", "Scans");
        let texts: Vec<_> = facts.iter().map(|fact| fact.text.as_str()).collect();
        assert_eq!(texts[0], "Every scan is read twice, once by a model and once by a radiologist.");
        assert_eq!(texts[1], "Results arrive within two hours of the visit.");
        assert_eq!(texts[2], "The second reading costs nothing extra.");
        assert_eq!(texts[3], "Patients see their results in the portal.");
        assert_eq!(facts.len(), 4, "{texts:?}");
        assert!(facts.iter().all(|fact| fact.n == 1));
        assert_eq!(facts[1].cited(), "Results arrive within two hours of the visit [1].");
    }
}
