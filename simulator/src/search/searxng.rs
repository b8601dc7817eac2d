//! `GET /search`, as SearXNG serves it where its settings allow JSON: the same pages as Tavily's
//! protocol finds.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{SearchRequest, results};
use crate::calls::Outcome;
use crate::faults::{Call, Endpoint, FaultKind};
use crate::{Shared, delivery, seed};

const RESULTS: usize = 10;
/// SearXNG keeps no keys: all calls count as one's.
const EVERYBODY: &str = "searxng";

/// A request; what SearXNG takes beyond these fields is without effect here.
#[derive(Debug, Deserialize)]
pub(crate) struct Parameters {
    #[serde(default)]
    q: String,
    #[serde(default)]
    format: String,
}

/// `GET /search`.
pub(crate) async fn search(State(shared): State<Arc<Shared>>, Query(parameters): Query<Parameters>) -> Response {
    let Some(request) = parameters.request() else {
        shared.calls.record(Endpoint::Search, Outcome::Refused);
        return StatusCode::BAD_REQUEST.into_response();
    };
    let admission = shared.search_limits.admit(EVERYBODY, "", 0);
    let at_ms = admission.at_ms;
    if admission.outcome.is_err() {
        shared.calls.record(Endpoint::Search, Outcome::Rejected { at_ms });
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    }
    shared.calls.record(Endpoint::Search, Outcome::Accepted { at_ms });
    match &shared.spoil(&Call::search()).await {
        Some(FaultKind::Hang) => shared.hang().await,
        Some(FaultKind::Status { code, .. }) => {
            StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }
        Some(FaultKind::Refused { name }) => {
            let (status, body, headers) = name.sent("");
            delivery::refusal(status, body, headers)
        }
        fault => {
            let mut rng = seed::rng(shared.config.seed, &["search", &request.query]);
            let results = results::of(&request, shared.config.plain, &mut rng);
            delivery::json_object(&body(&request, &results, fault.as_ref()), fault.as_ref())
        }
    }
}

impl Parameters {
    fn request(&self) -> Option<SearchRequest> {
        let is_sound = self.format == "json" && !self.q.trim().is_empty();
        let request = is_sound.then(|| json!({ "query": self.q, "max_results": RESULTS }))?;
        serde_json::from_value(request).ok()
    }
}

/// With silent engines in place of results where a fault wants none.
fn body(request: &SearchRequest, results: &[Value], fault: Option<&FaultKind>) -> Value {
    let is_silent = matches!(fault, Some(FaultKind::EmptyText));
    let results = if is_silent { &[] } else { results };
    let unresponsive_engines = if is_silent { json!([["duckduckgo", "timeout"]]) } else { json!([]) };
    let results: Vec<Value> = results
        .iter()
        .map(|page| {
            json!({ "url": page["url"], "title": page["title"], "content": page["content"],
                    "engine": "duckduckgo", "engines": ["duckduckgo"], "score": page["score"] })
        })
        .collect();
    json!({ "query": request.query, "number_of_results": results.len(), "results": results, "answers": [],
            "suggestions": [], "unresponsive_engines": unresponsive_engines })
}
