//! The representation of jobs for clients. The domain's own types are shown unchanged.

use chrono::{DateTime, Utc};
use copydesk_common::store::job::list::Page;
use copydesk_domain::business::BusinessId;
use copydesk_domain::erasure::ErasureResult;
use copydesk_domain::generation::Generation;
use copydesk_domain::id::{GenerationId, JobId};
use copydesk_domain::job::{Job, JobKind, JobStatus, NewJob, Progress, WaitReason, Waiting};
use copydesk_domain::problem::Problem;
use copydesk_domain::usage::Usage;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A job: what was asked for, its state and its result.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Job, example = job_example)]
pub struct JobBody {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// The business.
    pub business_id: BusinessId,
    /// The generation that it makes or speaks of.
    #[schema(required = true)]
    pub generation_id: Option<GenerationId>,
    /// What it writes about; null for jobs that write no text.
    #[schema(required = true)]
    pub topic: Option<String>,
    /// Its status. The first three are open, the others final.
    pub status: JobStatus,
    /// Why it waits and until when; null unless the status is `waiting`.
    #[schema(required = true)]
    pub waiting: Option<Waiting>,
    /// Its progress.
    pub progress: Progress,
    /// Its approximate position, from 1, in the queue or among the jobs that wait for quota. Null
    /// for other jobs, if it is not known, and in lists.
    #[schema(required = true)]
    pub position: Option<u64>,
    /// About how many seconds it will take until it is done, by the provider's limit and the calls of the
    /// jobs before it. An estimate in steps of 5 seconds, which knows nothing of further edits, failures
    /// and busy workers. Null where `position` is, and before calls were made.
    #[schema(required = true)]
    pub eta_seconds: Option<i64>,
    /// The current or last attempt; from 1.
    pub attempt: u16,
    /// Attempts before it fails.
    pub max_attempts: u16,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When a worker first took it.
    #[schema(required = true)]
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[schema(required = true)]
    pub finished_at: Option<DateTime<Utc>>,
    /// What it has used so far.
    pub usage: Usage,
    /// Its result; null unless the status is `succeeded`.
    #[schema(required = true)]
    pub result: Option<JobResult>,
    /// Why it failed; null unless the status is `failed`.
    #[schema(required = true)]
    pub error: Option<Problem>,
    /// The client's own data, unchanged.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// Related paths.
    pub links: Links,
}

/// A page of jobs, newest first. Texts are left out: `result` is null for a job that wrote one;
/// `links.generation` is its path.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobPage {
    /// The jobs.
    data: Vec<JobBody>,
    /// The `cursor` of the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<JobId>,
}

impl JobPage {
    /// The page that was read.
    pub fn of(page: Page) -> Self {
        Self { data: page.jobs.into_iter().map(|job| JobBody::of(job, None)).collect(), next_cursor: page.next }
    }
}

/// The outlook of an open job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outlook {
    /// Its position: 1 is next.
    pub position: Option<u64>,
    /// Seconds until it is done.
    pub eta_seconds: Option<i64>,
}

/// The state of a job in the event `status`. The fields are those of the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Whereabouts {
    status: JobStatus,
    #[schema(required = true)]
    waiting: Option<Waiting>,
    #[schema(required = true)]
    position: Option<u64>,
    #[schema(required = true)]
    eta_seconds: Option<i64>,
    attempt: u16,
    max_attempts: u16,
}

impl Whereabouts {
    /// The state of a job with its outlook.
    pub fn of(job: &JobBody, outlook: Outlook) -> Self {
        Self {
            status: job.status,
            waiting: job.waiting.clone(),
            position: outlook.position,
            eta_seconds: outlook.eta_seconds,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
        }
    }
}

/// The result of a job.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
pub enum JobResult {
    /// The text, of a generate job.
    Generation(Box<Generation>),
    /// What was removed, of an erase job.
    Erasure(ErasureResult),
    /// The result of another kind of job.
    #[schema(value_type = Object)]
    Other(Value),
}

impl JobResult {
    /// The stored result of a job.
    fn of(kind: JobKind, result: Value) -> Self {
        match ErasureResult::deserialize(&result) {
            Ok(erasure) if kind == JobKind::Erase => Self::Erasure(erasure),
            _ => Self::Other(result),
        }
    }
}

/// Paths of related resources.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Links {
    /// The job.
    #[serde(rename = "self")]
    pub itself: String,
    /// The job's events, as server-sent events.
    pub events: String,
    /// The generation that the job makes or speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
}

impl Links {
    fn of(id: JobId, generation_id: Option<GenerationId>) -> Self {
        Self {
            itself: format!("/api/jobs/{id}"),
            events: format!("/api/jobs/{id}/events"),
            generation: generation_id.map(|id| format!("/api/generations/{id}")),
        }
    }
}

impl JobBody {
    /// A job that was just accepted.
    pub fn of_new(job: NewJob) -> Self {
        let waiting = job.waits_until().map(|until| Waiting { reason: WaitReason::Scheduled, provider: None, until });
        Self {
            status: if waiting.is_some() { JobStatus::Waiting } else { JobStatus::Queued },
            waiting,
            progress: Progress { stage: String::new(), completed: 0, total: 1 },
            position: None,
            eta_seconds: None,
            attempt: 1,
            max_attempts: job.max_attempts,
            created_at: job.created_at,
            started_at: None,
            finished_at: None,
            usage: Usage::default(),
            result: None,
            error: None,
            links: Links::of(job.id, job.generation_id),
            id: job.id,
            kind: job.kind,
            business_id: job.business_id,
            generation_id: job.generation_id,
            topic: job.payload.get("topic").and_then(Value::as_str).map(str::to_owned),
            metadata: job.metadata,
        }
    }

    /// The current state of a job, with its text if it made one.
    pub fn of(job: Job, generation: Option<Generation>) -> Self {
        let generation = generation.map(|generation| JobResult::Generation(Box::new(generation)));
        Self {
            links: Links::of(job.id, job.generation_id),
            result: generation.or(job.result.map(|result| JobResult::of(job.kind, result))),
            id: job.id,
            kind: job.kind,
            business_id: job.business_id,
            generation_id: job.generation_id,
            topic: job.topic,
            status: job.status,
            waiting: job.waiting,
            progress: job.progress,
            position: None,
            eta_seconds: None,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            usage: job.usage,
            error: job.error,
            metadata: job.metadata,
        }
    }
}

impl JobBody {
    /// The same with its outlook.
    pub fn expecting(self, outlook: Outlook) -> Self {
        Self { position: outlook.position, eta_seconds: outlook.eta_seconds, ..self }
    }
}

fn job_example() -> Value {
    json!({
        "id": "01938c5e-7a00-7000-8000-000000000001",
        "kind": "generate",
        "business_id": "company_123",
        "generation_id": "01938c5e-7a00-7000-8000-000000000002",
        "topic": "5 Ways AI is Transforming Clinical Trials",
        "status": "waiting",
        "waiting": {"reason": "rate_limited", "provider": "groq", "until": "2026-11-24T06:31:12.250Z"},
        "progress": {"stage": "draft", "completed": 5, "total": 8},
        "position": 12,
        "eta_seconds": 45,
        "attempt": 1,
        "max_attempts": 3,
        "created_at": "2026-11-24T06:30:41.103Z",
        "started_at": "2026-11-24T06:30:41.120Z",
        "finished_at": null,
        "usage": {"prompt_tokens": 912, "completion_tokens": 208, "calls": {"groq": 1, "tavily": 1},
            "models": {"llama-3.3-70b-versatile": 1}, "cost_usd": 0.0087,
            "stages": {"research": {"prompt_tokens": 0, "completion_tokens": 0, "calls": 1, "cost_usd": 0.008},
                "outline": {"prompt_tokens": 912, "completion_tokens": 208, "calls": 1, "cost_usd": 0.0007}}},
        "result": null,
        "error": null,
        "metadata": {"order": 7},
        "links": {
            "self": "/api/jobs/01938c5e-7a00-7000-8000-000000000001",
            "events": "/api/jobs/01938c5e-7a00-7000-8000-000000000001/events",
            "generation": "/api/generations/01938c5e-7a00-7000-8000-000000000002"
        }
    })
}
