//! `POST /api/generate`: requests a text.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use copydesk_common::clock;
use copydesk_common::store::job::Submission;
use copydesk_domain::business::BusinessId;
use copydesk_domain::format::Format;
use copydesk_domain::generation::GenerateRequest;
use copydesk_domain::id::{GenerationId, JobId};
use copydesk_domain::job::{NewJob, Priority};
use copydesk_domain::trace::TraceParent;
use copydesk_domain::work::Work;
use garde::Validate;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::accepted::{Accepted, DEFAULT_DEADLINE_SECONDS, JobAccepted, MAX_ATTEMPTS, accept, deadline};
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::{IdempotencyHeader, Keyed, RequestBody};
use crate::representation::JobBody;
use crate::state::Services;
use crate::validate::{self, chars, json_bytes, number};

/// How far ahead a job can be scheduled, in days.
const MAX_SCHEDULE_DAYS: i64 = 30;

/// Request a text.
///
/// The job is stored before the answer: no crash loses it. Follow `Location` until the job ends;
/// `?wait=` there saves polling.
#[utoipa::path(
    post,
    path = "/api/generate",
    operation_id = "generate",
    tag = "Jobs",
    params(IdempotencyHeader),
    request_body = GenerateBody,
    responses(JobAccepted)
)]
pub async fn generate(
    State(services): State<Services>,
    caller: Caller,
    Extension(trace): Extension<TraceParent>,
    Keyed { key, body }: Keyed<GenerateBody>,
) -> Result<Accepted<JobBody>, ApiError> {
    caller.check(&body.business_id)?;
    accept(&services, Submission { job: body.into_job(trace), key }).await
}

/// What is to be written, for whom and how.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = GenerateRequest, example = <GenerateBody as RequestBody>::example)]
pub struct GenerateBody {
    /// The business.
    #[garde(skip)]
    business_id: BusinessId,
    /// What it is about, in 1 to 500 characters without white space around them.
    #[garde(custom(chars(1..=500)))]
    #[serde(deserialize_with = "validate::trimmed")]
    #[schema(min_length = 1, max_length = 500, example = "AI in Healthcare")]
    topic: String,
    /// The kind of text, by name or slug, in any case: Blog Article (`blog`), LinkedIn Post
    /// (`linkedin`), Social Thread (`thread`), Newsletter (`newsletter`), Email (`email`), Product
    /// Description (`product`), Ad Copy (`ad`), Press Release (`press_release`), Landing Page
    /// (`landing_page`), Case Study (`case_study`), FAQ (`faq`) or Video Script (`video_script`).
    /// `blog` if it is missing.
    #[garde(skip)]
    #[schema(value_type = Option<String>, default = "blog", example = "Blog Article")]
    format: Option<Format>,
    /// Its voice; the business's own if it is missing.
    #[garde(inner(custom(chars(0..=1000))))]
    #[serde(default, deserialize_with = "validate::trimmed_option")]
    #[schema(max_length = 1000, example = "professional")]
    voice: Option<String>,
    /// Its audience; the business's own if it is missing.
    #[garde(inner(custom(chars(0..=1000))))]
    #[serde(default, deserialize_with = "validate::trimmed_option")]
    #[schema(max_length = 1000)]
    audience: Option<String>,
    /// Words that it should contain: at most 20, of 1 to 100 characters each.
    #[garde(inner(custom(chars(1..=100))))]
    #[serde(default, deserialize_with = "validate::trimmed_items::<_, 20>")]
    #[schema(value_type = Option<Vec<String>>, max_items = 20)]
    keywords: Vec<String>,
    /// BCP 47 tag of the language; the business's own if it is missing.
    #[garde(inner(custom(validate::language)))]
    #[serde(default, deserialize_with = "validate::trimmed_option")]
    #[schema(max_length = 35, pattern = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", example = "en")]
    language: Option<String>,
    /// Its length in words; the format's default if it is missing.
    #[garde(inner(custom(number(20..=5000))))]
    #[schema(minimum = 20, maximum = 5000)]
    length_words: Option<i64>,
    /// Further instructions.
    #[garde(inner(custom(chars(0..=5000))))]
    #[serde(default, deserialize_with = "validate::trimmed_option")]
    #[schema(max_length = 5000)]
    instructions: Option<String>,
    /// `interactive` jobs start first, `bulk` jobs are never starved. `interactive` if it is
    /// missing.
    #[garde(skip)]
    priority: Option<Priority>,
    /// The earliest start, at most 30 days ahead. A time in the past means now.
    #[garde(inner(custom(soon)))]
    run_at: Option<DateTime<Utc>>,
    /// The deadline, in seconds from its acceptance or its `run_at`: the job fails if it has not
    /// ended by then. A day if it is missing.
    #[garde(inner(custom(number(1..=604_800))))]
    #[schema(minimum = 1, maximum = 604_800, default = 86_400)]
    deadline_seconds: Option<i64>,
    /// Rounds of edits at most; 0 for none: then no editor reads the text, and it has no score.
    #[garde(inner(custom(number(0..=5))))]
    #[schema(minimum = 0, maximum = 5, default = 2)]
    max_rounds: Option<i64>,
    /// The editor's score from which on a text is good.
    #[garde(inner(custom(number(0.0..=10.0))))]
    #[schema(minimum = 0, maximum = 10, default = 7.5)]
    min_score: Option<f64>,
    /// Whether a text composed by template may take the place of one that no model wrote before the deadline or in
    /// the last attempt. Where it may not, the job fails, and its `error` says why no model wrote it.
    #[garde(skip)]
    #[schema(default = true)]
    allow_fallback: Option<bool>,
    /// Your own data, echoed back with the job: an object of at most 2,048 bytes as JSON.
    #[garde(inner(custom(json_bytes(2048))))]
    #[serde(default, deserialize_with = "validate::object")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<BTreeMap<String, Value>>,
}

impl RequestBody for GenerateBody {
    fn example() -> Value {
        json!({
            "business_id": "company_123",
            "topic": "AI in Healthcare",
            "format": "Blog Article",
            "voice": "professional",
        })
    }
}

impl GenerateBody {
    /// For whom it is.
    pub const fn business_id(&self) -> &BusinessId {
        &self.business_id
    }

    /// The job for this request.
    pub fn into_job(self, trace: TraceParent) -> NewJob {
        let created_at = clock::now();
        let deadline_seconds = self.deadline_seconds.unwrap_or(DEFAULT_DEADLINE_SECONDS);
        let work = Work::Generate(GenerateRequest {
            replay: None,
            topic: self.topic,
            format: self.format.unwrap_or(Format::Blog),
            voice: self.voice,
            audience: self.audience,
            keywords: self.keywords,
            language: self.language,
            length_words: self.length_words.and_then(|words| u16::try_from(words).ok()),
            instructions: self.instructions,
            max_rounds: self
                .max_rounds
                .and_then(|rounds| u8::try_from(rounds).ok())
                .unwrap_or(GenerateRequest::DEFAULT_MAX_ROUNDS),
            min_score: self.min_score.unwrap_or(GenerateRequest::DEFAULT_MIN_SCORE),
            allow_fallback: self.allow_fallback.unwrap_or(true),
        });
        NewJob {
            id: JobId::new(),
            kind: work.kind(),
            business_id: self.business_id,
            generation_id: Some(GenerationId::new()),
            priority: self.priority.unwrap_or(Priority::Interactive),
            payload: work.payload(),
            metadata: Value::Object(self.metadata.unwrap_or_default().into_iter().collect()),
            max_attempts: MAX_ATTEMPTS,
            created_at,
            run_at: self.run_at,
            deadline_at: Some(deadline(created_at, self.run_at, deadline_seconds)),
            trace,
        }
    }
}

fn soon(run_at: &DateTime<Utc>, (): &()) -> garde::Result {
    if *run_at <= clock::now() + TimeDelta::days(MAX_SCHEDULE_DAYS) {
        Ok(())
    } else {
        Err(garde::Error::new(format!("must be at most {MAX_SCHEDULE_DAYS} days ahead")))
    }
}
