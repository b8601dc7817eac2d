//! Pages of jobs: their contents, and how many rows are read for them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, JobStatus};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::list::*;
use crate::store::{SETTINGS, Store};

/// Many times the bound of a page.
const MANY: i32 = 40_000;

/// This many jobs of each of three businesses: nearly all of the first are queued, of the second
/// succeeded, of the third failed. The oldest jobs of each have all states and kinds.
async fn seeded(pool: &PgPool, jobs: i32) -> Store {
    sqlx::query(
        r#"insert into jobs (id, kind, business_id, status, priority, payload, max_attempts, lease_epoch, lease_owner,
                             wait_reason, wait_until, wait_provider, stage, error, traceparent, finished_at,
                             cancelled_at)
           select (lpad(to_hex(1764000000000 + 4 * n + b), 12, '0') || '70008000000000000000')::uuid, kind, business,
                  status, 'bulk', '{}', 3, 1, case when status = 'running' then 'w' end,
                  case when status = 'waiting' then 'backoff' end, case when status = 'waiting' then now() end,
                  case when status = 'waiting' then 'groq' end, 'draft',
                  case when status = 'failed' then '{"type": "/problems/t", "title": "T", "status": 500, "detail": "D"}'::jsonb
                  end, 't', case when status in ('succeeded', 'failed', 'cancelled') then now() end,
                  case when status = 'cancelled' then now() end
           from (
               select n, b, business, case when n > 60 then mostly
                   else (array['queued', 'waiting', 'running', 'succeeded', 'failed', 'cancelled'])[1 + n % 6] end as status,
                   case when n > 60 then 'generate' else (array['generate', 'feedback', 'ingest'])[1 + n % 7 % 3] end as kind
               from generate_series(1, $1) n, (values (1, 'open', 'queued'), (2, 'ended', 'succeeded'), (3, 'dead', 'failed'))
                    as of (b, business, mostly)
           ) j"#,
    )
    .bind(jobs)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query("analyze jobs").execute(pool).await.unwrap();
    // One connection, so that its reads can be counted.
    let options = pool.connect_options().as_ref().clone().options(SETTINGS);
    Store::from_pool(PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap())
}

fn business(name: &str) -> BusinessId {
    BusinessId::parse(name).unwrap()
}

/// The number of index entries and rows of the table read so far.
async fn rows_read(store: &Store) -> i64 {
    sqlx::query("select pg_stat_force_next_flush()").execute(store.pool()).await.unwrap();
    let sql = "select (select seq_tup_read from pg_stat_user_tables where relname = 'jobs')
                    + (select sum(idx_tup_read)::bigint from pg_stat_user_indexes where relname = 'jobs')";
    sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap()
}

fn filters() -> impl Iterator<Item = Filter> {
    let statuses = [None].into_iter().chain(JobStatus::ALL.iter().map(|status| Some(*status)));
    let kinds = || [None].into_iter().chain(JobKind::ALL.iter().map(|kind| Some(*kind)));
    statuses.flat_map(move |status| kinds().map(move |kind| Filter { status, kind }))
}

#[sqlx::test(migrations = "../migrations")]
async fn a_page_looks_at_a_bounded_number_of_rows(pool: PgPool) {
    let store = seeded(&pool, MANY).await;
    for name in ["open", "ended", "dead", "nobody"] {
        for filter in filters() {
            let before = rows_read(&store).await;
            of_business(&store, &business(name), filter, None, 50).await.unwrap();
            let read = rows_read(&store).await - before;
            assert!(read <= 5_000, "{name} {filter:?}: {read} rows for a page");
        }
    }
    for filter in filters() {
        let before = rows_read(&store).await;
        of_all(&store, filter, None, 50).await.unwrap();
        let read = rows_read(&store).await - before;
        assert!(read <= 5_000, "{filter:?}: {read} rows for a page of all businesses");
    }
    let of = |name: &str| DeadFilter { business_id: Some(business(name)), ..DeadFilter::default() };
    let stage = |filter: DeadFilter| DeadFilter { stage: Some("edit".to_owned()), ..filter };
    let kind = |filter: DeadFilter| DeadFilter { kind: Some(JobKind::Ingest), ..filter };
    let error = |filter: DeadFilter| DeadFilter { error_type: Some("/problems/none".to_owned()), ..filter };
    let all = DeadFilter::default;
    for filter in
        [all(), stage(all()), kind(all()), error(all()), of("dead"), stage(of("dead")), kind(of("dead")), of("open")]
    {
        let before = rows_read(&store).await;
        dead(&store, &filter, None, 50).await.unwrap();
        let read = rows_read(&store).await - before;
        assert!(read <= 5_000, "{filter:?}: {read} rows for a page");
    }
}

/// The jobs of all pages, and the number of pages; of all businesses if none is named.
async fn pages(store: &Store, name: &str, filter: Filter) -> (Vec<JobId>, usize) {
    let (mut ids, mut next, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = match name {
            "" => of_all(store, filter, next, 200).await.unwrap(),
            name => of_business(store, &business(name), filter, next, 200).await.unwrap(),
        };
        assert!(page.jobs.len() <= 200);
        ids.extend(page.jobs.iter().map(|job| job.id));
        (next, pages) = (page.next, pages + 1);
        if next.is_none() {
            return (ids, pages);
        }
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn pages_hold_every_job_that_belongs_there_once_newest_first(pool: PgPool) {
    // More than two pages can read, so that some are short and some are empty.
    let store = seeded(&pool, 5_000).await;
    for (name, filter) in ["open", "ended", ""].into_iter().flat_map(|name| filters().map(move |filter| (name, filter)))
    {
        let right: Vec<uuid::Uuid> = sqlx::query_scalar(
            "select id from jobs where ($1 = '' or business_id = $1) and ($2::text is null or status = $2)
             and ($3::text is null or kind = $3) order by id desc",
        )
        .bind(name)
        .bind(filter.status.map(JobStatus::as_str))
        .bind(filter.kind.map(JobKind::as_str))
        .fetch_all(&pool)
        .await
        .unwrap();
        let (found, pages) = pages(&store, name, filter).await;
        assert!(found.iter().map(|id| id.0).eq(right), "{name} {filter:?}: {} in {pages} pages", found.len());
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn jobs_that_wait_for_a_provider_are_found_among_many(pool: PgPool) {
    let store = seeded(&pool, MANY).await;
    sqlx::query(
        "update jobs set status = 'waiting', wait_reason = 'backoff', wait_until = now(), wait_provider = 'groq'
                 where id = (select id from jobs where status = 'queued' order by id desc limit 1)",
    )
    .execute(&pool)
    .await
    .unwrap();
    let (mut found, mut after, mut looks) = (0, None, 0);
    loop {
        let before = rows_read(&store).await;
        let waiting = super::load::waiting_for(&store, "groq", after).await.unwrap();
        assert!(rows_read(&store).await - before <= 5_100);
        (found, after, looks) = (found + waiting.jobs.len(), waiting.more_after, looks + 1);
        if after.is_none() {
            break;
        }
    }
    assert_eq!((found, looks), (31, 9));
}

/// A release before `cancelled_at` does not set it.
#[sqlx::test(migrations = "../migrations")]
async fn what_an_older_release_cancels_is_listed(pool: PgPool) {
    let store = seeded(&pool, MANY).await;
    let sql = "update jobs set status = 'cancelled', finished_at = now()
               where id = (select id from jobs where status = 'queued' order by id desc limit 1)";
    sqlx::query(sql).execute(&pool).await.unwrap();
    let cancelled = Filter { status: Some(JobStatus::Cancelled), kind: None };
    assert_eq!(pages(&store, "open", cancelled).await.0.len(), 11);
}
