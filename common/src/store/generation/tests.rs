//! Pages of degraded texts: their contents, and how many rows are read for them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use copydesk_domain::business::BusinessId;
use copydesk_domain::generation::Degradation;
use copydesk_domain::id::GenerationId;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

use super::*;
use crate::store::{SETTINGS, Store};

/// This many texts of each of two businesses. Nine in ten are not degraded; the others had no
/// search, and the oldest of them were also composed by a template.
async fn seeded(pool: &PgPool, texts: i32) -> Store {
    let id = "(lpad(to_hex(1764000000000 + 2 * n + b), 12, '0') || '70008000000000000000')::uuid";
    let texts_of = "generate_series(1, $1) n, (values (0, 'acme'), (1, 'other')) as of (b, business)";
    for sql in [
        format!(
            "insert into jobs (id, kind, business_id, generation_id, status, priority, payload, max_attempts,
                               traceparent, finished_at)
             select {id}, 'generate', business, {id}, 'succeeded', 'bulk', '{{}}', 3, 't', now() from {texts_of}"
        ),
        format!(
            r#"insert into generations (generation_id, job_id, business_id, topic, content_type, voice, language, title,
                                        content, sources, lessons_applied, degraded, models, usage)
               select {id}, {id}, business, 'T', 'blog', '', 'en', 'T', 'T', '[]', '[]',
                      case when n % 10 > 0 then '{{}}'::text[] when n <= 200 then '{{research_unavailable,fallback_writer}}'
                      else '{{research_unavailable}}' end,
                      '{{"writer": null, "reviewer": null, "simulated": true}}', '{{}}'
               from {texts_of}"#
        ),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(texts).execute(pool).await.unwrap();
    }
    sqlx::query("vacuum analyze generations").execute(pool).await.unwrap();
    // One connection, so that its reads can be counted.
    let options = pool.connect_options().as_ref().clone().options(SETTINGS);
    Store::from_pool(PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap())
}

/// The number of index entries and rows of the table read so far.
async fn rows_read(store: &Store) -> i64 {
    sqlx::query("select pg_stat_force_next_flush()").execute(store.pool()).await.unwrap();
    let sql = "select (select seq_tup_read from pg_stat_user_tables where relname = 'generations')
                    + (select sum(idx_tup_read)::bigint from pg_stat_user_indexes where relname = 'generations')";
    sqlx::query_scalar(sql).fetch_one(store.pool()).await.unwrap()
}

fn acme() -> BusinessId {
    BusinessId::parse("acme").unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_page_of_degraded_texts_looks_at_a_bounded_number_of_rows(pool: PgPool) {
    let store = seeded(&pool, 60_000).await;
    for degradation in [Degradation::ResearchUnavailable, Degradation::FallbackWriter, Degradation::ContextWindow] {
        let before = rows_read(&store).await;
        degraded(&store, &acme(), degradation, None, 50).await.unwrap();
        let read = rows_read(&store).await - before;
        assert!(read <= 4_200, "{degradation}: {read} rows for a page");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn pages_hold_every_text_that_lacks_it_once_newest_first(pool: PgPool) {
    // More than two pages can read, so that some are empty.
    let store = seeded(&pool, 50_000).await;
    for degradation in [Degradation::ResearchUnavailable, Degradation::FallbackWriter, Degradation::ContextWindow] {
        let (mut found, mut next, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = degraded(&store, &acme(), degradation, next, 200).await.unwrap();
            assert!(page.generations.len() <= 200);
            found.extend(page.generations.into_iter().map(|text| text.generation_id));
            (next, pages) = (page.next, pages + 1);
            if next.is_none() {
                break;
            }
        }
        let right: Vec<Uuid> = sqlx::query_scalar(
            "select generation_id from generations where business_id = 'acme' and $1 = any(degraded)
             order by generation_id desc",
        )
        .bind(degradation.as_str())
        .fetch_all(&pool)
        .await
        .unwrap();
        assert!(right.iter().copied().map(GenerationId).eq(found.iter().copied()), "{degradation}: {pages} pages");
        assert!(pages >= 3, "{degradation}: {pages} pages");
    }
}
