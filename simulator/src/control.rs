//! The control endpoints, `/_faults`, `/_calls`, `/_behaviour` and `/health`: a test's grip on the simulator. They
//! need no key: the simulator is never exposed.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::Shared;
use crate::behaviour::Behaviour;
use crate::calls::Calls;
use crate::faults::{self, Armed, InvalidFaults};

pub(crate) async fn health() -> Json<serde_json::Value> {
    Json(json!({ "status": "healthy", "version": env!("CARGO_PKG_VERSION") }))
}

/// Replaces all rules; answers the rules now in force.
pub(crate) async fn put_faults(State(shared): State<Arc<Shared>>, body: Bytes) -> Result<Json<Vec<Armed>>, Problem> {
    shared.faults.replace(faults::parse(&body)?);
    Ok(Json(shared.faults.list()))
}

pub(crate) async fn get_faults(State(shared): State<Arc<Shared>>) -> Json<Vec<Armed>> {
    Json(shared.faults.list())
}

pub(crate) async fn delete_faults(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.faults.replace(Vec::new());
    StatusCode::NO_CONTENT
}

pub(crate) async fn get_calls(State(shared): State<Arc<Shared>>) -> Json<Calls> {
    Json(shared.calls())
}

pub(crate) async fn delete_calls(State(shared): State<Arc<Shared>>) -> StatusCode {
    shared.clear_calls();
    StatusCode::NO_CONTENT
}

pub(crate) async fn get_behaviour(State(shared): State<Arc<Shared>>) -> Json<Behaviour> {
    Json(shared.behaviour())
}

/// Replaces the behaviour; what is not named is as usual. Answers the behaviour now in force.
pub(crate) async fn put_behaviour(
    State(shared): State<Arc<Shared>>,
    body: Bytes,
) -> Result<Json<Behaviour>, (StatusCode, String)> {
    let unreadable = |error: serde_json::Error| (StatusCode::BAD_REQUEST, error.to_string());
    let behaviour: Behaviour = serde_json::from_slice(&body).map_err(unreadable)?;
    let checked = behaviour.checked().map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    shared.set_behaviour(checked);
    Ok(Json(checked))
}

/// An RFC 9457 answer to a list of rules that cannot be armed.
#[derive(Debug)]
pub(crate) struct Problem(InvalidFaults);

impl From<InvalidFaults> for Problem {
    fn from(error: InvalidFaults) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, title) = match &self.0 {
            InvalidFaults::Malformed(_) => (StatusCode::BAD_REQUEST, "Malformed JSON"),
            InvalidFaults::Field { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "Invalid faults"),
        };
        let mut problem = json!({
            "type": "/problems/validation",
            "title": title,
            "status": status.as_u16(),
            "detail": self.0.to_string(),
            "instance": "/_faults",
        });
        if let InvalidFaults::Field { pointer, detail } = &self.0 {
            problem["errors"] = json!([{ "pointer": pointer, "detail": detail }]);
        }
        (status, [(header::CONTENT_TYPE, "application/problem+json")], problem.to_string()).into_response()
    }
}
