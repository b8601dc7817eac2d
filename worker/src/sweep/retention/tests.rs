//! What the sweep removes, and what it leaves.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use copydesk_common::config::RedisConfig;
use copydesk_common::redis::Redis;
use copydesk_common::store::Store;
use copydesk_common::store::generation::regenerate::{self, Regeneration};
use copydesk_common::store::generation::{self};
use copydesk_domain::id::GenerationId;
use copydesk_domain::trace::TraceParent;
use sqlx::PgPool;
use uuid::Uuid;

use super::*;

const YES: RetentionConfig = RetentionConfig { jobs_days: 90, stages_days: 30, audit_days: 730 };

fn sweep(pool: &PgPool, owner: &str, prefix: &str, config: RetentionConfig) -> Sweep {
    let redis = Redis::new(&RedisConfig::new(&copydesk_testkit::redis_url(), prefix)).unwrap();
    let every = Duration::from_secs(120);
    Sweep::new(Store::from_pool(pool.clone()), redis, owner.to_owned(), every).keeping(config)
}

/// Adds jobs with a text, a verdict and two stage results each, that ended so many days ago.
async fn ended(pool: &PgPool, jobs: i32, days_ago: i32, status: &str) {
    for sql in [
        "insert into jobs (id, kind, business_id, generation_id, status, priority, payload, max_attempts, traceparent,
                           lease_epoch, lease_owner, error, created_at, finished_at, cancelled_at, stage)
         select gen_random_uuid(), 'generate', 'acme', gen_random_uuid(), $3, 'bulk', '{\"topic\": \"Tides\"}', 3,
                '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', 1, 'w',
                case when $3 = 'failed' then '{}'::jsonb end, now() - $2 * interval '1 day',
                case when $3 in ('succeeded', 'failed', 'cancelled') then now() - $2 * interval '1 day' end,
                case when $3 = 'cancelled' then now() - $2 * interval '1 day' end, $3 || $2
         from generate_series(1, $1)",
        "insert into stage_results (job_id, stage, round, output, usage, started_at)
         select id, s, 0, '{}', '{}', now() from jobs, unnest(array['outline', 'draft']) as s
         where stage = $3 || $2 and $1 > 0",
        "insert into generations (generation_id, job_id, business_id, topic, content_type, voice, language, title, content,
                                  sources, lessons_applied, degraded, models, usage)
         select generation_id, id, business_id, 'Tides', 'blog', 'plain', 'en', 'Tides', 'The sea.', '[]', '[]',
                '{fallback_writer}', '{\"writer\": \"m\", \"reviewer\": null, \"simulated\": true}', '{}'
         from jobs where stage = $3 || $2 and status = 'succeeded' and $1 > 0",
        "insert into feedback (feedback_id, generation_id, business_id, human_score)
         select gen_random_uuid(), generation_id, business_id, 7 from jobs
         where stage = $3 || $2 and status = 'succeeded' and $1 > 0",
        "insert into reviewer_learning (generation_id, business_id, content_type, has_human_feedback, feedback_id,
                                        human_score, reviewed_at)
         select f.generation_id, f.business_id, 'blog', true, f.feedback_id, 7, now()
         from feedback f join jobs j on j.generation_id = f.generation_id
         where j.stage = $3 || $2 and $1 > 0",
    ] {
        sqlx::query(sql).bind(jobs).bind(days_ago).bind(status).execute(pool).await.unwrap();
    }
}

/// Jobs by status and age, and how many stage results they have.
async fn left(pool: &PgPool) -> Vec<(String, i64, i64)> {
    let sql = "select stage, count(*), (select count(*) from stage_results s where s.job_id = any(array_agg(j.id)))
               from jobs j group by stage order by stage";
    sqlx::query_as(sql).fetch_all(pool).await.unwrap()
}

fn expected(rows: &[(&str, i64, i64)]) -> Vec<(String, i64, i64)> {
    rows.iter().map(|(stage, jobs, results)| ((*stage).to_owned(), *jobs, *results)).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_done_with_goes_after_its_time_and_texts_and_verdicts_stay(pool: PgPool) {
    // More than a batch.
    ended(&pool, 600, 91, "succeeded").await;
    ended(&pool, 3, 91, "failed").await;
    ended(&pool, 3, 91, "queued").await;
    ended(&pool, 3, 91, "running").await;
    ended(&pool, 600, 31, "succeeded").await;
    ended(&pool, 3, 31, "failed").await;
    ended(&pool, 3, 31, "cancelled").await;
    ended(&pool, 3, 29, "succeeded").await;
    let prefix = copydesk_testkit::prefix();
    let before = left(&pool).await;
    let mut keeps = sweep(&pool, "keeps", &prefix, RetentionConfig::for_ever());
    assert_eq!(keeps.run_once().await.unwrap().failed, 0);
    assert_eq!(left(&pool).await, before, "0 days are for ever");
    let mut idle = sweep(&pool, "idle", &prefix, YES);
    idle.run_once().await.unwrap();
    assert_eq!(left(&pool).await, before, "another worker sweeps");

    let mut sweep = sweep(&pool, "keeps", &prefix, YES);
    assert_eq!(sweep.run_once().await.unwrap().failed, 0);
    let after = [
        ("cancelled31", 3, 0),
        ("failed31", 3, 6),
        ("queued91", 3, 6),
        ("running91", 3, 6),
        ("succeeded29", 3, 6),
        ("succeeded31", 600, 0),
    ];
    assert_eq!(left(&pool).await, expected(&after));
    let count = async |sql: &'static str| sqlx::query_scalar::<_, i64>(sql).fetch_one(&pool).await.unwrap();
    assert_eq!(count("select count(*) from generations").await, 1_203);
    assert_eq!(count("select count(*) from generations where job_id is null").await, 600);
    assert_eq!(count("select count(*) from feedback").await, 1_203);
    assert_eq!(count("select sum(scored)::bigint from learning_weeks").await, 1_203);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_becomes_due_later_is_removed_later(pool: PgPool) {
    ended(&pool, 3, 29, "succeeded").await;
    let mut sweep = sweep(&pool, "one", &copydesk_testkit::prefix(), YES);
    sweep.run_once().await.unwrap();
    assert_eq!(left(&pool).await, expected(&[("succeeded29", 3, 6)]));
    sqlx::query("update jobs set finished_at = finished_at - interval '2 days'").execute(&pool).await.unwrap();
    sweep.run_once().await.unwrap();
    assert_eq!(left(&pool).await, expected(&[("succeeded29", 3, 6)]), "it looks again after a while");
    sweep.retention.done = None;
    sweep.run_once().await.unwrap();
    assert_eq!(left(&pool).await, expected(&[("succeeded29", 3, 0)]));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_text_without_its_job_says_so_and_is_not_made_anew(pool: PgPool) {
    ended(&pool, 1, 91, "succeeded").await;
    let id: Uuid = sqlx::query_scalar("select generation_id from generations").fetch_one(&pool).await.unwrap();
    let mut sweep = sweep(&pool, "one", &copydesk_testkit::prefix(), YES);
    sweep.run_once().await.unwrap();
    let (store, id) = (Store::from_pool(pool), GenerationId(id));
    let text = generation::get(&store, id).await.unwrap().unwrap();
    assert!(text.job_id.is_none() && text.feedback.is_some(), "{text:?}");
    let anew = regenerate::one(&store, id, None, TraceParent::start()).await.unwrap();
    assert!(matches!(anew, Regeneration::WithoutRequest), "{anew:?}");
    let filter = regenerate::Filter {
        degraded: copydesk_domain::generation::Degradation::FallbackWriter,
        business_id: None,
        since: None,
    };
    assert_eq!(regenerate::count(&store, &filter, 10).await.unwrap(), 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn old_rows_of_the_audit_log_are_removed_and_none_is_changed(pool: PgPool) {
    let rows = "insert into audit (at, key_name, action, subject, outcome)
                select now() - days * interval '1 day', 'me', 'keys.revoke', 'keys/x', 'done'
                from unnest(array[1, 729, 731, 2000]) as days, generate_series(1, 300)";
    sqlx::query(rows).execute(&pool).await.unwrap();
    let changed = sqlx::query("update audit set key_name = 'somebody else'").execute(&pool).await;
    assert!(changed.unwrap_err().to_string().contains("append-only"));
    let prefix = copydesk_testkit::prefix();
    let mut sweep = sweep(&pool, "w", &prefix, YES);
    while sweep.remove_batch().await.unwrap() {}
    let left: i64 = sqlx::query_scalar("select count(*) from audit").fetch_one(&pool).await.unwrap();
    assert_eq!(left, 600);
}
