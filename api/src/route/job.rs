//! `GET /api/jobs/{id}`: where a job stands, now or as soon as it has ended.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use copydesk_common::generation::Generation;
use copydesk_common::job::{Job, JobId, JobKind, JobStatus};
use copydesk_common::store;
use garde::Validate;
use serde::Deserialize;
use tokio::time::{Instant, sleep};
use utoipa::IntoParams;

use crate::entity_tag;
use crate::error::ApiError;
use crate::extract::{Id, Parameters};
use crate::limit::number;
use crate::representation::JobBody;
use crate::state::Services;

/// A hint that a job changed can be lost: who waits looks again after about this long.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

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
    let job = if wait.is_zero() { read(&services, id).await? } else { ended(&services, id, wait).await? };
    let generation = text(&services, &job).await?;
    Ok(entity_tag::respond(&headers, &JobBody::of(job, generation)))
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
async fn ended(services: &Services, id: JobId, wait: Duration) -> Result<Job, ApiError> {
    let deadline = Instant::now() + wait;
    // Before the first look: a change after it is heard.
    let mut hints = services.listener.subscribe(id);
    loop {
        let job = read(services, id).await?;
        let left = deadline.saturating_duration_since(Instant::now());
        if job.status.is_final() || left.is_zero() || services.closing.is_cancelled() {
            return Ok(job);
        }
        // Spread, so that many who wait do not look at once.
        let look_again = LOOK_AGAIN.mul_f64(0.8 + 0.4 * rand::random::<f64>());
        tokio::select! {
            () = hints.changed() => {}
            () = sleep(left.min(look_again)) => {}
            () = services.closing.cancelled() => {}
        }
    }
}

async fn read(services: &Services, id: JobId) -> Result<Job, ApiError> {
    let job = services.within(store::job::get(&services.store, None, id)).await?;
    job.ok_or(ApiError::NotFound("job"))
}

/// The text that the job made.
async fn text(services: &Services, job: &Job) -> Result<Option<Generation>, ApiError> {
    match (job.kind, job.status, job.generation_id) {
        (JobKind::Generate, JobStatus::Succeeded, Some(id)) => {
            services.within(store::generation::get(&services.store, Some(&job.business_id), id)).await
        }
        _ => Ok(None),
    }
}
