//! `POST /api/ops/jobs/cancel`: cancels many open jobs at once.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use copydesk_common::store::job::find::Wanted;
use copydesk_common::store::job::intervene;
use copydesk_common::store::job::list::Filter;
use copydesk_domain::business::BusinessId;
use copydesk_domain::job::{JobKind, JobStatus};
use futures_util::future::join_all;
use garde::Validate;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use utoipa::ToSchema;

use super::dead::BulkAnswer;
use crate::audit::Audit;
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::{Body, RequestBody};
use crate::state::Services;
use crate::validate::{chars, number};

/// The most jobs in one call.
const MAX_BULK: i64 = 1_000;
/// How long the request waits until the workers are told.
const HINT_TIMEOUT: Duration = Duration::from_secs(2);

/// Cancel many jobs.
///
/// Open jobs that match, the oldest first, up to `limit` in one call: `more` says whether to call again. Without a filter,
/// all open jobs but erasures of businesses.
#[utoipa::path(
    post,
    path = "/api/ops/jobs/cancel",
    operation_id = "cancel_many_jobs",
    tag = "Operators",
    request_body = CancelBody,
    responses((status = 200, description = "The jobs are cancelled.", body = BulkAnswer))
)]
pub async fn cancel_many(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    Body(body): Body<CancelBody>,
) -> Result<Json<BulkAnswer>, ApiError> {
    caller.check_within(body.business_id.as_ref())?;
    let limit = u16::try_from(body.limit.unwrap_or(MAX_BULK)).unwrap_or(u16::MAX);
    // What is searched for are people's words: the log tells that there were some.
    let asked = json!({ "kind": body.kind, "status": body.status, "q": body.q.is_some() });
    let change = audit.change("jobs.cancel_many", "jobs").of(body.business_id.as_ref()).after(asked).store();
    let filter = Filter { status: body.status, kind: body.kind };
    let wanted = Wanted { business_id: body.business_id, filter, words: body.q };
    let cancelled = services.within(intervene::cancel_many(&change, &wanted, limit)).await?;
    // Without Redis, the workers learn it from their next writes.
    let _ = timeout(HINT_TIMEOUT, join_all(cancelled.iter().map(|id| services.notifier.cancelled(*id)))).await;
    tracing::info!(jobs = cancelled.len(), "an operator cancelled jobs");
    Ok(Json(BulkAnswer::of(cancelled.len(), limit)))
}

/// Which open jobs. Without any filter, all of them.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CancelJobsRequest, example = <CancelBody as RequestBody>::example)]
pub struct CancelBody {
    /// Those of this business only.
    #[garde(skip)]
    business_id: Option<BusinessId>,
    /// Those of this kind only. Erasures of businesses are cancelled only if this names them.
    #[garde(skip)]
    kind: Option<JobKind>,
    /// Those with this status only. Jobs that have ended are never changed.
    #[garde(skip)]
    status: Option<JobStatus>,
    /// Those only that are found by this, as in `GET /api/jobs`.
    #[garde(inner(custom(chars(2..=200))))]
    #[schema(min_length = 2, max_length = 200)]
    q: Option<String>,
    /// The most jobs.
    #[garde(inner(custom(number(1..=MAX_BULK))))]
    #[schema(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<i64>,
}

impl RequestBody for CancelBody {
    fn example() -> Value {
        json!({ "kind": "generate", "status": "waiting" })
    }
}
