//! `POST /api/feedback`: a human's verdict on a text.

use axum::Extension;
use axum::extract::State;
use copydesk_common::clock;
use copydesk_common::store;
use copydesk_common::store::feedback::Subject;
use copydesk_common::store::job::Submission;
use copydesk_domain::business::BusinessId;
use copydesk_domain::feedback::Verdict;
use copydesk_domain::id::{FeedbackId, GenerationId, JobId};
use copydesk_domain::job::{NewJob, Priority};
use copydesk_domain::trace::TraceParent;
use copydesk_domain::work::Work;
use garde::Validate;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::accepted::{Accepted, DEFAULT_DEADLINE_SECONDS, MAX_ATTEMPTS, accept, deadline};
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::{IdempotencyHeader, Keyed, RequestBody};
use crate::refusal::{NothingToJudge, UnknownGeneration};
use crate::representation::JobBody;
use crate::state::Services;
use crate::validate::{self, chars, number};

/// Give a human's verdict on a text.
///
/// A second verdict on the same generation replaces the first.
#[utoipa::path(
    post,
    path = "/api/feedback",
    operation_id = "give_feedback",
    tag = "Jobs",
    params(IdempotencyHeader),
    request_body = FeedbackBody,
    responses(
        (
            status = 202,
            description = "The verdict was accepted and is applied by a job.",
            body = JobBody,
            headers(
                ("Location" = String, description = "The job's path."),
                ("Retry-After" = u16, description = "Seconds after which to look first."),
            ),
        ),
        UnknownGeneration,
        NothingToJudge,
    )
)]
pub async fn feedback(
    State(services): State<Services>,
    caller: Caller,
    Extension(trace): Extension<TraceParent>,
    Keyed { key, body }: Keyed<FeedbackBody>,
) -> Result<Accepted<JobBody>, ApiError> {
    caller.check(&body.business_id)?;
    body.says_something()?;
    let subject = store::feedback::subject(&services.store, &body.business_id, body.generation_id);
    match services.within(subject).await? {
        Subject::Finished => accept(&services, Submission { job: body.into_job(trace), key }).await,
        Subject::Unfinished => {
            Err(ApiError::Conflict("the generation has no text to judge: its job has not ended with one".to_owned()))
        }
        Subject::Unknown => Err(ApiError::NotFound("generation")),
    }
}

/// A human's verdict. At least one of `human_approved`, `human_score` and `human_feedback` is
/// required.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FeedbackRequest, example = <FeedbackBody as RequestBody>::example)]
pub struct FeedbackBody {
    /// The generation that it is about.
    #[garde(skip)]
    generation_id: GenerationId,
    /// The business whose generation it is.
    #[garde(skip)]
    business_id: BusinessId,
    /// Whether the human would publish the text.
    #[garde(skip)]
    human_approved: Option<bool>,
    /// 0 to 10.
    #[garde(inner(custom(number(0.0..=10.0))))]
    #[schema(minimum = 0, maximum = 10)]
    human_score: Option<f64>,
    /// What the human says.
    #[garde(inner(custom(chars(0..=10_000))))]
    #[serde(default, deserialize_with = "validate::trimmed_option")]
    #[schema(max_length = 10_000)]
    human_feedback: Option<String>,
}

impl RequestBody for FeedbackBody {
    fn example() -> Value {
        json!({
            "generation_id": "01938c5e-7a00-7000-8000-000000000002",
            "business_id": "company_123",
            "human_approved": true,
            "human_score": 9.5,
            "human_feedback": "Excellent tone and structure",
        })
    }
}

impl FeedbackBody {
    fn says_something(&self) -> Result<(), ApiError> {
        if self.human_approved.is_none() && self.human_score.is_none() && self.human_feedback.is_none() {
            return Err(ApiError::invalid("", "must have human_approved, human_score or human_feedback"));
        }
        Ok(())
    }

    fn into_job(self, trace: TraceParent) -> NewJob {
        let work = Work::Feedback(Verdict {
            feedback_id: FeedbackId::new(),
            generation_id: self.generation_id,
            human_approved: self.human_approved,
            human_score: self.human_score,
            human_feedback: self.human_feedback,
        });
        let created_at = clock::now();
        NewJob {
            id: JobId::new(),
            kind: work.kind(),
            business_id: self.business_id,
            generation_id: Some(self.generation_id),
            priority: Priority::Interactive,
            payload: work.payload(),
            metadata: json!({}),
            max_attempts: MAX_ATTEMPTS,
            created_at,
            run_at: None,
            deadline_at: Some(deadline(created_at, None, DEFAULT_DEADLINE_SECONDS)),
            trace,
        }
    }
}
