//! `/api/jobs`: the state of jobs, now or as soon as they have ended; cancelling and retrying them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use copydesk_common::store::StoreError;
use copydesk_common::store::job::find::{Wanted, wanted};
use copydesk_common::store::job::list::{Filter, Page, running_among};
use copydesk_common::store::job::{OpenJob, count, intervene};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, JobStatus};
use futures_util::future::{join_all, try_join_all};
use garde::Validate;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout};
use utoipa::{IntoParams, ToSchema};

use crate::accepted::{Accepted, JobReopened};
use crate::audit::Audit;
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::{Id, Parameters};
use crate::read::Standing;
use crate::refusal::{JobEnded, JobNotFailed};
use crate::representation::{JobBody, JobPage};
use crate::state::Services;
use crate::validate::{chars, number};
use crate::{announce, entity_tag, outlook, page};

/// A waiting request reads again after about this long, because a hint can be lost.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long a request waits until its hints are sent.
const HINT_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a page of running jobs waits for the list of leases.
const LEASES_TIMEOUT: Duration = Duration::from_millis(250);
/// The most leased jobs of a kind that a page of running jobs looks up one by one.
const MAX_LEASED: u16 = 2_000;

/// The state of a job.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}",
    operation_id = "get_job",
    tag = "Jobs",
    params(
        ("id" = JobId, Path, description = "The job."),
        WaitQuery,
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer."),
    ),
    responses(
        (
            status = 200,
            description = "The job.",
            body = JobBody,
            headers(("ETag" = String, description = "Changes with the answer.")),
        ),
        (
            status = 304,
            description = "Nothing has changed since the answer with the given `ETag`.",
            headers(("ETag" = String, description = "The same as that of the earlier answer.")),
        ),
    )
)]
pub async fn get(
    State(services): State<Services>,
    caller: Caller,
    Id(id): Id<JobId>,
    Parameters(query): Parameters<WaitQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let wait = Duration::from_secs(query.wait.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0));
    let job =
        if wait.is_zero() { look(&services, &caller, id).await? } else { ended(&services, &caller, id, wait).await? };
    if let Some(outlook) = outlook::of(&services, &job.body).await {
        return Ok(entity_tag::respond(&headers, &job.body.clone().expecting(outlook))?);
    }
    let shown = job.shown()?;
    Ok(shown.respond(&headers))
}

/// How long to wait.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// Answer when the job has ended, or after this many seconds.
    #[garde(inner(custom(number(0..=60))))]
    #[param(minimum = 0, maximum = 60, default = 0)]
    wait: Option<i64>,
}

/// Waits until the job has ended, and returns its state. Also returns when the time is over or this
/// process shuts down; fails if the caller's key ends. Holds no database connection while it waits; dropping it frees everything.
async fn ended(services: &Services, caller: &Caller, id: JobId, wait: Duration) -> Result<Arc<Standing>, ApiError> {
    let deadline = Instant::now() + wait;
    // Subscribes before the first read, so that no later change is missed.
    let mut hints = services.listener.subscribe(id);
    loop {
        let job = look(services, caller, id).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        if job.body.status.is_final() || left.is_zero() || services.closing.is_cancelled() {
            return Ok(job);
        }
        tokio::select! {
            () = hints.changed() => {}
            () = sleep(left.min(look_again())) => {}
            () = services.closing.cancelled() => {}
            () = caller.ended() => return Err(caller.no_longer()),
        }
    }
}

/// How long a waiting request waits for a hint before it reads again. Jittered, so that many
/// requests do not read at once.
pub(super) fn look_again() -> Duration {
    LOOK_AGAIN.mul_f64(0.8 + 0.4 * rand::random::<f64>())
}

/// The current state of a job that the caller reaches, with its representation.
pub(super) async fn look(services: &Services, caller: &Caller, id: JobId) -> Result<Arc<Standing>, ApiError> {
    let job = services.within(services.reader.read(id)).await?;
    caller.only(job, |job| &job.body.business_id, "job")
}

/// The current state of a job that the caller reaches.
pub async fn read(services: &Services, caller: &Caller, id: JobId) -> Result<JobBody, ApiError> {
    look(services, caller, id).await.map(|job| job.body.clone())
}

/// A business's jobs, newest first.
///
/// A page of open jobs with one `status` reads at most 2,000 open jobs of each kind. If a business
/// has more, the page can be short or empty although more follow: the list ends when `next_cursor`
/// is null. Older running jobs are found too if a worker holds them at that moment.
#[utoipa::path(
    get,
    path = "/api/jobs",
    operation_id = "list_jobs",
    tag = "Jobs",
    params(JobsQuery),
    responses((status = 200, description = "A page of jobs.", body = JobPage))
)]
pub async fn list(
    State(services): State<Services>,
    caller: Caller,
    Parameters(query): Parameters<JobsQuery>,
) -> Result<Json<JobPage>, ApiError> {
    caller.check_within(query.business_id.as_ref())?;
    let limit = page::limit(query.limit);
    let which = Wanted {
        business_id: query.business_id.clone(),
        filter: Filter { status: query.status, kind: query.kind },
        words: query.q.clone(),
    };
    let mut page = services.within(wanted(&services.store, &which, query.cursor, limit)).await?;
    if page.is_short && query.status == Some(JobStatus::Running) && query.q.is_none() {
        services.within(complete(&services, &query, &mut page, limit)).await?;
    }
    Ok(Json(JobPage::of(page)))
}

/// Completes a page of running jobs that did not read all open jobs: among the older ones, the
/// leased jobs are those that run. If Redis is unavailable, or there are too many leases, the next
/// page continues the search.
async fn complete(services: &Services, query: &JobsQuery, page: &mut Page, limit: u16) -> Result<(), StoreError> {
    let queues = services.queues.iter().filter(|queue| query.kind.is_none_or(|kind| kind == queue.kind()));
    let leased = try_join_all(queues.map(|queue| queue.leased(MAX_LEASED)));
    let Ok(Ok(leased)) = timeout(LEASES_TIMEOUT, leased).await else { return Ok(()) };
    let Some(leased) = leased.into_iter().collect::<Option<Vec<_>>>() else { return Ok(()) };
    let room = limit.saturating_sub(u16::try_from(page.jobs.len()).unwrap_or(u16::MAX));
    let further = running_among(&services.store, query.business_id.as_ref(), &leased.concat(), page.next, room).await?;
    // If there are none, for example after a flush of Redis, the next page continues the search.
    if !further.jobs.is_empty() {
        page.jobs.extend(further.jobs);
        page.next = further.next;
    }
    Ok(())
}

/// Count jobs.
///
/// Counts to 10,000. `is_capped` says that there may be more.
#[utoipa::path(
    get,
    path = "/api/jobs/count",
    operation_id = "count_jobs",
    tag = "Jobs",
    params(CountQuery),
    responses((status = 200, description = "How many there are.", body = JobCount))
)]
pub async fn count(
    State(services): State<Services>,
    caller: Caller,
    Parameters(query): Parameters<CountQuery>,
) -> Result<Json<JobCount>, ApiError> {
    caller.check_within(query.business_id.as_ref())?;
    let filter = Filter { status: query.status, kind: query.kind };
    let which = Wanted { business_id: query.business_id, filter, words: query.q };
    let count::Count { jobs, is_capped } = services.within(count::wanted(&services.store, &which)).await?;
    Ok(Json(JobCount { count: jobs, is_capped }))
}

/// Which jobs are counted.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CountQuery {
    /// The business; without it, all businesses, for a key that reaches all.
    #[garde(skip)]
    business_id: Option<BusinessId>,
    /// Only jobs with this status.
    #[garde(skip)]
    status: Option<JobStatus>,
    /// Only jobs of this kind.
    #[garde(skip)]
    kind: Option<JobKind>,
    /// Only jobs found by this, as in `GET /api/jobs`.
    #[garde(inner(custom(chars(2..=200))))]
    #[param(min_length = 2, max_length = 200, example = "spring campaign")]
    q: Option<String>,
}

/// A number of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobCount {
    /// How many there are; at most 10,000.
    #[schema(minimum = 0, maximum = 10_000)]
    count: i64,
    /// Whether there may be more.
    is_capped: bool,
}

/// The business, filters and the page.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct JobsQuery {
    /// The business; without it, all businesses, for a key that reaches all.
    #[garde(skip)]
    business_id: Option<BusinessId>,
    /// The id of a job or of a text, the last eight characters of a job's id, or words of the request: of its topic, any
    /// other value, or `metadata`. All words must be there; the last may go on. An id finds what it names, else who speaks
    /// of it. A job is found some seconds after it was accepted.
    #[garde(inner(custom(chars(2..=200))))]
    #[param(min_length = 2, max_length = 200, example = "spring campaign")]
    q: Option<String>,
    /// Only jobs with this status.
    #[garde(skip)]
    status: Option<JobStatus>,
    /// Only jobs of this kind.
    #[garde(skip)]
    kind: Option<JobKind>,
    /// Jobs on a page.
    #[garde(inner(custom(number(1..=200))))]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[garde(skip)]
    cursor: Option<JobId>,
}

/// Cancel a job.
///
/// It ends at once, whether it is queued, waiting or running. A worker that runs it drops its call
/// within a second, and its later writes are refused.
#[utoipa::path(
    post,
    path = "/api/jobs/{id}/cancel",
    operation_id = "cancel_job",
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job.")),
    responses(
        (status = 200, description = "The job is cancelled.", body = JobBody),
        JobEnded,
    )
)]
pub async fn cancel(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    Id(id): Id<JobId>,
) -> Result<Json<JobBody>, ApiError> {
    let business_id = &look(&services, &caller, id).await?.body.business_id;
    let change = audit.change("jobs.cancel", format!("jobs/{id}")).of(Some(business_id)).store();
    let cancelled = services.within(intervene::cancel(&change, business_id, id)).await?;
    let job = read(&services, &caller, id).await?;
    if !cancelled {
        return Err(ApiError::Conflict(format!("the job has ended: it is {}", job.status)));
    }
    // Without Redis, the worker learns it from its next write.
    let _ = timeout(HINT_TIMEOUT, services.notifier.cancelled(id)).await;
    Ok(Json(job))
}

/// Retry a failed job.
///
/// It resumes after its last finished stage, with a full retry budget and as much time as at first.
#[utoipa::path(
    post,
    path = "/api/jobs/{id}/retry",
    operation_id = "retry_job",
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job.")),
    responses(JobReopened, JobNotFailed)
)]
pub async fn retry(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    Id(id): Id<JobId>,
) -> Result<Accepted<JobBody>, ApiError> {
    let business_id = &look(&services, &caller, id).await?.body.business_id;
    let change = audit.change("jobs.retry", format!("jobs/{id}")).of(Some(business_id)).store();
    let opened = services.within(intervene::retry(&change, business_id, id)).await?;
    let job = read(&services, &caller, id).await?;
    let Some(opened) = opened else {
        return Err(ApiError::Conflict(format!("only failed jobs can be retried: this one is {}", job.status)));
    };
    reopened(&services, &[opened]).await;
    Ok(Accepted::of_job(job))
}

/// Announces reopened jobs to the workers and to their followers.
pub async fn reopened(services: &Services, jobs: &[OpenJob]) {
    services.announcer.announce(jobs.iter().map(announce::of_open).collect());
    let hints = join_all(jobs.iter().map(|job| services.notifier.publish(job.id)));
    let _ = timeout(HINT_TIMEOUT, hints).await;
}
