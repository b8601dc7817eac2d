//! Jobs: what was asked for, the current state and the result. The rules of the state machine are
//! here and, as CHECKs, in the schema. The store makes the transitions.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::business::BusinessId;
use crate::id::{GenerationId, JobId};
use crate::named_enum;
use crate::problem::Problem;
use crate::trace::TraceParent;
use crate::usage::Usage;

named_enum! {
    /// What a job does. Each kind has a queue and a handler of its own.
    JobKind {
        /// Write content.
        Generate = "generate",
        /// Learn from a human's verdict.
        Feedback = "feedback",
        /// Chunk and index a brand document.
        Ingest = "ingest",
        /// Remove everything of a business.
        Erase = "erase",
    }
}

named_enum! {
    /// A job's state. The first three are open, the others final.
    JobStatus {
        /// Accepted; no worker has claimed it.
        Queued = "queued",
        /// Gave its worker slot back and is due again at a known time.
        Waiting = "waiting",
        /// A worker holds its lease.
        Running = "running",
        /// Ended with a result.
        Succeeded = "succeeded",
        /// Ended with an error.
        Failed = "failed",
        /// Ended by a client.
        Cancelled = "cancelled",
    }
}

impl JobStatus {
    /// Whether the job has ended. Only a retry of a failed job leaves a final state.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

named_enum! {
    /// Why a job waits.
    WaitReason {
        /// The provider's shared quota is used up.
        RateLimited = "rate_limited",
        /// The business has used up its budget of the day (UTC).
        OverBudget = "over_budget",
        /// The provider's shared breaker is open.
        BreakerOpen = "breaker_open",
        /// An attempt failed; the next one comes later.
        Backoff = "backoff",
        /// The client asked for a later start.
        Scheduled = "scheduled",
    }
}

named_enum! {
    /// How urgent a job is. Interactive jobs are claimed first; bulk jobs are never starved.
    Priority {
        /// A person waits for the result.
        Interactive = "interactive",
        /// No person waits for the result.
        Bulk = "bulk",
    }
}

/// Why a job waits, for which provider, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Waiting {
    /// The reason.
    pub reason: WaitReason,
    /// The provider that it waits for, if any.
    #[schema(required = true)]
    pub provider: Option<String>,
    /// When it runs again.
    pub until: DateTime<Utc>,
}

/// How far a job has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// The current or next stage.
    pub stage: String,
    /// Finished stages.
    pub completed: u16,
    /// Stages in all, as far as known: a further round of edits adds one.
    pub total: u16,
}

/// A job to be accepted. A 202 is sent once its row is committed.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id, made by the accepting process.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// The business.
    pub business_id: BusinessId,
    /// The generation that it makes or is about.
    pub generation_id: Option<GenerationId>,
    /// How urgent it is.
    pub priority: Priority,
    /// What the handler needs: [`crate::work::Work`] writes it and reads it.
    pub payload: serde_json::Value,
    /// The client's own data, echoed back.
    pub metadata: serde_json::Value,
    /// Attempts before it fails.
    pub max_attempts: u16,
    /// When it was accepted, by the accepting process's clock. The answer and the row hold the same
    /// value.
    pub created_at: DateTime<Utc>,
    /// The earliest start that the client asked for. A time in the past means now.
    pub run_at: Option<DateTime<Utc>>,
    /// The deadline: the job fails if it has not ended by then.
    pub deadline_at: Option<DateTime<Utc>>,
    /// The request's trace, continued by the first attempt.
    pub trace: TraceParent,
}

impl NewJob {
    /// When it is first due; `None` if it can start at once.
    pub fn waits_until(&self) -> Option<DateTime<Utc>> {
        self.run_at.filter(|run_at| *run_at > self.created_at)
    }
}

/// The current state of a job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// The business.
    pub business_id: BusinessId,
    /// The generation that it makes or is about.
    pub generation_id: Option<GenerationId>,
    /// What it writes about; of a generate job.
    pub topic: Option<String>,
    /// Its status.
    pub status: JobStatus,
    /// Why it waits; set if and only if the status is waiting.
    pub waiting: Option<Waiting>,
    /// How far it has come.
    pub progress: Progress,
    /// How urgent it is.
    pub priority: Priority,
    /// The current or last attempt; from 1.
    pub attempt: u16,
    /// Attempts before it fails.
    pub max_attempts: u16,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When a worker first took it.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended; set if and only if the status is final.
    pub finished_at: Option<DateTime<Utc>>,
    /// Changes with every change of the row.
    pub updated_at: DateTime<Utc>,
    /// What it has used so far.
    pub usage: Usage,
    /// The handler's result, for kinds whose result is not a generation.
    pub result: Option<serde_json::Value>,
    /// Why it failed; set if and only if the status is failed.
    pub error: Option<Problem>,
    /// The client's own data.
    pub metadata: serde_json::Value,
}

/// A job that this worker has begun: the row as the handler needs it.
#[derive(Debug, Clone)]
pub struct StartedJob {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// How urgent it is.
    pub priority: Priority,
    /// For whom.
    pub business_id: BusinessId,
    /// The generation that it makes or is about.
    pub generation_id: Option<GenerationId>,
    /// What the handler needs: [`crate::work::Work`] writes it and reads it.
    pub payload: serde_json::Value,
    /// The current attempt; from 1.
    pub attempt: u16,
    /// Attempts before it fails.
    pub max_attempts: u16,
    /// Takeovers in a row: how often a worker was lost with the job since a stage was last
    /// finished.
    pub takeovers: u16,
    /// Whether this start is a takeover: the job was begun before and never given back.
    pub is_takeover: bool,
    /// When it was accepted: the quota serves older jobs first.
    pub created_at: DateTime<Utc>,
    /// The deadline: the job fails if it has not ended by then.
    pub deadline_at: Option<DateTime<Utc>>,
    /// Stages that are finished and paid for.
    pub stages_completed: u16,
    /// What it has used so far.
    pub usage: Usage,
    /// The request's trace.
    pub trace: TraceParent,
    /// The epoch of the lease under which it runs: every write names it.
    pub epoch: LeaseEpoch,
}

impl StartedJob {
    /// The lease under which it runs.
    pub fn lease(&self) -> LeaseRef {
        LeaseRef { id: self.id, epoch: self.epoch }
    }
}

/// The fencing token of a lease: a later lease of the same job has a greater one. It is the time by
/// Redis' clock in microseconds, so it keeps growing across a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseEpoch(pub i64);

/// One lease of one job. Fenced writes name it, and so do calls to the queue about a running job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseRef {
    /// The job.
    pub id: JobId,
    /// Which of its leases.
    pub epoch: LeaseEpoch,
}
