//! The history of a run, recorded by triggers in its database: every change of a row, and the
//! process that made it. The programs under test are not changed for it.

use std::time::Duration;

use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{FromRow, PgPool};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::fault::crowd::STANDING;
use crate::database::Database;

/// The pause between two looks at open jobs.
const PAUSE: Duration = Duration::from_millis(100);

/// A write to a job's row.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Write {
    pub(super) job_id: Uuid,
    /// The process.
    pub(super) writer: String,
    /// `None` if the row was inserted.
    pub(super) old_status: Option<String>,
    pub(super) status: String,
    pub(super) old_epoch: Option<i64>,
    pub(super) epoch: i64,
    /// The reason for which the job waits from then on, if it waits.
    pub(super) waits_for: Option<String>,
    /// Until when it waits.
    pub(super) waits_until: Option<DateTime<Utc>>,
    pub(super) at: DateTime<Utc>,
}

/// A finished stage that a worker stored, or tried to store again.
#[derive(Debug, Clone, FromRow)]
pub(super) struct StageWrite {
    pub(super) job_id: Uuid,
    pub(super) stage: String,
    pub(super) round: i16,
    pub(super) at: DateTime<Utc>,
    /// Distinguishes a stage that ran twice from one whose storing was repeated.
    pub(super) started_at: DateTime<Utc>,
    /// The LLM calls in its usage.
    pub(super) llm_calls: i64,
    /// The process.
    pub(super) writer: String,
    /// The job's epoch at that time.
    pub(super) epoch: i64,
}

/// A write to a job's result.
#[derive(Debug, Clone, FromRow)]
pub(super) struct ResultWrite {
    pub(super) job_id: Uuid,
    /// `INSERT`, `UPDATE` or `DELETE`.
    pub(super) operation: String,
}

/// The final state of a job's row.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) topic: String,
    pub(super) status: String,
    /// The text, if there is one.
    pub(super) content: Option<String>,
    /// The type of the problem, if there is one.
    pub(super) problem: Option<String>,
}

impl Row {
    /// Whether the job has still to end. One that is not due yet stands for as long as it waits.
    pub(super) fn is_open(&self) -> bool {
        let stands = self.topic.starts_with(STANDING) && self.status == "waiting";
        !is_final(&self.status) && !stands
    }
}

/// Whether a job with this status has ended.
pub(super) fn is_final(status: &str) -> bool {
    matches!(status, "succeeded" | "failed" | "cancelled")
}

/// Installs the triggers. Must be called before the first job.
pub(super) async fn install(database: &Database) -> anyhow::Result<()> {
    database.execute(include_str!("audit.sql")).await
}

/// Every write to a job, in order.
pub(super) async fn writes(pool: &PgPool) -> anyhow::Result<Vec<Write>> {
    let query = "select job_id, writer, old_status, status, old_epoch, epoch, waits_for, waits_until, at
                 from audit.writes order by seq";
    Ok(sqlx::query_as(query).fetch_all(pool).await?)
}

/// Every finished stage, in order.
pub(super) async fn stages(pool: &PgPool) -> anyhow::Result<Vec<StageWrite>> {
    let query = "select job_id, stage, round, at, started_at, llm_calls, writer, epoch from audit.stages order by seq";
    Ok(sqlx::query_as(query).fetch_all(pool).await?)
}

/// Every write to a result, in order.
pub(super) async fn results(pool: &PgPool) -> anyhow::Result<Vec<ResultWrite>> {
    Ok(sqlx::query_as("select job_id, operation from audit.results order by seq").fetch_all(pool).await?)
}

/// The state of every job that writes a text.
pub(super) async fn rows(pool: &PgPool) -> anyhow::Result<Vec<Row>> {
    let query = "select jobs.id, payload->>'topic' as topic, status, content, error->>'type' as problem
                 from jobs left join generations on job_id = jobs.id where kind = 'generate'";
    Ok(sqlx::query_as(query).fetch_all(pool).await?)
}

/// Waits until no job is open, or until `give_up`. A job that was committed without an answer has no client that waits for it.
pub(super) async fn ended(pool: &PgPool, give_up: Instant) -> anyhow::Result<()> {
    while rows(pool).await?.iter().any(Row::is_open) && Instant::now() < give_up {
        sleep(PAUSE).await;
    }
    Ok(())
}
