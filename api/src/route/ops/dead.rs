//! `/api/ops/dead`: dead letters, with the error and the stage that failed. They can be retried or
//! discarded, one by one or by a filter.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use copydesk_common::store::job::count::DeadGroup;
use copydesk_common::store::job::list::DeadFilter;
use copydesk_common::store::{self, Store};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, JobStatus};
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::accepted::{Accepted, JobReopened};
use crate::audit::{Audit, Change};
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::{Body, Id, Parameters, RequestBody};
use crate::page;
use crate::refusal::NoDeadLetter;
use crate::representation::{JobBody, JobPage};
use crate::route::job::{read, reopened};
use crate::state::Services;
use crate::validate::{chars, number};

/// The most causes that are told apart.
const MAX_GROUPS: u16 = 100;
/// The most dead letters in one bulk call.
const MAX_BULK: i64 = 1_000;

/// Dead letters, newest first.
///
/// Jobs of every business that failed and were not discarded. `error` says why, `progress.stage`
/// where.
///
/// With a filter, a page reads at most 2,000 dead letters (with a business: of each kind, including
/// discarded ones). It can then be short or empty although more follow: the list ends when
/// `next_cursor` is null.
#[utoipa::path(
    get,
    path = "/api/ops/dead",
    operation_id = "list_dead",
    tag = "Operators",
    params(DeadQuery),
    responses((status = 200, description = "A page of dead letters.", body = JobPage))
)]
pub async fn list(
    State(services): State<Services>,
    caller: Caller,
    Parameters(query): Parameters<DeadQuery>,
) -> Result<Json<JobPage>, ApiError> {
    caller.check_within(query.business_id.as_ref())?;
    let (limit, cursor) = (page::limit(query.limit), query.cursor);
    let filter = DeadFilter {
        id: None,
        kind: query.kind,
        business_id: query.business_id,
        error_type: query.error_type,
        stage: query.stage,
    };
    let found = store::job::list::dead(&services.store, &filter, cursor, limit);
    Ok(Json(JobPage::of(services.within(found).await?)))
}

/// Dead letters by their cause.
///
/// The largest group first, at most 100 of them; `count` is of all.
#[utoipa::path(
    get,
    path = "/api/ops/dead/count",
    operation_id = "count_dead",
    tag = "Operators",
    params(DeadCountQuery),
    responses((status = 200, description = "How many there are, and of what.", body = DeadCount))
)]
pub async fn count(
    State(services): State<Services>,
    caller: Caller,
    Parameters(query): Parameters<DeadCountQuery>,
) -> Result<Json<DeadCount>, ApiError> {
    caller.check_within(query.business_id.as_ref())?;
    let DeadCountQuery { kind, business_id, error_type, stage } = query;
    let filter = DeadFilter { id: None, kind, business_id, error_type, stage };
    let (count, groups) = services.within(store::job::count::dead(&services.store, &filter, MAX_GROUPS)).await?;
    Ok(Json(DeadCount { count, groups: groups.into_iter().map(DeadCause::from).collect() }))
}

/// Retry a dead letter.
///
/// Like `POST /api/jobs/{id}/retry`.
#[utoipa::path(
    post,
    path = "/api/ops/dead/{id}/retry",
    operation_id = "retry_dead",
    tag = "Operators",
    params(("id" = JobId, Path, description = "The job.")),
    responses(JobReopened, NoDeadLetter)
)]
pub async fn retry(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    Id(id): Id<JobId>,
) -> Result<Accepted<JobBody>, ApiError> {
    let business_id = read(&services, &caller, id).await?.business_id;
    let change = audit.change("dead.retry", format!("jobs/{id}")).of(Some(&business_id)).store();
    let filter = DeadFilter { id: Some(id), ..DeadFilter::default() };
    let opened = services.within(store::job::intervene::retry_dead(&change, &filter, 1)).await?;
    if opened.is_empty() {
        return Err(no_dead_letter(&read(&services, &caller, id).await?));
    }
    reopened(&services, &opened).await;
    Ok(Accepted::of_job(read(&services, &caller, id).await?))
}

/// Discard a dead letter.
///
/// The job stays failed, and can still be retried by its client.
#[utoipa::path(
    post,
    path = "/api/ops/dead/{id}/discard",
    operation_id = "discard_dead",
    tag = "Operators",
    params(("id" = JobId, Path, description = "The job.")),
    responses(
        (status = 204, description = "The job is no longer a dead letter."),
        NoDeadLetter,
    )
)]
pub async fn discard(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    Id(id): Id<JobId>,
) -> Result<StatusCode, ApiError> {
    let business_id = read(&services, &caller, id).await?.business_id;
    let change = audit.change("dead.discard", format!("jobs/{id}")).of(Some(&business_id)).store();
    let filter = DeadFilter { id: Some(id), ..DeadFilter::default() };
    match services.within(store::job::intervene::discard_dead(&change, &filter, 1)).await? {
        0 => Err(no_dead_letter(&read(&services, &caller, id).await?)),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

fn no_dead_letter(job: &JobBody) -> ApiError {
    ApiError::Conflict(match job.status {
        JobStatus::Failed => "the job was discarded: its client can still retry it".to_owned(),
        status => format!("only failed jobs are dead letters: this one is {status}"),
    })
}

/// Retry many dead letters.
///
/// The oldest first, up to `limit` in one call: `more` says whether to call again.
#[utoipa::path(
    post,
    path = "/api/ops/dead/retry",
    operation_id = "retry_many_dead",
    tag = "Operators",
    request_body = BulkBody,
    responses((status = 200, description = "The jobs are open again.", body = BulkAnswer))
)]
pub async fn retry_many(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    Body(body): Body<BulkBody>,
) -> Result<Json<BulkAnswer>, ApiError> {
    caller.check_within(body.business_id.as_ref())?;
    let (filter, limit) = body.into_filter();
    let change = bulk(audit.change("dead.retry_many", "dead"), &filter);
    let opened = services.within(store::job::intervene::retry_dead(&change, &filter, limit)).await?;
    reopened(&services, &opened).await;
    tracing::info!(jobs = opened.len(), "an operator retried dead letters");
    Ok(Json(BulkAnswer::of(opened.len(), limit)))
}

/// Discard many dead letters.
///
/// The oldest first, up to `limit` in one call: `more` says whether to call again.
#[utoipa::path(
    post,
    path = "/api/ops/dead/discard",
    operation_id = "discard_many_dead",
    tag = "Operators",
    request_body = BulkBody,
    responses((status = 200, description = "The jobs are no longer dead letters.", body = BulkAnswer))
)]
pub async fn discard_many(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    Body(body): Body<BulkBody>,
) -> Result<Json<BulkAnswer>, ApiError> {
    caller.check_within(body.business_id.as_ref())?;
    let (filter, limit) = body.into_filter();
    let change = bulk(audit.change("dead.discard_many", "dead"), &filter);
    let discarded = services.within(store::job::intervene::discard_dead(&change, &filter, limit)).await?;
    tracing::info!(jobs = discarded, "an operator discarded dead letters");
    Ok(Json(BulkAnswer::of(discarded, limit)))
}

/// The change of all that match a filter.
fn bulk(change: Change<'_>, filter: &DeadFilter) -> Store {
    let asked = json!({ "kind": filter.kind, "error_type": filter.error_type, "stage": filter.stage });
    change.of(filter.business_id.as_ref()).after(asked).store()
}

/// Filters of dead letters, and the page.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeadQuery {
    /// Those of this kind only.
    #[garde(skip)]
    kind: Option<JobKind>,
    /// Those of this business only.
    #[garde(skip)]
    business_id: Option<BusinessId>,
    /// Those only whose error is of this `type`.
    #[garde(inner(custom(chars(1..=200))))]
    #[param(min_length = 1, max_length = 200, example = "/problems/attempts-exhausted")]
    error_type: Option<String>,
    /// Those only that failed in this stage.
    #[garde(inner(custom(chars(1..=50))))]
    #[param(min_length = 1, max_length = 50, example = "draft")]
    stage: Option<String>,
    /// Jobs on a page.
    #[garde(inner(custom(number(1..=200))))]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[garde(skip)]
    cursor: Option<JobId>,
}

/// Filters of dead letters that are counted.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeadCountQuery {
    /// Those of this kind only.
    #[garde(skip)]
    kind: Option<JobKind>,
    /// Those of this business only.
    #[garde(skip)]
    business_id: Option<BusinessId>,
    /// Those only whose error is of this `type`.
    #[garde(inner(custom(chars(1..=200))))]
    #[param(min_length = 1, max_length = 200, example = "/problems/attempts-exhausted")]
    error_type: Option<String>,
    /// Those only that failed in this stage.
    #[garde(inner(custom(chars(1..=50))))]
    #[param(min_length = 1, max_length = 50, example = "draft")]
    stage: Option<String>,
}

/// Dead letters, counted.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeadCount {
    /// How many there are.
    count: i64,
    /// By their cause, the largest first.
    groups: Vec<DeadCause>,
}

/// Dead letters with the same cause.
#[derive(Debug, Serialize, ToSchema)]
struct DeadCause {
    /// The `type` of their error.
    #[schema(example = "/problems/attempts-exhausted")]
    error_type: String,
    /// The stage that failed; empty before the first one.
    #[schema(example = "draft")]
    stage: String,
    /// Their kind.
    kind: JobKind,
    /// The provider that they last waited for; null if they waited for none.
    #[schema(required = true)]
    provider: Option<String>,
    /// How many.
    count: i64,
    /// When the last of them failed.
    newest_at: DateTime<Utc>,
}

impl From<DeadGroup> for DeadCause {
    fn from(group: DeadGroup) -> Self {
        let DeadGroup { error_type, stage, kind, provider, jobs, newest_at } = group;
        Self { error_type, stage, kind, provider, count: jobs, newest_at }
    }
}

/// Filters of dead letters. Without any, all of them.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeadLettersRequest, example = <BulkBody as RequestBody>::example)]
pub struct BulkBody {
    /// Those of this kind only.
    #[garde(skip)]
    kind: Option<JobKind>,
    /// Those of this business only.
    #[garde(skip)]
    business_id: Option<BusinessId>,
    /// Those only whose error is of this `type`.
    #[garde(inner(custom(chars(1..=200))))]
    #[schema(min_length = 1, max_length = 200)]
    error_type: Option<String>,
    /// Those only that failed in this stage.
    #[garde(inner(custom(chars(1..=50))))]
    #[schema(min_length = 1, max_length = 50)]
    stage: Option<String>,
    /// The most jobs.
    #[garde(inner(custom(number(1..=MAX_BULK))))]
    #[schema(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<i64>,
}

impl RequestBody for BulkBody {
    fn example() -> Value {
        json!({ "kind": "generate", "error_type": "/problems/attempts-exhausted" })
    }
}

impl BulkBody {
    fn into_filter(self) -> (DeadFilter, u16) {
        let limit = u16::try_from(self.limit.unwrap_or(MAX_BULK)).unwrap_or(u16::MAX);
        let filter = DeadFilter {
            id: None,
            kind: self.kind,
            business_id: self.business_id,
            error_type: self.error_type,
            stage: self.stage,
        };
        (filter, limit)
    }
}

/// The result of a bulk call.
#[derive(Debug, Serialize, ToSchema)]
pub struct BulkAnswer {
    /// The number of changed jobs.
    jobs: usize,
    /// Whether there may be more of them.
    more: bool,
}

impl BulkAnswer {
    pub(super) fn of(jobs: usize, limit: u16) -> Self {
        Self { jobs, more: jobs >= usize::from(limit) }
    }
}
