//! Prompts: one system message and one user message, from versioned templates. All data is escaped
//! into tags, and cut so that a prompt stays within its bound. What is asked and when is the
//! pipeline's.

use std::sync::LazyLock;

use copydesk_common::generation::{AppliedLesson, Format};
use copydesk_common::stage::Stage;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::format::markdown::{chars, clip};
use crate::pipeline::brief::Brief;
use crate::pipeline::outline::Outline;
use crate::pipeline::passage::Passage;

/// A prompt's bound, in characters. A draft longer than that is the one thing that may exceed it.
pub const MAX_PROMPT_CHARS: usize = 24_000;
/// What a passage keeps, however many there are, in characters.
const MIN_PASSAGE_CHARS: usize = 200;
/// A passage's longest share, in characters: a chunk of the knowledge base is about so long.
const MAX_PASSAGE_CHARS: usize = 1_800;
/// What a passage's tag takes besides title and URL, in characters.
const PASSAGE_TAG_CHARS: usize = 60;
/// The longest title and URL in a tag, in characters.
const MAX_ATTRIBUTE_CHARS: usize = 300;

/// The templates could not be parsed or filled in: a bug in them.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// A template is no template.
    #[error("a prompt's template cannot be parsed")]
    Unparsed(#[source] &'static minijinja::Error),
    /// A template names what it is not given.
    #[error("a prompt's template cannot be filled in")]
    Unfilled(#[from] minijinja::Error),
}

/// What a model is asked.
#[derive(Clone)]
pub struct Prompt {
    /// The template's version, such as `draft/v1`.
    pub version: &'static str,
    /// The system message.
    pub system: String,
    /// The user message: the data in tags, then the instructions.
    pub user: String,
    /// The prompt's own prose, without data: what an answer must not repeat.
    pub prose: String,
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
    /// What people said of earlier texts.
    pub lessons: &'a [AppliedLesson],
    /// What may be cited.
    pub passages: &'a [Passage],
    /// The plan, once there is one.
    pub outline: Option<&'a Outline>,
    /// The text under review or revision.
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
        Self { brief, lessons, passages, outline: None, draft: None, fixes: &[], round: 0, simulated }
    }

    /// The prompt of a stage that asks a model: outline, draft, review or revise.
    pub fn prompt(&self, stage: Stage) -> Result<Prompt, PromptError> {
        let environment = ENVIRONMENT.as_ref().map_err(PromptError::Unparsed)?;
        let version = version(stage);
        let render = |name: &str, context: Value| -> Result<String, PromptError> {
            Ok(environment.get_template(name)?.render(context)?)
        };
        let names = Value::from(Serde(Names::of(self.brief)));
        let shape = render(self.brief.format.slug(), names.clone())?;
        let system = render("system/v1", names)?;
        let format_name = self.brief.format.name();
        let rule = render(version, minijinja::context! { format_name, shape => Value::from_safe_string(shape) })?;
        let bare = render("context/v1", Value::from(Serde(self.data(stage, 0))))?;
        let room = MAX_PROMPT_CHARS.saturating_sub(chars(&bare) + chars(&rule) + chars(&system));
        let data = render("context/v1", Value::from(Serde(self.data(stage, room))))?;
        let prose = format!("{system}\n{rule}");
        Ok(Prompt { version, system, user: format!("{data}\n{rule}"), prose })
    }

    /// The data with passages cut to fill `room` characters; without passages where that is 0.
    fn data(&self, stage: Stage, room: usize) -> Data<'_> {
        let passages = if room == 0 { &[][..] } else { self.passages };
        let share = room / self.passages.len().max(1);
        // A struct of strings and numbers always has a JSON form.
        let outline = self.outline.and_then(|outline| serde_json::to_string(outline).ok());
        Data {
            stage: stage.as_str(),
            format: self.brief.format.slug(),
            language: &self.brief.language,
            words: self.brief.words,
            round: self.round,
            simulated: self.simulated,
            business_name: &self.brief.business_name,
            profile: &self.brief.profile,
            topic: &self.brief.topic,
            voice: &self.brief.voice,
            audience: self.brief.audience.as_deref().unwrap_or_default(),
            keywords: self.brief.keywords.join(", "),
            instructions: self.brief.instructions.as_deref().unwrap_or_default(),
            lessons: self.lessons,
            passages: passages.iter().map(|passage| Numbered::of(passage, share)).collect(),
            outline: outline.unwrap_or_default(),
            draft: self.draft.unwrap_or_default(),
            fixes: self.fixes,
        }
    }
}

impl Prompt {
    /// The same prompt, saying what was wrong with the last answer.
    pub fn repair(&self, wrong: &[String]) -> Self {
        let list: Vec<String> = wrong.iter().map(|wrong| format!("- {wrong}")).collect();
        let again = "Your last answer could not be used:";
        Self { user: format!("{}\n{again}\n{}\nAnswer again.\n", self.user, list.join("\n")), ..self.clone() }
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

/// The context of `context/v1`.
#[derive(Serialize)]
struct Data<'a> {
    stage: &'static str,
    format: &'static str,
    language: &'a str,
    words: u16,
    round: u16,
    simulated: bool,
    business_name: &'a str,
    profile: &'a str,
    topic: &'a str,
    voice: &'a str,
    audience: &'a str,
    keywords: String,
    instructions: &'a str,
    lessons: &'a [AppliedLesson],
    passages: Vec<Numbered<'a>>,
    outline: String,
    draft: &'a str,
    fixes: &'a [String],
}

#[derive(Serialize)]
struct Numbered<'a> {
    n: u16,
    kind: &'static str,
    title: &'a str,
    url: &'a str,
    text: &'a str,
}

impl<'a> Numbered<'a> {
    /// With as much of its text as fits into `share` characters, escaped.
    fn of(passage: &'a Passage, share: usize) -> Self {
        let title = clip(&passage.title, MAX_ATTRIBUTE_CHARS);
        let url = passage.url.as_deref().filter(|url| chars(url) <= MAX_ATTRIBUTE_CHARS).unwrap_or_default();
        let tag = PASSAGE_TAG_CHARS + escaped_chars(title) + escaped_chars(url);
        let room = share.saturating_sub(tag).clamp(MIN_PASSAGE_CHARS, MAX_PASSAGE_CHARS);
        // Escaping makes a text longer; one of ampersands alone, five times.
        let text = clip(&passage.text, room);
        let text = if escaped_chars(text) > room { clip(text, room * chars(text) / escaped_chars(text)) } else { text };
        Self { n: passage.n, kind: passage.kind.as_str(), title, url, text }
    }
}

fn escaped_chars(text: &str) -> usize {
    text.chars()
        .map(|c| match c {
            '&' => 5,
            '<' | '>' => 4,
            '"' => 6,
            _ => 1,
        })
        .sum()
}

static ENVIRONMENT: LazyLock<Result<Environment<'static>, minijinja::Error>> = LazyLock::new(environment);

fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(|out, _, value| {
        // Safe is what templates themselves made.
        let text = value.to_string();
        out.write_str(&if value.is_safe() { text } else { escape(&text) })?;
        Ok(())
    });
    environment.add_filter("attribute", |value: String| Value::from_safe_string(attribute(&value)));
    for (name, source) in
        TEMPLATES.iter().copied().chain(Format::ALL.iter().map(|&format| (format.slug(), shape(format))))
    {
        environment.add_template(name, source)?;
    }
    Ok(environment)
}

/// Data inside of a tag: no tag can begin or end in it. Control characters but tab and newline are
/// dropped: they mean nothing in a text, and hide things.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\t' | '\n' => escaped.push(c),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Data inside of an attribute: one line, without quotes.
fn attribute(text: &str) -> String {
    escape(&text.replace(['\n', '\r', '\t'], " ")).replace('"', "&quot;")
}

const TEMPLATES: [(&str, &str); 6] = [
    ("system/v1", include_str!("../prompts/system/v1.md.j2")),
    ("context/v1", include_str!("../prompts/context/v1.md.j2")),
    ("outline/v1", include_str!("../prompts/outline/v1.md.j2")),
    ("draft/v1", include_str!("../prompts/draft/v1.md.j2")),
    ("review/v1", include_str!("../prompts/review/v1.md.j2")),
    ("revise/v1", include_str!("../prompts/revise/v1.md.j2")),
];

/// The template that a stage uses now.
const fn version(stage: Stage) -> &'static str {
    match stage {
        Stage::Outline => "outline/v1",
        Stage::Review => "review/v1",
        Stage::Revise => "revise/v1",
        _ => "draft/v1",
    }
}

/// What a model is told of a format's shape.
const fn shape(format: Format) -> &'static str {
    match format {
        Format::Blog => include_str!("../prompts/format/blog.md.j2"),
        Format::LinkedIn => include_str!("../prompts/format/linkedin.md.j2"),
        Format::Thread => include_str!("../prompts/format/thread.md.j2"),
        Format::Newsletter => include_str!("../prompts/format/newsletter.md.j2"),
        Format::Email => include_str!("../prompts/format/email.md.j2"),
        Format::Product => include_str!("../prompts/format/product.md.j2"),
        Format::Ad => include_str!("../prompts/format/ad.md.j2"),
        Format::PressRelease => include_str!("../prompts/format/press_release.md.j2"),
        Format::LandingPage => include_str!("../prompts/format/landing_page.md.j2"),
        Format::CaseStudy => include_str!("../prompts/format/case_study.md.j2"),
        Format::Faq => include_str!("../prompts/format/faq.md.j2"),
        Format::VideoScript => include_str!("../prompts/format/video_script.md.j2"),
    }
}
