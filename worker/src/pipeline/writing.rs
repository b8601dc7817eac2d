//! Answers that are a text: taken out of what models put around it, checked, and asked for once
//! more where they cannot be used.

use copydesk_domain::stage::Stage;
use copydesk_editorial::answer::{self, Asked, Defect, placeholder};
use copydesk_editorial::format::{Rules, Spec};
use copydesk_editorial::text::markup::{self, OwnAddresses};
use copydesk_editorial::text::sentence::sentences;

use super::calls::{Calls, StageError};
use super::live::Live;
use crate::metric;
use crate::pipeline::brief::Brief;
use crate::prompt::{Prompt, Task};
use crate::provider::chain::AnsweredBy;
use crate::provider::chat::{Answer, Form};

/// Tokens that a word takes, about, in languages that models know less well.
const TOKENS_PER_WORD: u32 = 4;
/// Tokens beyond that, for headings and citations and for models that think first.
const SPARE_TOKENS: u32 = 1_500;
/// The longest answer that models take orders for, in tokens.
const MAX_TOKENS: u32 = 16_000;
/// A longer answer is no text that anybody asked for, in bytes.
const MAX_ANSWER_BYTES: usize = 512 * 1024;
/// Wording a text is no lookup: some freedom, little enough to stay with the passages.
const TEMPERATURE: f32 = 0.6;

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

/// A text that can be used and shown, and who wrote it; [`StageError::Unusable`] or [`StageError::ContentRefused`]
/// where the second answer cannot be either.
pub(super) async fn write(calls: &Calls, stage: Stage, task: &Task<'_>) -> Result<(String, AnsweredBy), StageError> {
    let prompt = task.prompt(stage, calls.writer().window(), most_tokens(task.brief))?;
    tracing::debug!(prompt.version, "a model is asked");
    let reader = Reader::of(task, &prompt);
    let live = calls.audience().map(|audience| Live::new(&reader, audience, stage, task.round));
    let written = twice(calls, stage, &prompt, &reader, live.as_ref()).await;
    live.inspect(|live| match &written {
        Ok((text, _)) => live.accepted(text),
        Err(_) => live.discarded(),
    });
    written
}

/// The text of the first answer that can be used, of two.
async fn twice(
    calls: &Calls,
    stage: Stage,
    prompt: &Prompt,
    reader: &Reader<'_>,
    live: Option<&Live<'_>>,
) -> Result<(String, AnsweredBy), StageError> {
    let (answer, by) = complete(calls, prompt, reader.brief, live).await?;
    let wrong = match reader.read(&answer) {
        Ok(text) => return Ok((text, by)),
        Err(wrong) => wrong,
    };
    metric::answer_repaired(stage);
    live.inspect(|live| live.discarded());
    let (answer, by) = complete(calls, &prompt.repair(&wrong.fixes()), reader.brief, live).await?;
    match reader.read(&answer) {
        Ok(text) => Ok((text, by)),
        // A text of another shape is a text all the same, and the review's to judge.
        Err(Wrong::Shape { text, .. }) => Ok((text, by)),
        Err(Wrong::Defect(defect)) if defect.is_refusal() => Err(StageError::ContentRefused),
        Err(Wrong::Defect(defect)) => Err(StageError::Unusable(vec![defect.to_string()])),
    }
}

async fn complete(
    calls: &Calls,
    prompt: &Prompt,
    brief: &Brief,
    live: Option<&Live<'_>>,
) -> Result<(Answer, AnsweredBy), StageError> {
    let request = prompt.request(Form::Text, most_tokens(brief), TEMPERATURE);
    let (answer, by) = calls.complete(calls.writer(), &request, live).await?;
    Ok((answer, AnsweredBy { lacked_room: prompt.lacks_room, ..by }))
}

/// The longest answer, in tokens.
fn most_tokens(brief: &Brief) -> u32 {
    (u32::from(brief.words) * TOKENS_PER_WORD + SPARE_TOKENS).min(MAX_TOKENS)
}

/// Why an answer is asked for again.
#[derive(Debug)]
enum Wrong {
    /// It cannot be used.
    Defect(Defect),
    /// It is a text, of another shape than asked for.
    Shape { text: String, fixes: Vec<String> },
}

impl Wrong {
    fn fixes(&self) -> Vec<String> {
        match self {
            Self::Defect(defect) => vec![defect.to_string()],
            Self::Shape { fixes, .. } => fixes.clone(),
        }
    }
}

/// Makes texts of answers to one prompt.
pub(super) struct Reader<'a> {
    asked: Asked<'a>,
    brief: &'a Brief,
    own: OwnAddresses,
}

impl<'a> Reader<'a> {
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

    fn read(&self, answer: &Answer) -> Result<String, Wrong> {
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
