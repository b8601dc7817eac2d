//! Feedback: a human's verdict on a generation, and the statistics of one business and content type
//! that are computed from verdicts. What is learned from them is decided in the worker.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::business::BusinessId;
use crate::id::{FeedbackId, GenerationId};

/// A human's verdict: the payload of a feedback job. It judges, says or changes something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Names the verdict, so that applying it twice is harmless.
    pub feedback_id: FeedbackId,
    /// The generation that it is about.
    pub generation_id: GenerationId,
    /// Whether the human would publish the text.
    pub human_approved: Option<bool>,
    /// 0 to 10.
    pub human_score: Option<f64>,
    /// What the human said, at most 10,000 characters.
    pub human_feedback: Option<String>,
    /// The text as the human published it, at most 100,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_content: Option<String>,
    /// Who judged, as the client names people: at most 128 characters that nobody reads a meaning into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rater: Option<String>,
}

/// How much a human changed a text before it was published: what learning is to lower.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Effort {
    /// The share of words that were removed or added, 0 to 1.
    pub words_changed: f64,
    /// The share of the edited text that a compressor cannot take from the draft, 0 to 1: moved passages cost little,
    /// new ones a lot (Devatine and Abraham, arXiv 2412.17321).
    pub compression: f64,
}

/// The verdict that holds for a generation, as clients see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Feedback {
    /// Names the verdict.
    pub feedback_id: FeedbackId,
    /// Whether the human would publish the text.
    #[schema(required = true)]
    pub human_approved: Option<bool>,
    /// 0 to 10.
    #[schema(required = true)]
    pub human_score: Option<f64>,
    /// What the human said.
    #[schema(required = true)]
    pub human_feedback: Option<String>,
    /// Who judged, by the name that the client gave.
    #[serde(default)]
    #[schema(required = true)]
    pub rater: Option<String>,
    /// How much the human changed of the text; null where no edited text was given.
    #[serde(default)]
    #[schema(required = true)]
    pub effort: Option<Effort>,
    /// When it was applied.
    pub created_at: DateTime<Utc>,
}

/// Whether a figure was measured, or is a default because there is not enough data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Computed from this business's feedback.
    Measured,
    /// Fewer verdicts than [`LearningStats::MIN_VERDICTS`]: the figures are the stated defaults.
    Default,
}

/// What people thought of one business's texts of one content type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LearningStats {
    /// The business.
    pub business_id: BusinessId,
    /// The content type (a format's slug); null means all.
    #[schema(required = true)]
    pub content_type: Option<String>,
    /// Whether the figures below were measured.
    pub basis: Basis,
    /// Why the figures are defaults, if they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Generations made.
    pub generations: u64,
    /// Generations with a human's verdict.
    pub with_feedback: u64,
    /// `with_feedback / generations`; 0 without generations.
    pub coverage: f64,
    /// Verdicts that said whether the text is approved.
    pub verdicts: u64,
    /// Verdicts that approved.
    pub approved: u64,
    /// `approved / verdicts`, or the default.
    pub approval_rate: f64,
    /// 95% Wilson interval of the approval rate; null without verdicts.
    #[schema(required = true)]
    pub approval_interval: Option<[f64; 2]>,
    /// Verdicts with a score.
    pub scored: u64,
    /// Mean human score, 0 to 10, or the default.
    pub mean_human_score: f64,
    /// Median human score; null without scores.
    #[schema(required = true)]
    pub median_human_score: Option<f64>,
    /// Mean human score by ISO week (its Monday), oldest first.
    pub weekly: Vec<WeeklyScore>,
    /// How the reviewer's score compares with people's.
    pub reviewer: ReviewerStats,
}

impl LearningStats {
    /// With fewer verdicts than this, the figures are the defaults.
    pub const MIN_VERDICTS: u64 = 5;
    /// The approval rate assumed without data.
    pub const DEFAULT_APPROVAL_RATE: f64 = 0.5;
    /// The human score assumed without data.
    pub const DEFAULT_HUMAN_SCORE: f64 = 7.0;
}

/// One week's mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WeeklyScore {
    /// The week's Monday.
    pub week: NaiveDate,
    /// Verdicts of that week with a score.
    pub scored: u64,
    /// Their mean, 0 to 10.
    pub mean_human_score: f64,
}

/// How well the automatic review predicts people's scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReviewerStats {
    /// Generations with both scores.
    pub compared: u64,
    /// Mean of (reviewer's score − human score); null if nothing was compared.
    #[schema(required = true)]
    pub bias: Option<f64>,
    /// Mean absolute error; null if nothing was compared.
    #[schema(required = true)]
    pub mae: Option<f64>,
    /// Pearson's correlation; null below 3 pairs or without variance.
    #[schema(required = true)]
    pub correlation: Option<f64>,
}
