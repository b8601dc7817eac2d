//! Jobs found by the words of their requests, by an id, or by the last eight characters of one. What an id names is
//! meant, and not the jobs that speak of it. The table `job_words` holds the words; the sweep fills it
//! ([`fill`]), so a job is found some seconds after it was accepted.
//!
//! A word that few jobs have is looked up in the index. One that very many have is looked for in the newest jobs, as a
//! list does it: whatever is asked for, a bounded number of rows is read.

use std::cmp::Reverse;

use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, JobStatus};
use uuid::Uuid;

use super::list::{Filter, Found, Page, found, of_all, of_business, or_newest, page, read_limit};
use crate::store::{Store, StoreError};

/// Jobs that have the words, at most: beyond that, a page looks at the newest jobs.
const MOST_MATCHES: i64 = 2_000;
/// The newest jobs that a page looks at then.
const LOOKED_AT: u16 = 1_999;

/// Which jobs.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Those of this business; `None` for all businesses.
    pub business_id: Option<BusinessId>,
    /// Their status and kind.
    pub filter: Filter,
    /// An id of a job or a text, or words of the request, the last of which may go on. The last eight characters of the
    /// job's id name it, too.
    pub words: Option<String>,
}

impl Wanted {
    pub(super) fn business(&self) -> Option<&str> {
        self.business_id.as_ref().map(BusinessId::as_str)
    }

    pub(super) fn status(&self) -> Option<&'static str> {
        self.filter.status.map(JobStatus::as_str)
    }

    pub(super) fn kind(&self) -> Option<&'static str> {
        self.filter.kind.map(JobKind::as_str)
    }
}

/// The id that somebody looks for, if it is one.
pub(super) fn as_id(words: &str) -> Option<Uuid> {
    words.trim().parse().ok()
}

/// The wanted jobs, newest first: up to `limit`, accepted before the job `before`.
pub async fn wanted(store: &Store, wanted: &Wanted, before: Option<JobId>, limit: u16) -> Result<Page, StoreError> {
    let filter = wanted.filter;
    let Some(words) = &wanted.words else {
        return match &wanted.business_id {
            Some(business_id) => of_business(store, business_id, filter, before, limit).await,
            None => of_all(store, filter, before, limit).await,
        };
    };
    let found = match in_index(store, wanted, words, before, limit).await? {
        Some(found) => found,
        None => among_newest(store, wanted, words, before).await?,
    };
    page(store, found, limit, |job| filter.has(job)).await
}

/// What the index tells, unless it is too much.
async fn in_index(
    store: &Store,
    wanted: &Wanted,
    words: &str,
    before: Option<JobId>,
    limit: u16,
) -> Result<Option<Vec<Found>>, StoreError> {
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
               select j.id as "id?", c.matches as "matches!"
               from (select count(*) as matches from matched) c
               left join lateral (
                   select j.id from found join jobs j using (id)
                   where c.matches <= $3::bigint and j.id < $5 and ($1::text is null or j.business_id = $1)
                     and ($6::text is null or j.status = $6) and ($7::text is null or j.kind = $7)
                   order by j.id desc limit $8
               ) j on true"#,
            wanted.business(),
            words,
            MOST_MATCHES,
            as_id(words),
            or_newest(before),
            wanted.status(),
            wanted.kind(),
            read_limit(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?;
    if rows.first().is_some_and(|row| row.matches > MOST_MATCHES) {
        return Ok(None);
    }
    Ok(Some(rows.into_iter().filter_map(|row| Some(Found { id: row.id?, is_end: false })).collect()))
}

/// Those of the newest jobs that have the words, and where reading stopped.
async fn among_newest(
    store: &Store,
    wanted: &Wanted,
    words: &str,
    before: Option<JobId>,
) -> Result<Vec<Found>, StoreError> {
    let mut newest = found(store, wanted.business_id.as_ref(), wanted.filter, before, LOOKED_AT).await?;
    let stopped = newest.iter().filter(|found| found.is_end).map(|found| found.id).max();
    newest.retain(|found| !found.is_end && stopped.is_none_or(|stopped| found.id >= stopped));
    newest.sort_unstable_by_key(|found| Reverse(found.id));
    let is_full = newest.len() > usize::from(LOOKED_AT);
    let end = if is_full { newest.last().map(|last| last.id) } else { stopped };
    let ids: Vec<Uuid> = newest.into_iter().map(|found| found.id).collect();
    let query = || async {
        sqlx::query_as!(
            Found,
            r#"select job_id as id, false as "is_end!" from job_words
               where job_id = any($1) and words @@ job_query($2, $3)"#,
            &ids,
            wanted.business(),
            words,
        )
        .fetch_all(&store.pool)
        .await
    };
    let mut found = store.retry(query).await?;
    found.extend(end.map(|id| Found { id, is_end: true }));
    Ok(found)
}

/// How far the words of jobs are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// Jobs whose words were stored.
    pub jobs: u64,
    /// The last job that was looked at; `None` if there is none further.
    pub last: Option<JobId>,
}

/// Stores the words of the `most` jobs accepted after one, unless they are. Not of erasures, which have none, nor of
/// businesses that are being erased.
pub async fn fill(store: &Store, after: JobId, most: u16) -> Result<Filled, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"with looked_at as materialized (
                   select id, kind, business_id from jobs where id > $1 order by id limit $2
               ), filled as (
                   insert into job_words (job_id, business_id, words)
                   select j.id, j.business_id, job_words(j.business_id, j.payload, j.metadata)
                          -- The end of an id tells it from its neighbours: its beginning is the time.
                          || array_to_tsvector(array['#' || right(j.id::text, 8)])
                   from looked_at l join jobs j using (id)
                   where l.kind <> 'erase' and not exists (select from job_words w where w.job_id = l.id)
                     and not exists (select from jobs e where e.business_id = l.business_id and e.kind = 'erase'
                                     and e.finished_at is null)
                   on conflict do nothing
                   returning 1
               )
               select (select count(*) from filled) as "jobs!",
                      (select id from looked_at order by id desc limit 1) as last"#,
            after.0,
            i64::from(most),
        )
        .fetch_one(&store.pool)
        .await
    };
    let row = store.retry(query).await?;
    Ok(Filled { jobs: row.jobs.unsigned_abs(), last: row.last.map(JobId) })
}
