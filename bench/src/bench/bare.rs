//! The limit of what HTTP can do here: an axum handler that takes a body and answers, and no more.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;

/// Serves for ever.
pub(crate) async fn serve(address: SocketAddr) -> anyhow::Result<()> {
    let app = Router::new()
        .route("/api/generate", post(async |_body: Bytes| StatusCode::ACCEPTED))
        .route("/api/jobs/{id}", get(async || StatusCode::OK));
    let listener = tokio::net::TcpListener::bind(address).await?;
    // As the API does.
    let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}
