//! Jobs: what was asked for, where it stands and how it ended. The state machine's rules are here
//! and, as CHECKs, in the schema; moving a job along is the store's.

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
    }
}

named_enum! {
    /// Where a job stands. The first three are open, the others final.
    JobStatus {
        /// Accepted; no worker has it.
        Queued = "queued",
        /// Has given its worker slot back until a known time.
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
    /// Whether the job has ended: nothing changes it any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

named_enum! {
    /// Why a job waits.
    WaitReason {
        /// The provider's shared quota is used up.
        RateLimited = "rate_limited",
        /// The business has used up what it may have on a day (UTC).
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
        /// Somebody looks at a progress bar.
        Interactive = "interactive",
        /// Nobody waits.
        Bulk = "bulk",
    }
}

/// Why a job waits, for whom, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Waiting {
    /// The reason.
    pub reason: WaitReason,
    /// The provider it waits for, where it waits for one.
    #[schema(required = true)]
    pub provider: Option<String>,
    /// When it is tried again.
    pub until: DateTime<Utc>,
}

/// How far a job has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// The stage that is next or under way.
    pub stage: String,
    /// Stages done.
    pub completed: u16,
    /// Stages in all, as far as known: a further round of revision adds two.
    pub total: u16,
}

/// A job to be accepted. The row that it becomes is the promise behind a 202.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its id, made by the accepting process.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// For whom.
    pub business_id: BusinessId,
    /// The generation that it makes or speaks of.
    pub generation_id: Option<GenerationId>,
    /// How urgent it is.
    pub priority: Priority,
    /// What the handler needs: [`crate::work::Work`] writes it and reads it.
    pub payload: serde_json::Value,
    /// The client's own words, echoed back.
    pub metadata: serde_json::Value,
    /// Attempts before it fails.
    pub max_attempts: u16,
    /// When it was accepted, by the accepting process's clock: its answer and its row say the same.
    pub created_at: DateTime<Utc>,
    /// Not before this, as the client put it: a moment that has passed is now.
    pub run_at: Option<DateTime<Utc>>,
    /// It fails where it has not ended by then.
    pub deadline_at: Option<DateTime<Utc>>,
    /// The request's trace, continued by the first attempt.
    pub trace: TraceParent,
}

impl NewJob {
    /// Until when it waits before its first start; `None` where it can start at once.
    pub fn waits_until(&self) -> Option<DateTime<Utc>> {
        self.run_at.filter(|run_at| *run_at > self.created_at)
    }
}

/// A job as it stands.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// For whom.
    pub business_id: BusinessId,
    /// The generation that it makes or speaks of.
    pub generation_id: Option<GenerationId>,
    /// Where it stands.
    pub status: JobStatus,
    /// Why it waits: set exactly where the status is waiting.
    pub waiting: Option<Waiting>,
    /// How far it has come.
    pub progress: Progress,
    /// How urgent it is.
    pub priority: Priority,
    /// The attempt under way, or the last one; from 1.
    pub attempt: u16,
    /// Attempts before it fails.
    pub max_attempts: u16,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When a worker first took it.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended: set exactly where the status is final.
    pub finished_at: Option<DateTime<Utc>>,
    /// Changes with every change of the row.
    pub updated_at: DateTime<Utc>,
    /// What it has used so far.
    pub usage: Usage,
    /// What the handler answered, for kinds whose result is not a generation.
    pub result: Option<serde_json::Value>,
    /// Why it failed: set exactly where the status is failed.
    pub error: Option<Problem>,
    /// The client's own words.
    pub metadata: serde_json::Value,
}

/// A job that this worker has begun: the row as the handler needs it.
#[derive(Debug, Clone)]
pub struct StartedJob {
    /// Its id.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// For whom.
    pub business_id: BusinessId,
    /// The generation that it makes or speaks of.
    pub generation_id: Option<GenerationId>,
    /// What the handler needs: [`crate::work::Work`] writes it and reads it.
    pub payload: serde_json::Value,
    /// The attempt under way; from 1.
    pub attempt: u16,
    /// Attempts before it fails.
    pub max_attempts: u16,
    /// Times in a row that a worker vanished with it before it finished another stage.
    pub takeovers: u16,
    /// Whether the last of them vanished just now: the job was begun and never given back.
    pub is_takeover: bool,
    /// When it was accepted: older jobs go first at the quota.
    pub created_at: DateTime<Utc>,
    /// It fails where it has not ended by then.
    pub deadline_at: Option<DateTime<Utc>>,
    /// Stages already paid for.
    pub stages_completed: u16,
    /// What it has used so far.
    pub usage: Usage,
    /// The request's trace.
    pub trace: TraceParent,
    /// The epoch of the lease under which it runs: every write carries it.
    pub epoch: LeaseEpoch,
}

impl StartedJob {
    /// The lease under which it runs.
    pub fn lease(&self) -> LeaseRef {
        LeaseRef { id: self.id, epoch: self.epoch }
    }
}

/// The fencing token of a lease: a later lease of the same job has a greater one. Microseconds of
/// Redis' own clock, so that it keeps growing across a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseEpoch(pub i64);

/// One lease of one job: what fenced writes, and words to the queue about a job in hand, name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseRef {
    /// The job.
    pub id: JobId,
    /// Which of its leases.
    pub epoch: LeaseEpoch,
}
