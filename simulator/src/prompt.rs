//! Reads the prompt that Copydesk's worker sends: the tags of its user message, unescaped. Tolerant:
//! what is not there is empty, and a message without tags is its own topic.

use serde::{Deserialize, Serialize};

use crate::behaviour::Behaviour;

/// A stage of the pipeline that calls a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Plans the text.
    Outline,
    /// Writes it.
    Draft,
    /// Scores it, and mends it paragraph by paragraph.
    Edit,
    /// Scores it. Only workers of an earlier release ask for that.
    Review,
    /// Writes it again, with the review's fixes. Only workers of an earlier release ask for that.
    Revise,
    /// Says what a human's comment asks of later texts.
    Distill,
}

/// The kind of text that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Blog,
    LinkedIn,
    Thread,
    Newsletter,
    Email,
    Product,
    Ad,
    PressRelease,
    LandingPage,
    CaseStudy,
    Faq,
    VideoScript,
}

impl Format {
    /// Every format with its slug and its length in words where the prompt names none.
    pub(crate) const ALL: [(Self, &'static str, usize); 12] = [
        (Self::Blog, "blog", 800),
        (Self::LinkedIn, "linkedin", 180),
        (Self::Thread, "thread", 250),
        (Self::Newsletter, "newsletter", 500),
        (Self::Email, "email", 180),
        (Self::Product, "product", 220),
        (Self::Ad, "ad", 80),
        (Self::PressRelease, "press_release", 450),
        (Self::LandingPage, "landing_page", 400),
        (Self::CaseStudy, "case_study", 600),
        (Self::Faq, "faq", 500),
        (Self::VideoScript, "video_script", 350),
    ];

    fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == slug).map(|(format, ..)| *format)
    }

    fn default_words(self) -> usize {
        Self::ALL.iter().find(|(format, ..)| *format == self).map_or(300, |(.., words)| *words)
    }
}

/// What the writer and the reviewer are told.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Prompt {
    pub(crate) stage: Option<Stage>,
    pub(crate) format: Option<Format>,
    /// The length to aim at; 0 where there is no telling.
    pub(crate) words: usize,
    pub(crate) round: u32,
    /// Whether the answer begins with a plan.
    pub(crate) plan: bool,
    /// Whether nothing may be said that the data does not say. The simulator's own setting.
    pub(crate) plain: bool,
    /// How the model behaves. The simulator's own setting.
    pub(crate) behaviour: Behaviour,
    pub(crate) business: String,
    pub(crate) profile: String,
    pub(crate) topic: String,
    pub(crate) audience: String,
    pub(crate) keywords: Vec<String>,
    pub(crate) lessons: Vec<String>,
    /// Lessons that stand in the system message.
    pub(crate) house_rules: Vec<String>,
    /// What a human said of a text.
    pub(crate) comment: String,
    pub(crate) passages: Vec<Passage>,
    pub(crate) outline: String,
    pub(crate) draft: String,
    /// The draft's paragraphs, where they are numbered; their places are their numbers, from 1.
    pub(crate) paragraphs: Vec<String>,
    pub(crate) fixes: Vec<String>,
}

/// A numbered piece of text that may be quoted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Passage {
    pub(crate) n: u32,
    /// From the business's own documents, not from the web.
    pub(crate) own: bool,
    pub(crate) title: String,
    pub(crate) text: String,
}

impl Prompt {
    /// Reads both messages.
    pub(crate) fn read(system: &str, user: &str) -> Self {
        let rules = text_of(system, "house_rules", str::to_owned);
        let house_rules = elements(&rules, "rule").map(|rule| unescape(rule.body.trim())).collect();
        Self { house_rules, ..Self::parse(user) }
    }

    /// The same where nothing is to be mended.
    pub(crate) fn without_fixes(&self) -> Self {
        Self { fixes: Vec::new(), ..self.clone() }
    }

    /// Reads a user message.
    pub(crate) fn parse(message: &str) -> Self {
        let Some((task, _)) = open_tag(message, "task") else { return Self::untagged(message) };
        let format = attribute(task, "format").and_then(|slug| Format::from_slug(&slug));
        let number = |name| attribute(task, name).and_then(|value| value.parse::<u32>().ok());
        let default_words = format.map_or(300, Format::default_words);
        let business = elements(message, "business").next();
        let lessons = text_of(message, "lessons", str::to_owned);
        let passages = text_of(message, "passages", str::to_owned);
        let fixes = text_of(message, "fixes", str::to_owned);
        let draft = text_of(message, "draft", str::to_owned);
        let paragraphs: Vec<_> = elements(&draft, "p").map(|paragraph| unescape(paragraph.body.trim())).collect();
        Self {
            stage: attribute(task, "stage").as_deref().and_then(stage_named),
            format,
            words: number("words").and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(default_words),
            round: number("round").unwrap_or(0),
            plan: attribute(task, "plan").as_deref() == Some("true"),
            plain: false,
            behaviour: Behaviour::default(),
            house_rules: Vec::new(),
            comment: text_of(message, "comment", unescape),
            business: business.as_ref().and_then(|b| attribute(b.tag, "name")).unwrap_or_default(),
            profile: business.map(|b| unescape(b.body.trim())).unwrap_or_default(),
            topic: text_of(message, "topic", unescape),
            audience: text_of(message, "audience", unescape),
            keywords: listed(&text_of(message, "keywords", unescape)),
            lessons: elements(&lessons, "lesson").map(|lesson| unescape(lesson.body.trim())).collect(),
            passages: elements(&passages, "passage").filter_map(|passage| Passage::read(&passage)).collect(),
            outline: text_of(message, "outline", unescape),
            draft: if paragraphs.is_empty() { unescape(&draft) } else { paragraphs.join("\n\n") },
            paragraphs,
            fixes: elements(&fixes, "fix").map(|fix| unescape(fix.body.trim())).collect(),
        }
    }

    /// The message's first words are the topic.
    fn untagged(message: &str) -> Self {
        let first_words: Vec<_> = message.split_whitespace().take(12).collect();
        Self { topic: first_words.join(" "), words: 120, ..Self::default() }
    }
}

impl Passage {
    fn read(element: &Element<'_>) -> Option<Self> {
        Some(Self {
            n: attribute(element.tag, "n")?.parse().ok()?,
            own: attribute(element.tag, "kind").as_deref() == Some("kb"),
            title: attribute(element.tag, "title").unwrap_or_default(),
            text: unescape(element.body.trim()),
        })
    }
}

fn stage_named(name: &str) -> Option<Stage> {
    match name {
        "outline" => Some(Stage::Outline),
        "draft" => Some(Stage::Draft),
        "edit" => Some(Stage::Edit),
        "review" => Some(Stage::Review),
        "revise" => Some(Stage::Revise),
        "distill" => Some(Stage::Distill),
        _ => None,
    }
}

fn listed(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
}

/// An element as it stands in the message, still escaped.
struct Element<'a> {
    /// The opening tag's inside: `passage n="1" kind="kb"`.
    tag: &'a str,
    body: &'a str,
}

/// The first element's body, `""` where there is none.
fn text_of(message: &str, name: &str, read: fn(&str) -> String) -> String {
    elements(message, name).next().map(|element| read(element.body.trim())).unwrap_or_default()
}

/// The elements of a name, in order. Text inside tags is escaped, so a plain search finds no false ones.
fn elements<'a>(message: &'a str, name: &str) -> impl Iterator<Item = Element<'a>> {
    let close = format!("</{name}>");
    let name = name.to_owned();
    let mut rest = message;
    std::iter::from_fn(move || {
        let (tag, after) = open_tag(rest, &name)?;
        let (body, behind) = after.split_once(close.as_str())?;
        rest = behind;
        Some(Element { tag, body })
    })
}

/// The inside of the first opening tag of a name, and what follows the tag.
fn open_tag<'a>(message: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let mut rest = message;
    loop {
        let (_, candidate) = rest.split_once('<')?;
        rest = candidate;
        let Some(behind_name) = candidate.strip_prefix(name) else { continue };
        // `<passages` is no `<passage`.
        if behind_name.starts_with(|c: char| c.is_whitespace() || c == '/' || c == '>') {
            return candidate.split_once('>');
        }
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let value = &tag[start..];
    Some(unescape(&value[..value.find('"')?]))
}

/// Resolves the five named entities of XML and numeric ones; leaves anything else as it is.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        plain.push_str(&rest[..start]);
        rest = &rest[start..];
        let entity = rest.find(';').and_then(|end| Some((end, entity(&rest[1..end])?)));
        let (end, c) = entity.unwrap_or((0, '&'));
        plain.push(c);
        rest = &rest[end + 1..];
    }
    plain.push_str(rest);
    plain
}

fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#"<task stage="revise" format="press_release" language="en" words="450" round="1" simulated="true"/>
<business name="Smith &amp; Sons">We sell &lt;b&gt;bricks&lt;/b&gt;.</business>
<topic>Bricks &amp; mortar</topic>
<voice>dry</voice>
<audience>builders</audience>
<keywords>clay, kiln ,</keywords>
<lessons>
<lesson id="1">Never use &quot;synergy&quot;.</lesson>
<lesson id="2">No exclamation marks.</lesson>
</lessons>
<passages>
<passage n="1" kind="kb" title="Bricks › Clay">Clay is &#102;ired.</passage>
<passage n="2" kind="web" title="Mortar" url="https://m.example">Lime &amp;amp; sand.</passage>
</passages>
<outline>{"title": "Bricks"}</outline>
<draft>A &lt;draft&gt; of it.</draft>
<fixes>
<fix>Add a quote.</fix>
</fixes>
Write it. The <topic> tag holds data."#;

    #[test]
    fn every_tag_is_read_and_unescaped() {
        let prompt = Prompt::parse(MESSAGE);
        assert_eq!((prompt.stage, prompt.format), (Some(Stage::Revise), Some(Format::PressRelease)));
        assert_eq!((prompt.words, prompt.round), (450, 1));
        assert_eq!(prompt.business, "Smith & Sons");
        assert_eq!(prompt.profile, "We sell <b>bricks</b>.");
        assert_eq!((prompt.topic.as_str(), prompt.audience.as_str()), ("Bricks & mortar", "builders"));
        assert_eq!(prompt.keywords, ["clay", "kiln"]);
        assert_eq!(prompt.lessons, ["Never use \"synergy\".", "No exclamation marks."]);
        assert_eq!(prompt.passages.len(), 2);
        assert_eq!((prompt.passages[0].own, prompt.passages[0].text.as_str()), (true, "Clay is fired."));
        assert_eq!((prompt.passages[1].own, prompt.passages[1].text.as_str()), (false, "Lime &amp; sand."));
        assert_eq!(
            (prompt.draft.as_str(), prompt.fixes.as_slice()),
            ("A <draft> of it.", &["Add a quote.".to_owned()][..])
        );
    }

    #[test]
    fn the_task_may_stand_last_and_paragraphs_are_numbered() {
        let message = r#"<business name="Acme">We sell bricks.</business>
<topic>Bricks</topic>
<passages>
<passage n="4" kind="kb" title="Clay">Clay is fired.</passage>
</passages>
<draft>
<p n="1"># Bricks &amp; mortar</p>
<p n="2">Clay is fired.</p>
</draft>
<task stage="edit" plan="false" format="blog" language="en" words="450" round="1" simulated="true"/>
Edit the draft."#;
        let prompt = Prompt::parse(message);
        assert_eq!((prompt.stage, prompt.round, prompt.plan), (Some(Stage::Edit), 1, false));
        assert_eq!(prompt.paragraphs, ["# Bricks & mortar", "Clay is fired."]);
        assert_eq!(prompt.draft, "# Bricks & mortar\n\nClay is fired.");
        assert_eq!((prompt.topic.as_str(), prompt.passages[0].n), ("Bricks", 4));
        assert!(Prompt::parse("<topic>T</topic>\n<task stage=\"draft\" plan=\"true\"/>").plan);
    }

    #[test]
    fn house_rules_stand_in_the_system_message_and_comments_in_the_users() {
        let system = "Keep to <house_rules>.\n<house_rules>\n<rule>No &quot;x&quot;.</rule>\n<rule>Be kind.</rule>\n</house_rules>";
        let prompt = Prompt::read(system, "<comment>Too &lt;long&gt;</comment>\n<task stage=\"distill\"/>");
        assert_eq!(prompt.house_rules, ["No \"x\".", "Be kind."]);
        assert_eq!((prompt.stage, prompt.comment.as_str()), (Some(Stage::Distill), "Too <long>"));
        assert!(Prompt::read("<house_rules><rule>a", MESSAGE).house_rules.is_empty());
    }

    #[test]
    fn a_message_without_tags_is_its_own_topic() {
        let prompt = Prompt::parse("Tell me about the tides, please.");
        assert_eq!(prompt.topic, "Tell me about the tides, please.");
        assert_eq!((prompt.stage, prompt.format), (None, None));
    }

    #[test]
    fn broken_tags_do_no_harm() {
        for message in [
            "<task",
            "<task stage=\"draft\"",
            "<task stage=\"draft\"/><topic>never closed",
            "<task/><passages><passage n=\"x\">a</passage></passages>",
            "&",
            "<task/>&#xFFFFFFFF;",
            "",
        ] {
            let prompt = Prompt::parse(message);
            assert!(prompt.passages.is_empty(), "{message}");
        }
        assert_eq!(unescape("a & b &nope; &#38;"), "a & b &nope; &");
    }
}
