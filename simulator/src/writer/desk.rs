//! The writer's desk: what is left of the material, which sentences were used, and what the text owes
//! to lessons and keywords. Hands out sentences and paragraphs; the formats put them together.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate};
use rand::RngExt;
use serde::Deserialize;

use super::manner::Manner;
use super::material::Material;
use super::phrases::{Kind, Names, Phrases, capitalised};
use super::wishes::{self, Wishes, speaks_to_you};
use crate::prompt::Prompt;
use crate::reading::Bound;
use crate::seed::Rng;
use crate::shape;

/// A paragraph ends after so many words.
const PARAGRAPH_WORDS: usize = 65;
/// A budget is used up when less than this is left of it: half of a short sentence.
const SPENT_WORDS: usize = 7;
/// A sentence may go so many words over a paragraph's budget.
const OVER_WORDS: usize = 8;
const NO_LIMIT: usize = usize::MAX;
/// A text of fewer words says more itself than it quotes.
const SHORT_WORDS: usize = 300;
/// How often a text that speaks as we, or to you, does so once it has.
const SPEAKS_AGAIN: f64 = 0.15;
/// Headings for those who want many.
const MORE_HEADINGS: [&str; 3] = ["Common questions about {s}", "Small steps", "In short"];

/// The plan that an outline gives.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Plan {
    #[serde(default)]
    pub(super) title: String,
    #[serde(default)]
    pub(super) sections: Vec<Section>,
}

/// A planned section.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Section {
    #[serde(default)]
    pub(super) heading: String,
    /// The numbers of the passages that it draws on first.
    #[serde(default)]
    pub(super) passages: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct Desk {
    pub(super) names: Names,
    pub(super) plan: Plan,
    pub(super) profile: String,
    pub(super) keywords: Vec<String>,
    /// The length to aim at, in words.
    pub(super) words: usize,
    pub(super) today: NaiveDate,
    pub(super) rng: Rng,
    wishes: Wishes,
    manner: Manner,
    /// How many sentences are quoted in a row.
    run: usize,
    /// Whether it has spoken as we, and to you.
    spoke: (bool, bool),
    material: Material,
    phrases: Phrases,
    used: HashSet<String>,
    /// Words that must still be mentioned.
    owed: Vec<String>,
}

impl Desk {
    pub(super) fn new(
        prompt: &Prompt,
        material: Material,
        words: usize,
        now_ms: u64,
        (wishes, manner): (&Wishes, Manner),
        rng: &Rng,
    ) -> Self {
        let names = names(prompt);
        let plan: Plan = serde_json::from_str(&prompt.outline).unwrap_or_default();
        let known = |word: &&String| wishes::mentions(&names.subject, word) || wishes::mentions(&plan.title, word);
        let owed = wishes.mentions.iter().chain(&prompt.keywords).filter(|word| !known(word)).cloned();
        let mut rng = rng.clone();
        Self {
            phrases: Phrases::shuffled(&mut rng),
            owed: owed.filter(|word| !wishes.forbid(word)).collect(),
            names,
            plan,
            profile: prompt.profile.clone(),
            keywords: prompt.keywords.clone(),
            words,
            today: today(now_ms),
            rng,
            wishes: wishes.clone(),
            manner,
            run: if words < SHORT_WORDS { 1 } else { 3 },
            spoke: (false, false),
            material,
            used: HashSet::new(),
        }
    }

    /// What the text holds already is not said again.
    pub(super) fn reads(&mut self, text: &str) {
        self.used.extend(super::material::sentences(text).iter().map(|sentence| key(sentence)));
    }

    /// The title: the plan's, or one about the subject.
    pub(super) fn title(&mut self) -> String {
        let planned = self.plan.title.split_whitespace().collect::<Vec<_>>().join(" ");
        let own = ["{s}: what to know and where to start", "A clear look at {s}", "{s}, explained in plain words"];
        let own = self.names.fill(own[self.rng.random_range(0..own.len())]);
        clip(if planned.is_empty() { &own } else { &planned }, 100)
    }

    /// Planned sections, from `min` to `max` of them; where the plan has too few, more with these headings.
    pub(super) fn sections(&self, min: usize, max: usize, headings: &[&str]) -> Vec<Section> {
        let min = min.max(self.wishes.min_headings.unwrap_or(0).min(max));
        let max = max.min(self.wishes.max_headings.unwrap_or(max)).max(min);
        let mut sections: Vec<Section> =
            self.plan.sections.iter().filter(|section| !section.heading.trim().is_empty()).take(max).cloned().collect();
        let known = headings.iter().chain(&MORE_HEADINGS);
        let more = known.map(|heading| Section { heading: self.names.fill(heading), passages: Vec::new() });
        let more: Vec<_> = more.take(min.max(headings.len().min(max)).saturating_sub(sections.len())).collect();
        if sections.len() < min || sections.is_empty() {
            sections.extend(more);
        }
        sections.iter_mut().for_each(|section| section.heading = clip(section.heading.trim(), 90));
        sections
    }

    /// Quotations, cited; none where the material is used up.
    pub(super) fn quote(&mut self, prefer: &[u32], count: usize, max_chars: usize, max_words: usize) -> Vec<String> {
        let (wishes, used) = (&self.wishes, &self.used);
        // Room for the citation.
        let max_chars = max_chars.saturating_sub(5);
        let fits = |sentence: &str| allowed(sentence, max_chars, used, wishes) && shape::words(sentence) <= max_words;
        let quotes = self.material.run(prefer, count, fits);
        self.used.extend(quotes.iter().map(|quote| key(quote)));
        quotes
    }

    /// A sentence of its own that was not used yet; empty where none has room.
    pub(super) fn own(&mut self, kind: Kind, max_chars: usize) -> String {
        let kind = if kind == Kind::General { self.speaks() } else { kind };
        let is_shy = !self.manner.you;
        let fits = |sentence: &str| {
            allowed(sentence, max_chars, &self.used, &self.wishes) && !(is_shy && speaks_to_you(sentence))
        };
        let sentence = self.phrases.next(kind, &self.names, &mut self.rng, fits).unwrap_or_default();
        self.used.insert(key(&sentence));
        sentence
    }

    /// Whom a general sentence speaks as, or to: at least one does where the text does.
    fn speaks(&mut self) -> Kind {
        let again = self.rng.random_bool(SPEAKS_AGAIN);
        let (as_we, to_you) = &mut self.spoke;
        if self.manner.we && (again || !*as_we) {
            *as_we = true;
            return Kind::AsWe;
        }
        if self.manner.you && (again || !*to_you) {
            *to_you = true;
            return Kind::ToYou;
        }
        Kind::General
    }

    /// The text's first sentence.
    pub(super) fn opening(&mut self, max_chars: usize) -> String {
        let kind = match (self.manner.question, self.manner.figure) {
            (true, true) => Kind::AskingAndCounting,
            (true, false) => Kind::Asking,
            (false, true) => Kind::Counting,
            (false, false) if self.wishes.address == Some(true) => Kind::Addressing,
            (false, false) => Kind::Opening,
        };
        self.own(kind, max_chars)
    }

    /// A short list, where lessons want one, or do not mind and the writer is in the mood.
    pub(super) fn list(&mut self) -> Option<String> {
        let kind = if matches!(self.wishes.sentences, Some((Bound::AtLeast, _))) { Kind::General } else { Kind::Short };
        let entry = |desk: &mut Self| format!("- {}", desk.own(kind, 120));
        self.manner.list.then(|| (0..3).map(|_| entry(self)).collect::<Vec<_>>().join("\n"))
    }

    /// A sentence with the words that must still be mentioned, as far as it has room for them.
    pub(super) fn owed(&mut self, max_chars: usize) -> Option<String> {
        let intro = if max_chars < 130 { "Think of" } else { "Among the things worth naming here:" };
        let mut count = self.owed.len().min(4);
        while count > 0 {
            let sentence = format!("{intro} {}.", joined(&self.owed[..count]));
            if sentence.chars().count() <= max_chars {
                self.owed.drain(..count);
                return Some(sentence);
            }
            count -= 1;
        }
        None
    }

    /// A call to action, where lessons want one, or do not mind and the writer is in the mood.
    pub(super) fn closing_call(&mut self) -> Option<String> {
        self.manner.call.then(|| self.own(Kind::Call, NO_LIMIT))
    }

    /// A question to the reader, where lessons want one.
    pub(super) fn wanted_question(&mut self) -> Option<String> {
        let wanted = self.wishes.question.take() == Some(true);
        wanted.then(|| self.own(Kind::Question, NO_LIMIT))
    }

    /// A paragraph of about so many words: quotations, held together by sentences of its own.
    pub(super) fn paragraph(&mut self, budget: usize, prefer: &[u32]) -> String {
        let wants_long = matches!(self.wishes.sentences, Some((Bound::AtLeast, _)));
        let mut sentences = Vec::from_iter(self.owed(NO_LIMIT));
        let mut left = budget.saturating_sub(count(&sentences));
        let mut own_next = self.rng.random_bool(0.6);
        while left >= SPENT_WORDS || sentences.is_empty() {
            let run = if own_next { Vec::new() } else { self.quote(prefer, self.run, NO_LIMIT, left + OVER_WORDS) };
            let run = if run.is_empty() { self.said(wants_long) } else { run };
            own_next = !own_next;
            // Lessons may ban every sentence that is left.
            if run.iter().all(String::is_empty) {
                break;
            }
            for sentence in run {
                if left >= SPENT_WORDS || sentences.is_empty() {
                    left = left.saturating_sub(shape::words(&sentence));
                    sentences.push(sentence);
                }
            }
        }
        if wants_long { joined_up(sentences) } else { sentences }.join(" ")
    }

    /// A sentence of its own, or two to make a long one of.
    fn said(&mut self, wants_long: bool) -> Vec<String> {
        let count = if wants_long { 2 } else { 1 };
        (0..count).map(|_| self.own(Kind::General, NO_LIMIT)).collect()
    }

    /// Paragraphs of about so many words together.
    pub(super) fn paragraphs(&mut self, budget: usize, prefer: &[u32]) -> String {
        let mut paragraphs: Vec<String> = Vec::new();
        let mut left = budget;
        while left >= 2 * SPENT_WORDS || paragraphs.is_empty() {
            // No paragraph of a single sentence at the end.
            let size = if left < PARAGRAPH_WORDS * 3 / 2 { left } else { PARAGRAPH_WORDS };
            let paragraph = self.paragraph(size, prefer);
            if paragraph.is_empty() {
                break;
            }
            left = left.saturating_sub(shape::words(&paragraph));
            paragraphs.push(paragraph);
        }
        paragraphs.join("\n\n")
    }

    /// So many list entries, each a sentence.
    pub(super) fn bullets(&mut self, count: usize, prefer: &[u32]) -> String {
        let bullet = |desk: &mut Self| {
            let quote = desk.quote(prefer, 1, 200, 26).pop();
            let sentence = quote.or_else(|| desk.owed(200)).unwrap_or_else(|| desk.own(Kind::General, 200));
            format!("- {sentence}")
        };
        (0..count).map(|_| bullet(self)).collect::<Vec<_>>().join("\n")
    }

    /// The first of these lines, filled in, that has room and holds no banned word; else the last, cut.
    pub(super) fn line(&mut self, max_chars: usize, templates: &[&str]) -> String {
        let filled: Vec<_> = templates.iter().map(|template| self.names.fill(template)).collect();
        let fits = |line: &&String| {
            line.chars().count() <= max_chars && !self.used.contains(&key(line)) && !self.wishes.forbid(line)
        };
        let line = filled.iter().find(fits).or(filled.last()).map(|line| clip(line, max_chars)).unwrap_or_default();
        self.used.insert(key(&line));
        line
    }
}

/// Whether a sentence has room, is new, and breaks no lesson.
pub(super) fn allowed(sentence: &str, max_chars: usize, used: &HashSet<String>, wishes: &Wishes) -> bool {
    sentence.chars().count() <= max_chars && !used.contains(&key(sentence)) && !wishes.mind(sentence)
}

/// Sentences of its own, two in one: `A. B.` as `A, and b.`
fn joined_up(sentences: Vec<String>) -> Vec<String> {
    let is_own = |sentence: &str| sentence.ends_with('.') && !sentence.contains('[');
    let mut joined: Vec<String> = Vec::with_capacity(sentences.len());
    for sentence in sentences {
        match joined.last_mut().filter(|last| is_own(last) && is_own(&sentence) && !last.contains(", and ")) {
            Some(last) => *last = format!("{}, and {}", last.trim_end_matches('.'), uncapitalised(&sentence)),
            None => joined.push(sentence),
        }
    }
    joined
}

/// With a small letter at its beginning, unless it begins with an acronym.
fn uncapitalised(sentence: &str) -> String {
    let mut chars = sentence.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => first.to_lowercase().chain(chars).collect(),
        _ => sentence.to_owned(),
    }
}

/// What tells a sentence from another, whatever its number and its marks.
pub(super) fn key(sentence: &str) -> String {
    let uncited = sentence.split(" [").next().unwrap_or_default();
    uncited.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn count(sentences: &[String]) -> usize {
    sentences.iter().map(|sentence| shape::words(sentence)).sum()
}

pub(super) fn joined(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// At most so many characters, cut after a whole word.
pub(super) fn clip(text: &str, max_chars: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(max_chars) else { return text.to_owned() };
    let cut = text[..end].rsplit_once(' ').map_or(&text[..end], |(whole_words, _)| whole_words);
    cut.trim_end_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '.' | '!' | '?' | ')' | ']')).to_owned()
}

pub(super) fn today(now_ms: u64) -> NaiveDate {
    let at = i64::try_from(now_ms).ok().and_then(DateTime::from_timestamp_millis);
    at.unwrap_or_default().date_naive()
}

pub(super) fn names(prompt: &Prompt) -> Names {
    let or = |text: &str, default: &str| if text.trim().is_empty() { default } else { text.trim() }.to_owned();
    Names {
        subject: subject(&prompt.topic, &prompt.keywords, |word| is_common(word, prompt)),
        audience: or(&clip(prompt.audience.trim_end_matches('.'), 60), "readers"),
        business: or(&clip(&prompt.business, 60), "our team"),
    }
}

/// The topic as it reads in the middle of a sentence.
fn subject(topic: &str, keywords: &[String], is_common: impl Fn(&str) -> bool) -> String {
    const TASKS: [&str; 12] = [
        "write about ",
        "write an article about ",
        "tell me about ",
        "explain ",
        "describe ",
        "announce ",
        "introduce ",
        "announcing ",
        "introducing ",
        "an article about ",
        "a post about ",
        "compare ",
    ];
    let topic = topic.split_whitespace().collect::<Vec<_>>().join(" ");
    let lower = topic.to_lowercase();
    let task = TASKS.iter().find(|task| lower.starts_with(**task)).map_or(0, |task| task.len());
    let topic = topic.get(task..).unwrap_or(&topic);
    let clause = topic.split(['.', '!', '?', ':', ';', '—', '–']).find(|clause| !clause.trim().is_empty());
    let clause = clause.unwrap_or_default().trim();
    match clause.split(' ').count() {
        _ if clause.is_empty() => "this topic".to_owned(),
        1..=9 => in_sentence(clause, is_common),
        _ => keywords.first().cloned().unwrap_or_else(|| in_sentence(&clip(clause, 60), is_common)),
    }
}

/// A small first letter, for words that surely are no names.
fn in_sentence(clause: &str, is_common: impl Fn(&str) -> bool) -> String {
    const SMALL: [&str; 26] = [
        "a", "an", "the", "our", "your", "how", "why", "what", "when", "where", "which", "who", "new", "best",
        "better", "good", "five", "ten", "three", "more", "most", "with", "for", "from", "in", "on",
    ];
    let (first, rest) = clause.split_once(' ').unwrap_or((clause, ""));
    let lower = first.to_lowercase();
    let gerund = lower.ends_with("ing") && !rest.is_empty();
    let acronym = first.chars().skip(1).any(char::is_uppercase);
    let small = !acronym && (gerund || SMALL.contains(&lower.as_str()) || is_common(&lower));
    if small { format!("{lower} {rest}").trim_end().to_owned() } else { clause.to_owned() }
}

/// Whether the material writes a word with a small letter: then it is no name.
fn is_common(lower: &str, prompt: &Prompt) -> bool {
    let texts = prompt.passages.iter().map(|passage| passage.text.as_str()).chain([prompt.profile.as_str()]);
    let mut words = texts.flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    !lower.is_empty() && words.any(|word| word == lower)
}

/// A hashtag's word.
pub(super) fn hashtag(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(capitalised).collect()
}
