//! Removing what was kept long enough: finished jobs, the stage results of jobs that nobody will resume, and rows of the
//! audit log. Texts, documents and verdicts are never removed here; a text outlives its job.

use chrono::{DateTime, Utc};
use copydesk_domain::id::JobId;
use uuid::Uuid;

use super::{Store, StoreError};

/// Removes up to `most` jobs that ended before a time, the oldest first, with their stage results. Jobs that somebody has
/// locked are left for the next time: a client may be reopening one. Returns how many; there may be more if that is
/// `most`.
pub async fn remove_jobs(store: &Store, ended_before: DateTime<Utc>, most: u16) -> Result<u64, StoreError> {
    let query = || async {
        sqlx::query!(
            "with old as materialized (
                 select id from jobs where finished_at < $1
                 order by finished_at limit $2 for update skip locked
             ), words as (
                 delete from job_words w using old where w.job_id = old.id
             )
             delete from jobs j using old where j.id = old.id",
            ended_before,
            i64::from(most),
        )
        .execute(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.rows_affected())
}

/// Removes up to `most` rows of the audit log from before a time, the oldest first. Returns how many.
pub async fn remove_audit(store: &Store, before: DateTime<Utc>, most: u16) -> Result<u64, StoreError> {
    let query = || async {
        sqlx::query!(
            "delete from audit where id in (select id from audit where at < $1 order by at limit $2)",
            before,
            i64::from(most),
        )
        .execute(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.rows_affected())
}

/// How far a walk over the ended jobs has come: all that ended earlier were looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walked {
    /// The end of the last one.
    pub ended_at: DateTime<Utc>,
    /// The last one.
    pub id: JobId,
}

impl Walked {
    /// Before the first job.
    pub const START: Self = Self { ended_at: DateTime::<Utc>::UNIX_EPOCH, id: JobId(Uuid::nil()) };
}

/// The result of a step of that walk.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// Where the next one begins; `None` if there are no more such jobs for now.
    pub next: Option<Walked>,
    /// How many stage results were removed.
    pub removed: u64,
}

/// Removes the stage results of the next `most` jobs that ended before a time. Those of failed jobs stay as long as their
/// jobs: a retry goes on after them, and pays for nothing twice.
pub async fn remove_stages(
    store: &Store,
    walked: Walked,
    ended_before: DateTime<Utc>,
    most: u16,
) -> Result<Step, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"with old as materialized (
                   select id, finished_at, error is null as resumes_never from jobs
                   where finished_at >= $1 and finished_at < $3 and (finished_at, id) > ($1, $2)
                   order by finished_at, id limit $4
               ), gone as (
                   delete from stage_results s using old where s.job_id = old.id and old.resumes_never
                   returning 1
               )
               select (select count(*) from old) as "jobs!", (select count(*) from gone) as "removed!",
                      last.id as "id?", last.finished_at as "ended_at?"
               from (select 1) one left join (select id, finished_at from old order by finished_at desc, id desc limit 1)
                   last on true"#,
            walked.ended_at,
            walked.id.0,
            ended_before,
            i64::from(most),
        )
        .fetch_one(&store.pool)
        .await
    };
    let row = store.retry(query).await?;
    let last = row.id.zip(row.ended_at).map(|(id, ended_at)| Walked { ended_at, id: JobId(id) });
    Ok(Step { next: last, removed: row.removed.unsigned_abs() })
}
