//! `POST /search`, as Tavily serves it. Results are written pages, or for load composed from the query:
//! plausible, and at addresses under `.example`, which nobody can own.

mod pages;
mod results;
pub(crate) mod searxng;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rand::RngExt;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::calls::Outcome;
use crate::chat::spoil::filler;
use crate::delivery;
use crate::faults::{self, Call, Endpoint, FaultKind};
use crate::limits::Rejection;
use crate::{Shared, SimulatorConfig, seed};

const QUERY_MAX_CHARS: usize = 400;
const RESULTS_MAX: usize = 20;
const RESULTS_DEFAULT: usize = 5;

/// What is left of the search plan.
#[derive(Debug)]
pub(crate) struct Credits(Option<AtomicU64>);

impl Credits {
    pub(crate) fn new(credits: Option<u64>) -> Self {
        Self(credits.map(AtomicU64::new))
    }

    /// Takes so many credits, or none.
    fn spend(&self, credits: u64) -> bool {
        let Some(left) = &self.0 else { return true };
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(credits)).is_ok()
    }
}

/// A request; what Tavily takes beyond these fields is without effect here.
#[derive(Debug, Deserialize)]
struct SearchRequest {
    query: String,
    #[serde(default)]
    search_depth: Depth,
    #[serde(default)]
    topic: Topic,
    /// Checked only: the pages have no dates.
    #[serde(rename = "time_range")]
    _time_range: Option<TimeRange>,
    max_results: Option<usize>,
    #[serde(default)]
    include_domains: Vec<String>,
    #[serde(default)]
    exclude_domains: Vec<String>,
    include_answer: Option<Wanted>,
    include_raw_content: Option<Wanted>,
    #[serde(default)]
    include_usage: bool,
    country: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Depth {
    #[default]
    Basic,
    Advanced,
    Fast,
    UltraFast,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Topic {
    #[default]
    General,
    News,
    Finance,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TimeRange {
    #[serde(alias = "d")]
    Day,
    #[serde(alias = "w")]
    Week,
    #[serde(alias = "m")]
    Month,
    #[serde(alias = "y")]
    Year,
}

/// `true`, or the name of a variant such as `"basic"` or `"markdown"`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Wanted {
    Flag(bool),
    Kind(String),
}

impl Wanted {
    fn is_wanted(wanted: Option<&Self>) -> bool {
        match wanted {
            None => false,
            Some(Self::Flag(flag)) => *flag,
            Some(Self::Kind(kind)) => !kind.is_empty(),
        }
    }
}

impl SearchRequest {
    fn excludes(&self, host: &str) -> bool {
        self.exclude_domains.iter().any(|excluded| host.ends_with(excluded.as_str()))
    }

    /// Whether an address is of a domain that is asked for.
    fn allows(&self, url: &str) -> bool {
        let host = url.split('/').nth(2).unwrap_or_default();
        let is_wanted = |domain: &String| host.ends_with(domain.as_str());
        !self.excludes(host) && (self.include_domains.is_empty() || self.include_domains.iter().any(is_wanted))
    }

    fn credits(&self) -> u64 {
        if self.search_depth == Depth::Advanced { 2 } else { 1 }
    }
}

/// `POST /search`.
pub(crate) async fn search(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let (key, request) = match accept(&headers, body) {
        Ok(accepted) => accepted,
        Err(error) => {
            shared.calls.record(Endpoint::Search, Outcome::Refused);
            return error.into_response();
        }
    };
    if let Err(error) = admit(&shared, &key, &request) {
        return error.into_response();
    }
    match &shared.spoil(&Call::search()).await {
        Some(FaultKind::Hang) => shared.hang().await,
        fault => answer(&request, &shared.config, fault.as_ref()),
    }
}

fn accept(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<(String, SearchRequest), TavilyError> {
    let key = crate::bearer(headers)
        .ok_or_else(|| TavilyError::new(StatusCode::UNAUTHORIZED, "Unauthorized: missing or invalid API key."))?;
    let body = body.map_err(|_| TavilyError::new(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large."))?;
    let json = &mut serde_json::Deserializer::from_slice(&body);
    let request: SearchRequest = serde_path_to_error::deserialize(json)
        .map_err(|e| TavilyError::bad_request(format!("Invalid request at `{}`: {}", e.path(), e.inner())))?;
    request.check()?;
    Ok((key, request))
}

impl SearchRequest {
    fn check(&self) -> Result<(), TavilyError> {
        if self.query.trim().is_empty() {
            return Err(TavilyError::bad_request("Query is missing."));
        }
        if self.query.chars().count() > QUERY_MAX_CHARS {
            return Err(TavilyError::bad_request("Query is too long. Max query length is 400 characters."));
        }
        if self.max_results.is_some_and(|max| max > RESULTS_MAX) {
            return Err(TavilyError::bad_request("Max results must be between 0 and 20."));
        }
        if self.country.is_some() && self.topic != Topic::General {
            return Err(TavilyError::bad_request("Country is only available when topic is general."));
        }
        Ok(())
    }
}

fn admit(shared: &Shared, key: &str, request: &SearchRequest) -> Result<(), TavilyError> {
    let admission = shared.search_limits.admit(key, "", 0);
    let at_ms = admission.at_ms;
    if let Err(rejection) = admission.outcome {
        shared.calls.record(Endpoint::Search, Outcome::Rejected { at_ms });
        return Err(TavilyError::over_limit(rejection));
    }
    shared.calls.record(Endpoint::Search, Outcome::Accepted { at_ms });
    match shared.search_credits.spend(request.credits()) {
        true => Ok(()),
        false => Err(TavilyError::of_status(StatusCode::from_u16(432).unwrap_or(StatusCode::FORBIDDEN))),
    }
}

fn answer(request: &SearchRequest, config: &SimulatorConfig, fault: Option<&FaultKind>) -> Response {
    if let Some(error) = fault.and_then(TavilyError::of_fault) {
        return error.into_response();
    }
    delivery::json_object(&compose(request, config, fault), fault)
}

fn compose(request: &SearchRequest, config: &SimulatorConfig, fault: Option<&FaultKind>) -> Value {
    let mut rng = seed::rng(config.seed, &["search", &request.query]);
    let mut results = results::of(request, config.plain, &mut rng);
    match fault {
        Some(FaultKind::EmptyText) => results.clear(),
        Some(FaultKind::Echo) => {
            results.truncate(1);
            results.iter_mut().for_each(|result| result["content"] = request.query.as_str().into());
        }
        Some(FaultKind::Huge { bytes }) => {
            results.iter_mut().take(1).for_each(|result| result["content"] = filler(*bytes).into());
        }
        _ => {}
    }
    let answer = Wanted::is_wanted(request.include_answer.as_ref())
        .then(|| results.first().map(|result| result["content"].clone()))
        .flatten();
    let mut body = json!({
        "query": request.query,
        "follow_up_questions": null,
        "answer": answer,
        "images": [],
        "results": results,
        "response_time": f64::from(rng.random_range(40_u32..220)) / 100.0,
        "request_id": seed::uuid(&mut rng),
    });
    if request.include_usage {
        body["usage"] = json!({ "credits": request.credits() });
    }
    body
}

/// Tavily's errors: `{"detail": {"error": …}}`.
#[derive(Debug)]
struct TavilyError {
    status: StatusCode,
    body: Value,
    headers: Vec<(&'static str, String)>,
}

impl TavilyError {
    fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, body: json!({ "detail": { "error": error.into() } }), headers: Vec::new() }
    }

    fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    fn over_limit(rejection: Rejection) -> Self {
        let error = Self::of_status(StatusCode::TOO_MANY_REQUESTS);
        match rejection {
            Rejection::RequestsPerMinute { retry_ms, .. }
            | Rejection::RequestsPerDay { retry_ms, .. }
            | Rejection::TokensPerMinute { retry_ms, .. }
            | Rejection::TokensPerDay { retry_ms, .. } => {
                Self { headers: vec![("retry-after", retry_ms.div_ceil(1_000).to_string())], ..error }
            }
            Rejection::TooLarge { .. } => error,
        }
    }

    /// The answer that a fault puts in place of results, if it is one of those.
    fn of_fault(fault: &FaultKind) -> Option<Self> {
        let error = match fault {
            FaultKind::Status { code, body, .. } => {
                let own = Self::of_status(StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
                Self { body: body.clone().unwrap_or(own.body), ..own }
            }
            FaultKind::RateLimited { .. } => Self::of_status(StatusCode::TOO_MANY_REQUESTS),
            FaultKind::Refused { name } => {
                let (status, body, headers) = name.sent("");
                return Some(Self { status, body, headers });
            }
            _ => return None,
        };
        Some(Self { headers: faults::retry_headers(fault).into_iter().collect(), ..error })
    }

    fn of_status(status: StatusCode) -> Self {
        let text = match status.as_u16() {
            401 => "Unauthorized: missing or invalid API key.",
            403 => "This URL is not supported.",
            429 => {
                "Your request has been blocked due to excessive requests. Please reduce the rate of requests or contact support."
            }
            432 => "This request exceeds your plan's set usage limit. Please upgrade your plan or contact support.",
            433 => "This request exceeds the pay-as-you-go limit. You can increase it in the dashboard.",
            500.. => "Internal Server Error",
            _ => "Invalid request.",
        };
        Self::new(status, text)
    }
}

impl IntoResponse for TavilyError {
    fn into_response(self) -> Response {
        delivery::refusal(self.status, self.body, self.headers)
    }
}
