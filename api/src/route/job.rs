//! `/api/jobs`: where jobs stand, now or as soon as they have ended; and how they are stopped and
//! tried again.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use copydesk_common::store::StoreError;
use copydesk_common::store::job::list::{Filter, Page, of_business, running_among};
use copydesk_common::store::job::{OpenJob, intervene};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, JobStatus};
use futures_util::future::{join_all, try_join_all};
use garde::Validate;
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};
use utoipa::IntoParams;

use crate::accepted::{Accepted, JobReopened};
use crate::error::ApiError;
use crate::extract::{Id, Parameters};
use crate::read::Standing;
use crate::refusal::{JobEnded, JobNotFailed};
use crate::representation::{JobBody, JobPage};
use crate::state::Services;
use crate::validate::number;
use crate::{announce, entity_tag, outlook, page};

/// A hint that a job changed can be lost: who waits looks again after about this long.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long a request waits for its hints to be sent.
const HINT_TIMEOUT: Duration = Duration::from_millis(500);
/// A page of running jobs waits no longer to be told what workers hold.
const LEASES_TIMEOUT: Duration = Duration::from_millis(250);
/// Jobs of a kind in workers' hands, at most, that a page of running jobs looks up one by one.
const MAX_LEASED: u16 = 2_000;

/// Where a job stands.
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
        (status = 304, description = "Nothing has changed since the answer with the given `ETag`."),
    )
)]
pub async fn get(
    State(services): State<Services>,
    Id(id): Id<JobId>,
    Parameters(query): Parameters<WaitQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let wait = Duration::from_secs(query.wait.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0));
    let job = if wait.is_zero() { look(&services, id).await? } else { ended(&services, id, wait).await? };
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
    /// Answer when the job has ended, or after so many seconds.
    #[garde(inner(custom(number(0..=60))))]
    #[param(minimum = 0, maximum = 60, default = 0)]
    wait: Option<i64>,
}

/// The job once it has ended, or as it stands when the time is over or this process is leaving.
/// Holds no connection while it waits; dropping it frees everything.
async fn ended(services: &Services, id: JobId, wait: Duration) -> Result<Arc<Standing>, ApiError> {
    let deadline = Instant::now() + wait;
    // Before the first look: a change after it is heard.
    let mut hints = services.listener.subscribe(id);
    loop {
        let job = look(services, id).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        if job.body.status.is_final() || left.is_zero() || services.closing.is_cancelled() {
            return Ok(job);
        }
        tokio::select! {
            () = hints.changed() => {}
            () = sleep(left.min(look_again())) => {}
            () = services.closing.cancelled() => {}
        }
    }
}

/// How long who waits does so before looking again, without a hint. Spread, so that many who wait do
/// not look at once.
pub(super) fn look_again() -> Duration {
    LOOK_AGAIN.mul_f64(0.8 + 0.4 * rand::random::<f64>())
}

/// The job as it stands, with its representation.
pub(super) async fn look(services: &Services, id: JobId) -> Result<Arc<Standing>, ApiError> {
    services.within(services.reader.read(id)).await?.ok_or(ApiError::NotFound("job"))
}

/// The job as it stands.
pub async fn read(services: &Services, id: JobId) -> Result<JobBody, ApiError> {
    look(services, id).await.map(|job| job.body.clone())
}

/// A business's jobs, newest first.
///
/// A page of open jobs of one `status` looks at 2,000 open jobs of each kind. Where a business has more of
/// them, it can be short, or empty, although more follow: the list ends where `next_cursor` is null. Running
/// jobs are found further back too, there those only that a worker holds at that moment.
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
    Parameters(query): Parameters<JobsQuery>,
) -> Result<Json<JobPage>, ApiError> {
    let limit = page::limit(query.limit);
    let filter = Filter { status: query.status, kind: query.kind };
    let found = of_business(&services.store, &query.business_id, filter, query.cursor, limit);
    let mut page = services.within(found).await?;
    if page.is_short && query.status == Some(JobStatus::Running) {
        services.within(complete(&services, &query, &mut page, limit)).await?;
    }
    Ok(Json(JobPage::of(page)))
}

/// Completes a page of running jobs that could not look at all open ones: further back, those run that
/// are under some worker's lease. Where Redis is away, or there are too many, the next page looks further.
async fn complete(services: &Services, query: &JobsQuery, page: &mut Page, limit: u16) -> Result<(), StoreError> {
    let queues = services.queues.iter().filter(|queue| query.kind.is_none_or(|kind| kind == queue.kind()));
    let leased = try_join_all(queues.map(|queue| queue.leased(MAX_LEASED)));
    let Ok(Ok(leased)) = timeout(LEASES_TIMEOUT, leased).await else { return Ok(()) };
    let Some(leased) = leased.into_iter().collect::<Option<Vec<_>>>() else { return Ok(()) };
    let room = limit.saturating_sub(u16::try_from(page.jobs.len()).unwrap_or(u16::MAX));
    let further = running_among(&services.store, &query.business_id, &leased.concat(), page.next, room).await?;
    // Where it tells of none, such as a Redis that was flushed, the next page looks further.
    if !further.jobs.is_empty() {
        page.jobs.extend(further.jobs);
        page.next = further.next;
    }
    Ok(())
}

/// Whose jobs, which of them, and which page.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct JobsQuery {
    /// The business.
    #[garde(skip)]
    business_id: BusinessId,
    /// Those only that stand like this.
    #[garde(skip)]
    status: Option<JobStatus>,
    /// Those of this kind only.
    #[garde(skip)]
    kind: Option<JobKind>,
    /// Jobs on a page.
    #[garde(inner(custom(number(1..=200))))]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[garde(skip)]
    #[param(value_type = Option<String>)]
    cursor: Option<JobId>,
}

/// Stop a job.
///
/// It ends at once, whether it is queued, waiting or running; a worker that has it in hand drops its
/// call within a second, and whatever it would still write is refused.
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
pub async fn cancel(State(services): State<Services>, Id(id): Id<JobId>) -> Result<Json<JobBody>, ApiError> {
    let cancelled = services.within(intervene::cancel(&services.store, None, id)).await?;
    let job = read(&services, id).await?;
    if !cancelled {
        return Err(ApiError::Conflict(format!("the job has ended: it is {}", job.status)));
    }
    // Where Redis is away, the worker learns it from its next write.
    let _ = timeout(HINT_TIMEOUT, services.notifier.cancelled(id)).await;
    Ok(Json(job))
}

/// Try a failed job again.
///
/// It goes on after its last finished stage, with all its attempts and as much time as it had at first.
#[utoipa::path(
    post,
    path = "/api/jobs/{id}/retry",
    operation_id = "retry_job",
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job.")),
    responses(JobReopened, JobNotFailed)
)]
pub async fn retry(State(services): State<Services>, Id(id): Id<JobId>) -> Result<Accepted<JobBody>, ApiError> {
    let opened = services.within(intervene::retry(&services.store, None, id)).await?;
    let job = read(&services, id).await?;
    let Some(opened) = opened else {
        return Err(ApiError::Conflict(format!("only failed jobs can be retried: this one is {}", job.status)));
    };
    reopened(&services, &[opened]).await;
    Ok(Accepted::of_job(job))
}

/// Makes jobs that are open again known to the workers, and to who follows them.
pub async fn reopened(services: &Services, jobs: &[OpenJob]) {
    services.announcer.announce(jobs.iter().map(announce::of_open).collect());
    let hints = join_all(jobs.iter().map(|job| services.notifier.publish(job.id)));
    let _ = timeout(HINT_TIMEOUT, hints).await;
}
