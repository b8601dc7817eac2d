//! `POST /api/ops/queues/{kind}/pause`, `/drain` and `/resume`: a kind of job is held back. That is
//! kept in Postgres; the sweep tells a Redis that forgot it.

use axum::Json;
use axum::extract::State;
use copydesk_common::queue::Intake;
use copydesk_common::store;
use copydesk_domain::job::JobKind;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::extract::Kind;
use crate::route::health::CHECK_TIMEOUT;
use crate::state::Services;

/// Hand out no more jobs of a kind.
///
/// Jobs are accepted and gather; what runs goes on until it ends or waits.
/// Holds for every worker at once, until it is changed, and outlives a flush of Redis. While Redis is
/// away it is stored all the same, and in force soon after it is back.
#[utoipa::path(
    post,
    path = "/api/ops/queues/{kind}/pause",
    operation_id = "pause_queue",
    tag = "Operators",
    params(("kind" = JobKind, Path, description = "The kind of job.")),
    responses((status = 200, description = "The queue is paused.", body = QueueState))
)]
pub async fn pause(State(services): State<Services>, Kind(kind): Kind) -> Result<Json<QueueState>, ApiError> {
    set(&services, kind, Intake::Paused).await
}

/// Begin no new jobs of a kind.
///
/// Jobs that were begun go on to their end, also those that wait in between; new ones are accepted and
/// gather. The queue is drained once `running` and `waiting` are 0 in the overview, but for scheduled jobs.
/// Holds for every worker at once, until it is changed, and outlives a flush of Redis. While Redis is
/// away it is stored all the same, and in force soon after it is back.
#[utoipa::path(
    post,
    path = "/api/ops/queues/{kind}/drain",
    operation_id = "drain_queue",
    tag = "Operators",
    params(("kind" = JobKind, Path, description = "The kind of job.")),
    responses((status = 200, description = "The queue is draining.", body = QueueState))
)]
pub async fn drain(State(services): State<Services>, Kind(kind): Kind) -> Result<Json<QueueState>, ApiError> {
    set(&services, kind, Intake::Draining).await
}

/// Hand out jobs of a kind again.
///
/// Holds for every worker at once, until it is changed, and outlives a flush of Redis. While Redis is
/// away it is stored all the same, and in force soon after it is back.
#[utoipa::path(
    post,
    path = "/api/ops/queues/{kind}/resume",
    operation_id = "resume_queue",
    tag = "Operators",
    params(("kind" = JobKind, Path, description = "The kind of job.")),
    responses((status = 200, description = "The queue hands out jobs.", body = QueueState))
)]
pub async fn resume(State(services): State<Services>, Kind(kind): Kind) -> Result<Json<QueueState>, ApiError> {
    set(&services, kind, Intake::Open).await
}

async fn set(services: &Services, kind: JobKind, intake: Intake) -> Result<Json<QueueState>, ApiError> {
    let version = services.within(store::intake::set(&services.store, kind, intake)).await?;
    tracing::info!(job.kind = %kind, queue.intake = %intake, "an operator changed which jobs are handed out");
    let told = timeout(CHECK_TIMEOUT, services.queue(kind)?.set_intake(intake, version)).await;
    Ok(Json(QueueState { kind, intake, paused: intake == Intake::Paused, in_force: matches!(told, Ok(Ok(_))) }))
}

/// Which jobs a queue hands out.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueState {
    /// The kind of its jobs.
    kind: JobKind,
    /// All of them, those that were under way, or none.
    intake: Intake,
    /// Whether it hands out none.
    paused: bool,
    /// Whether Redis knows. Where it is away, the workers are told soon after it is back.
    in_force: bool,
}
