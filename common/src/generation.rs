//! Generations: what a client may ask to have written, and what it gets. Knows nothing of how the
//! text comes about.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::business::BusinessId;
use crate::document::DocumentId;
use crate::feedback::Feedback;
use crate::job::{Usage, named_enum, uuid_id};

uuid_id! {
    /// Names a generation: the text that a generate job makes. Known as soon as the job is.
    GenerationId
}

macro_rules! formats {
    ($($variant:ident = $slug:literal, $name:literal, $words:literal;)+) => {
        /// What kind of text is written. Its slug is the `content_type` of learning and of documents.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
        pub enum Format { $(#[doc = $name] #[schema(rename = $slug)] $variant),+ }

        impl Format {
            /// Every format, in the order in which they are listed to people.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The short name, used in the API and as `content_type`.
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug),+ }
            }

            /// The name as people write it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// How long the text gets where the request does not say, in words.
            pub const fn default_words(self) -> u16 {
                match self { $(Self::$variant => $words),+ }
            }
        }
    };
}

formats! {
    Blog = "blog", "Blog Article", 800;
    LinkedIn = "linkedin", "LinkedIn Post", 180;
    Thread = "thread", "Social Thread", 250;
    Newsletter = "newsletter", "Newsletter", 500;
    Email = "email", "Email", 180;
    Product = "product", "Product Description", 220;
    Ad = "ad", "Ad Copy", 80;
    PressRelease = "press_release", "Press Release", 450;
    LandingPage = "landing_page", "Landing Page", 400;
    CaseStudy = "case_study", "Case Study", 600;
    Faq = "faq", "FAQ", 500;
    VideoScript = "video_script", "Video Script", 350;
}

/// The string names none of the twelve formats.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be one of: {}", Format::list())]
pub struct UnknownFormat;

impl Format {
    /// `Blog Article (blog), LinkedIn Post (linkedin), …`: what an error lists.
    pub fn list() -> String {
        let entries: Vec<_> = Self::ALL.iter().map(|f| format!("{} ({})", f.name(), f.slug())).collect();
        entries.join(", ")
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    /// By name or slug, whatever the case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let named = |f: &&Self| f.slug().eq_ignore_ascii_case(text) || f.name().eq_ignore_ascii_case(text);
        Self::ALL.iter().find(named).copied().ok_or(UnknownFormat)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl Serialize for Format {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.slug())
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a client asked for, checked and with the defaults filled in: the payload of a generate job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GenerateRequest {
    /// 1 to 500 characters.
    pub topic: String,
    /// The kind of text.
    pub format: Format,
    /// How it should sound; the business's own voice where `None`.
    pub voice: Option<String>,
    /// Whom it addresses.
    pub audience: Option<String>,
    /// Words that it should hold.
    pub keywords: Vec<String>,
    /// BCP 47; the business's default where `None`.
    pub language: Option<String>,
    /// How long it should be, in words; the format's default where `None`.
    pub length_words: Option<u16>,
    /// Further wishes.
    pub instructions: Option<String>,
    /// Revisions at most, 0 to 5.
    pub max_rounds: u8,
    /// The score that ends the revisions, 0 to 10.
    pub min_score: f64,
}

impl GenerateRequest {
    /// Revisions at most where the request does not say.
    pub const DEFAULT_MAX_ROUNDS: u8 = 2;
    /// The score that ends the revisions where the request does not say.
    pub const DEFAULT_MIN_SCORE: f64 = 7.5;

    /// How long the text should be, in words.
    pub fn words(&self) -> u16 {
        self.length_words.unwrap_or_else(|| self.format.default_words())
    }
}

named_enum! {
    /// What a text had to do without.
    Degradation {
        /// The web could not be searched.
        ResearchUnavailable = "research_unavailable",
        /// The business's documents could not be searched, or it has none.
        KnowledgeUnavailable = "knowledge_unavailable",
        /// Documents were searched by words alone, or some of them were, though the operator set up a search by
        /// meaning.
        EmbeddingsUnavailable = "embeddings_unavailable",
        /// No reviewer scored the text: deterministic checks only.
        ReviewUnavailable = "review_unavailable",
        /// No model wrote it: it was composed from passages by template.
        FallbackWriter = "fallback_writer",
        /// The model refused to write it, or its provider's content filter stopped it.
        ContentRefused = "content_refused",
        /// A fallback model planned, wrote or reviewed in place of the configured one.
        FallbackModel = "fallback_model",
        /// Passages or lessons were left out, because the window of a model that may answer is too small.
        ContextWindow = "context_window",
    }
}

named_enum! {
    /// Where a cited passage comes from.
    SourceKind {
        /// The web.
        Web = "web",
        /// The business's own documents.
        Knowledge = "kb",
    }
}

/// A passage that the text cites as `[n]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// The number in the text.
    pub n: u16,
    /// Where it comes from.
    pub kind: SourceKind,
    /// The page's or document's title, with the heading path.
    pub title: String,
    /// Where it can be read.
    #[schema(required = true)]
    pub url: Option<String>,
    /// The document, for `kb`.
    #[schema(required = true)]
    pub document_id: Option<DocumentId>,
    /// The passage's place in the document, from 0, for `kb`.
    #[schema(required = true)]
    pub chunk: Option<i32>,
    /// What of the passage supports the text: a sentence or two, word for word.
    pub quote: String,
}

/// What is known of how good the text is in its final form: what a reviewer said of it, and what code can check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Review {
    /// 0 to 10: the mean of the criteria, as the reviewer gave them; null where no reviewer read the text.
    #[schema(required = true)]
    pub score: Option<f64>,
    /// The score after correction by people's verdicts; the same where there are too few.
    #[schema(required = true)]
    pub calibrated_score: Option<f64>,
    /// Each criterion's score, 0 to 10; empty where no reviewer read the text.
    pub criteria: std::collections::BTreeMap<String, f64>,
    /// Revisions made.
    pub rounds: u16,
    /// What the reviewer said.
    pub comments: String,
    /// What code can check: the format's shape, the length, citations, the voice and more.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// 0 to 10: how well the text keeps to the voice of the business's own documents; null where they
    /// are too few to tell.
    #[serde(default)]
    #[schema(required = true)]
    pub voice_score: Option<f64>,
}

/// A check of a text that needs no opinion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// Its stable name, such as `length` or `dateline`.
    pub name: String,
    /// Whether the text passed it.
    pub passed: bool,
    /// What is to be mended; empty where it passed.
    pub detail: String,
}

/// A lesson that the writer was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppliedLesson {
    /// Names the lesson: the feedback it comes from.
    pub id: String,
    /// What it says.
    pub text: String,
}

/// The models that took part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Models {
    /// Wrote the text, be it in place of another; null where it was composed by template.
    #[schema(required = true)]
    pub writer: Option<String>,
    /// Reviewed it, be it in place of another; null where nobody did.
    #[schema(required = true)]
    pub reviewer: Option<String>,
    /// True where a simulator stood in for the providers: the text is no model's.
    pub simulated: bool,
}

/// A finished text, with all that a client should know about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Generation {
    /// Its id.
    pub generation_id: GenerationId,
    /// For whom it was written.
    pub business_id: BusinessId,
    /// What it is about.
    pub topic: String,
    /// The format's name, such as `Blog Article`.
    pub format: String,
    /// The format's slug.
    pub content_type: Format,
    /// How it should sound.
    pub voice: String,
    /// BCP 47.
    pub language: String,
    /// The title.
    pub title: String,
    /// The text, in Markdown.
    pub content: String,
    /// What it cites.
    pub sources: Vec<Source>,
    /// How good it is; null for texts from before checks were kept, where no reviewer had read them.
    #[schema(required = true)]
    pub review: Option<Review>,
    /// The lessons that the writer was given.
    pub lessons_applied: Vec<AppliedLesson>,
    /// What it had to do without; empty when whole.
    pub degraded: Vec<Degradation>,
    /// The models that took part.
    pub models: Models,
    /// What it used.
    pub usage: Usage,
    /// The human's verdict, once there is one.
    #[schema(required = true)]
    pub feedback: Option<Feedback>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_name_and_slug() {
        assert_eq!("Blog Article".parse(), Ok(Format::Blog));
        assert_eq!("blog article".parse(), Ok(Format::Blog));
        assert_eq!("LINKEDIN".parse(), Ok(Format::LinkedIn));
        assert_eq!(" press_release ".parse(), Ok(Format::PressRelease));
        assert_eq!("haiku".parse::<Format>(), Err(UnknownFormat));
        assert_eq!(Format::ALL.len(), 12);
        assert!(UnknownFormat.to_string().contains("Video Script (video_script)"));
    }
}
