//! `GET /api/jobs/{id}/timeline`: what became of a job, from its acceptance to its end.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use copydesk_common::store::job::events::{self, Event, EventKind, FinishedStage, Past};
use copydesk_domain::access::Scope;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, JobStatus, Priority};
use copydesk_domain::usage::ModelTokens;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::Id;
use crate::representation::JobBody;
use crate::route::job::read;
use crate::state::Services;

/// What became of a job.
///
/// Its stages with what they took and cost, and what happened between them: waits, attempts that failed with the error and
/// its causes, workers that were lost. At most 50 events: the first and the latest. Of jobs that an earlier release ran,
/// only what their state tells. Causes of errors and names of workers are shown to keys with the scope `observe`.
#[utoipa::path(
    get,
    path = "/api/jobs/{id}/timeline",
    operation_id = "get_timeline",
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job.")),
    responses((status = 200, description = "The job and its past.", body = Timeline))
)]
pub async fn get(
    State(services): State<Services>,
    caller: Caller,
    Id(id): Id<JobId>,
) -> Result<Json<Timeline>, ApiError> {
    let job = read(&services, &caller, id).await?;
    let past = services.within(events::past(&services.store, id)).await?;
    let past = past.ok_or(ApiError::NotFound("job"))?;
    let timeline = Timeline::of(job, past);
    let sees_all = caller.grant().scopes.contains(&Scope::Observe);
    Ok(Json(if sees_all { timeline } else { timeline.for_clients() }))
}

/// A job and its past.
#[derive(Debug, Serialize, ToSchema)]
pub struct Timeline {
    /// The job.
    job: JobBody,
    /// What the client sent, as `POST /api/generate` takes it: it can be changed and sent again. Null for other kinds of
    /// jobs.
    #[schema(required = true, value_type = Option<Object>)]
    request: Option<Value>,
    /// The worker that runs it; of a job that has ended, the one that ran it last. Null before it was begun, while it
    /// waits, and without the scope `observe`.
    #[schema(required = true)]
    worker: Option<String>,
    /// How often a worker began it that another one had lost.
    takeovers: usize,
    /// Its finished stages, oldest first. Empty once they are cleaned up.
    stages: Vec<StageView>,
    /// What happened, oldest first.
    events: Vec<EventView>,
}

/// A finished stage.
#[derive(Debug, Serialize, ToSchema)]
struct StageView {
    /// The stage.
    #[schema(example = "draft")]
    stage: String,
    /// 0 for the first pass; each further round of edits counts one up.
    round: u16,
    /// When it began.
    started_at: DateTime<Utc>,
    /// When it was stored.
    finished_at: DateTime<Utc>,
    /// How long it took, in seconds.
    seconds: f64,
    /// How long the job waited before it, since the stage before: for quota, or after a failure. Null where that was not
    /// stored.
    #[schema(required = true)]
    waited_seconds: Option<f64>,
    /// Calls to all providers.
    calls: u32,
    /// The models that answered, with their tokens.
    models: BTreeMap<String, ModelTokens>,
    /// Tokens sent to LLMs.
    prompt_tokens: u64,
    /// Tokens written by LLMs.
    completion_tokens: u64,
    /// Tokens of those sent that a provider had in its cache.
    cached_tokens: u64,
    /// Cost in US dollars, at the configured prices.
    cost_usd: f64,
}

/// Something that happened to a job.
#[derive(Debug, Serialize, ToSchema)]
struct EventView {
    /// When.
    at: DateTime<Utc>,
    /// In which attempt.
    attempt: u16,
    /// What.
    kind: EventKind,
    /// The stage before which it happened; null before the first one.
    #[schema(required = true)]
    stage: Option<String>,
    /// Why it waits, was given back or failed; of a failure the `type` of its problem.
    #[schema(required = true, example = "rate_limited")]
    reason: Option<String>,
    /// The provider that it waits for.
    #[schema(required = true)]
    provider: Option<String>,
    /// Until when it waits.
    #[schema(required = true)]
    until: Option<DateTime<Utc>>,
    /// The worker that began it.
    #[schema(required = true)]
    worker: Option<String>,
    /// The error and its causes, outermost first: at most 10 lines of 500 characters. Without the scope `observe` only the
    /// error.
    lines: Vec<String>,
}

impl Timeline {
    fn of(job: JobBody, past: Past) -> Self {
        let events = completed(&job, past.events);
        let began = events.iter().rev().find_map(|event| event.worker.clone());
        Self {
            request: request(&job, past.priority, past.payload),
            worker: past.worker.or(began.filter(|_| job.status.is_final())),
            takeovers: events.iter().filter(|event| event.kind == EventKind::TakenOver).count(),
            stages: stages(&past.stages, &events),
            events: events.into_iter().map(EventView::from).collect(),
            job,
        }
    }

    /// Without what tells of the service's inside: its addresses and machines.
    fn for_clients(mut self) -> Self {
        self.worker = None;
        for event in &mut self.events {
            event.worker = None;
            event.lines.truncate(1);
        }
        self
    }
}

/// The events, with those that only the job's state tells: its success, and of an older job its begin and its end.
fn completed(job: &JobBody, mut events: Vec<Event>) -> Vec<Event> {
    let event = |at, kind| Event {
        at,
        attempt: job.attempt,
        kind,
        stage: None,
        reason: None,
        provider: None,
        until: None,
        worker: None,
        lines: Vec::new(),
    };
    if let (true, Some(at)) = (events.is_empty(), job.started_at) {
        events.push(event(at, EventKind::Started));
    }
    let end = match job.status {
        JobStatus::Succeeded => EventKind::Succeeded,
        JobStatus::Failed => EventKind::Failed,
        JobStatus::Cancelled => EventKind::Cancelled,
        JobStatus::Queued | JobStatus::Waiting | JobStatus::Running => return events,
    };
    if let Some(at) = job.finished_at.filter(|_| events.last().is_none_or(|last| last.kind != end)) {
        let of_error = job.error.as_ref().map(|error| (error.kind.clone(), error.detail.clone()));
        let (reason, lines) = of_error.map_or((None, Vec::new()), |(kind, detail)| (Some(kind), vec![detail]));
        events.push(Event { reason, lines, ..event(at, end) });
    }
    events
}

/// What the client sent, of a generate job.
fn request(job: &JobBody, priority: Priority, payload: Value) -> Option<Value> {
    let Value::Object(mut fields) = payload else { return None };
    if job.kind != JobKind::Generate {
        return None;
    }
    fields.remove("replay");
    fields.retain(|_, value| !value.is_null());
    fields.insert("business_id".to_owned(), json!(job.business_id));
    fields.insert("priority".to_owned(), json!(priority));
    fields.insert("metadata".to_owned(), job.metadata.clone());
    Some(Value::Object(fields))
}

fn stages(stages: &[FinishedStage], events: &[Event]) -> Vec<StageView> {
    let mut since = DateTime::<Utc>::MIN_UTC;
    let views = stages.iter().map(|stage| {
        let view = StageView {
            stage: stage.stage.as_str().to_owned(),
            round: stage.round,
            started_at: stage.started_at,
            finished_at: stage.finished_at,
            seconds: seconds(stage.started_at, stage.finished_at),
            waited_seconds: waited(events, since, stage.finished_at),
            calls: stage.usage.calls.values().sum(),
            models: stage.usage.tokens.clone(),
            prompt_tokens: stage.usage.prompt_tokens,
            completion_tokens: stage.usage.completion_tokens,
            cached_tokens: stage.usage.cached_tokens,
            cost_usd: stage.usage.cost_usd,
        };
        since = stage.finished_at;
        view
    });
    views.collect()
}

/// How long the job waited within a time; `None` where nothing was stored of it.
fn waited(events: &[Event], since: DateTime<Utc>, until: DateTime<Utc>) -> Option<f64> {
    if !events.iter().any(|event| event.worker.is_some()) {
        return None;
    }
    let pairs = events.windows(2).filter(|pair| pair[1].worker.is_some() && pair[0].worker.is_none());
    let within = pairs.filter(|pair| pair[1].at > since && pair[1].at <= until);
    // A sum of nothing would be -0.0.
    Some(within.fold(0.0, |sum, pair| sum + seconds(pair[0].at, pair[1].at)))
}

/// Seconds between two times, to a thousandth.
fn seconds(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    let ms = i32::try_from((to - from).num_milliseconds().max(0)).unwrap_or(i32::MAX);
    f64::from(ms) / 1_000.0
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        let Event { at, attempt, kind, stage, reason, provider, until, worker, lines } = event;
        Self { at, attempt, kind, stage, reason, provider, until, worker, lines }
    }
}
