//! How many jobs there are, counted up to a bound; dead letters by their cause.

use chrono::{DateTime, Utc};
use copydesk_domain::job::{JobKind, JobStatus};

use super::find::{Wanted, as_id};
use super::list::DeadFilter;
use super::row::{TABLE, named};
use crate::store::{Store, StoreError};

/// Jobs are counted up to here.
pub const MOST: i64 = 10_000;
/// Rows are looked at up to here, where no index tells which are wanted.
const MOST_LOOKED_AT: i64 = 100_000;

/// A number of jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// At most [`MOST`].
    pub jobs: i64,
    /// There may be more.
    pub is_capped: bool,
}

impl Count {
    fn of(jobs: i64, is_cut: bool) -> Self {
        Self { jobs: jobs.min(MOST), is_capped: is_cut || jobs > MOST }
    }
}

/// The jobs in the indexes with this condition: those that are wanted, and whether not all were looked at.
macro_rules! counted {
    ($store:expr, $wanted:expr, $most:expr, $condition:tt) => {{
        let query = || async {
            sqlx::query!(
                r#"select count(*) filter (where $3::text is null or status = $3) as "jobs!", count(*) > $4::bigint as "is_cut!"
                   from (
                       select status from jobs
                       where ($1::text is null or business_id = $1) and ($2::text is null or kind = $2) and "#
                    + $condition
                    + r#"
                       limit $4::bigint + 1
                   ) looked_at"#,
                $wanted.business(),
                $wanted.kind(),
                $wanted.status(),
                $most,
            )
            .fetch_one(&$store.pool)
            .await
        };
        $store.retry(query).await.map(|row| Count::of(row.jobs, row.is_cut))
    }};
}

/// How many jobs are wanted.
pub async fn wanted(store: &Store, wanted: &Wanted) -> Result<Count, StoreError> {
    if let Some(words) = &wanted.words {
        return with_words(store, wanted, words).await;
    }
    match wanted.filter.status {
        None => all(store, wanted).await,
        Some(JobStatus::Succeeded) => succeeded(store, wanted).await,
        Some(JobStatus::Failed) => failed(store, wanted).await,
        Some(JobStatus::Cancelled) => cancelled(store, wanted).await,
        Some(_) => counted!(store, wanted, MOST_LOOKED_AT, "finished_at is null"),
    }
}

async fn all(store: &Store, wanted: &Wanted) -> Result<Count, StoreError> {
    let open = counted!(store, wanted, MOST, "finished_at is null")?;
    let failed = failed(store, wanted).await?;
    let cancelled = cancelled(store, wanted).await?;
    let succeeded = succeeded(store, wanted).await?;
    let counts = [open, failed, cancelled, succeeded];
    let is_capped = counts.iter().any(|count| count.is_capped);
    Ok(Count::of(counts.iter().map(|count| count.jobs).sum(), is_capped))
}

async fn succeeded(store: &Store, wanted: &Wanted) -> Result<Count, StoreError> {
    counted!(store, wanted, MOST, "finished_at is not null and error is null and cancelled_at is null")
}

async fn failed(store: &Store, wanted: &Wanted) -> Result<Count, StoreError> {
    counted!(store, wanted, MOST, "error is not null")
}

async fn cancelled(store: &Store, wanted: &Wanted) -> Result<Count, StoreError> {
    counted!(store, wanted, MOST, "cancelled_at is not null")
}

async fn with_words(store: &Store, wanted: &Wanted, words: &str) -> Result<Count, StoreError> {
    let filter = wanted.filter;
    // Without a filter, each job that has the words counts.
    let most = if filter.status.is_none() && filter.kind.is_none() { MOST } else { MOST_LOOKED_AT };
    let query = || async {
        sqlx::query!(
            r#"with named as materialized (
                   select id from jobs_named($1, $4) id
               ), matched as materialized (
                   select job_id from job_words where words @@ job_query($1, $2) and not exists (select from named)
                   limit $3::bigint + 1
               ), found as (
                   select id from named union select job_id from matched
               )
               select count(*) as "jobs!", (select count(*) from matched) > $3::bigint as "is_cut!"
               from found join jobs j using (id)
               where ($1::text is null or j.business_id = $1)
                 and ($5::text is null or j.status = $5) and ($6::text is null or j.kind = $6)"#,
            wanted.business(),
            words,
            most,
            as_id(words),
            wanted.status(),
            wanted.kind(),
        )
        .fetch_one(&store.pool)
        .await
    };
    let row = store.retry(query).await?;
    Ok(Count::of(row.jobs, row.is_cut))
}

/// Dead letters with the same cause.
#[derive(Debug, Clone)]
pub struct DeadGroup {
    /// The type of their problem.
    pub error_type: String,
    /// The stage that failed; empty before the first one.
    pub stage: String,
    /// Their kind.
    pub kind: JobKind,
    /// The provider that they last waited for, if any.
    pub provider: Option<String>,
    /// How many.
    pub jobs: i64,
    /// The end of the last one.
    pub newest_at: DateTime<Utc>,
}

/// Dead letters by their cause, the largest group first: up to `most` groups.
pub async fn dead(store: &Store, filter: &DeadFilter, most: u16) -> Result<(i64, Vec<DeadGroup>), StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select coalesce(error->>'type', '') as "error_type!", stage, kind, wait_provider as provider, count(*) as "jobs!",
                      max(finished_at) as "newest_at!", sum(count(*)) over ()::bigint as "all!"
               from jobs
               where error is not null and discarded_at is null and ($1::text is null or kind = $1)
                 and ($2::text is null or business_id = $2) and ($3::text is null or error->>'type' = $3)
                 and ($4::text is null or stage = $4)
               group by 1, 2, 3, 4 order by 5 desc, 6 desc limit $5"#,
            filter.kind.map(JobKind::as_str),
            filter.business_id.as_ref().map(|id| id.as_str()),
            filter.error_type,
            filter.stage,
            i64::from(most),
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?;
    let all = rows.first().map_or(0, |row| row.all);
    let groups = rows.into_iter().map(|row| {
        let kind = named(TABLE, &row.kind)?;
        Ok(DeadGroup {
            error_type: row.error_type,
            stage: row.stage,
            kind,
            provider: row.provider,
            jobs: row.jobs,
            newest_at: row.newest_at,
        })
    });
    Ok((all, groups.collect::<Result<_, StoreError>>()?))
}
