//! What a passage says, in the order in which it says it: paragraphs of whole sentences, and lists with the words
//! that lead to them. Tables, and whatever leans on something that is not there, are left out.

use std::collections::VecDeque;

use crate::prompt::{Passage, Prompt};
use crate::shape;
use crate::writer::material::{self, LEANING};

const MIN_WORDS: usize = 3;
const MAX_WORDS: usize = 60;
/// A source is used that is at least so much about the topic as the best one, in percent.
const ABOUT_PERCENT: usize = 45;
/// Sources that are used in any case, where there are so many.
const MIN_SOURCES: usize = 2;
/// A heading that ends with one of these leads to a list.
const LEADS: [&str; 8] = ["if", "when", "and", "for", "with", "that", "who", "to"];
/// Words that tell nothing of a topic.
const COMMON: [&str; 24] = [
    "the", "and", "for", "with", "how", "what", "why", "when", "our", "your", "you", "are", "after", "from", "about",
    "into", "does", "can", "get", "getting", "best", "does", "whom", "this",
];

/// A passage, ready to be written from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) n: u32,
    /// What its title says last.
    pub(super) heading: String,
    /// Whether it opens its document, or belongs to no section of one.
    pub(super) opens: bool,
    pub(super) blocks: VecDeque<Block>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Block {
    /// Sentences, and whether the first one leans on the list before it.
    Prose { sentences: VecDeque<String>, follows: bool },
    /// A list's entries under the words that lead to them.
    List { lead: String, items: Vec<String> },
}

impl Source {
    fn of(passage: &Passage) -> Self {
        let parts: Vec<_> = passage.title.split('›').map(str::trim).collect();
        let heading = parts.last().copied().unwrap_or_default().to_owned();
        let blocks = blocks(&passage.text, &heading);
        Self { n: passage.n, opens: passage.own && parts.len() <= 2, heading, blocks }
    }

    /// Words of its sentences.
    pub(super) fn words(&self) -> usize {
        let words = |block: &Block| match block {
            Block::Prose { sentences, .. } => sentences.iter().map(|sentence| shape::words(sentence)).sum::<usize>(),
            Block::List { .. } => 0,
        };
        self.blocks.iter().map(words).sum()
    }

    /// Whether it gives figures of what happened.
    pub(super) fn tells_figures(&self) -> bool {
        let has_figure = |sentence: &String| sentence.contains('%');
        self.blocks
            .iter()
            .any(|block| matches!(block, Block::Prose { sentences, .. } if sentences.iter().any(has_figure)))
    }

    /// Whether its heading can stand over a section.
    pub(super) fn reads_well(&self) -> bool {
        (2..=12).contains(&shape::words(&self.heading)) && !leads(&self.heading)
    }
}

/// The passages that are about the topic and say something: what opens a document of the business first, then the
/// others of its own, then the web's.
pub(super) fn sources(prompt: &Prompt) -> Vec<Source> {
    let topic = telling(&format!("{} {}", prompt.topic, prompt.keywords.join(" ")));
    let (own, web): (Vec<_>, Vec<_>) = prompt.passages.iter().partition(|passage| passage.own);
    let rated = |passage: &Passage| (about(passage, &topic), Source::of(passage));
    let rated: Vec<_> = own.into_iter().chain(web).map(rated).filter(|(_, source)| !source.blocks.is_empty()).collect();
    let best = rated.iter().map(|(about, _)| *about).max().unwrap_or(0);
    let is_about = |about: usize| about * 100 >= best * ABOUT_PERCENT && about > 0;
    let enough = rated.iter().filter(|(about, _)| is_about(*about)).count() >= MIN_SOURCES;
    let kept = rated.into_iter().filter(|(about, _)| is_about(*about) || !enough);
    let mut sources: Vec<_> = kept.map(|(_, source)| source).collect();
    sources.sort_by_key(|source| !source.opens);
    sources
}

/// How much a passage is about a topic: its title tells more than its text.
fn about(passage: &Passage, topic: &[String]) -> usize {
    let (title, text) = (telling(&passage.title), telling(&passage.text));
    topic.iter().map(|word| 3 * usize::from(title.contains(word)) + usize::from(text.contains(word))).sum()
}

fn telling(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    let telling = words.filter(|word| word.chars().count() > 2 && !COMMON.contains(&word.as_str()));
    let mut stems: Vec<_> = telling.map(|word| word.strip_suffix('s').unwrap_or(&word).to_owned()).collect();
    stems.sort();
    stems.dedup();
    stems
}

fn leads(line: &str) -> bool {
    let last = line.rsplit(' ').next().unwrap_or_default().to_lowercase();
    line.ends_with(':') || LEADS.contains(&last.as_str())
}

/// A piece of Markdown as it stands.
enum Piece {
    Paragraph(String),
    List(Vec<String>),
}

fn blocks(markdown: &str, heading: &str) -> VecDeque<Block> {
    let mut blocks = VecDeque::new();
    let mut lead = leads(heading).then(|| heading.to_owned());
    let mut behind_list = false;
    for piece in pieces(markdown) {
        match piece {
            Piece::Paragraph(text) => {
                let is_labelled = text.starts_with("**");
                let text = material::plain(&text);
                let mut sentences = whole(material::split(&text), behind_list);
                if is_labelled && sentences.len() == 1 {
                    // Bold words whose text is not there.
                    sentences.clear();
                }
                let follows = sentences.front().is_some_and(|first| leans(first));
                if !sentences.is_empty() {
                    blocks.push_back(Block::Prose { sentences, follows });
                }
                lead = text.ends_with(':').then(|| text.rsplit(". ").next().unwrap_or(&text).to_owned());
                behind_list = false;
            }
            Piece::List(entries) => {
                let entries: Vec<_> = entries.iter().map(|entry| material::plain(entry)).collect();
                let (block, is_fragments) = listed(entries, lead.take());
                behind_list = is_fragments && block.is_some();
                blocks.extend(block);
            }
        }
    }
    blocks
}

/// A list of sentences is a paragraph; one of fragments needs words that lead to it.
fn listed(entries: Vec<String>, lead: Option<String>) -> (Option<Block>, bool) {
    let ends = |entry: &String| entry.ends_with(['.', '!']);
    if entries.iter().filter(|entry| ends(entry)).count() * 2 > entries.len() {
        let sentences = whole(entries.iter().flat_map(|entry| material::split(entry)).collect(), false);
        return ((!sentences.is_empty()).then_some(Block::Prose { sentences, follows: false }), false);
    }
    let is_list = entries.len() > 1 && entries.iter().all(|entry| !entry.contains(['…', '[', '|']));
    let lead = lead.filter(|_| is_list).map(|lead| format!("{}:", lead.trim_end_matches(':')));
    (lead.map(|lead| Block::List { lead, items: entries }), true)
}

/// The sentences that may stand here: whole ones, and none that leans on one that is left out.
fn whole(sentences: Vec<String>, mut may_lean: bool) -> VecDeque<String> {
    let mut kept = VecDeque::new();
    for sentence in sentences {
        if leans(&sentence) && !may_lean {
            // What follows is about the same thing, which is not there.
            break;
        }
        may_lean = material::is_whole(&sentence, MIN_WORDS..=MAX_WORDS);
        if may_lean {
            kept.push_back(sentence);
        }
    }
    kept
}

pub(super) fn leans(sentence: &str) -> bool {
    let first = sentence.split(|c: char| !c.is_alphabetic()).find(|word| !word.is_empty()).unwrap_or_default();
    LEANING.contains(&first.to_lowercase().as_str())
}

fn pieces(markdown: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut is_open = false;
    for line in markdown.lines() {
        let line = line.trim().trim_start_matches('>').trim_start();
        // The bold words that open a paragraph.
        let begins = line.starts_with("**");
        if material::is_apart(line) || line.starts_with("```") {
            is_open = false;
        } else if let Some(entry) = material::list_entry(line) {
            match pieces.last_mut() {
                Some(Piece::List(entries)) => entries.push(entry.to_owned()),
                _ => pieces.push(Piece::List(vec![entry.to_owned()])),
            }
            is_open = true;
        } else {
            match pieces.last_mut().filter(|_| is_open && !begins) {
                Some(Piece::Paragraph(text)) => *text = format!("{text} {line}"),
                Some(Piece::List(entries)) => {
                    if let Some(last) = entries.last_mut() {
                        *last = format!("{last} {line}");
                    }
                }
                None => pieces.push(Piece::Paragraph(line.to_owned())),
            }
            is_open = true;
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passage(title: &str, text: &str) -> Passage {
        Passage { n: 4, own: true, title: title.into(), text: text.into() }
    }

    #[test]
    fn a_passage_keeps_its_order_and_loses_what_leans_on_nothing() {
        let text = "**Days 1–3: move it.** Keep the foot up. It helps a lot.\n**Weeks 2–4: strength.** Stand on one leg. … and \
                    this was cut.\n\n| a | table |\n\nThese figures are the table's. They say more.\n\n1. **We listen** (for long).\n\
                    2. We test how you\n   move about.";
        let source = Source::of(&passage("ankle › Guide › Week by week", text));
        let prose = |sentences: &[&str]| Block::Prose {
            sentences: sentences.iter().map(|s| (*s).to_owned()).collect(),
            follows: false,
        };
        assert_eq!(
            source.blocks,
            [
                prose(&["Days 1–3: move it.", "Keep the foot up.", "It helps a lot."]),
                prose(&["Weeks 2–4: strength.", "Stand on one leg."]),
                prose(&["We listen (for long).", "We test how you move about."]),
            ]
        );
        assert!(source.reads_well() && !source.opens && source.words() > 20);
    }

    #[test]
    fn a_list_stands_under_what_leads_to_it_or_not_at_all() {
        let text = "- you cannot walk on it\n- it is numb\n\nThese signs can mean a fracture. Go to a doctor.";
        let source = Source::of(&passage("ankle › Guide › See a doctor first if", text));
        let items = vec!["you cannot walk on it".to_owned(), "it is numb".to_owned()];
        assert_eq!(source.blocks[0], Block::List { lead: "See a doctor first if:".into(), items });
        assert!(matches!(&source.blocks[1], Block::Prose { follows: true, sentences } if sentences.len() == 2));
        assert!(!source.reads_well());
        // Without its lead the list is nothing, and neither is what speaks of it.
        assert!(Source::of(&passage("ankle › Guide › Signs", text)).blocks.is_empty());
    }

    #[test]
    fn passages_about_something_else_are_left_out() {
        let page = |n, title: &str| Passage { n, text: "A sentence about it all.".into(), ..passage(title, "") };
        let prompt = Prompt {
            topic: "Running after an ankle sprain".into(),
            passages: vec![
                page(1, "low back pain › Signs"),
                page(2, "ankle sprain › Guide"),
                page(3, "ankle sprain › Running"),
            ],
            ..Prompt::default()
        };
        assert_eq!(sources(&prompt).iter().map(|source| source.n).collect::<Vec<_>>(), [2, 3]);
    }
}
