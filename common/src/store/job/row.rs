//! Rows of `jobs` as they are read for clients, for a worker that begins a job and for the sweep,
//! and their conversion to domain types. The statements select the rows.

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::{GenerationId, JobId};
use copydesk_domain::job::{Job, JobKind, JobStatus, LeaseEpoch, Priority, Progress, StartedJob, WaitReason, Waiting};
use copydesk_domain::problem::Problem;
use copydesk_domain::trace::TraceParent;
use copydesk_domain::usage::Usage;
use sqlx::types::Json;
use uuid::Uuid;

use crate::store::StoreError;

/// The table, as errors name it.
pub(super) const TABLE: &str = "jobs";

/// A row of `jobs` as clients need it.
pub(super) struct JobRow {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) business_id: String,
    pub(super) generation_id: Option<Uuid>,
    pub(super) topic: Option<String>,
    pub(super) status: String,
    pub(super) wait_reason: Option<String>,
    pub(super) wait_provider: Option<String>,
    pub(super) wait_until: Option<DateTime<Utc>>,
    pub(super) stage: String,
    pub(super) stages_completed: i16,
    pub(super) stages_total: i16,
    pub(super) priority: String,
    pub(super) attempt: i16,
    pub(super) max_attempts: i16,
    pub(super) created_at: DateTime<Utc>,
    pub(super) started_at: Option<DateTime<Utc>>,
    pub(super) finished_at: Option<DateTime<Utc>>,
    pub(super) updated_at: DateTime<Utc>,
    pub(super) usage: Json<Usage>,
    pub(super) result: Option<serde_json::Value>,
    pub(super) error: Option<Json<Problem>>,
    pub(super) metadata: serde_json::Value,
}

impl TryFrom<JobRow> for Job {
    type Error = StoreError;

    fn try_from(row: JobRow) -> Result<Self, StoreError> {
        let waiting = match (row.wait_reason, row.wait_until) {
            (Some(reason), Some(until)) => {
                Some(Waiting { reason: named::<WaitReason>(TABLE, &reason)?, provider: row.wait_provider, until })
            }
            _ => None,
        };
        Ok(Self {
            id: JobId(row.id),
            kind: named::<JobKind>(TABLE, &row.kind)?,
            business_id: BusinessId::parse(row.business_id).map_err(|e| StoreError::unreadable(TABLE, e))?,
            generation_id: row.generation_id.map(GenerationId),
            topic: row.topic,
            status: named::<JobStatus>(TABLE, &row.status)?,
            waiting,
            progress: Progress {
                stage: row.stage,
                completed: to_u16(row.stages_completed),
                total: to_u16(row.stages_total),
            },
            priority: named::<Priority>(TABLE, &row.priority)?,
            attempt: to_u16(row.attempt),
            max_attempts: to_u16(row.max_attempts),
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            updated_at: row.updated_at,
            usage: row.usage.0,
            result: row.result,
            error: row.error.map(|error| error.0),
            metadata: row.metadata,
        })
    }
}

/// A row of `jobs` that was just begun.
pub(super) struct BegunRow {
    pub(super) id: Uuid,
    pub(super) epoch: i64,
    pub(super) kind: String,
    pub(super) business_id: String,
    pub(super) generation_id: Option<Uuid>,
    pub(super) payload: serde_json::Value,
    pub(super) attempt: i16,
    pub(super) max_attempts: i16,
    pub(super) takeovers: i16,
    pub(super) created_at: DateTime<Utc>,
    pub(super) deadline_at: Option<DateTime<Utc>>,
    pub(super) stages_completed: i16,
    pub(super) traceparent: String,
    pub(super) priority: String,
    pub(super) usage: Json<Usage>,
    pub(super) is_takeover: bool,
}

impl TryFrom<BegunRow> for StartedJob {
    type Error = StoreError;

    fn try_from(row: BegunRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: JobId(row.id),
            kind: named::<JobKind>(TABLE, &row.kind)?,
            priority: named::<Priority>(TABLE, &row.priority)?,
            business_id: BusinessId::parse(row.business_id).map_err(|e| StoreError::unreadable(TABLE, e))?,
            generation_id: row.generation_id.map(GenerationId),
            payload: row.payload,
            attempt: to_u16(row.attempt),
            max_attempts: to_u16(row.max_attempts),
            takeovers: to_u16(row.takeovers),
            is_takeover: row.is_takeover,
            created_at: row.created_at,
            deadline_at: row.deadline_at,
            stages_completed: to_u16(row.stages_completed),
            usage: row.usage.0,
            trace: row.traceparent.parse().unwrap_or_else(|_| TraceParent::start()),
            epoch: LeaseEpoch(row.epoch),
        })
    }
}

/// An open job as the sweep needs it: enough to push its message again.
#[derive(Debug, Clone)]
pub struct OpenJob {
    /// Its id.
    pub id: JobId,
    /// The queue that it belongs to.
    pub kind: JobKind,
    /// The business.
    pub business_id: BusinessId,
    /// How urgent it is.
    pub priority: Priority,
    /// When it becomes ready.
    pub not_before: Option<DateTime<Utc>>,
    /// Whether a worker began it and did not give it back.
    pub running: bool,
    /// The lease under which it was last begun, if it was.
    pub begun: Option<LeaseEpoch>,
    /// The request's trace.
    pub trace: TraceParent,
}

/// Selects open jobs; takes the parts of the statement before and after the columns.
// The columns are a literal, so that each statement is still checked as a whole.
macro_rules! open_jobs {
    ([$($before:tt)+], $after:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::store::job::row::OpenRow,
            $($before)+
                + r#" id as "id!", kind as "kind!", business_id as "business_id!", priority as "priority!",
                      status as "status!", wait_until, traceparent as "traceparent!",
                      lease_epoch as "epoch!" "#
                + $after,
            $($argument),*
        )
    };
}

/// A row of `jobs` that is open.
pub(super) struct OpenRow {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) business_id: String,
    pub(super) priority: String,
    pub(super) status: String,
    pub(super) wait_until: Option<DateTime<Utc>>,
    pub(super) traceparent: String,
    pub(super) epoch: i64,
}

impl TryFrom<OpenRow> for OpenJob {
    type Error = StoreError;

    fn try_from(row: OpenRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: JobId(row.id),
            kind: named::<JobKind>(TABLE, &row.kind)?,
            business_id: BusinessId::parse(row.business_id).map_err(|e| StoreError::unreadable(TABLE, e))?,
            priority: named::<Priority>(TABLE, &row.priority)?,
            not_before: row.wait_until,
            running: row.status == JobStatus::Running.as_str(),
            begun: (row.epoch > 0).then_some(LeaseEpoch(row.epoch)),
            trace: row.traceparent.parse().unwrap_or_else(|_| TraceParent::start()),
        })
    }
}

/// Parses a name in a row of `table`.
pub(in crate::store) fn named<T>(table: &'static str, name: &str) -> Result<T, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    name.parse().map_err(|e: T::Err| StoreError::unreadable(table, e))
}

/// `smallint` columns hold counts: CHECKs and types keep them small and positive.
pub(super) fn to_u16(count: i16) -> u16 {
    u16::try_from(count).unwrap_or(0)
}

/// The reverse. A limit that does not fit is never reached.
pub(super) fn to_i16(count: u16) -> i16 {
    i16::try_from(count).unwrap_or(i16::MAX)
}
