//! The sweep on a real Postgres and a real Redis, turn by turn.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use copydesk_common::config::RedisConfig;
use copydesk_common::queue::Claimant;
use copydesk_common::store::idempotency;
use copydesk_simulator::link::Link;
use sqlx::PgPool;

use super::*;

#[test]
fn the_least_id_of_a_moment_splits_earlier_from_later_jobs() {
    let before = JobId::new();
    let border = first_accepted_at(clock::now() + chrono::TimeDelta::milliseconds(5));
    assert!(before < border);
    assert!(first_accepted_at(clock::now() - chrono::TimeDelta::milliseconds(5)) < before);
}

/// A database and a key prefix in Redis, for several sweeping processes.
struct Ground {
    pool: PgPool,
    link: Link,
    config: RedisConfig,
}

/// Long enough for any turn of a test.
const EVERY: Duration = Duration::from_secs(120);

impl Ground {
    async fn of(pool: PgPool) -> Self {
        let (link, url) = copydesk_testkit::linked(&copydesk_testkit::redis_url()).await;
        Self { pool, link, config: RedisConfig::new(&url, &copydesk_testkit::prefix()) }
    }

    /// The sweep of another process.
    fn sweep(&self, owner: &str) -> Sweep {
        let redis = Redis::new(&self.config).unwrap();
        Sweep::new(Store::from_pool(self.pool.clone()), redis, owner.to_owned(), EVERY)
    }

    /// Adds jobs that were accepted this long ago and not pushed to Redis.
    async fn accept(&self, jobs: i32, minutes_ago: i64, status: &str) {
        let at = clock::now() - chrono::TimeDelta::minutes(minutes_ago);
        sqlx::query(
            "insert into jobs (id, kind, business_id, status, lease_epoch, lease_owner, priority, payload, max_attempts,
                               traceparent, created_at)
             select (lpad(to_hex($1::bigint), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid, 'generate', 'b',
                    $2, ($2 = 'running')::int, case when $2 = 'running' then 'gone' end, 'bulk', '{}', 3, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', $3
             from generate_series(1, $4) as n",
        )
        .bind(at.timestamp_millis())
        .bind(status)
        .bind(at)
        .bind(jobs)
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// Deletes all keys of this installation.
    async fn flush(&self) {
        copydesk_testkit::forget(&self.config.prefix, |_| true).await;
    }
}

impl Sweep {
    async fn known(&self) -> u64 {
        let depth = self.queues[&JobKind::Generate].depth().await.unwrap();
        depth.ready + depth.delayed + depth.leased + depth.capped
    }

    /// Takes turns until there is no more work at once. Returns how many jobs were pushed.
    async fn turns(&mut self) -> u64 {
        let mut pushed = 0;
        loop {
            let turn = self.run_once().await.unwrap();
            assert_eq!(turn.failed, 0);
            pushed += turn.pushed;
            if !turn.goes_on {
                return pushed;
            }
        }
    }

    /// Breaks this process's link until it has noticed.
    async fn cut_off(&mut self, link: &Link) {
        link.cut();
        while self.run_once().await.is_ok() {}
        link.heal();
        while self.redis.ping().await.is_err() {}
    }
}

/// More jobs than a usual turn checks.
const MANY: i32 = 4_500;

#[sqlx::test(migrations = "../migrations")]
async fn what_was_committed_while_redis_was_away_is_known_again_in_the_next_turn(pool: PgPool) {
    let ground = Ground::of(pool).await;
    let mut sweep = ground.sweep("one");
    ground.accept(MANY, 20, "queued").await;
    assert_eq!(sweep.turns().await, 4_500);
    // Redis has all jobs: only the outage says that some may be missing.
    sweep.cut_off(&ground.link).await;
    ground.accept(10, 10, "queued").await;
    assert_eq!(sweep.turns().await, 10);
    assert_eq!(sweep.known().await, 4_510);
    assert!(!sweep.needs_pass().await.unwrap(), "one pass is enough");
}

#[sqlx::test(migrations = "../migrations")]
async fn an_outage_that_another_worker_saw_is_mended_by_whoever_sweeps(pool: PgPool) {
    let ground = Ground::of(pool).await;
    let (mut sweeping, mut other) = (ground.sweep("one"), ground.sweep("two"));
    ground.accept(MANY, 20, "queued").await;
    assert_eq!(sweeping.turns().await, 4_500);
    // The sweeping process starts after the outage, and has not seen it.
    other.cut_off(&ground.link).await;
    ground.accept(10, 10, "queued").await;
    let mut sweeping = ground.sweep("one");
    assert_eq!(other.turns().await, 0, "it does not sweep, but tells");
    assert_eq!(sweeping.turns().await, 10);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_flush_in_the_midst_of_a_pass_makes_it_begin_anew(pool: PgPool) {
    let ground = Ground::of(pool).await;
    let mut sweep = ground.sweep("one");
    ground.accept(MANY, 20, "queued").await;
    assert!(sweep.needs_pass().await.unwrap());
    let advance = sweep.advance_pass(Instant::now()).await.unwrap();
    assert_eq!((advance.pushed, advance.goes_on), (u64::from(pass::PAGE), true), "a page, since the time is over");
    ground.flush().await;
    assert_eq!(sweep.turns().await, 4_500);
    assert_eq!(sweep.known().await, 4_500);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_lock_is_held_anew_after_each_page_and_a_sweep_that_lost_it_stops(pool: PgPool) {
    let ground = Ground::of(pool).await;
    let mut sweep = ground.sweep("one");
    ground.accept(MANY, 20, "queued").await;
    let lock = sweep.redis.keys().sweeper();
    assert!(sweep.redis.hold(&lock, "one", Duration::from_millis(1)).await.unwrap());
    assert!(sweep.needs_pass().await.unwrap());
    sweep.advance_pass(Instant::now()).await.unwrap();
    assert!(!sweep.redis.hold(&lock, "two", EVERY).await.unwrap(), "a page later it has the lock for long");

    ground.flush().await;
    assert!(sweep.needs_pass().await.unwrap());
    assert!(sweep.redis.hold(&lock, "two", EVERY).await.unwrap());
    let lost = sweep.advance_pass(Instant::now() + EVERY).await;
    assert!(matches!(lost, Err(SweepError::LockLost)), "{lost:?}");
    assert_eq!(sweep.known().await, u64::from(pass::PAGE), "it pushed no other page");
    assert_eq!(sweep.run_once().await.unwrap(), Turn::default(), "another worker sweeps");
    assert_eq!(ground.sweep("two").turns().await, 500);
}

#[sqlx::test(migrations = "../migrations")]
async fn after_a_flush_running_jobs_are_left_to_their_workers_for_a_while(pool: PgPool) {
    let ground = Ground::of(pool).await;
    let mut sweep = ground.sweep("one");
    ground.accept(20, 20, "queued").await;
    ground.accept(3, 10, "running").await;
    assert_eq!(sweep.turns().await, 20);
    assert_eq!(sweep.turns().await, 0);
    sqlx::query("update jobs set status = 'queued', lease_owner = null where id = (select id from jobs order by id desc limit 1)")
        .execute(&ground.pool)
        .await
        .unwrap();
    let pass = sweep.pass.as_mut().unwrap();
    pass.began = pass.began.checked_sub(Duration::from_secs(5)).unwrap();
    assert_eq!(sweep.turns().await, 3, "all that is open, whatever became of it meanwhile");
    assert!(!sweep.needs_pass().await.unwrap());
}

#[sqlx::test(migrations = "../migrations")]
async fn after_a_flush_what_was_begun_goes_before_what_was_not(pool: PgPool) {
    let ground = Ground::of(pool).await;
    let mut sweep = ground.sweep("one");
    ground.accept(20, 20, "queued").await;
    let sql = "update jobs set lease_epoch = 7 where id = (select id from jobs order by id desc limit 1) returning id";
    let begun: Uuid = sqlx::query_scalar(sql).fetch_one(&ground.pool).await.unwrap();
    assert_eq!(sweep.turns().await, 20);
    let claimer = Claimant { name: "test", was_idle: false };
    let claimed = sweep.queues[&JobKind::Generate].claim(claimer, 1, 60_000, 0).await.unwrap().leased;
    assert_eq!(claimed[0].lease.id, JobId(begun));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_duty_that_fails_stops_no_other(pool: PgPool) {
    let ground = Ground::of(pool).await;
    let mut sweep = ground.sweep("one");
    ground.accept(20, 2_000, "queued").await;
    for sql in [
        "insert into business_shares (business_id, weight) values ('b', 2)",
        "update jobs set idempotency_key = id::text, idempotency_fingerprint = sha256('x')",
    ] {
        sqlx::query(sql).execute(&ground.pool).await.unwrap();
    }
    let shares = sweep.redis.keys().queue(JobKind::Generate).shares;
    sweep.redis.remember(&shares, b"no hash", EVERY).await.unwrap();
    let turn = sweep.run_once().await.unwrap();
    assert_eq!(turn, Turn { pushed: 0, goes_on: false, failed: 2 }, "shares, and what goes by the shares");
    let kept: i64 = sqlx::query_scalar("select count(*) from jobs where idempotency_key is not null")
        .fetch_one(&ground.pool)
        .await
        .unwrap();
    assert_eq!(kept, 0, "old keys are freed all the same");
    ground.flush().await;
    let turn = sweep.run_once().await.unwrap();
    assert_eq!(turn, Turn { pushed: 20, goes_on: false, failed: 0 }, "Redis has forgotten what was wrong");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_queue_that_forgot_its_pause_is_told_by_any_worker(pool: PgPool) {
    let ground = Ground::of(pool).await;
    let (mut sweeping, mut other) = (ground.sweep("one"), ground.sweep("two"));
    // A later release has more kinds and intakes: an unknown intake pauses its own queue.
    let sql = "alter table queue_intake drop constraint queue_intake_intake_check;
               insert into queue_intake (kind, intake)
               values ('generate', 'paused'), ('feedback', 'throttled'), ('translate', 'open')";
    sqlx::raw_sql(sql).execute(&ground.pool).await.unwrap();
    let intakes = async |sweep: &Sweep| {
        let queues = sweep.queues.values();
        try_join_all(queues.map(Queue::intake)).await.unwrap()
    };
    sweeping.turns().await;
    let told = [Some(Intake::Paused), Some(Intake::Paused), Some(Intake::Open), Some(Intake::Open)];
    assert_eq!(intakes(&sweeping).await, told);
    ground.flush().await;
    assert!(sweeping.hold_lock().await.unwrap());
    assert_eq!(intakes(&sweeping).await, [None; 4]);
    other.turns().await;
    assert_eq!(intakes(&sweeping).await, told);
}

#[sqlx::test(migrations = "../migrations")]
async fn old_idempotency_keys_are_freed_in_batches(pool: PgPool) {
    let ground = Ground::of(pool).await;
    let store = Store::from_pool(ground.pool.clone());
    let sql = "update jobs set idempotency_key = id::text, idempotency_fingerprint = sha256('x')";
    ground.accept(2_500, 25 * 60, "queued").await;
    ground.accept(7, 23 * 60, "queued").await;
    sqlx::query(sql).execute(&ground.pool).await.unwrap();
    // A job's own write has priority.
    let mut busy = ground.pool.begin().await.unwrap();
    sqlx::query("select from jobs order by id limit 1 for update").execute(&mut *busy).await.unwrap();
    assert_eq!(idempotency::forget(&store, 1_000).await.unwrap(), 1_000);
    ground.sweep("one").forget_keys().await.unwrap();
    let kept = "select count(*) from jobs where idempotency_key is not null";
    let count = async || sqlx::query_scalar::<_, i64>(kept).fetch_one(&ground.pool).await.unwrap();
    assert_eq!(count().await, 8, "what is locked, and what is not a day old");
    busy.rollback().await.unwrap();
    assert_eq!(idempotency::forget(&store, 1_000).await.unwrap(), 1);
    let plan: Vec<String> = sqlx::query_scalar(
        "explain select id from jobs where idempotency_key is not null and created_at < now() order by created_at limit 9",
    )
    .fetch_all(&ground.pool)
    .await
    .unwrap();
    assert!(plan.concat().contains("jobs_keyed"), "{plan:#?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn documents_of_before_are_told_what_they_are_for(pool: PgPool) {
    // As a worker of the release before left them: read, and without a kind.
    sqlx::query(
        "insert into brand_documents (id, business_id, title, media_type, body, status)
         select gen_random_uuid(), 'b', case when n % 2 = 0 then 'Voice and style' else 'Services and prices' end,
                'text/markdown', '', 'ready' from generate_series(1, 60) as n",
    )
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into chunks (document_id, ordinal, business_id, heading_path, body, sha256)
         select id, 0, 'b', title, case when title like 'Voice%'
             then 'Avoid long words. We do not write \"suffer\". Write short sentences. Use the active voice.'
             else 'A visit costs 60 euros. Book online. It includes a plan. Four visits cost 200 euros.' end,
             sha256(id::text::bytea) from brand_documents",
    )
    .execute(&pool)
    .await
    .unwrap();
    let given = "update brand_documents set kind = 'other', kind_given = true
                 where id = (select max(id::text)::uuid from brand_documents where title like 'Voice%')";
    sqlx::query(given).execute(&pool).await.unwrap();
    let kinds = async || {
        sqlx::query_as::<_, (Option<String>, i64)>("select kind, count(*) from brand_documents group by 1 order by 1")
            .fetch_all(&pool)
            .await
            .unwrap()
    };
    sqlx::query("insert into knowledge_versions values ('b', 0)").execute(&pool).await.unwrap();
    let ground = Ground::of(pool.clone()).await;
    let mut sweep = ground.sweep("a");
    assert_eq!(sweep.run_once().await.unwrap().failed, 0);
    let untold: i64 = kinds().await.into_iter().filter(|(kind, _)| kind.is_none()).map(|(_, n)| n).sum();
    assert_eq!(untold, 59 - i64::from(DOCUMENTS), "a turn tells no more");
    sweep.run_once().await.unwrap();
    let kind = |name: &str, n| (Some(name.to_owned()), n);
    assert_eq!(kinds().await, [kind("other", 1), kind("product", 30), kind("style_guide", 29)]);
    let version: i64 = sqlx::query_scalar("select version from knowledge_versions").fetch_one(&pool).await.unwrap();
    assert_eq!(version, 59, "searches see it");
    ground.flush().await;
}

#[sqlx::test(migrations = "../migrations")]
async fn the_words_of_every_job_are_stored_also_where_its_row_was_committed_late(pool: PgPool) {
    let ground = Ground::of(pool).await;
    let mut sweep = ground.sweep("one");
    let told =
        async || -> i64 { sqlx::query_scalar("select count(*) from job_words").fetch_one(&ground.pool).await.unwrap() };
    ground.accept(700, 60 * 24, "queued").await;
    ground.accept(10, 0, "queued").await;
    sweep.run_once().await.unwrap();
    assert_eq!(told().await, 710);
    // Its id is older than those that were looked at.
    ground.accept(1, 1, "queued").await;
    sweep.run_once().await.unwrap();
    assert_eq!(told().await, 711);
    // What another process missed is found by the next one that sweeps.
    ground.accept(1, 60, "queued").await;
    sweep.run_once().await.unwrap();
    assert_eq!(told().await, 711);
    ground.sweep("one").run_once().await.unwrap();
    assert_eq!(told().await, 712);
}

#[sqlx::test(migrations = "../migrations")]
async fn each_minute_is_noted_once_for_all_workers(pool: PgPool) {
    let ground = Ground::of(pool).await;
    let (mut one, mut two) = (ground.sweep("one"), ground.sweep("two"));
    ground.accept(5, 0, "queued").await;
    one.turns().await;
    let noted = async |step: &str| -> Vec<i64> {
        let sql = "select ready from queue_history where kind = 'generate' and step = $1 order by at";
        sqlx::query_scalar(sql).bind(step).fetch_all(&ground.pool).await.unwrap()
    };
    assert_eq!((noted("minute").await, noted("hour").await.len()), (vec![5], 0));
    let at = DateTime::parse_from_rfc3339("2030-01-01T09:59:30Z").unwrap().to_utc();
    for sweep in [&mut one, &mut two] {
        sweep.note_history_at(at).await.unwrap();
        sweep.note_history_at(at + chrono::TimeDelta::seconds(20)).await.unwrap();
        sweep.note_history_at(at + chrono::TimeDelta::seconds(31)).await.unwrap();
    }
    // What is older than a day has gone.
    assert_eq!((noted("minute").await, noted("hour").await), (vec![5, 5], vec![5]));
}
