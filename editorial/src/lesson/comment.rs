//! Rules read from what people write about a text, by a grammar of our own: a sentence is cut into clauses, each clause
//! is about something ([`subject`]) and wants more or less of it ([`cue`]). Whatever is not plain gives no rule: a wrong
//! rule is worse than none. What a comment says of the text's content is not understood here; it becomes a short order.

use copydesk_domain::format::Format;
use copydesk_domain::lesson::Rule;

use super::features;

mod clause;
mod cue;
mod length;
mod order;
mod subject;
mod term;

#[cfg(test)]
mod tests;

/// Rules of one comment.
const MAX_RULES: usize = 12;
/// Orders of one comment.
const MAX_UNREAD: usize = 5;

/// The text that a comment is about.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The text as it was delivered.
    pub text: &'a str,
    /// Its BCP 47 tag.
    pub language: &'a str,
    /// What it is.
    pub format: Format,
}

/// What was read in a comment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    /// Rules that code can check, at most 12, each slot once.
    pub rules: Vec<Rule>,
    /// What is asked for besides, as short orders: at most 5 of 160 characters each, none a link, an address, code or
    /// an instruction to a model.
    pub unread: Vec<String>,
}

/// The text as comments are understood by it.
struct Context {
    words: usize,
    mean_words: Option<f64>,
    headings: usize,
    has_list: bool,
    calls: bool,
    /// In lower case, as terms are looked for.
    lower: String,
    /// As it stands.
    text: String,
}

impl Context {
    fn of(judged: &Judged<'_>) -> Self {
        let text = &judged.text[..judged.text.floor_char_boundary(100_000)];
        let prose = features::prose(text);
        Self {
            words: features::words(text),
            mean_words: features::mean_words(text),
            headings: features::headings(text),
            has_list: features::list_entries(text) > 0,
            calls: features::close(&prose) != features::Close::Nothing,
            lower: features::comparable(&prose),
            text: prose,
        }
    }

    /// Whether the text holds a term.
    fn holds(&self, term: &str) -> bool {
        features::holds_term(&self.lower, &features::comparable(term), true, true)
    }
}

/// What a comment asks of the next texts. English only: of comments in other languages nothing is read.
pub fn of_comment(comment: &str, judged: &Judged<'_>) -> Read {
    let comment = clause::Comment::of(comment);
    let context = Context::of(judged);
    let (mut rules, mut unread) = (Vec::new(), Vec::new());
    for sentence in &comment.sentences {
        let found = read(sentence, &comment, &context);
        if found.is_empty() && unread.len() < MAX_UNREAD {
            unread.extend(order::of(sentence, &comment).filter(|order| !unread.contains(order)));
        }
        rules.extend(found);
    }
    Read { rules: settled(&rules, &context), unread }
}

/// A wish that somebody else worded, as an order that a writer can be given: one sentence, none of it a link, an
/// address, code or an instruction to a model. `None` where nothing of it can be given on.
pub fn note(wish: &str) -> Option<String> {
    let comment = clause::Comment::of(wish);
    comment.sentences.first().and_then(|sentence| order::of(sentence, &comment))
}

/// The rules of one sentence.
fn read(sentence: &clause::Sentence, comment: &clause::Comment, context: &Context) -> Vec<Rule> {
    let mut sentence = sentence.clone();
    let mut rules = term::preferred(&mut sentence, comment, context);
    let clauses = clause::clauses(&sentence);
    rules.extend(length::rules(&clauses, context));
    rules.extend(subject::rules(&clauses, &sentence, context));
    rules.extend(term::rules(&clauses, comment, context));
    rules
}

/// Each rule once, and none where a comment contradicts itself.
fn settled(rules: &[Rule], context: &Context) -> Vec<Rule> {
    // A word that has a better one is not wanted either: that is the same wish.
    let has_better = |slot: &str| rules.iter().any(|rule| matches!(rule, Rule::Prefer { .. }) && rule.slot() == slot);
    let is_implied = |rule: &&Rule| matches!(rule, Rule::Term { wanted: false, .. }) && has_better(&rule.slot());
    // A number that is named comes before one that is guessed.
    let is_guess = |rule: &Rule| length::is_guess(rule, context);
    let is_named = |slot: &str| rules.iter().any(|rule| rule.slot() == slot && !is_guess(rule));
    let is_vague = |rule: &&Rule| is_guess(rule) && is_named(&rule.slot());
    let rules: Vec<&Rule> = rules.iter().filter(|rule| !is_implied(rule) && !is_vague(rule)).collect();
    let mut kept: Vec<Rule> = Vec::new();
    for &rule in &rules {
        let slot = rule.slot();
        let agrees = rules.iter().all(|other| !other.excludes(rule));
        if agrees && kept.len() < MAX_RULES && kept.iter().all(|known| known.slot() != slot) {
            kept.push(rule.clone());
        }
    }
    kept
}
