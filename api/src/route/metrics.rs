//! `GET /metrics`: metrics for Prometheus.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use copydesk_common::telemetry;

use crate::error::ApiError;
use crate::metric;
use crate::state::Services;

/// The format's name and version.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Counters, gauges and histograms, in Prometheus' text format.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "get_metrics",
    tag = "Operators",
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain"))
)]
pub async fn metrics(State(services): State<Services>) -> Result<Response, ApiError> {
    let recorder = telemetry::metrics().ok_or(ApiError::NotFound("metrics recorder in this process"))?;
    let pool = services.store.pool_status();
    metrics::gauge!(metric::DATABASE_CONNECTIONS, metric::STATE => "checked_out").set(pool.checked_out);
    metrics::gauge!(metric::DATABASE_CONNECTIONS, metric::STATE => "checked_in").set(pool.checked_in);
    Ok(([(header::CONTENT_TYPE, TEXT_FORMAT)], recorder.render()).into_response())
}
