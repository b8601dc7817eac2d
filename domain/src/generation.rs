//! Generations: what a client can ask for, and what it gets. How the text is made is not part of
//! this module.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::business::BusinessId;
use crate::feedback::Feedback;
use crate::format::Format;
use crate::id::{DocumentId, GenerationId, JobId};
use crate::lesson::{AppliedLesson, Learned, Replayed};
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
    /// The voice of the text; `None` means the business's own.
    pub voice: Option<String>,
    /// The audience.
    pub audience: Option<String>,
    /// Words that it should contain.
    pub keywords: Vec<String>,
    /// BCP 47; `None` means the business's default.
    pub language: Option<String>,
    /// The length in words; `None` means the format's default.
    pub length_words: Option<u16>,
    /// Further instructions.
    pub instructions: Option<String>,
    /// Rounds of edits at most, 0 to 5.
    pub max_rounds: u8,
    /// The score from which on a text is good, 0 to 10.
    pub min_score: f64,
    /// Whether a text composed by template may take the place of one that no model wrote; else the job fails.
    /// Written where it is not so only: releases before know no other.
    #[serde(default = "GenerateRequest::allowed", skip_serializing_if = "GenerateRequest::is_allowed")]
    pub allow_fallback: bool,
    /// Which half of a replayed pair it is; `None` for what clients ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replayed>,
}

impl GenerateRequest {
    const fn allowed() -> bool {
        true
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
    const fn is_allowed(allow_fallback: &bool) -> bool {
        *allow_fallback
    }

    /// Rounds of edits at most where the request does not say.
    pub const DEFAULT_MAX_ROUNDS: u8 = 2;
    /// The score from which on a text is good, where the request does not say.
    pub const DEFAULT_MIN_SCORE: f64 = 7.5;

    /// How long the text should be, in words.
    pub fn words(&self) -> u16 {
        self.length_words.unwrap_or_else(|| self.format.default_words())
    }
}

named_enum! {
    /// What a text had to do without. Each value names one thing that was missing or replaced.
    Degradation {
        /// The web could not be searched.
        ResearchUnavailable = "research_unavailable",
        /// The business's documents could not be searched, or it has none.
        KnowledgeUnavailable = "knowledge_unavailable",
        /// Some or all documents were searched by words only, although the operator configured
        /// search by meaning.
        EmbeddingsUnavailable = "embeddings_unavailable",
        /// No editor read the text though one was asked for: deterministic checks only.
        ReviewUnavailable = "review_unavailable",
        /// No editor judged the text, and checks of it fail: `review.checks` names them.
        ChecksFailed = "checks_failed",
        /// No model wrote the text: it was composed from passages by a template.
        FallbackWriter = "fallback_writer",
        /// The model refused to write it, or its provider's content filter stopped it.
        ContentRefused = "content_refused",
        /// A fallback model planned, wrote or edited in place of the configured one.
        FallbackModel = "fallback_model",
        /// Passages or lessons were left out because the context window of a model in the chain is
        /// too small.
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
    /// The document; only for `kb`.
    #[schema(required = true)]
    pub document_id: Option<DocumentId>,
    /// The passage's position in the document, from 0; only for `kb`.
    #[schema(required = true)]
    pub chunk: Option<i32>,
    /// The part of the passage that supports the text: one or two sentences, word for word.
    pub quote: String,
}

/// The models that took part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Models {
    /// The model that wrote the text, possibly a fallback; null if a template composed it.
    #[schema(required = true)]
    pub writer: Option<String>,
    /// Edited it, be it in place of another; null where nobody did.
    #[schema(required = true)]
    pub reviewer: Option<String>,
    /// True if a simulator replaced the providers: no model wrote the text.
    pub simulated: bool,
}

/// A finished text, with all that a client should know about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Generation {
    /// Its id.
    pub generation_id: GenerationId,
    /// The job that wrote it; null once that job is removed.
    #[serde(default)]
    #[schema(required = true)]
    pub job_id: Option<JobId>,
    /// The business that it was written for.
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
    /// How good it is. Null for texts without a review that were made before checks were stored.
    #[schema(required = true)]
    pub review: Option<Review>,
    /// The lessons that the writer was given.
    pub lessons_applied: Vec<AppliedLesson>,
    /// What of people's feedback went into it; null in texts of before that was stored.
    #[serde(default)]
    #[schema(required = true)]
    pub learning: Option<Learned>,
    /// What it had to do without; empty if nothing.
    pub degraded: Vec<Degradation>,
    /// The models that took part.
    pub models: Models,
    /// What it used.
    pub usage: Usage,
    /// The human's verdict, if there is one.
    #[schema(required = true)]
    pub feedback: Option<Feedback>,
    /// When it was written.
    pub created_at: DateTime<Utc>,
}
