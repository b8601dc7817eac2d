//! Answers as texts: taken out of what models put around them, and held against what was asked for.

use copydesk_editorial::answer::{self, Asked, Defect, placeholder};
use copydesk_editorial::format::{Rules, Spec};
use copydesk_editorial::text::markup::{self, OwnAddresses};
use copydesk_editorial::text::sentence::sentences;

use super::brief::Brief;
use super::prompt::{Prompt, Task};
use crate::provider::chat::Answer;

/// A longer answer is no text that anybody asked for, in bytes.
const MAX_ANSWER_BYTES: usize = 512 * 1024;

/// What a text is held against.
pub(super) fn rules(brief: &Brief) -> Rules<'_> {
    Rules {
        business_name: &brief.business_name,
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
    Shape { text: String, fixes: Vec<String> },
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

/// Makes texts of answers to one prompt.
pub(super) struct Reader<'a> {
    asked: Asked<'a>,
    pub(super) brief: &'a Brief,
    own: OwnAddresses,
}

impl<'a> Reader<'a> {
    /// Those to this prompt of a task.
    pub(super) fn of(task: &Task<'a>, prompt: &'a Prompt) -> Self {
        let lessons = task.lessons.iter().map(|lesson| lesson.text.as_str());
        let private = lessons.chain(task.fixes.iter().map(String::as_str)).collect();
        let brief = task.brief;
        let asked = Asked { instructions: &prompt.prose, private, language: &brief.language, words: brief.words };
        Self { asked, brief, own: task.own_addresses() }
    }

    /// What of an answer under way would pass as the beginning of a text; `None` where nothing would.
    pub(super) fn read_unfinished(&self, answer: &str) -> Option<String> {
        let text = placeholder::without_lines(&answer::unwrap_unfinished(answer));
        // Half of what was said to the writer is too much as well.
        let said = self.asked.private.iter().flat_map(|said| sentences(said).into_iter().map(|place| &said[place]));
        let asked = Asked { private: said.collect(), ..self.asked.clone() };
        match answer::defect(&text, false, &asked) {
            None | Some(Defect::CutOff) => Some(markup::clean(&text, &self.own)),
            Some(_) => None,
        }
    }

    /// The text of an answer.
    pub(super) fn read(&self, answer: &Answer) -> Result<String, Wrong> {
        if answer.is_refused {
            return Err(Wrong::Defect(Defect::Filtered));
        }
        if answer.text.len() > MAX_ANSWER_BYTES {
            return Err(Wrong::Defect(Defect::TooLong));
        }
        let text = placeholder::without_lines(&answer::unwrap(&answer.text));
        // Before markup is taken off: a copied tag must be seen.
        if let Some(defect) = answer::defect(&text, answer.is_cut, &self.asked) {
            return Err(Wrong::Defect(defect));
        }
        let text = markup::clean(&text, &self.own);
        if answer::is_empty(&text) {
            return Err(Wrong::Defect(Defect::Empty));
        }
        // Where no revision follows, this is the only chance to mend the shape.
        let fixes = if self.brief.max_rounds == 0 {
            Spec::of(self.brief.format).fixes(&text, &rules(self.brief))
        } else {
            Vec::new()
        };
        if fixes.is_empty() { Ok(text) } else { Err(Wrong::Shape { text, fixes }) }
    }
}
