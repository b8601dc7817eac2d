//! Prompts: one system message and one user message, from versioned templates. They go from what never changes to
//! what changes in each call, so that providers have read the beginning before: the rules, the business, the topic
//! with its passages, the text at hand, and last the task. All data is escaped into tags, and cut so that a prompt
//! stays within its bound and the model's window. What is asked and when is the stages'.

use copydesk_domain::format::Format;
use copydesk_domain::generation::SourceKind;
use copydesk_domain::lesson::{AppliedLesson, Escalation};
use copydesk_domain::stage::Stage;
use copydesk_editorial::answer;
use copydesk_editorial::edits;
use copydesk_editorial::text::markup::OwnAddresses;
use copydesk_editorial::voice::VoiceProfile;
use minijinja::value::{Serde, Value};
use serde::Serialize;

use super::brief::Brief;
use super::error::PromptError;
use super::lessons::{Example, Rejection};
use super::passage::Passage;
use super::plan::Outline;
use crate::provider::chat::{ChatRequest, Form, Meter};
use crate::provider::window::Window;
use crate::tokens;

mod fit;
mod template;
#[cfg(test)]
mod tests;

use fit::{Numbered, numbered};
use template::ENVIRONMENT;
pub(super) use template::version;

/// The templates that all stages share.
pub(super) const SYSTEM: &str = "system/v5";
pub(super) const CONTEXT: &str = "context/v5";

/// What roles and the marks between messages take, in tokens.
const CHAT_TOKENS: usize = 16;

/// What a stage's own order takes at most, with the marks between messages, in tokens.
const TASK_TOKENS: usize = 600;

/// What a model is asked.
#[derive(Clone)]
pub struct Prompt {
    /// The template's version, such as `draft/v3`.
    pub version: &'static str,
    /// The system message.
    pub system: String,
    /// The user message: the data in tags, then the instructions.
    pub user: String,
    /// The prompt's own prose, without data: what an answer must not repeat.
    pub prose: String,
    /// What both messages take, in tokens.
    pub tokens: usize,
    /// Whether passages or lessons were left out, because a window is too small.
    pub lacks_room: bool,
}

impl std::fmt::Debug for Prompt {
    /// Without the texts: they belong in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prompt").field("version", &self.version).finish_non_exhaustive()
    }
}

/// What a prompt is made of.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// The request and the profile.
    pub brief: &'a Brief,
    /// What people asked for after earlier texts.
    pub lessons: &'a [AppliedLesson],
    /// Earlier texts that they approved.
    pub examples: &'a [Example],
    /// One that they rejected.
    pub rejected: Option<&'a Rejection>,
    /// How the business's own documents sound, where that can be told.
    pub voice: Option<&'a VoiceProfile>,
    /// The business's own rules for its texts.
    pub guidance: &'a [String],
    /// Titles of its documents about other companies.
    pub others: &'a [String],
    /// What may be cited.
    pub passages: &'a [Passage],
    /// What of it the prompt shows, cut to what fits the topic.
    pub shown: &'a [Passage],
    /// Whether the text is planned in the answer that writes it.
    pub plan: bool,
    /// The plan, where there is one before.
    pub outline: Option<&'a Outline>,
    /// The text that is edited.
    pub draft: Option<&'a str>,
    /// What is to be mended.
    pub fixes: &'a [String],
    /// 0 for the first pass.
    pub round: u16,
    /// Whether a simulator reads it.
    pub simulated: bool,
}

impl<'a> Task<'a> {
    /// A task with the data that every stage has.
    pub fn new(brief: &'a Brief, lessons: &'a [AppliedLesson], passages: &'a [Passage], simulated: bool) -> Self {
        Self {
            brief,
            lessons,
            examples: &[],
            rejected: None,
            voice: None,
            guidance: &[],
            others: &[],
            passages,
            shown: passages,
            plan: false,
            outline: None,
            draft: None,
            fixes: &[],
            round: 0,
            simulated,
        }
    }

    /// Where the business's own data leads: the only places that a text may link to.
    pub fn own_addresses(&self) -> OwnAddresses {
        let brief = self.brief;
        let said = [&brief.profile, &brief.description, &brief.topic, &brief.voice, &brief.business_name];
        let wished = brief.instructions.iter().chain(&brief.audience).chain(&brief.keywords);
        let own = self.passages.iter().filter(|passage| passage.kind == SourceKind::Knowledge);
        let known = own.flat_map(|passage| [Some(&passage.text), Some(&passage.title), passage.url.as_ref()]).flatten();
        OwnAddresses::of(said.into_iter().chain(wished).chain(known).map(String::as_str))
    }

    /// The prompt of a stage that asks a model: outline, draft or edit. It leaves room for an
    /// answer of `completion` tokens in the smallest window of those who may answer.
    pub fn prompt(&self, stage: Stage, window: &Window, completion: u32) -> Result<Prompt, PromptError> {
        let environment = ENVIRONMENT.as_ref().map_err(PromptError::Unparsed)?;
        let version = version(stage);
        let render = |name: &str, context: Value| -> Result<String, PromptError> {
            Ok(environment.get_template(name)?.render(context)?)
        };
        let shape = render(self.brief.format.slug(), Value::from(Serde(Names::of(self.brief))))?;
        let house_rules = self.escalated(&[Escalation::System, Escalation::Outline]);
        let system = render(SYSTEM, minijinja::context! { house_rules })?;
        let format_name = self.brief.format.name();
        let rule = render(version, minijinja::context! { format_name, plan => self.plan })?;
        let prose = format!("{system}\n{shape}\n{rule}");
        let other = tokens::count(&system) + tokens::count(&rule) + CHAT_TOKENS;
        let with = |data: Data<'_>| {
            let shape = Value::from_safe_string(shape.clone());
            render(CONTEXT, minijinja::context! { shape, ..Value::from(Serde(data)) })
        };
        let count = |data: Data<'_>| Ok::<_, PromptError>(tokens::count(&with(data)?) + other);

        let mut bare = self.data(stage);
        let mut fixed = count(bare.clone())?;
        // An answer has more room than most need: up to a half of it gives way before the data does.
        let most = window.beside(completion / 2);
        if fixed > most && !bare.examples.is_empty() {
            bare = Data { examples: &[], rejected: None, ..bare };
            fixed = count(bare.clone())?;
        }
        if fixed > most && !bare.lessons.is_empty() {
            bare = Data { lessons: &[], ..bare };
            fixed = count(bare.clone())?;
        }
        if fixed > most {
            return Err(PromptError::TooLong { window: window.clone(), most, tokens: fixed });
        }
        let head = tokens::count(&with(bare.head())?) + tokens::count(&system) + TASK_TOKENS;
        let room = window.beside(completion).saturating_sub(fixed);
        let (passages, took) = numbered(self.shown, head, room);
        let lacks_room = passages.len() < self.shown.len() || bare.lessons.len() < self.lessons.len();
        if lacks_room {
            tracing::warn!(
                stage = stage.as_str(),
                model = window.model,
                passages = self.shown.len() - passages.len(),
                lessons = self.lessons.len() - bare.lessons.len(),
                "passages or lessons were left out of a prompt: the model's window is too small"
            );
        }
        let data = with(Data { passages, ..bare })?;
        Ok(Prompt { version, system, user: format!("{data}\n\n{rule}"), prose, tokens: fixed + took, lacks_room })
    }

    /// Lessons that earlier texts did not follow, as they are told elsewhere too: as code words them, since no
    /// stranger's words belong there.
    fn escalated(&self, to: &[Escalation]) -> Vec<String> {
        let escalated = self.lessons.iter().filter(|lesson| to.contains(&lesson.escalation));
        escalated.filter_map(|lesson| Some(lesson.rule.as_ref()?.to_string())).collect()
    }

    /// The data without passages.
    fn data(&self, stage: Stage) -> Data<'_> {
        // A struct of strings and numbers always has a JSON form.
        let outline = self.outline.and_then(|outline| serde_json::to_string(outline).ok());
        Data {
            business_name: &self.brief.business_name,
            profile: &self.brief.profile,
            house_voice: self.voice.map(VoiceProfile::in_words).unwrap_or_default(),
            guidance: self.guidance,
            lessons: self.lessons,
            examples: self.examples,
            rejected: self.rejected.filter(|_| !self.examples.is_empty()),
            topic: &self.brief.topic,
            voice: &self.brief.voice,
            audience: self.brief.audience.as_deref().unwrap_or_default(),
            keywords: self.brief.keywords.join(", "),
            instructions: self.brief.instructions.as_deref().unwrap_or_default(),
            passages: Vec::new(),
            outline: outline.unwrap_or_default(),
            draft: self.draft.map(edits::paragraphs).unwrap_or_default(),
            fixes: self.fixes,
            must: if stage == Stage::Edit { Vec::new() } else { self.escalated(&[Escalation::Outline]) },
            stage: stage.as_str(),
            plan: word(self.plan),
            format: self.brief.format.slug(),
            language: &self.brief.language,
            words: self.brief.words,
            round: self.round,
            simulated: word(self.simulated),
        }
    }
}

/// What a model is asked about a comment: what it asks of texts.
pub(crate) fn distill(comment: &str, format: Format, language: &str, simulated: bool) -> Result<Prompt, PromptError> {
    let environment = ENVIRONMENT.as_ref().map_err(PromptError::Unparsed)?;
    let version = "distill/v1";
    let system = environment.get_template("distill/system-v1")?.render(minijinja::context! {})?;
    let simulated = word(simulated);
    let render = |comment: &str| {
        let format = format.slug();
        environment.get_template(version)?.render(minijinja::context! { comment, format, language, simulated })
    };
    let (user, prose) = (render(comment)?, format!("{system}\n{}", render("")?));
    let tokens = tokens::count(&system) + tokens::count(&user) + CHAT_TOKENS;
    Ok(Prompt { version, system, user, prose, tokens, lacks_room: false })
}

fn word(yes: bool) -> &'static str {
    if yes { "true" } else { "false" }
}

impl Prompt {
    /// Whether a text holds a sentence or half of one of the prompt's own prose, or a sentence of one of its lessons.
    pub fn is_quoted_in(&self, text: &str, lessons: &[AppliedLesson]) -> bool {
        let mut told = lessons.iter().map(|lesson| lesson.text.as_str()).chain([self.prose.as_str()]);
        told.any(|told| answer::quotes(text, told)) || answer::repeats(text, &self.prose)
    }

    /// The same prompt, saying what was wrong with the last answer.
    pub fn repair(&self, wrong: &[String]) -> Self {
        let list: Vec<String> = wrong.iter().map(|wrong| format!("- {wrong}")).collect();
        let again = format!("\nYour last answer could not be used:\n{}\nAnswer again.\n", list.join("\n"));
        Self { user: format!("{}{again}", self.user), tokens: self.tokens + tokens::count(&again), ..self.clone() }
    }

    /// What a model is asked with it.
    pub fn request(&self, form: Form, max_completion_tokens: u32, temperature: f32) -> ChatRequest {
        let form_tokens = match &form {
            Form::JsonSchema { schema, .. } => tokens::count(&schema.to_string()),
            Form::Text | Form::JsonObject => 0,
        };
        ChatRequest {
            system: self.system.clone(),
            user: self.user.clone(),
            prompt_tokens: u32::try_from(self.tokens + form_tokens).unwrap_or(u32::MAX),
            max_completion_tokens,
            temperature,
            frequency_penalty: 0.0,
            form,
            meter: Meter::default(),
        }
    }
}

/// What the instructions name of the data.
#[derive(Serialize)]
struct Names<'a> {
    business_name: &'a str,
}

impl<'a> Names<'a> {
    fn of(brief: &'a Brief) -> Self {
        Self { business_name: &brief.business_name }
    }
}

/// The context of `context/v5`, in its order.
#[derive(Clone, Serialize)]
struct Data<'a> {
    business_name: &'a str,
    profile: &'a str,
    house_voice: String,
    guidance: &'a [String],
    lessons: &'a [AppliedLesson],
    examples: &'a [Example],
    rejected: Option<&'a Rejection>,
    topic: &'a str,
    voice: &'a str,
    audience: &'a str,
    keywords: String,
    instructions: &'a str,
    passages: Vec<Numbered<'a>>,
    outline: String,
    draft: Vec<&'a str>,
    fixes: &'a [String],
    must: Vec<String>,
    stage: &'static str,
    plan: &'static str,
    format: &'static str,
    language: &'a str,
    words: u16,
    round: u16,
    simulated: &'static str,
}

impl Data<'_> {
    /// What stands in the prompts of all stages of a job: a draft or an outline makes the passages beside it no
    /// shorter than they were before.
    fn head(&self) -> Self {
        Self {
            outline: String::new(),
            draft: Vec::new(),
            fixes: &[],
            must: Vec::new(),
            stage: "",
            plan: "",
            round: 0,
            ..self.clone()
        }
    }
}
