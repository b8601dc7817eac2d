//! `POST /api/feedback`: a human's verdict on a text. `DELETE`: takes one back.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
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
use crate::audit::Audit;
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::{Id, IdempotencyHeader, Keyed, RequestBody};
use crate::refusal::{NothingToJudge, UnknownGeneration};
use crate::representation::JobBody;
use crate::state::Services;
use crate::validate::{self, chars, number};

/// Give a human's verdict on a text.
///
/// A second verdict on the same generation replaces the first. What it asks for becomes lessons for the next texts: see
/// `GET /api/learning/lessons/{business_id}`. An edited text says more than any comment.
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
        Subject::Replay => {
            Err(ApiError::Conflict("the text was written to tell what a lesson is worth: nobody judges it".to_owned()))
        }
        Subject::Unfinished => {
            Err(ApiError::Conflict("the generation has no text to judge: its job has not ended with one".to_owned()))
        }
        Subject::Unknown => Err(ApiError::NotFound("generation")),
    }
}

/// Take a verdict back.
///
/// What was learned from it is forgotten: lessons and figures are afterwards as if it had never been given. An earlier
/// verdict on the same text holds again. Its text is removed from the job that applied it, too.
#[utoipa::path(
    delete,
    path = "/api/feedback/{id}",
    operation_id = "delete_feedback",
    tag = "Learning",
    params(("id" = FeedbackId, Path, description = "The verdict.")),
    responses((status = 204, description = "The verdict is gone."))
)]
pub async fn delete(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    Id(id): Id<FeedbackId>,
) -> Result<StatusCode, ApiError> {
    let of = services.within(store::feedback::business_of(&services.store, id)).await?;
    let business_id = caller.only(of, |business_id| business_id, "verdict")?;
    let change = audit.change_of("feedback.delete", &business_id, format_args!("/feedback/{id}")).store();
    let deleted = services.within(store::feedback::forget(&change, &business_id, id)).await?;
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NotFound("verdict")) }
}

/// A human's verdict. At least one of `human_approved`, `human_score`, `human_feedback` and `edited_content` is
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
    /// The text as the human published it, in Markdown. What was changed says best what to write the next time.
    #[garde(inner(custom(chars(0..=100_000))))]
    #[serde(default, deserialize_with = "validate::trimmed_option")]
    #[schema(max_length = 100_000)]
    edited_content: Option<String>,
    /// Who judged: any string of yours that names a person, the same each time. A lesson needs two of them where a
    /// business has several.
    #[garde(inner(custom(chars(0..=128))))]
    #[serde(default, deserialize_with = "validate::trimmed_option")]
    #[schema(max_length = 128)]
    rater: Option<String>,
}

impl RequestBody for FeedbackBody {
    fn example() -> Value {
        json!({
            "generation_id": "01938c5e-7a00-7000-8000-000000000002",
            "business_id": "company_123",
            "human_approved": true,
            "human_score": 9.5,
            "human_feedback": "Excellent tone, but too many exclamation marks.",
            "rater": "maria",
        })
    }
}

impl FeedbackBody {
    fn says_something(&self) -> Result<(), ApiError> {
        let is_judged = self.human_approved.is_some() || self.human_score.is_some();
        if !is_judged && self.human_feedback.is_none() && self.edited_content.is_none() {
            let needed = "must have human_approved, human_score, human_feedback or edited_content";
            return Err(ApiError::invalid("", needed));
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
            edited_content: self.edited_content,
            rater: self.rater,
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
