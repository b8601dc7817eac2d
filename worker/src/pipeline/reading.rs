//! Answers as texts: taken out of what models put around them, and held against what was asked for.

use std::borrow::Cow;

use copydesk_editorial::answer::{self, Asked, Defect, placeholder, plan};
use copydesk_editorial::format::{Rules, Spec};
use copydesk_editorial::text::markup::{self, OwnAddresses};
use copydesk_words::unicode;

use super::brief::Brief;
use super::prompt::{Prompt, Task};
use crate::provider::chat::Answer;

/// A longer answer is no text that anybody asked for, in bytes.
const MAX_ANSWER_BYTES: usize = 512 * 1024;

/// What a text is held against.
pub(super) fn rules(brief: &Brief) -> Rules<'_> {
    Rules {
        business_name: &brief.business_name,
        topic: &brief.topic,
        language: &brief.language,
        words: brief.words,
        banned_phrases: &brief.banned_phrases,
        keywords: &brief.keywords,
    }
}

/// Why an answer is asked for again.
#[derive(Debug)]
pub(super) enum Wrong {
    /// It cannot be used.
    Defect(Defect),
    /// It is a text, of another shape than asked for.
    Shape { read: Read, fixes: Vec<String> },
}

impl Wrong {
    /// As instructions to the model.
    pub(super) fn fixes(&self) -> Vec<String> {
        match self {
            Self::Defect(defect) => vec![defect.to_string()],
            Self::Shape { fixes, .. } => fixes.clone(),
        }
    }
}

/// A text out of an answer.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) text: String,
    /// The lines of the plan that stood before it, where one was asked for and given.
    pub(super) plan: Option<String>,
}

/// Makes texts of answers to one prompt.
pub(super) struct Reader<'a> {
    asked: Asked<'a>,
    /// Whether the answers begin with a plan.
    is_planned: bool,
    pub(super) brief: &'a Brief,
    own: OwnAddresses,
}

impl<'a> Reader<'a> {
    /// Those to this prompt of a task.
    pub(super) fn of(task: &Task<'a>, prompt: &'a Prompt) -> Self {
        let lessons = task.lessons.iter().map(|lesson| lesson.text.as_str());
        let told = task.fixes.iter().chain(task.guidance).map(String::as_str);
        let brief = task.brief;
        let orders = brief.instructions.iter().flat_map(|instructions| answer::orders(instructions));
        let voice = task.voice.map(|voice| Cow::Owned(voice.in_words()));
        let private = lessons.chain(told).chain(orders).map(Cow::Borrowed).chain(voice).collect();
        let asked = Asked {
            instructions: &prompt.prose,
            private,
            topic: &brief.topic,
            language: &brief.language,
            words: brief.words,
        };
        Self { asked, is_planned: task.plan, brief, own: task.own_addresses() }
    }

    /// The same, for an answer to a prompt that also says what was wrong with the last one.
    pub(super) fn told(&self, fixes: &'a [String]) -> Self {
        let private = self.asked.private.iter().cloned().chain(fixes.iter().map(|fix| Cow::Borrowed(fix.as_str())));
        let asked = Asked { private: private.collect(), ..self.asked.clone() };
        Self { asked, own: self.own.clone(), ..*self }
    }

    /// What of an answer under way would pass as the beginning of a text; `None` where nothing would.
    pub(super) fn read_unfinished(&self, answer: &str) -> Option<String> {
        let answer = if self.is_planned { Cow::Owned(plan::behind(answer)?) } else { Cow::Borrowed(answer) };
        let text = placeholder::without_lines(&unicode::clean(&answer::unwrap_unfinished(&answer)));
        match answer::defect(&text, false, &self.asked) {
            None | Some(Defect::CutOff) => Some(markup::clean(&text, &self.own)),
            Some(_) => None,
        }
    }

    /// The text of an answer.
    pub(super) fn read(&self, answer: &Answer) -> Result<Read, Wrong> {
        if answer.is_refused {
            return Err(Wrong::Defect(Defect::Filtered));
        }
        if answer.text.len() > MAX_ANSWER_BYTES {
            return Err(Wrong::Defect(Defect::TooLong));
        }
        let (answer_text, plan) = if self.is_planned {
            let plan::Planned { plan, text } = plan::split(&answer.text);
            (Cow::Owned(text), plan)
        } else {
            (Cow::Borrowed(answer.text.as_str()), None)
        };
        let text = self.usable(&answer_text, answer.is_cut).map_err(Wrong::Defect)?;
        let mut fixes: Vec<String> = Spec::heading_fix(&text, &self.brief.language).into_iter().collect();
        // Where no edits follow, this is the only chance to mend the shape.
        if self.brief.max_rounds == 0 {
            fixes.extend(Spec::of(self.brief.format).fixes(&text, &rules(self.brief)));
        }
        let read = Read { text, plan };
        if fixes.is_empty() { Ok(read) } else { Err(Wrong::Shape { read, fixes }) }
    }

    /// The text in one form of Unicode, without what models put around it and without what may not
    /// be shown, where it can be used.
    pub(super) fn usable(&self, text: &str, is_cut: bool) -> Result<String, Defect> {
        let text = placeholder::without_lines(&unicode::clean(&answer::unwrap(text)));
        // Before markup is taken off: a copied tag must be seen.
        if let Some(defect) = answer::defect(&text, is_cut, &self.asked) {
            return Err(defect);
        }
        let text = markup::clean(&text, &self.own);
        if answer::is_empty(&text) { Err(Defect::Empty) } else { Ok(text) }
    }
}
