//! The worker's own HTTP: `/metrics` and `/health`, for Prometheus and an orchestrator.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use copydesk_common::quota::BreakerState;
use copydesk_common::store::Store;
use copydesk_common::telemetry;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::consume::Receiving;

/// The time-out of a check.
const CHECK: Duration = Duration::from_secs(2);

#[derive(Clone)]
struct Service {
    store: Store,
    receiving: Receiving,
    draining: CancellationToken,
}

/// Serves until `stop`.
pub(crate) async fn serve(
    address: SocketAddr,
    store: Store,
    receiving: Receiving,
    draining: CancellationToken,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind(address).await?;
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(ready))
        .route("/health/live", get(|| async { Json(json!({ "status": "healthy" })) }))
        .route("/health/ready", get(ready))
        .with_state(Arc::new(Service { store, receiving, draining }));
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn metrics() -> Result<String, StatusCode> {
    telemetry::metrics().map(|handle| handle.render()).ok_or(StatusCode::NOT_FOUND)
}

/// Ready, or healthy, if every queue can hand jobs to this worker, rows can be read, and the worker is not
/// shutting down. While Postgres' breaker is open, it is not ready: it claims no jobs then.
async fn ready(State(service): State<Arc<Service>>) -> (StatusCode, Json<serde_json::Value>) {
    let queue = service.receiving.can_receive();
    let postgres = matches!(tokio::time::timeout(CHECK, service.store.ping()).await, Ok(Ok(())));
    let breaker = if service.store.is_breaker_open() { BreakerState::Open } else { BreakerState::Closed };
    let draining = service.draining.is_cancelled();
    let ready = queue && postgres && !draining;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "status": if ready { "healthy" } else { "unhealthy" },
                       "checks": { "queue": queue, "postgres": postgres, "postgres_breaker": breaker, "draining": draining } });
    (status, Json(body))
}
