//! What became of a job: the column `events`, which the statements that change a job's state write, and its stages, as
//! people are told of them.

use chrono::{DateTime, Utc};
use copydesk_domain::checkpoint::StageResult;
use copydesk_domain::id::JobId;
use copydesk_domain::job::Priority;
use copydesk_domain::named_enum;
use copydesk_domain::stage::Stage;
use copydesk_domain::usage::Usage;
use serde::Deserialize;
use sqlx::types::Json;

use super::row::{TABLE, named, to_u16};
use crate::store::{Store, StoreError};

/// The most lines of an error that are kept, and of each the most characters.
const LINES: usize = 10;
const LINE_CHARS: usize = 500;

named_enum! {
    /// What happened to a job.
    EventKind {
        /// A worker began it.
        Started = "started",
        /// It gave its slot back until a known time.
        Waiting = "waiting",
        /// A worker began it that another one had lost.
        TakenOver = "taken_over",
        /// Its worker gave it back unfinished.
        HandedBack = "handed_back",
        /// An attempt failed, or it was reopened after its end.
        Retried = "retried",
        /// It failed.
        Failed = "failed",
        /// It was cancelled.
        Cancelled = "cancelled",
        /// It has its result.
        Succeeded = "succeeded",
    }
}

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// In which attempt.
    pub attempt: u16,
    /// What.
    pub kind: EventKind,
    /// The stage that was about to run, if one was finished before.
    #[serde(default)]
    pub stage: Option<String>,
    /// Why it waits, was given back or failed.
    #[serde(default)]
    pub reason: Option<String>,
    /// The provider that it waits for.
    #[serde(default)]
    pub provider: Option<String>,
    /// Until when it waits.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
    /// The worker that began it.
    #[serde(default)]
    pub worker: Option<String>,
    /// The error and its causes, outermost first.
    #[serde(default)]
    pub lines: Vec<String>,
}

/// Lines of an error, as they are stored; `None` if there are none.
pub(super) fn told(lines: &[String]) -> Option<Json<Vec<String>>> {
    let cut = |line: &String| line.chars().filter(|c| *c != '\0').take(LINE_CHARS).collect();
    let told: Vec<String> = lines.iter().take(LINES).map(cut).collect();
    (!told.is_empty()).then_some(Json(told))
}

/// A finished stage.
#[derive(Debug, Clone)]
pub struct FinishedStage {
    /// The stage.
    pub stage: Stage,
    /// 0 for the first pass.
    pub round: u16,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it was stored.
    pub finished_at: DateTime<Utc>,
    /// What it used.
    pub usage: Usage,
}

/// What is stored of a job's past.
#[derive(Debug, Clone)]
pub struct Past {
    /// What was asked for, as its kind has it.
    pub payload: serde_json::Value,
    /// How urgent it is.
    pub priority: Priority,
    /// The worker that runs it, or that ran it last if it has ended.
    pub worker: Option<String>,
    /// What happened, oldest first. Of jobs of an older release there may be nothing.
    pub events: Vec<Event>,
    /// Its stages, in the order in which they ended; none once they are cleaned up.
    pub stages: Vec<FinishedStage>,
}

/// The past of a job; `None` if there is no such job. It may be of any business: the caller must check who may see it.
pub async fn past(store: &Store, id: JobId) -> Result<Option<Past>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select payload, priority, lease_owner, events as "events: Json<Vec<serde_json::Value>>" from jobs where id = $1"#,
            id.0
        )
        .fetch_optional(&store.pool)
        .await
    };
    let Some(row) = store.retry(query).await? else { return Ok(None) };
    // One that a later release wrote may be of a kind that this one does not have.
    let events = row.events.0.into_iter().filter_map(|event| Event::deserialize(event).ok()).collect();
    let stages = stages(store, id).await?;
    let priority = named(TABLE, &row.priority)?;
    Ok(Some(Past { payload: row.payload, priority, worker: row.lease_owner, events, stages }))
}

async fn stages(store: &Store, id: JobId) -> Result<Vec<FinishedStage>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select stage, round, output ? 'reviewed' as "has_reviewed!", usage as "usage: Json<Usage>", started_at,
                      finished_at
               from stage_results where job_id = $1 order by finished_at, round"#,
            id.0
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?.into_iter();
    let known = rows.filter_map(|row| {
        let output = if row.has_reviewed { serde_json::json!({ "reviewed": true }) } else { serde_json::json!({}) };
        let (stage, round) = StageResult::read_as(row.stage.parse().ok()?, to_u16(row.round), &output);
        let (started_at, finished_at) = (row.started_at, row.finished_at);
        Some(FinishedStage { stage, round, started_at, finished_at, usage: row.usage.0 })
    });
    Ok(known.collect())
}
