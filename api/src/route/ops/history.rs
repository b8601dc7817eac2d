//! `GET /api/ops/queues/{kind}/history`: how a queue was.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use copydesk_common::clock;
use copydesk_common::store::history::{self, Row, Step};
use copydesk_domain::job::JobKind;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::extract::{Kind, Parameters};
use crate::state::Services;

/// How a queue was.
///
/// By minute for a day, by hour for 30 days, oldest first. Depths are those shortly after the minute or hour; what ended,
/// and how long that took, is of the jobs that ended in it. Times of which nothing was written are not there. An hour's
/// waits and run times are the means of those of its minutes.
#[utoipa::path(
    get,
    path = "/api/ops/queues/{kind}/history",
    operation_id = "get_queue_history",
    tag = "Operators",
    params(("kind" = JobKind, Path, description = "The kind of job."), HistoryQuery),
    responses((status = 200, description = "The history.", body = QueueHistory))
)]
pub async fn get(
    State(services): State<Services>,
    Kind(kind): Kind,
    Parameters(query): Parameters<HistoryQuery>,
) -> Result<Json<QueueHistory>, ApiError> {
    let step = query.step.unwrap_or(Step::Minute);
    let kept = match step {
        Step::Minute => TimeDelta::days(1),
        Step::Hour => TimeDelta::days(30),
    };
    let oldest = clock::now() - kept;
    let since = query.since.map_or(oldest, |since| since.max(oldest));
    let rows = services.within(history::of(&services.store, kind, step, since)).await?;
    Ok(Json(QueueHistory { kind, step, data: rows.into_iter().map(Bucket::from).collect() }))
}

/// Which part of the history.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// By minute or by hour; by minute if it is missing.
    #[garde(skip)]
    step: Option<Step>,
    /// From then on; all that is kept if it is missing.
    #[garde(skip)]
    since: Option<DateTime<Utc>>,
}

/// The history of a queue.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueHistory {
    /// The kind of job.
    kind: JobKind,
    /// What each entry is of.
    step: Step,
    /// Oldest first.
    data: Vec<Bucket>,
}

/// A minute, or an hour.
#[derive(Debug, Serialize, ToSchema)]
struct Bucket {
    /// Its begin.
    at: DateTime<Utc>,
    /// Jobs that could run.
    ready: i64,
    /// Jobs that would become ready later.
    delayed: i64,
    /// Jobs that workers ran.
    running: i64,
    /// Jobs that waited until a known time.
    waiting: i64,
    /// The age of the oldest queued job, in seconds; null if there was none.
    #[schema(required = true)]
    oldest_age_seconds: Option<f64>,
    /// Jobs that ended in it.
    ended: i64,
    /// Those of them that failed.
    failed: i64,
    /// Their seconds from the acceptance to the first begin; null if none was begun.
    #[schema(required = true)]
    wait_seconds: Option<Spread>,
    /// Their seconds from the first begin to the end; null if none was begun.
    #[schema(required = true)]
    run_seconds: Option<Spread>,
}

/// How seconds spread.
#[derive(Debug, Serialize, ToSchema)]
struct Spread {
    /// The median.
    p50: f64,
    /// The 95th percentile.
    p95: f64,
}

impl From<Row> for Bucket {
    fn from(row: Row) -> Self {
        let spread = |p50: Option<f64>, p95: Option<f64>| Some(Spread { p50: p50?, p95: p95? });
        Self {
            at: row.at,
            ready: row.ready,
            delayed: row.delayed,
            running: row.running,
            waiting: row.waiting,
            oldest_age_seconds: row.oldest_age_seconds,
            ended: row.ended,
            failed: row.failed,
            wait_seconds: spread(row.wait_p50, row.wait_p95),
            run_seconds: spread(row.run_p50, row.run_p95),
        }
    }
}
