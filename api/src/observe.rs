//! What is seen of every request: its id, its span, a line in the log, the metrics. Never bodies,
//! never query strings. Also the last stop of every refusal on its way out, so that each carries an
//! id and is a problem document.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use copydesk_common::trace::TraceParent;
use tracing::Instrument;

use crate::{metric, problem, request_id};

/// Serves one request and tells of it. Puts the request's [`TraceParent`] in its extensions.
pub async fn observe(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id::of(request.headers());
    let trace = trace_of(request.headers());
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", |path| path.as_str()).to_owned();
    let uri = request.uri().clone();
    let span = tracing::info_span!(
        "request",
        http.method = method,
        http.route = route,
        request.id = id.to_str().unwrap_or_default(),
        trace.id = trace.trace_id(),
    );
    request.extensions_mut().insert(trace);

    let response = async {
        let response = problem::render(next.run(request).await, &uri);
        log(&route, response.status().as_u16(), started);
        response
    };
    let mut response = response.instrument(span).await;
    measure(method, route, response.status().as_str(), started);
    response.headers_mut().insert(request_id::X_REQUEST_ID, id);
    response
}

/// The caller's trace, or a new one.
fn trace_of(headers: &HeaderMap) -> TraceParent {
    let header = headers.get("traceparent").and_then(|value| value.to_str().ok());
    header.and_then(|text| text.parse().ok()).unwrap_or_else(TraceParent::start)
}

/// Callers can invent methods; metrics must not grow with them.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

fn log(route: &str, status: u16, started: Instant) {
    let latency_ms = started.elapsed().as_secs_f64() * 1000.0;
    // Orchestrators and Prometheus ask every few seconds: their questions are no news.
    if route.starts_with("/health") || route == "/metrics" {
        tracing::debug!(http.status = status, latency_ms, "request served");
    } else {
        tracing::info!(http.status = status, latency_ms, "request served");
    }
}

fn measure(method: &'static str, route: String, status: &str, started: Instant) {
    let status = status.to_owned();
    metrics::counter!(metric::REQUESTS, metric::METHOD => method, metric::ROUTE => route.clone(), metric::STATUS => status)
        .increment(1);
    metrics::histogram!(metric::REQUEST_DURATION, metric::METHOD => method, metric::ROUTE => route)
        .record(started.elapsed());
}
