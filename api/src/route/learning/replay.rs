//! `POST /api/learning/lessons/{business_id}/{id}/replay`: tells a lesson's own effect.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use copydesk_common::store;
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::lesson::LessonId;
use copydesk_domain::trace::TraceParent;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::audit::Audit;
use crate::error::ApiError;
use crate::extract::{Body, Business, Id, RequestBody};
use crate::state::Services;
use crate::validate::number;

/// Briefs that are replayed where the request does not say.
const DEFAULT_BRIEFS: u16 = 5;

/// Tell a lesson's own effect.
///
/// Writes the business's last texts of the lesson's kind once more, each with the lesson and without it, as `bulk` jobs:
/// they take what quota others leave. The new texts count in no figure but the lesson's `effect`, and are marked
/// `replay` in `learning.arm`. They are paid for. Texts whose job was removed cannot be written again.
#[utoipa::path(
    post,
    path = "/api/learning/lessons/{business_id}/{id}/replay",
    operation_id = "replay_lesson",
    tag = "Learning",
    params(
        ("business_id" = BusinessId, Path, description = "Your own name for the business."),
        ("id" = LessonId, Path, description = "The lesson."),
    ),
    request_body = ReplayBody,
    responses((status = 202, description = "The jobs, two for each text.", body = ReplayAnswer))
)]
pub async fn replay(
    State(services): State<Services>,
    audit: Audit,
    Business(business_id): Business,
    Extension(trace): Extension<TraceParent>,
    Id(id): Id<LessonId>,
    Body(body): Body<ReplayBody>,
) -> Result<(StatusCode, Json<ReplayAnswer>), ApiError> {
    let lesson = super::lessons::one(&services, &business_id, id).await?.lesson;
    let briefs = body.briefs.unwrap_or(i64::from(DEFAULT_BRIEFS));
    let change = audit.change_of("lessons.replay", &business_id, format_args!("/lessons/{id}")).store();
    let most = u16::try_from(briefs).unwrap_or(DEFAULT_BRIEFS);
    let jobs = services.within(store::learning::replay::start(&change, &lesson, most, trace)).await?;
    services.announcer.announce_new(jobs.iter());
    let jobs = jobs.into_iter().map(|job| job.id).collect();
    Ok((StatusCode::ACCEPTED, Json(ReplayAnswer { jobs })))
}

/// How much is replayed.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReplayRequest, example = <ReplayBody as RequestBody>::example)]
pub struct ReplayBody {
    /// Texts that are written again, each twice.
    #[garde(inner(custom(number(1..=20))))]
    #[schema(minimum = 1, maximum = 20, default = 5)]
    briefs: Option<i64>,
}

impl RequestBody for ReplayBody {
    fn example() -> Value {
        json!({ "briefs": 5 })
    }
}

/// What was started.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReplayAnswer {
    /// The jobs, two for each text; empty where no text can be written again.
    jobs: Vec<JobId>,
}
