//! Generations: what a client may ask to have written, and what it gets. Knows nothing of how the
//! text comes about.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::business::BusinessId;
use crate::feedback::Feedback;
use crate::format::Format;
use crate::id::{DocumentId, GenerationId};
use crate::named_enum;
use crate::review::Review;
use crate::usage::Usage;

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
