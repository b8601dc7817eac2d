//! What is recorded of every request: its id, its span, a log line, metrics. Never bodies or query
//! strings. Every refusal passes here last, so that each one has an id and is a problem document.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use copydesk_domain::trace::TraceParent;
use metrics::{Counter, Histogram};
use tracing::Instrument;

use crate::{metric, problem, protect, request_id};

/// Serves and records one request. Puts its [`TraceParent`] into the request's extensions.
pub async fn observe<F>(mut request: Request, serve: impl FnOnce(Request) -> F) -> Response
where
    F: Future<Output = Response>,
{
    let started = Instant::now();
    let id = request_id::of(request.headers());
    let trace = trace_of(request.headers());
    let method = known(request.method());
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str);
    let uri = request.uri().clone();
    let span = tracing::info_span!(
        "request",
        http.method = method,
        http.route = route,
        request.id = id.to_str().unwrap_or_default(),
        trace.id = trace.trace_id(),
    );
    request.extensions_mut().insert(trace);
    request.extensions_mut().insert(request_id::RequestId(id.clone()));

    let response = async {
        let response = problem::render(serve(request).await, &uri);
        log(route, response.status().as_u16(), started);
        response
    };
    let mut response = response.instrument(span).await;
    measure(method, route, response.status(), started);
    let status = response.status();
    protect::protect(uri.path(), status, response.headers_mut());
    response.headers_mut().insert(request_id::X_REQUEST_ID, id);
    response
}

/// Records the refusal of what could not be read as a request, or was not let in.
pub fn unread(id: &str, status: StatusCode, started: Instant) {
    let (method, route) = ("OTHER", "unmatched");
    let span = tracing::info_span!("request", http.method = method, http.route = route, request.id = id);
    span.in_scope(|| log(route, status.as_u16(), started));
    measure(method, route, status, started);
}

/// The caller's trace, or a new one.
fn trace_of(headers: &HeaderMap) -> TraceParent {
    let header = headers.get("traceparent").and_then(|value| value.to_str().ok());
    header.and_then(|text| text.parse().ok()).unwrap_or_else(TraceParent::start)
}

/// The method as a label. Callers can invent methods, so unknown ones share a label.
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
    // Probes of orchestrators and Prometheus come every few seconds and are logged only at debug
    // level.
    if route.starts_with("/health") || route == "/metrics" {
        tracing::debug!(http.status = status, latency_ms, "request served");
    } else {
        tracing::info!(http.status = status, latency_ms, "request served");
    }
}

fn measure(method: &'static str, route: &str, status: StatusCode, started: Instant) {
    let elapsed = started.elapsed();
    let known = METERS.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(meters) = known.get(route).and_then(|of_route| of_route.get(&(method, status))) {
        return meters.count(elapsed);
    }
    drop(known);
    let meters = Meters::new(method, route, status);
    meters.count(elapsed);
    let mut known = METERS.write().unwrap_or_else(PoisonError::into_inner);
    known.entry(route.to_owned()).or_default().insert((method, status), meters);
}

/// The metric handles, by route, then by method and status. A lookup by labels in the registry
/// would take longer than everything else for most requests.
static METERS: LazyLock<RwLock<HashMap<String, OfRoute>>> = LazyLock::new(RwLock::default);
type OfRoute = HashMap<(&'static str, StatusCode), Meters>;

struct Meters {
    requests: Counter,
    duration: Histogram,
}

impl Meters {
    fn new(method: &'static str, route: &str, status: StatusCode) -> Self {
        let (route, status) = (route.to_owned(), status.as_str().to_owned());
        Self {
            requests: metrics::counter!(metric::REQUESTS, metric::METHOD => method, metric::ROUTE => route.clone(), metric::STATUS => status),
            duration: metrics::histogram!(metric::REQUEST_DURATION, metric::METHOD => method, metric::ROUTE => route),
        }
    }

    fn count(&self, elapsed: Duration) {
        self.requests.increment(1);
        self.duration.record(elapsed);
    }
}
