//! `POST /api/ops/queues/{kind}/pause`, `/drain` and `/resume`: sets which jobs of a kind are
//! handed out. This is stored in Postgres; the sweep restores it in Redis after a flush.

use axum::Json;
use axum::extract::State;
use copydesk_common::queue::Intake;
use copydesk_common::store;
use copydesk_domain::job::JobKind;
use serde::Serialize;
use serde_json::json;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::audit::{Audit, Change};
use crate::error::ApiError;
use crate::extract::Kind;
use crate::route::health::CHECK_TIMEOUT;
use crate::state::Services;

/// Pause a queue: hand out no more jobs of a kind.
///
/// Jobs are still accepted and pile up; running jobs continue until they end or wait. Applies to
/// every worker at once, until it is changed, and survives a flush of Redis. While Redis is
/// unavailable, it is stored and comes into force soon after Redis is back.
#[utoipa::path(
    post,
    path = "/api/ops/queues/{kind}/pause",
    operation_id = "pause_queue",
    tag = "Operators",
    params(("kind" = JobKind, Path, description = "The kind of job.")),
    responses((status = 200, description = "The queue is paused.", body = QueueState))
)]
pub async fn pause(
    State(services): State<Services>,
    audit: Audit,
    Kind(kind): Kind,
) -> Result<Json<QueueState>, ApiError> {
    set(&services, audit.change("queues.pause", format!("queues/{kind}")), kind, Intake::Paused).await
}

/// Drain a queue: start no new jobs of a kind.
///
/// Jobs that have begun are finished, also those that wait in between. New ones are accepted and
/// pile up. The queue is drained once `running` and `waiting` are 0 in the overview, not counting
/// scheduled jobs. Applies to every worker at once, until it is changed, and survives a flush of
/// Redis. While Redis is unavailable, it is stored and comes into force soon after Redis is back.
#[utoipa::path(
    post,
    path = "/api/ops/queues/{kind}/drain",
    operation_id = "drain_queue",
    tag = "Operators",
    params(("kind" = JobKind, Path, description = "The kind of job.")),
    responses((status = 200, description = "The queue is draining.", body = QueueState))
)]
pub async fn drain(
    State(services): State<Services>,
    audit: Audit,
    Kind(kind): Kind,
) -> Result<Json<QueueState>, ApiError> {
    set(&services, audit.change("queues.drain", format!("queues/{kind}")), kind, Intake::Draining).await
}

/// Resume a queue: hand out jobs of a kind again.
///
/// Applies to every worker at once, until it is changed, and survives a flush of Redis. While Redis
/// is unavailable, it is stored and comes into force soon after Redis is back.
#[utoipa::path(
    post,
    path = "/api/ops/queues/{kind}/resume",
    operation_id = "resume_queue",
    tag = "Operators",
    params(("kind" = JobKind, Path, description = "The kind of job.")),
    responses((status = 200, description = "The queue hands out jobs.", body = QueueState))
)]
pub async fn resume(
    State(services): State<Services>,
    audit: Audit,
    Kind(kind): Kind,
) -> Result<Json<QueueState>, ApiError> {
    set(&services, audit.change("queues.resume", format!("queues/{kind}")), kind, Intake::Open).await
}

async fn set(
    services: &Services,
    change: Change<'_>,
    kind: JobKind,
    intake: Intake,
) -> Result<Json<QueueState>, ApiError> {
    let change = change.after(json!({ "intake": intake })).store();
    let version = services.within(store::intake::set(&change, kind, intake)).await?;
    tracing::info!(job.kind = %kind, queue.intake = %intake, "an operator changed which jobs a queue hands out");
    let told = timeout(CHECK_TIMEOUT, services.queue(kind)?.set_intake(intake, version)).await;
    Ok(Json(QueueState { kind, intake, paused: intake == Intake::Paused, in_force: matches!(told, Ok(Ok(_))) }))
}

/// Which jobs a queue hands out.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueState {
    /// The kind of its jobs.
    kind: JobKind,
    /// All jobs, those that were under way, or none.
    intake: Intake,
    /// Whether it hands out no jobs.
    paused: bool,
    /// Whether this is set in Redis. If Redis is unavailable, this comes into force soon after it
    /// is back.
    in_force: bool,
}
