//! Lessons: what people's feedback asks of a business's next texts. Here is what a lesson is, and what clients see of
//! it. What a comment or an edit asks for is read in `copydesk-editorial`; when a lesson counts, in
//! `copydesk-learning`.

use std::mem::discriminant;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::business::BusinessId;
use crate::format::Format;
use crate::id::{FeedbackId, GenerationId};
use crate::named_enum;

/// What is asked of a text. All but a note can be checked by code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Rule {
    /// A word or phrase that the text holds, or does not.
    Term {
        /// The word or phrase, in lower case but for names.
        term: String,
        /// False where it must not occur.
        wanted: bool,
    },
    /// One term in place of another.
    Prefer {
        /// The term to use.
        term: String,
        /// The one that must not occur.
        over: String,
    },
    /// A length, in words.
    Length {
        /// Whether `words` is the most or the least.
        bound: Bound,
        /// Words of the whole text.
        words: u16,
    },
    /// How the text's first sentence speaks.
    Opening {
        /// What it is.
        with: Opening,
        /// False where it must not be that.
        wanted: bool,
    },
    /// A call to action at the end.
    CallToAction {
        /// False where there must be none.
        wanted: bool,
    },
    /// A mark or an emoji.
    Punctuation {
        /// Which.
        mark: Mark,
        /// False where it must not occur.
        wanted: bool,
    },
    /// Whom the text speaks as, or to.
    Person {
        /// The person.
        person: Person,
        /// False where the text must not use it.
        wanted: bool,
    },
    /// How long sentences are: their mean length, in words.
    Reading {
        /// Whether `sentence_words` is the most or the least.
        bound: Bound,
        /// Words of a sentence, on average.
        sentence_words: u16,
    },
    /// Headings below the title.
    Headings {
        /// Whether `count` is the most or the least.
        bound: Bound,
        /// How many.
        count: u16,
    },
    /// Lists with bullets or numbers.
    Lists {
        /// False where there must be none.
        wanted: bool,
    },
    /// What no code can check.
    Note {
        /// What is asked for, in a sentence that is an order: `Tell stories of patients.`
        text: String,
        /// False where the text says what to leave out.
        wanted: bool,
    },
}

named_enum! {
    /// Which side of a number is asked for.
    Bound {
        /// No more than the number.
        AtMost = "at_most",
        /// No less than the number.
        AtLeast = "at_least",
    }
}

named_enum! {
    /// How a first sentence speaks.
    Opening {
        /// It asks the reader something.
        Question = "question",
        /// It holds a figure.
        Figure = "figure",
        /// It speaks to the reader: you, your.
        Address = "address",
        /// It is a greeting.
        Greeting = "greeting",
    }
}

named_enum! {
    /// A mark that people have opinions about.
    Mark {
        /// `!`
        Exclamation = "exclamation",
        /// `—`
        EmDash = "em_dash",
        /// `;`
        Semicolon = "semicolon",
        /// `…` or `...`
        Ellipsis = "ellipsis",
        /// A smiley or another pictograph.
        Emoji = "emoji",
        /// `#word`
        Hashtag = "hashtag",
    }
}

named_enum! {
    /// A grammatical person.
    Person {
        /// I, we, our.
        First = "first",
        /// You, your.
        Second = "second",
    }
}

impl Rule {
    /// What the rule is about. Two lessons of one slot and different stances contradict each other.
    pub fn slot(&self) -> String {
        match self {
            Self::Term { term, .. } | Self::Prefer { over: term, .. } => format!("term:{}", term.to_lowercase()),
            Self::Length { bound, .. } => format!("length:{bound}"),
            Self::Opening { with, .. } => format!("opening:{with}"),
            Self::CallToAction { .. } => "call_to_action".to_owned(),
            Self::Punctuation { mark, .. } => format!("punctuation:{mark}"),
            Self::Person { person, .. } => format!("person:{person}"),
            Self::Reading { bound, .. } => format!("reading:{bound}"),
            Self::Headings { bound, .. } => format!("headings:{bound}"),
            Self::Lists { .. } => "lists".to_owned(),
            Self::Note { text, .. } => format!("note:{}", comparable(text)),
        }
    }

    /// What it asks for there: `use` or `avoid`. Two observations of one slot and one stance support the same lesson,
    /// whatever number or better term they name.
    pub const fn stance(&self) -> &'static str {
        match self {
            Self::Prefer { .. } => "avoid",
            Self::Length { .. } | Self::Reading { .. } | Self::Headings { .. } => "use",
            Self::Term { wanted, .. }
            | Self::Opening { wanted, .. }
            | Self::CallToAction { wanted }
            | Self::Punctuation { wanted, .. }
            | Self::Person { wanted, .. }
            | Self::Lists { wanted }
            | Self::Note { wanted, .. } => {
                if *wanted {
                    "use"
                } else {
                    "avoid"
                }
            }
        }
    }

    /// Whether no text can follow both: a most that is less than a least.
    pub fn excludes(&self, other: &Self) -> bool {
        let are_alike = discriminant(self) == discriminant(other);
        match self.number().zip(other.number()).filter(|_| are_alike) {
            Some(
                ((Bound::AtMost, most), (Bound::AtLeast, least)) | ((Bound::AtLeast, least), (Bound::AtMost, most)),
            ) => most < least,
            Some(_) => false,
            None => self.slot() == other.slot() && self.stance() != other.stance(),
        }
    }

    /// The number that it names, and which side of it is asked for.
    pub const fn number(&self) -> Option<(Bound, u16)> {
        match self {
            Self::Length { bound, words: number }
            | Self::Headings { bound, count: number }
            | Self::Reading { bound, sentence_words: number } => Some((*bound, *number)),
            _ => None,
        }
    }

    /// The same with another number, where it names one.
    #[must_use]
    pub fn with_number(&self, to: u16) -> Self {
        let mut rule = self.clone();
        if let Self::Length { words: number, .. }
        | Self::Headings { count: number, .. }
        | Self::Reading { sentence_words: number, .. } = &mut rule
        {
            *number = to;
        }
        rule
    }

    /// Whether code can tell if a text follows it.
    pub const fn is_checkable(&self) -> bool {
        !matches!(self, Self::Note { .. })
    }

    /// What kind of thing it is about, for people.
    pub const fn category(&self) -> Category {
        match self {
            Self::Term { .. } | Self::Prefer { .. } => Category::Wording,
            Self::Length { .. } | Self::Reading { .. } => Category::Length,
            Self::Opening { .. } | Self::CallToAction { .. } | Self::Headings { .. } | Self::Lists { .. } => {
                Category::Structure
            }
            Self::Punctuation { .. } => Category::Punctuation,
            Self::Person { .. } => Category::Voice,
            Self::Note { .. } => Category::Other,
        }
    }
}

/// A note's words in lower case, without marks: what tells two of them apart.
fn comparable(text: &str) -> String {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase);
    words.collect::<Vec<_>>().join(" ")
}

named_enum! {
    /// What a lesson is about.
    Category {
        /// Words and phrases.
        Wording = "wording",
        /// How long the text or its sentences are.
        Length = "length",
        /// Opening, headings, lists, call to action.
        Structure = "structure",
        /// Marks and emoji.
        Punctuation = "punctuation",
        /// Whom the text speaks as, or to.
        Voice = "voice",
        /// What no code can check.
        Other = "other",
    }
}

/// What a lesson says, as the writer is told it.
impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Term { term, wanted: true } => write!(f, "Use the term \"{term}\"."),
            Self::Term { term, wanted: false } => write!(f, "Never use \"{term}\"."),
            Self::Prefer { term, over } => write!(f, "Say \"{term}\", and never \"{over}\"."),
            Self::Length { bound: Bound::AtMost, words } => write!(f, "Write at most {words} words."),
            Self::Length { bound: Bound::AtLeast, words } => write!(f, "Write at least {words} words."),
            Self::Opening { with, wanted } => {
                let what = match with {
                    Opening::Question => "a question",
                    Opening::Figure => "a figure",
                    Opening::Address => "a sentence that speaks to the reader",
                    Opening::Greeting => "a greeting",
                };
                write!(f, "{} with {what}.", if *wanted { "Open" } else { "Do not open" })
            }
            Self::CallToAction { wanted: true } => f.write_str("End with a call to action."),
            Self::CallToAction { wanted: false } => f.write_str("Do not end with a call to action."),
            Self::Punctuation { mark, wanted } => {
                let what = match mark {
                    Mark::Exclamation => "exclamation marks",
                    Mark::EmDash => "em dashes",
                    Mark::Semicolon => "semicolons",
                    Mark::Ellipsis => "ellipses",
                    Mark::Emoji => "emoji",
                    Mark::Hashtag => "hashtags",
                };
                write!(f, "{} {what}.", if *wanted { "Use" } else { "Use no" })
            }
            Self::Person { person: Person::First, wanted: true } => f.write_str("Speak as \"we\"."),
            Self::Person { person: Person::First, wanted: false } => f.write_str("Do not speak as \"we\" or \"I\"."),
            Self::Person { person: Person::Second, wanted: true } => f.write_str("Speak to the reader as \"you\"."),
            Self::Person { person: Person::Second, wanted: false } => {
                f.write_str("Do not speak to the reader as \"you\".")
            }
            Self::Reading { bound: Bound::AtMost, sentence_words } => {
                write!(f, "Write short sentences: {sentence_words} words on average at most.")
            }
            Self::Reading { bound: Bound::AtLeast, sentence_words } => {
                write!(f, "Write longer sentences: {sentence_words} words on average at least.")
            }
            Self::Headings { bound: Bound::AtMost, count: 0 } => f.write_str("Use no headings below the title."),
            Self::Headings { bound, count } => {
                let side = if *bound == Bound::AtMost { "most" } else { "least" };
                write!(f, "Use at {side} {count} headings below the title.")
            }
            Self::Lists { wanted: true } => f.write_str("Use a list with bullets."),
            Self::Lists { wanted: false } => f.write_str("Use no lists with bullets or numbers."),
            Self::Note { text, .. } => f.write_str(text),
        }
    }
}

/// What one verdict asks for: read once, when it is applied, and kept with it. No other verdict plays a part in it, so
/// that one can be forgotten without a trace in the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distilled {
    /// The rules, each once.
    pub rules: Vec<Observed>,
    /// What read it: `rules/v2`, or the model's name behind the version.
    pub by: String,
}

/// A rule that a verdict asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// What is asked for.
    pub rule: Rule,
    /// Where it was read.
    pub from: Signal,
}

named_enum! {
    /// Where a rule was read.
    Signal {
        /// In what the person said.
        Comment = "comment",
        /// In what the person changed.
        Edit = "edit",
        /// In what the person changed, where the change may be an accident or have another reason.
        Trace = "trace",
    }
}

named_enum! {
    /// Whether a lesson counts.
    LessonStatus {
        /// Said once: it waits for a second text, or a second person.
        Candidate = "candidate",
        /// The writer is told, and the text is checked.
        Active = "active",
        /// Others ask for the opposite as much: nobody is told either.
        Conflicted = "conflicted",
        /// It no longer holds: contradicted, outlived by the opposite, or retired by hand.
        Retired = "retired",
        /// Kept by hand, whatever else is said.
        Pinned = "pinned",
    }
}

named_enum! {
    /// What a lesson's status is set to by hand.
    StatusByHand {
        /// It counts, whatever else is said.
        Pinned = "pinned",
        /// It counts by what people say.
        Active = "active",
        /// It does not count.
        Retired = "retired",
    }
}

named_enum! {
    /// Where the writer is told, after a lesson was not followed in several texts.
    Escalation {
        /// Among the lessons.
        None = "none",
        /// Also in the system message.
        System = "system",
        /// Also in the plan of the text.
        Outline = "outline",
    }
}

named_enum! {
    /// Whether a generation could use what was learned.
    Arm {
        /// It could.
        On = "on",
        /// It could not: it is what the others are compared with.
        Off = "off",
        /// It was written to tell one lesson's effect, and counts in no other figure.
        Replay = "replay",
    }
}

/// Identifies a lesson. It follows from the business and from what the lesson asks for: a rebuild makes the same ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = Uuid)]
pub struct LessonId(pub Uuid);

impl std::fmt::Display for LessonId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for LessonId {
    type Err = uuid::Error;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        s.parse().map(Self)
    }
}

/// What was learned from people, as clients see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Lesson {
    /// Identifies it.
    pub lesson_id: LessonId,
    /// The business that it was learned for, and is used for alone.
    pub business_id: BusinessId,
    /// What the writer is told.
    pub text: String,
    /// What it is about.
    pub category: Category,
    /// What it asks for, as code reads it.
    pub rule: Rule,
    /// The only content type that it holds for; null for all.
    #[schema(required = true)]
    pub content_type: Option<Format>,
    /// The only language that it holds for, as the first part of a BCP 47 tag; null for all.
    #[schema(required = true)]
    pub language: Option<String>,
    /// Whether it counts.
    pub status: LessonStatus,
    /// Why it has this status, in a sentence.
    pub reason: String,
    /// Texts of which people asked for it.
    pub support: u32,
    /// People who asked for it; those who gave no name count as one.
    pub raters: u32,
    /// Texts of which people asked for the opposite.
    pub harm: u32,
    /// The lower bound of how likely it is right, 0 to 1: what ranks it, and retires it below 0.4.
    pub confidence: f64,
    /// The verdicts that ask for it, the oldest first.
    pub evidence: Vec<FeedbackId>,
    /// Whether people changed its text by hand.
    pub is_edited: bool,
    /// Lessons that ask for the opposite, and why only one of them or none is used.
    pub conflicts_with: Vec<LessonId>,
    /// People who contradict the others here, by the name that their verdicts gave.
    pub dissenters: Vec<String>,
    /// When a verdict last asked for it.
    pub last_supported_at: DateTime<Utc>,
}

/// A lesson that the writer was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppliedLesson {
    /// Identifies the lesson; in texts of before lessons, the verdict that it came from.
    pub id: String,
    /// What it says.
    pub text: String,
    /// What code checks the text against; null where nothing can be checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// Where else the writer is told.
    #[serde(default = "AppliedLesson::unescalated")]
    pub escalation: Escalation,
    /// Whether the text as it is delivered follows it; null where no code can tell.
    #[serde(default)]
    #[schema(required = true)]
    pub followed: Option<bool>,
}

impl AppliedLesson {
    /// One that no code can check, told among the others.
    pub fn unchecked(id: impl Into<String>, text: impl Into<String>) -> Self {
        Self { id: id.into(), text: text.into(), rule: None, escalation: Escalation::None, followed: None }
    }

    const fn unescalated() -> Escalation {
        Escalation::None
    }
}

/// What of the business's experience went into a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Learned {
    /// Whether it could use what was learned.
    pub arm: Arm,
    /// Names what was learned by then: two texts with the same name had the same to learn from. Null where nothing was.
    #[schema(required = true)]
    pub snapshot: Option<String>,
    /// Lessons and examples that there were for it, used or not.
    pub available: u16,
    /// Earlier texts that it was shown.
    pub examples: Vec<GenerationId>,
    /// Our estimate of the final text, 0 to 10, before calibration; null where no editor read the text.
    #[schema(required = true)]
    pub estimate: Option<f64>,
    /// The calibrator that made `review.calibrated_score`; null where none is better than the score itself.
    #[schema(required = true)]
    pub calibrator: Option<String>,
    /// The versions of the prompts.
    pub prompts: Vec<String>,
    /// The lesson whose effect it tells, and whether it was used; only of the arm `replay`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replayed>,
}

/// Which half of a replayed pair a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replayed {
    /// The lesson.
    pub lesson_id: LessonId,
    /// The text whose brief is written again.
    pub of: GenerationId,
    /// Whether the writer was given the lesson.
    pub with: bool,
}
