//! `POST /api/ops/queues/{kind}/pause` and `/resume`: a kind of job is held back.

use axum::Json;
use axum::extract::State;
use copydesk_common::job::JobKind;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::extract::Kind;
use crate::state::Services;

/// Hand out no more jobs of a kind.
///
/// Jobs are accepted and gather; what runs goes on. Holds for every worker at once, until `/resume`,
/// or until Redis is flushed.
#[utoipa::path(
    post,
    path = "/api/ops/queues/{kind}/pause",
    operation_id = "pause_queue",
    tag = "Operators",
    params(("kind" = JobKind, Path, description = "The kind of job.")),
    responses((status = 200, description = "The queue is paused.", body = QueueState))
)]
pub async fn pause(State(services): State<Services>, Kind(kind): Kind) -> Result<Json<QueueState>, ApiError> {
    services.within(services.queue(kind)?.pause()).await?;
    tracing::info!(job.kind = %kind, "a queue was paused");
    Ok(Json(QueueState { kind, paused: true }))
}

/// Hand out jobs of a kind again.
#[utoipa::path(
    post,
    path = "/api/ops/queues/{kind}/resume",
    operation_id = "resume_queue",
    tag = "Operators",
    params(("kind" = JobKind, Path, description = "The kind of job.")),
    responses((status = 200, description = "The queue is not paused.", body = QueueState))
)]
pub async fn resume(State(services): State<Services>, Kind(kind): Kind) -> Result<Json<QueueState>, ApiError> {
    services.within(services.queue(kind)?.resume()).await?;
    tracing::info!(job.kind = %kind, "a queue was resumed");
    Ok(Json(QueueState { kind, paused: false }))
}

/// Whether a queue hands out jobs.
#[derive(Debug, Serialize, ToSchema)]
pub struct QueueState {
    /// The kind of its jobs.
    kind: JobKind,
    /// Whether it holds them back.
    paused: bool,
}
