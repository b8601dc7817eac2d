//! What a verdict asks for: read from its comment and its edits by rules first, which cost nothing. A model is asked
//! only about sentences that ask for something and that no rule understands; where none can be asked, these become
//! notes. A verdict is never lost for it.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use copydesk_common::store::feedback::Judged;
use copydesk_domain::feedback::Verdict;
use copydesk_domain::lesson::{Distilled, Observed, Rule, Signal};
use copydesk_domain::stage::Stage;
use copydesk_editorial::lesson;
use copydesk_editorial::text::clip::clip;
use copydesk_editorial::text::{instruction, language};

use crate::pipeline::calls::Calls;
use crate::pipeline::error::StageError;
use crate::pipeline::prompt;
use crate::pipeline::structured::{self, Asking};
use crate::provider::ProviderError;

mod answer;

use answer::Answer;

/// What reads verdicts where no model does, as it is stored with what was read.
pub(crate) const BY_RULES: &str = "rules/v2";
/// Rules that are kept of one verdict: a person who asks for more asks for another writer.
const MOST: usize = 20;
/// The longest answer, in tokens.
const MAX_TOKENS: u32 = 700;
/// The longest term, in characters and in words.
const MAX_TERM: (usize, usize) = (60, 5);
/// How much of a comment in another language than English a model is shown, in characters.
const MAX_FOREIGN_CHARS: usize = 1_000;
/// How many times as long as the draft an edit is at most, and how many bytes are allowed beside that.
const MOST_LONGER: usize = 3;
const SPARE_BYTES: usize = 2_000;
/// From this share of changed words on it is another text.
const OTHER_TEXT: f64 = 0.9;
/// Words of a text, of a sentence, and headings that may be asked for.
const WORDS: RangeInclusive<u16> = 10..=6_000;
const SENTENCE_WORDS: RangeInclusive<u16> = 3..=60;
const HEADINGS: RangeInclusive<u16> = 0..=30;
/// Reading is no free wording.
const TEMPERATURE: f32 = 0.0;

/// A verdict as rules read it, and what they did not understand of it.
#[derive(Debug, Default)]
pub(crate) struct ByRules {
    pub(crate) distilled: Distilled,
    unread: Vec<String>,
    is_foreign: bool,
}

/// Reads a comment and an edit by rules.
pub(crate) fn by_rules(comment: &str, edited: Option<&str>, judged: &Judged) -> ByRules {
    let text = lesson::Judged { text: &judged.content, language: &judged.language, format: judged.format };
    let said = lesson::of_comment(comment, &text);
    let changed = edited.filter(|edited| is_edit(&judged.content, edited));
    let changed = changed.map(|edited| lesson::of_edit(&judged.content, edited, &judged.language)).unwrap_or_default();
    let said_so = said.rules.into_iter().map(|rule| Observed { rule, from: Signal::Comment });
    // What was said goes before what can only be guessed from a change.
    let distilled = Distilled { rules: each_once(said_so.chain(changed)), by: BY_RULES.to_owned() };
    // The rules read English. A comment in another language is a model's to read, and no note as it stands.
    let is_silent = distilled.rules.is_empty() && said.unread.is_empty();
    let is_foreign = is_silent && is_foreign(comment, &judged.language);
    let foreign = || clip(&instruction::removed(comment), MAX_FOREIGN_CHARS).to_owned();
    let unread = if is_foreign { vec![foreign()] } else { said.unread };
    ByRules { distilled, unread, is_foreign }
}

/// Whether a comment may be in another language than English: as far as its words tell, or else by the text's.
fn is_foreign(comment: &str, language: &str) -> bool {
    // A word alone is praise more often than an order.
    let is_said = comment.split_whitespace().nth(1).is_some();
    language::detected(comment).map_or(is_said && !language::is_english(language), |detected| detected != "en")
}

/// Whether a text is another one's edit: it is about as long, and some of its words are left. What is none teaches
/// nothing.
fn is_edit(draft: &str, edited: &str) -> bool {
    edited.len() <= draft.len() * MOST_LONGER + SPARE_BYTES && lesson::effort(draft, edited).words_changed < OTHER_TEXT
}

impl ByRules {
    /// With what is left taken down as notes.
    pub(crate) fn with_notes(self) -> Distilled {
        let unread = if self.is_foreign { Vec::new() } else { self.unread };
        with(self.distilled, unread.into_iter().map(|text| Rule::Note { text, wanted: true }))
    }
}

/// Reads a verdict, with a model's help where rules do not suffice. The only error is that the model must be waited
/// for.
pub(crate) async fn read(calls: &Calls, verdict: &Verdict, judged: &Judged) -> Result<Distilled, StageError> {
    let (given, text) = (verdict.clone(), judged.clone());
    // A hostile edit takes seconds: nobody else waits for it.
    let by_rules = move || {
        let comment = given.human_feedback.as_deref().unwrap_or_default();
        by_rules(comment, given.edited_content.as_deref(), &text)
    };
    let by_rules = tokio::task::spawn_blocking(by_rules).await.unwrap_or_default();
    if by_rules.unread.is_empty() {
        return Ok(by_rules.distilled);
    }
    let chain = calls.reviewer();
    let asking = Asking { stage: Stage::Distill, chain, max_completion_tokens: MAX_TOKENS, temperature: TEMPERATURE };
    let prompt = prompt::distill(&by_rules.unread.join("\n"), judged.format, &judged.language, calls.is_simulated())?;
    match structured::ask::<Answer>(calls, &asking, &prompt).await {
        Ok((answer, by)) => {
            let read = with(by_rules.distilled, answer.rules());
            Ok(Distilled { by: format!("{} {}", prompt.version, by.model), ..read })
        }
        Err(error @ StageError::Provider(ProviderError::Throttled { .. })) if !calls.must_fall_back(&error) => {
            Err(error)
        }
        Err(error) => {
            Calls::note_fallback(Stage::Distill, None, Some(&error));
            Ok(by_rules.with_notes())
        }
    }
}

/// With further rules of a comment.
fn with(distilled: Distilled, rules: impl Iterator<Item = Rule>) -> Distilled {
    let further = rules.map(|rule| Observed { rule, from: Signal::Comment });
    Distilled { rules: each_once(distilled.rules.into_iter().chain(further)), ..distilled }
}

/// The first rule of each slot, of those that may stand in a prompt.
fn each_once(rules: impl Iterator<Item = Observed>) -> Vec<Observed> {
    let mut slots = BTreeSet::new();
    rules.filter(|observed| is_sound(&observed.rule) && slots.insert(observed.rule.slot())).take(MOST).collect()
}

/// Whether what people worded is a term and no order to a model: it may come to stand in a system message.
fn is_sound(rule: &Rule) -> bool {
    let is_term = |term: &str| {
        let (chars, words) = (term.chars().count(), term.split_whitespace().count());
        (1..=MAX_TERM.0).contains(&chars)
            && words <= MAX_TERM.1
            && !term.contains(['\n', '<', '>', '"'])
            && instruction::removed(term) == term
    };
    match rule {
        Rule::Term { term, .. } => is_term(term),
        Rule::Prefer { term, over } => is_term(term) && is_term(over),
        Rule::Length { words, .. } => WORDS.contains(words),
        Rule::Reading { sentence_words, .. } => SENTENCE_WORDS.contains(sentence_words),
        Rule::Headings { count, .. } => HEADINGS.contains(count),
        _ => true,
    }
}
