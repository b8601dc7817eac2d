//! Lists of jobs, newest first, in pages. A page reads a bounded number of jobs, however many there
//! are: it uses the index of the jobs that may be on it. If only the rows can tell which belong on
//! it, it reads at most 2,000 of each kind. That number is a literal in the statements, because the
//! planner must know it.

use std::cmp::Reverse;

use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{Job, JobKind, JobStatus};
use uuid::Uuid;

use super::get;
use crate::store::{Store, StoreError};

/// A page of jobs.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The jobs, newest first: at most the limit.
    pub jobs: Vec<Job>,
    /// The next page has the jobs accepted before this one; `None` after the last page.
    pub next: Option<JobId>,
    /// The page reached its bound of read jobs and ends there.
    pub is_short: bool,
}

/// A filter of jobs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Jobs with this status.
    pub status: Option<JobStatus>,
    /// Those of this kind.
    pub kind: Option<JobKind>,
}

impl Filter {
    pub(super) fn has(&self, job: &Job) -> bool {
        self.status.is_none_or(|status| job.status == status) && self.kind.is_none_or(|kind| job.kind == kind)
    }
}

/// An id that a statement returned: of a job on the page, or of the last job that it read.
pub(super) struct Found {
    pub(super) id: Uuid,
    pub(super) is_end: bool,
}

/// A business's jobs, newest first: up to `limit`, accepted before the job `before`.
pub async fn of_business(
    store: &Store,
    business_id: &BusinessId,
    filter: Filter,
    before: Option<JobId>,
    limit: u16,
) -> Result<Page, StoreError> {
    let found = found(store, Some(business_id), filter, before, limit).await?;
    page(store, found, limit, |job| filter.has(job)).await
}

/// The same of all businesses. It reads the newest 2,000 jobs that have ended in the way that is asked for, or have not.
pub async fn of_all(store: &Store, filter: Filter, before: Option<JobId>, limit: u16) -> Result<Page, StoreError> {
    let found = found(store, None, filter, before, limit).await?;
    page(store, found, limit, |job| filter.has(job)).await
}

/// The newest ids that belong to a filter: one more than `limit`, and where reading stopped.
pub(super) async fn found(
    store: &Store,
    business_id: Option<&BusinessId>,
    filter: Filter,
    before: Option<JobId>,
    limit: u16,
) -> Result<Vec<Found>, StoreError> {
    let Some(business_id) = business_id else { return everywhere(store, filter, before, limit).await };
    let scope = Scope::new(business_id, filter.kind, before, limit);
    match filter.status {
        None => scope.all(store).await,
        Some(JobStatus::Succeeded) => scope.succeeded(store).await,
        Some(JobStatus::Failed) => scope.failed(store).await,
        Some(JobStatus::Cancelled) => scope.cancelled(store).await,
        Some(open) => scope.open(store, open).await,
    }
}

/// The newest ids of all businesses that a filter has, among the newest 2,000 of the index with this condition.
macro_rules! newest {
    ($store:expr, $filter:expr, $before:expr, $limit:expr, $condition:tt) => {{
        let query = || async {
            sqlx::query_as!(
                Found,
                r#"with found as materialized (
                       select id from (
                           select id, kind, status from jobs where id < $1 and "#
                    + $condition
                    + r#"
                           order by id desc limit 2000
                       ) looked_at
                       where ($3::text is null or kind = $3) and ($4::text is null or status = $4)
                       limit $2
                   )
                   select id as "id!", false as "is_end!" from found
                   union all
                   (select id, true from jobs
                    where id < $1 and (select count(*) from found) < $2 and "#
                    + $condition
                    + r#"
                    order by id desc offset 1999 limit 1)"#,
                or_newest($before),
                read_limit($limit),
                $filter.kind.map(JobKind::as_str),
                $filter.status.map(JobStatus::as_str),
            )
            .fetch_all(&$store.pool)
            .await
        };
        $store.retry(query).await
    }};
}

async fn everywhere(
    store: &Store,
    filter: Filter,
    before: Option<JobId>,
    limit: u16,
) -> Result<Vec<Found>, StoreError> {
    match filter.status {
        // Nearly all jobs succeed.
        None | Some(JobStatus::Succeeded) => newest!(store, filter, before, limit, "true"),
        Some(JobStatus::Failed) => newest!(store, filter, before, limit, "error is not null"),
        Some(JobStatus::Cancelled) => newest!(store, filter, before, limit, "cancelled_at is not null"),
        Some(_) => newest!(store, filter, before, limit, "finished_at is null"),
    }
}

/// The running jobs of the business, or of all, among these ids, newest first: up to `limit`, accepted before
/// the job `before`.
pub async fn running_among(
    store: &Store,
    business_id: Option<&BusinessId>,
    ids: &[JobId],
    before: Option<JobId>,
    limit: u16,
) -> Result<Page, StoreError> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let query = || async {
        sqlx::query_as!(
            Found,
            r#"select id, false as "is_end!" from jobs
               where id = any($1) and ($2::text is null or business_id = $2) and status = 'running' and id < $3
               order by id desc limit $4"#,
            &ids,
            business_id.map(BusinessId::as_str),
            or_newest(before),
            read_limit(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    let found = store.retry(query).await?;
    let running = Filter { status: Some(JobStatus::Running), kind: None };
    page(store, found, limit, |job| running.has(job)).await
}

/// Builds a page from the ids that were found, down to the point where every kind was read. A job
/// that has changed in the meantime is left out.
pub(super) async fn page(
    store: &Store,
    mut found: Vec<Found>,
    limit: u16,
    belongs: impl Fn(&Job) -> bool,
) -> Result<Page, StoreError> {
    let end = found.iter().filter(|found| found.is_end).map(|found| found.id).max();
    found.retain(|found| !found.is_end && end.is_none_or(|end| found.id >= end));
    found.sort_unstable_by_key(|found| Reverse(found.id));
    let is_full = found.len() > usize::from(limit);
    found.truncate(usize::from(limit));
    let next = if is_full { found.last().map(|last| last.id) } else { end }.map(JobId);
    let ids: Vec<_> = found.into_iter().map(|found| JobId(found.id)).collect();
    let mut jobs = Vec::with_capacity(ids.len());
    if !ids.is_empty() {
        for (_, job) in get(store, &ids).await? {
            jobs.push(job?);
        }
    }
    jobs.retain(belongs);
    jobs.sort_unstable_by_key(|job| Reverse(job.id));
    Ok(Page { jobs, is_short: !is_full && next.is_some(), next })
}

/// The arguments of all statements for a business's page.
struct Scope<'a> {
    /// The business, as a list of one. With `=`, the planner would know that the order of all jobs
    /// by id is also the business's order, and might search its few jobs among those of all
    /// businesses.
    businesses: [&'a str; 1],
    kinds: Vec<&'static str>,
    before: Uuid,
    read_limit: i64,
}

/// The newest ids of each kind in the partial index with this condition.
macro_rules! ended {
    ($scope:expr, $store:expr, $condition:tt) => {{
        let Scope { businesses, kinds, before, read_limit } = $scope;
        let query = || async {
            sqlx::query_as!(
                Found,
                r#"select j.id as "id!", false as "is_end!"
                   from unnest($2::text[]) as k (kind) cross join lateral (
                       select id from jobs
                       where business_id = any($1) and kind = k.kind and id < $3 and "#
                    + $condition
                    + r#"
                       order by business_id desc, kind desc, id desc limit $4
                   ) j
                   order by j.id desc limit $4"#,
                businesses as &[&str],
                kinds as &[&str],
                before,
                read_limit,
            )
            .fetch_all(&$store.pool)
            .await
        };
        $store.retry(query).await
    }};
}

impl<'a> Scope<'a> {
    fn new(business_id: &'a BusinessId, kind: Option<JobKind>, before: Option<JobId>, limit: u16) -> Self {
        let kinds = JobKind::ALL.iter().filter(|other| kind.is_none_or(|kind| kind == **other));
        Self {
            businesses: [business_id.as_str()],
            kinds: kinds.map(|kind| kind.as_str()).collect(),
            before: or_newest(before),
            read_limit: read_limit(limit),
        }
    }

    async fn succeeded(&self, store: &Store) -> Result<Vec<Found>, StoreError> {
        ended!(self, store, "finished_at is not null and error is null and cancelled_at is null")
    }

    async fn failed(&self, store: &Store) -> Result<Vec<Found>, StoreError> {
        ended!(self, store, "error is not null")
    }

    async fn cancelled(&self, store: &Store) -> Result<Vec<Found>, StoreError> {
        ended!(self, store, "cancelled_at is not null")
    }

    /// The newest ids of all four indexes.
    async fn all(&self, store: &Store) -> Result<Vec<Found>, StoreError> {
        let query = || async {
            sqlx::query_as!(
                Found,
                r#"select j.id as "id!", false as "is_end!"
                   from unnest($2::text[]) as k (kind) cross join lateral (
                       (select id from jobs
                        where business_id = any($1) and kind = k.kind and id < $3 and finished_at is null
                        order by business_id desc, kind desc, id desc limit $4)
                       union all
                       (select id from jobs
                        where business_id = any($1) and kind = k.kind and id < $3
                          and finished_at is not null and error is null and cancelled_at is null
                        order by business_id desc, kind desc, id desc limit $4)
                       union all
                       (select id from jobs
                        where business_id = any($1) and kind = k.kind and id < $3 and error is not null
                        order by business_id desc, kind desc, id desc limit $4)
                       union all
                       (select id from jobs
                        where business_id = any($1) and kind = k.kind and id < $3 and cancelled_at is not null
                        order by business_id desc, kind desc, id desc limit $4)
                   ) j
                   order by j.id desc limit $4"#,
                &self.businesses as &[&str],
                &self.kinds as &[&str],
                self.before,
                self.read_limit,
            )
            .fetch_all(&store.pool)
            .await
        };
        store.retry(query).await
    }

    /// Open jobs by status, which is in no index: reads the newest 2,000 of each kind, unless the
    /// page is full before.
    async fn open(&self, store: &Store, status: JobStatus) -> Result<Vec<Found>, StoreError> {
        let query = || async {
            sqlx::query_as!(
                Found,
                r#"with found as materialized (
                       select k.kind, f.id from unnest($2::text[]) as k (kind) cross join lateral (
                           select id from (
                               select id, status from jobs
                               where business_id = any($1) and kind = k.kind and id < $3 and finished_at is null
                               order by business_id desc, kind desc, id desc limit 2000
                           ) looked_at
                           where status = $5 limit $4
                       ) f
                   )
                   select id as "id!", false as "is_end!" from found
                   union all
                   select e.id, true from unnest($2::text[]) as k (kind) cross join lateral (
                       select id from jobs
                       where business_id = any($1) and kind = k.kind and id < $3 and finished_at is null
                       order by business_id desc, kind desc, id desc offset 1999 limit 1
                   ) e
                   where (select count(*) from found where found.kind = k.kind) < $4"#,
                &self.businesses as &[&str],
                &self.kinds as &[&str],
                self.before,
                self.read_limit,
                status.as_str(),
            )
            .fetch_all(&store.pool)
            .await
        };
        store.retry(query).await
    }
}

/// A filter of dead letters, which are failed jobs that no operator has discarded. An empty filter
/// means all.
#[derive(Debug, Clone, Default)]
pub struct DeadFilter {
    /// This one.
    pub id: Option<JobId>,
    /// Those of this kind.
    pub kind: Option<JobKind>,
    /// Those of this business.
    pub business_id: Option<BusinessId>,
    /// Jobs that failed with a problem of this type.
    pub error_type: Option<String>,
    /// Jobs that failed in this stage.
    pub stage: Option<String>,
}

/// Dead letters, newest first: up to `limit`, accepted before the job `before`.
pub async fn dead(store: &Store, filter: &DeadFilter, before: Option<JobId>, limit: u16) -> Result<Page, StoreError> {
    let found = match &filter.business_id {
        Some(business_id) => dead_of(store, &Scope::new(business_id, filter.kind, before, limit), filter).await?,
        None => dead_of_all(store, filter, before, limit).await?,
    };
    page(store, found, limit, |job| job.status == JobStatus::Failed).await
}

/// Dead letters of one business. Discarded jobs are in the same index and are read too.
async fn dead_of(store: &Store, scope: &Scope<'_>, filter: &DeadFilter) -> Result<Vec<Found>, StoreError> {
    let query = || async {
        sqlx::query_as!(
            Found,
            r#"with found as materialized (
                   select k.kind, f.id from unnest($2::text[]) as k (kind) cross join lateral (
                       select id from (
                           select id, discarded_at, error, stage from jobs
                           where business_id = any($1) and kind = k.kind and id < $3 and error is not null
                           order by business_id desc, kind desc, id desc limit 2000
                       ) looked_at
                       where discarded_at is null and ($5::text is null or error->>'type' = $5)
                         and ($6::text is null or stage = $6) limit $4
                   ) f
               )
               select id as "id!", false as "is_end!" from found
               union all
               select e.id, true from unnest($2::text[]) as k (kind) cross join lateral (
                   select id from jobs
                   where business_id = any($1) and kind = k.kind and id < $3 and error is not null
                   order by business_id desc, kind desc, id desc offset 1999 limit 1
               ) e
               where (select count(*) from found where found.kind = k.kind) < $4"#,
            &scope.businesses as &[&str],
            &scope.kinds as &[&str],
            scope.before,
            scope.read_limit,
            filter.error_type,
            filter.stage,
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await
}

/// Dead letters of all businesses.
async fn dead_of_all(
    store: &Store,
    filter: &DeadFilter,
    before: Option<JobId>,
    limit: u16,
) -> Result<Vec<Found>, StoreError> {
    let query = || async {
        sqlx::query_as!(
            Found,
            r#"with found as materialized (
                   select id from (
                       select id, kind, error, stage from jobs
                       where error is not null and discarded_at is null and id < $1 order by id desc limit 2000
                   ) looked_at
                   where ($3::text is null or kind = $3) and ($4::text is null or error->>'type' = $4)
                     and ($5::text is null or stage = $5)
                   limit $2
               )
               select id as "id!", false as "is_end!" from found
               union all
               (select id, true from jobs
                where error is not null and discarded_at is null and id < $1
                  and (select count(*) from found) < $2
                order by id desc offset 1999 limit 1)"#,
            or_newest(before),
            read_limit(limit),
            filter.kind.map(JobKind::as_str),
            filter.error_type,
            filter.stage,
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await
}

/// Reads one more than a page shows, to see whether there is another page.
pub(super) fn read_limit(limit: u16) -> i64 {
    i64::from(limit) + 1
}

/// Always an upper bound for the ids, so that the statement has the same plan with and without
/// `before`.
pub(super) fn or_newest(before: Option<JobId>) -> Uuid {
    before.map_or(Uuid::max(), |id| id.0)
}
