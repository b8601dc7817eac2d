//! The notes of a text: what the sources still have to say, and what the text owes to lessons and keywords. Hands
//! out runs of sentences that follow each other in their source, each cited with its number.

use std::collections::{HashSet, VecDeque};

use chrono::NaiveDate;

use super::source::{Block, Source, leans, sources};
use crate::prompt::Prompt;
use crate::shape;
use crate::writer::desk::{Plan, Section, allowed, joined, key, names, today};
use crate::writer::material::{self, cited};
use crate::writer::phrases::Names;
use crate::writer::wishes::{Wishes, mentions};

/// A paragraph has about so many words at most.
const PARAGRAPH_WORDS: usize = 70;
const MIN_PARAGRAPH_WORDS: usize = 20;
/// A run of fewer words is a label, and is not left alone.
const LABEL_WORDS: usize = 9;
pub(super) const NO_LIMIT: usize = usize::MAX;

/// What keeps a text in its shape where there is nothing to say: advice that states no facts.
const FRAME: [&str; 14] = [
    "{b} answers questions about {s}.",
    "Write your questions down before you ask them.",
    "Say what you know already, and what you would like to know.",
    "Ask what applies to your own situation.",
    "Ask for an example.",
    "Ask what it costs, and how long it takes.",
    "Ask who will answer your later questions.",
    "Compare what you hear with what you have read.",
    "Ask what has changed lately.",
    "Take the time that you need to decide.",
    "Ask for the answer in writing.",
    "Ask what others wanted to know.",
    "Read the answer again on the next day.",
    "Tell {b} what is still open.",
];

/// How long a run of sentences may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) chars: usize,
    pub(super) words: usize,
    pub(super) sentences: usize,
}

impl Room {
    pub(super) const PARAGRAPH: Self = Self { chars: NO_LIMIT, words: PARAGRAPH_WORDS, sentences: 6 };

    /// One sentence of so many characters.
    pub(super) fn sentence(chars: usize) -> Self {
        Self { chars, words: NO_LIMIT, sentences: 1 }
    }

    /// A few sentences of so many characters together.
    pub(super) fn chars(chars: usize) -> Self {
        Self { chars, words: NO_LIMIT, sentences: 4 }
    }

    /// A paragraph of so many words at most.
    pub(super) fn words(words: usize) -> Self {
        Self { words: words.min(PARAGRAPH_WORDS), ..Self::PARAGRAPH }
    }
}

fn is_label(sentence: &str) -> bool {
    shape::words(sentence) < LABEL_WORDS && (sentence.contains(':') || sentence.split(' ').count() < 5)
}

#[derive(Debug)]
pub(super) struct Notes {
    pub(super) names: Names,
    pub(super) plan: Plan,
    pub(super) profile_text: String,
    pub(super) keywords: Vec<String>,
    /// The length to aim at, in words.
    pub(super) words: usize,
    pub(super) today: NaiveDate,
    pub(super) wishes: Wishes,
    pub(super) sources: Vec<Source>,
    profile: VecDeque<String>,
    used: HashSet<String>,
    owed: Vec<String>,
    framed: usize,
    /// The source that gives the next single sentence.
    turn: usize,
}

impl Notes {
    pub(super) fn new(prompt: &Prompt, words: usize, now_ms: u64, wishes: &Wishes) -> Self {
        let names = names(prompt);
        let plan: Plan = serde_json::from_str(&prompt.outline).unwrap_or_default();
        let known = |word: &&String| mentions(&names.subject, word);
        let owed = wishes.mentions.iter().chain(&prompt.keywords).filter(|word| !known(word) && !wishes.forbid(word));
        Self {
            plan,
            owed: owed.cloned().collect(),
            names,
            profile_text: prompt.profile.clone(),
            // Guidelines and banned phrases stand on lines of their own, behind the description.
            profile: material::sentences(prompt.profile.lines().next().unwrap_or_default()).into(),
            keywords: prompt.keywords.clone(),
            words,
            today: today(now_ms),
            wishes: wishes.clone(),
            sources: sources(prompt),
            used: HashSet::new(),
            framed: 0,
            turn: 0,
        }
    }

    /// What the text holds already is not said again.
    pub(super) fn reads(&mut self, text: &str) {
        let sentences = text.lines().flat_map(|line| material::split(&material::plain(line)));
        self.used.extend(sentences.map(|sentence| key(&sentence)));
        self.used.extend(text.lines().map(|line| key(line.trim_start_matches("- "))));
    }

    /// The next run of sentences of the first of these sources that has one with room; of any where none is named.
    pub(super) fn run(&mut self, passages: &[u32], room: Room) -> Option<String> {
        let mine = |source: &Source| passages.is_empty() || passages.contains(&source.n);
        let places: Vec<_> = (0..self.sources.len()).filter(|at| mine(&self.sources[*at])).collect();
        places.into_iter().find_map(|at| self.run_of(at, room))
    }

    /// A sentence that stands by itself, of the sources in turn.
    pub(super) fn sentence(&mut self, chars: usize) -> Option<String> {
        let (count, turn) = (self.sources.len(), self.turn);
        let mut places = (0..count).map(|i| (turn + i) % count);
        let (at, sentence) = places.find_map(|at| Some((at, self.run_of(at, Room::sentence(chars))?)))?;
        self.turn = at + 1;
        Some(sentence)
    }

    /// Of a source's paragraphs, the first that does not lean on a list: lists stand where they are asked for.
    fn run_of(&mut self, at: usize, room: Room) -> Option<String> {
        let mut place = 0;
        while let Some(block) = self.sources[at].blocks.get(place) {
            let Block::Prose { sentences, follows: false } = block else {
                place += 1;
                continue;
            };
            // A label would say nothing by itself, and what follows it would lose it.
            if room.sentences == 1 && sentences.front().is_some_and(|first| is_label(first)) {
                place += 1;
                continue;
            }
            let (run, taken) = self.fitting(sentences, self.sources[at].n, room);
            self.leave(at, place, taken);
            if !run.is_empty() {
                self.used.extend(run.iter().map(|sentence| key(sentence)));
                return Some(run.join(" "));
            }
        }
        None
    }

    /// The first sentences that have room, cited, and how many of the block they end at.
    fn fitting(&self, sentences: &VecDeque<String>, n: u32, room: Room) -> (Vec<String>, usize) {
        let (mut run, mut chars, mut words) = (Vec::new(), 0, 0);
        for (at, sentence) in sentences.iter().enumerate() {
            let cited = cited(sentence, n);
            let (more_chars, more_words) = (cited.chars().count() + 1, shape::words(sentence));
            let has_room = chars + more_chars <= room.chars.saturating_add(1)
                && (words < LABEL_WORDS || words + more_words <= room.words);
            let may_stand = !run.is_empty() || !leans(sentence);
            if allowed(sentence, NO_LIMIT, &self.used, &self.wishes) && has_room && may_stand {
                (chars, words) = (chars + more_chars, words + more_words);
                run.push(cited);
                if run.len() == room.sentences {
                    return (run, at + 1);
                }
            } else if !run.is_empty() {
                return (run, at);
            }
        }
        (run, sentences.len())
    }

    /// Keeps what is left of a source's block behind so many sentences, unless it leans on them.
    fn leave(&mut self, at: usize, place: usize, taken: usize) {
        let blocks = &mut self.sources[at].blocks;
        let Some(Block::Prose { sentences, .. }) = blocks.get_mut(place) else { return };
        sentences.drain(..taken);
        while sentences.front().is_some_and(|first| leans(first)) {
            sentences.pop_front();
        }
        if sentences.is_empty() {
            blocks.remove(place);
        }
    }

    /// The sources' lists, each with what is said of it: `See a doctor first if:`, its entries, and then.
    pub(super) fn list(&mut self, passages: &[u32]) -> Option<String> {
        let is_list = |source: &Source| matches!(source.blocks.front(), Some(Block::List { .. }));
        let source = self.sources.iter_mut().find(|source| passages.contains(&source.n) && is_list(source))?;
        let Some(Block::List { lead, items }) = source.blocks.pop_front() else { return None };
        let n = source.n;
        let behind = match source.blocks.front() {
            Some(Block::Prose { sentences, follows: true }) => {
                let text = sentences.iter().map(|sentence| cited(sentence, n)).collect::<Vec<_>>().join(" ");
                source.blocks.pop_front();
                format!("\n\n{text}")
            }
            _ => String::new(),
        };
        let lines: String = items.iter().map(|item| format!("\n- {item} [{n}]")).collect();
        let list = format!("{lead}\n{lines}{behind}");
        let is_new = !self.used.contains(&key(&items[0]));
        self.used.extend(items.iter().map(|item| key(item)));
        (is_new && !self.wishes.forbid(&list)).then_some(list)
    }

    /// Paragraphs of these sources, of about so many words together, in their order.
    pub(super) fn paragraphs(&mut self, passages: &[u32], words: usize, with_lists: bool) -> String {
        let mut paragraphs = Vec::from_iter(self.owed());
        let mut left = words;
        // No paragraph of a few words at the end.
        while left >= MIN_PARAGRAPH_WORDS || paragraphs.is_empty() {
            let list = if with_lists { self.list(passages) } else { None };
            let Some(next) = list.or_else(|| self.run(passages, Room::words(left.max(2 * MIN_PARAGRAPH_WORDS)))) else {
                break;
            };
            left = left.saturating_sub(shape::words(&next));
            paragraphs.push(next);
        }
        paragraphs.join("\n\n")
    }

    /// A sentence that is not a source's: the business's own words of itself, else of the frame. It has room.
    pub(super) fn own(&mut self, chars: usize) -> String {
        let fits = |sentence: &str| allowed(sentence, chars, &self.used, &self.wishes);
        if let Some(at) = self.profile.iter().position(|sentence| fits(sentence)) {
            return self.profile.remove(at).unwrap_or_default();
        }
        let frame = FRAME.iter().skip(self.framed).map(|line| self.names.fill(line));
        let found = frame.enumerate().find(|(_, line)| fits(line));
        self.framed += found.as_ref().map_or(0, |(at, _)| at + 1);
        let line = found.map(|(_, line)| line).unwrap_or_default();
        self.used.insert(key(&line));
        line
    }

    /// A sentence with the words that must still be mentioned.
    pub(super) fn owed(&mut self) -> Option<String> {
        let owed = std::mem::take(&mut self.owed);
        (!owed.is_empty()).then(|| format!("Ask {} about {}.", self.names.business, joined(&owed)))
    }

    /// The first of these lines, filled in, that has room and breaks no lesson; else the last, cut.
    pub(super) fn line(&self, chars: usize, templates: &[&str]) -> String {
        let filled: Vec<_> = templates.iter().map(|template| self.names.fill(template)).collect();
        let fits = |line: &&String| line.chars().count() <= chars && !self.wishes.forbid(line);
        let line = filled.iter().find(fits).or(filled.last());
        line.map(|line| crate::writer::desk::clip(line, chars)).unwrap_or_default()
    }

    /// A question to the reader, where lessons want one.
    pub(super) fn wanted_question(&mut self) -> Option<String> {
        let wanted = self.wishes.question.take() == Some(true);
        wanted.then(|| self.names.fill("What would you like to know about {s}?"))
    }

    /// Passages that no section of the plan draws on: what opens the text.
    pub(super) fn openings(&self) -> Vec<u32> {
        let planned = |n: &u32| self.plan.sections.iter().any(|section| section.passages.contains(n));
        self.sources.iter().map(|source| source.n).filter(|n| !planned(n)).collect()
    }

    /// Planned sections, from `min` to `max` of them; where there are too few, more with these headings.
    pub(super) fn sections(&self, min: usize, max: usize, headings: &[&str]) -> Vec<Section> {
        let planned = self.plan.sections.iter().filter(|section| !section.heading.trim().is_empty());
        let mut sections: Vec<Section> = planned.take(max).cloned().collect();
        let more = headings.iter().map(|heading| Section { heading: self.names.fill(heading), passages: Vec::new() });
        sections.extend(more.take(min.saturating_sub(sections.len())).collect::<Vec<_>>());
        sections
    }
}
