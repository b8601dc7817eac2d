//! Texts that speak of their task instead of doing it: "The task is to write a summary of the text", "Here is the email
//! that you asked for". What people write of their own articles ("this post explains"), of documents and of writing is
//! something else: most phrases tell only where a model puts them, in the first paragraph or the last one.

use std::sync::LazyLock;

use crate::phrases::{Patterns, any_of};
use crate::text::sentence::sentences;
use crate::text::{language, phrase};

mod english;
mod languages;

/// Nobody but a model says this.
static ANYWHERE: Patterns = LazyLock::new(|| any_of(english::anywhere().into_iter().chain(languages::anywhere())));
/// A model says this in front of its text or behind it; in the middle it may be a story.
static EDGES: Patterns = LazyLock::new(|| any_of(english::edges().into_iter().chain(languages::edges())));
/// What [`EDGES`] does not mean: something that was done in the past, or elsewhere.
static STORIES: Patterns = LazyLock::new(|| any_of([english::story()]));
/// What [`OPENINGS`] do not mean: copy that sells a help to write.
static OFFERS: Patterns = LazyLock::new(|| any_of([english::offer()]));
/// A model begins with this; later it is about something else.
static OPENINGS: Patterns = LazyLock::new(|| any_of(english::openings().into_iter().chain(languages::openings())));
/// A report on a document: once it may be a document of the business's.
static REPORTS: Patterns = LazyLock::new(|| any_of(english::reports().into_iter().chain(languages::reports())));
/// What a report is on.
const REPORTED: [&str; 10] =
    ["document", "text", "summary", "draft", "prompt", "passage", "article", "author", "email", "post"];
/// So many reports are no coincidence.
const MIN_REPORTS: usize = 2;
/// So many sentences on a task are no story of one.
const MIN_TASKS: usize = 3;
/// The fewest words of a sentence: a greeting has fewer.
const MIN_SENTENCE_WORDS: usize = 4;

/// Whether a text speaks of its task. Code is ignored.
pub fn speaks_of_its_task(text: &str) -> bool {
    speaks_of_its_task_and_not_of(text, "")
}

/// The same for a text with a topic: one on documents may say what a document contains.
pub fn speaks_of_its_task_and_not_of(text: &str, topic: &str) -> bool {
    let prose: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    let prose = prose.replace(['*', '_'], "").replace(['’', '‘'], "'").to_lowercase();
    let topic = topic.to_lowercase();
    let is_own = |found: &str| REPORTED.iter().any(|noun| phrase::holds(found, noun) && is_about(&topic, noun));
    let paragraphs: Vec<Vec<&str>> = prose.split("\n\n").map(prose_of).filter(|prose| !prose.is_empty()).collect();
    let opening = paragraphs.first().and_then(|first| first.first());
    let edges = paragraphs.first().into_iter().chain(paragraphs.last()).flatten();
    let all: Vec<&str> = sentences(&prose).into_iter().map(|place| &prose[place]).collect();
    let reports = all.iter().filter(|said| matches(&REPORTS, said).is_some_and(|found| !is_own(found))).count();
    let is_on_tasks = is_about(&topic, "task");
    let tasks = all.iter().filter(|said| english::TASKS.iter().any(|begins| said.starts_with(begins))).count();
    (tasks >= MIN_TASKS && !is_on_tasks)
        || all.iter().any(|said| matches(&ANYWHERE, said).is_some_and(|found| !is_own(found)))
        || reports >= MIN_REPORTS
        || edges.into_iter().any(|said| matches(&EDGES, said).is_some() && matches(&STORIES, said).is_none())
        || opening.is_some_and(|said| {
            let opens = matches(&OPENINGS, said).filter(|_| matches(&OFFERS, said).is_none());
            opens.or_else(|| matches(&REPORTS, said)).is_some_and(|found| !is_own(found))
        })
}

/// What a sentence says, or what it says behind a colon: `Note: the text describes`.
fn matches<'a>(patterns: &Patterns, sentence: &'a str) -> Option<&'a str> {
    let patterns = patterns.as_ref()?;
    let bare = |said: &'a str| said.trim_start_matches(|c: char| !c.is_alphanumeric());
    let behind = sentence.split_once(": ").map(|(_, behind)| bare(behind));
    let said = [Some(bare(sentence)), behind].into_iter().flatten();
    said.filter_map(|said| patterns.find(said)).map(|found| found.as_str()).next()
}

/// Whether a topic is about such a thing, and not only asks for one.
fn is_about(topic: &str, noun: &str) -> bool {
    static ORDER: Patterns = LazyLock::new(|| any_of([english::order()]));
    let order = matches(&ORDER, topic).map_or(0, str::len);
    let topic = &topic[order..];
    phrase::holds(topic, noun) || phrase::holds(topic, &format!("{noun}s"))
}

/// The sentences of a paragraph, without headings, labels and greetings.
fn prose_of(paragraph: &str) -> Vec<&str> {
    let lines = paragraph.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.filter(|line| !["subject:", "preheader:"].iter().any(|label| line.starts_with(label)));
    let said = lines.flat_map(|line| sentences(line).into_iter().map(|place| &line[place]));
    said.filter(|said| language::count_words(said) >= MIN_SENTENCE_WORDS).collect()
}

#[cfg(test)]
mod tests;
