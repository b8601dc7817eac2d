//! Lists of jobs, newest first, and counts of them for operators.

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::{JobRow, named};
use crate::business::BusinessId;
use crate::job::{Job, JobId, JobKind, JobStatus, Problem, Usage};
use crate::store::{Store, StoreError};

/// Which of a business's jobs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Those that stand like this.
    pub status: Option<JobStatus>,
    /// Those of this kind.
    pub kind: Option<JobKind>,
}

/// A business's jobs, newest first: up to `limit`, those accepted before the job `before`.
pub async fn of_business(
    store: &Store,
    business_id: &BusinessId,
    filter: Filter,
    before: Option<JobId>,
    limit: u16,
) -> Result<Vec<Job>, StoreError> {
    let query = || async {
        sqlx::query_as!(
            JobRow,
            r#"select id, kind, business_id, generation_id, status, wait_reason, wait_provider, wait_until, stage,
                      stages_completed, stages_total, priority, attempt, max_attempts, created_at, started_at,
                      finished_at, updated_at, usage as "usage: Json<Usage>", result,
                      error as "error: Json<Problem>", metadata
               from jobs
               where business_id = $1 and ($2::text is null or status = $2) and ($3::text is null or kind = $3)
                 and ($4::uuid is null or id < $4)
               order by id desc limit $5"#,
            business_id.as_str(),
            filter.status.map(JobStatus::as_str),
            filter.kind.map(JobKind::as_str),
            before.map(|id| id.0),
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await?.into_iter().map(Job::try_from).collect()
}

/// Which dead letters: failed jobs that no operator has put aside. All of them where nothing is set.
#[derive(Debug, Clone, Default)]
pub struct DeadFilter {
    /// This one.
    pub id: Option<JobId>,
    /// Those of this kind.
    pub kind: Option<JobKind>,
    /// Those of this business.
    pub business_id: Option<BusinessId>,
    /// Those that failed with a problem of this type.
    pub error_type: Option<String>,
    /// Those that failed in this stage.
    pub stage: Option<String>,
}

/// Dead letters of all businesses, newest first: up to `limit`, those accepted before the job
/// `before`.
pub async fn dead(
    store: &Store,
    filter: &DeadFilter,
    before: Option<JobId>,
    limit: u16,
) -> Result<Vec<Job>, StoreError> {
    let query = || async {
        sqlx::query_as!(
            JobRow,
            r#"select id, kind, business_id, generation_id, status, wait_reason, wait_provider, wait_until, stage,
                      stages_completed, stages_total, priority, attempt, max_attempts, created_at, started_at,
                      finished_at, updated_at, usage as "usage: Json<Usage>", result,
                      error as "error: Json<Problem>", metadata
               from jobs
               where error is not null and discarded_at is null and ($1::uuid is null or id = $1)
                 and ($2::text is null or kind = $2) and ($3::text is null or business_id = $3)
                 and ($4::text is null or error->>'type' = $4) and ($5::text is null or stage = $5)
                 and ($6::uuid is null or id < $6)
               order by id desc limit $7"#,
            filter.id.map(|id| id.0),
            filter.kind.map(JobKind::as_str),
            filter.business_id.as_ref().map(BusinessId::as_str),
            filter.error_type,
            filter.stage,
            before.map(|id| id.0),
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await?.into_iter().map(Job::try_from).collect()
}

/// What the jobs of a kind are doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// The kind.
    pub kind: JobKind,
    /// Accepted, and in no worker's hands.
    pub queued: i64,
    /// When the oldest of these was accepted.
    pub oldest_queued_at: Option<DateTime<Utc>>,
    /// Waiting until a known time.
    pub waiting: i64,
    /// In some worker's hands.
    pub running: i64,
    /// Ended with a result within the last minute.
    pub succeeded_last_minute: i64,
    /// Failed within the last minute.
    pub failed_last_minute: i64,
}

/// What the jobs are doing, by kind; a kind without open or lately ended jobs is left out.
pub async fn load(store: &Store) -> Result<Vec<Load>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select kind as "kind!", count(*) filter (where status = 'queued') as "queued!",
                      min(created_at) filter (where status = 'queued') as oldest_queued_at,
                      count(*) filter (where status = 'waiting') as "waiting!",
                      count(*) filter (where status = 'running') as "running!",
                      count(*) filter (where status = 'succeeded') as "succeeded!",
                      count(*) filter (where status = 'failed') as "failed!"
               from (
                   select kind, status, created_at from jobs where finished_at is null
                   union all
                   select kind, status, created_at from jobs where finished_at > now() - interval '1 minute'
               ) j group by kind order by kind"#
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?.into_iter().map(|row| {
        Ok(Load {
            kind: named::<JobKind>(&row.kind)?,
            queued: row.queued,
            oldest_queued_at: row.oldest_queued_at,
            waiting: row.waiting,
            running: row.running,
            succeeded_last_minute: row.succeeded,
            failed_last_minute: row.failed,
        })
    });
    rows.collect()
}

/// How many jobs each worker has in its hands, by the worker's name.
pub async fn in_flight(store: &Store) -> Result<Vec<(String, i64)>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select lease_owner as "owner!", count(*) as "jobs!" from jobs
               where finished_at is null and status = 'running' group by lease_owner"#
        )
        .fetch_all(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.into_iter().map(|row| (row.owner, row.jobs)).collect())
}

/// Up to `limit` jobs that wait for a provider, the oldest first.
pub async fn waiting_for(store: &Store, provider: &str, limit: u16) -> Result<Vec<JobId>, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            "select id from jobs where status = 'waiting' and wait_provider = $1 order by id limit $2",
            provider,
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.into_iter().map(JobId).collect())
}
