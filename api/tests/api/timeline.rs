//! What became of a job, and how its text came to be.

use chrono::TimeDelta;
use copydesk_common::clock;
use copydesk_common::store::Store;
use copydesk_common::store::history::{self, Now};
use copydesk_common::store::job::{begin, fail, release, wait};
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, LeaseEpoch, LeaseRef, StartedJob, WaitReason, Waiting};
use copydesk_domain::problem::Problem;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::service::{Answer, Service, finish, generate, with};

fn id(job: &Value) -> Uuid {
    job["id"].as_str().unwrap().parse().unwrap()
}

async fn begun(store: &Store, job: &Value, epoch: i64, worker: &str) -> StartedJob {
    let lease = LeaseRef { id: JobId(id(job)), epoch: LeaseEpoch(epoch) };
    begin(store, lease, worker).await.unwrap().unwrap()
}

fn until(reason: WaitReason, provider: Option<&str>) -> Waiting {
    Waiting { reason, provider: provider.map(str::to_owned), until: clock::now() + TimeDelta::seconds(30) }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_timeline_tells_waits_failures_with_their_causes_and_lost_workers(pool: PgPool) {
    let service = Service::start(&pool).await;
    let store = Store::from_pool(pool.clone());
    let sent = with(with(generate(), "priority", "bulk"), "metadata", json!({ "order": 7 }));
    let job = service.post("/api/generate", &sent).await.expect(202).body;
    let path = format!("/api/jobs/{}/timeline", job["id"].as_str().unwrap());
    let fresh = service.get(&path).await.expect(200).body;
    assert_eq!((&fresh["events"], &fresh["stages"], &fresh["worker"]), (&json!([]), &json!([]), &Value::Null));
    assert_eq!(fresh["job"]["id"], job["id"]);

    let started = begun(&store, &job, 1, "worker-1").await;
    begun(&store, &job, 1, "worker-1").await;
    wait(&store, &started, &until(WaitReason::RateLimited, Some("groq")), 1, &[]).await.unwrap();
    wait(&store, &started, &until(WaitReason::RateLimited, Some("groq")), 1, &[]).await.unwrap();
    begun(&store, &job, 2, "worker-1").await;
    let heir = begun(&store, &job, 3, "worker-2").await;
    let lines = ["the model could not be asked".to_owned(), "ü".repeat(600)];
    let many: Vec<String> = lines.iter().cloned().chain((0..20).map(|n| format!("cause {n}"))).collect();
    wait(&store, &heir, &until(WaitReason::Backoff, None), 2, &many).await.unwrap();
    let again = begun(&store, &job, 4, "worker-2").await;
    release(&store, &again, "draining").await.unwrap();
    let last = begun(&store, &job, 5, "worker-3").await;
    sqlx::query(
        r#"insert into stage_results (job_id, stage, round, output, usage, started_at, finished_at)
           values ($1, 'draft', 0, '{"text": "x"}', '{"calls": {"groq": 2, "tavily": 1}, "prompt_tokens": 900,
                   "completion_tokens": 100, "cached_tokens": 5, "cost_usd": 0.5, "tokens": {"m": {"prompt_tokens": 900}}}',
                   now() - interval '2 seconds', now())"#,
    )
    .bind(id(&job))
    .execute(&pool)
    .await
    .unwrap();
    let running = service.get(&path).await.expect(200).body;
    assert_eq!((&running["worker"], &running["takeovers"]), (&json!("worker-3"), &json!(1)));
    let problem = Problem::new("attempts-exhausted", "Every attempt failed", 502, "All failed.");
    fail(&store, &last, &problem, &["no answer".to_owned()]).await.unwrap();
    fail(&store, &last, &problem, &["no answer".to_owned()]).await.unwrap();

    let told = service.get(&path).await.expect(200).body;
    let events = told["events"].as_array().unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["started", "waiting", "started", "taken_over", "retried", "started", "handed_back", "started", "failed"]
    );
    assert_eq!((&events[1]["reason"], &events[1]["provider"]), (&json!("rate_limited"), &json!("groq")));
    assert!(events[1]["until"].is_string() && events[1]["worker"].is_null());
    assert_eq!((&events[3]["worker"], &events[3]["attempt"]), (&json!("worker-2"), &json!(1)));
    let causes = events[4]["lines"].as_array().unwrap();
    assert_eq!((causes.len(), &causes[0]), (10, &json!(lines[0])));
    assert_eq!(causes[1].as_str().unwrap().chars().count(), 500);
    assert_eq!((&events[5]["attempt"], &events[6]["reason"]), (&json!(2), &json!("draining")));
    assert_eq!(
        (&events[8]["reason"], &events[8]["lines"]),
        (&json!("/problems/attempts-exhausted"), &json!(["no answer"]))
    );
    let key = json!({ "name": "acme", "scopes": ["read"], "businesses": ["company_123"] });
    let secret = service.post("/api/keys", &key).await.expect(201).body["secret"].as_str().unwrap().to_owned();
    let sent = service.request(Method::GET, &path).header("authorization", format!("Bearer {secret}")).send();
    let shown = Answer::of(sent.await.unwrap()).await.expect(200).body;
    assert_eq!((&shown["worker"], &shown["events"][3]["worker"]), (&Value::Null, &Value::Null));
    assert_eq!(shown["events"][4]["lines"], json!([lines[0]]), "machines and causes are the operator's");
    let stage = &told["stages"][0];
    assert_eq!((&stage["stage"], &stage["calls"], &stage["cost_usd"]), (&json!("draft"), &json!(3), &json!(0.5)));
    assert_eq!((&stage["prompt_tokens"], &stage["models"]["m"]["prompt_tokens"]), (&json!(900), &json!(900)));
    assert!((2.0..3.0).contains(&stage["seconds"].as_f64().unwrap()), "{stage}");
    assert!(stage["waited_seconds"].as_f64().unwrap() > 0.0, "{stage}");

    // What was sent can be changed and sent again.
    let request = with(told["request"].clone(), "topic", "Another topic");
    assert_eq!((&request["priority"], &request["metadata"]), (&json!("bulk"), &json!({ "order": 7 })));
    let copy = service.post("/api/generate", &request).await.expect(202).body;
    assert_eq!((&copy["metadata"], &copy["business_id"]), (&json!({ "order": 7 }), &json!("company_123")));

    service.post(&format!("/api/jobs/{}/retry", job["id"].as_str().unwrap()), &json!({})).await.expect(202);
    service.post(&format!("/api/jobs/{}/cancel", job["id"].as_str().unwrap()), &json!({})).await.expect(200);
    let told = service.get(&path).await.expect(200).body;
    let kinds: Vec<_> = told["events"].as_array().unwrap().iter().skip(9).map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["retried", "cancelled"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_job_that_waits_very_often_keeps_its_first_and_latest_events(pool: PgPool) {
    let service = Service::start(&pool).await;
    let store = Store::from_pool(pool.clone());
    let job = service.post("/api/generate", &generate()).await.expect(202).body;
    for epoch in 1..=40 {
        let started = begun(&store, &job, epoch, &format!("worker-{epoch}")).await;
        wait(&store, &started, &until(WaitReason::RateLimited, Some("groq")), 1, &[]).await.unwrap();
    }
    let path = format!("/api/jobs/{}/timeline", job["id"].as_str().unwrap());
    let events = service.get(&path).await.expect(200).body["events"].clone();
    let events = events.as_array().unwrap();
    assert_eq!(
        (events.len(), &events[0]["worker"], &events[48]["worker"]),
        (50, &json!("worker-1"), &json!("worker-40"))
    );
    // What an earlier release ran has no events: its state tells its begin and its end.
    begun(&store, &job, 41, "worker-41").await;
    finish(&pool, job["id"].as_str().unwrap()).await;
    sqlx::query("update jobs set events = '[]'").execute(&pool).await.unwrap();
    let told = service.get(&path).await.expect(200).body;
    let kinds: Vec<_> = told["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["started", "succeeded"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_versions_of_a_text_are_told_with_what_was_said_of_each(pool: PgPool) {
    let service = Service::start(&pool).await;
    let job = service.post("/api/generate", &generate()).await.expect(202).body;
    finish(&pool, job["id"].as_str().unwrap()).await;
    let path = format!("/api/generations/{}/versions", job["generation_id"].as_str().unwrap());
    let only = service.get(&path).await.expect(200).body["data"].clone();
    assert_eq!((only.as_array().unwrap().len(), &only[0]["is_final"]), (1, &json!(true)));
    for (stage, round, output) in [
        (
            "draft",
            0,
            json!({ "text": "#hashtag\n\n# One\n\nText.", "is_template": false, "by": { "model": "m1", "is_fallback": false } }),
        ),
        (
            "revise",
            1,
            json!({
                "text": "# Two\n\nText.", "by": { "model": "m2", "is_fallback": false },
                "rubric": { "criteria": { "voice": 6.0, "clarity": 7.0 }, "comments": "Too long." },
                "reviewed": { "checks": [{ "name": "length", "passed": true, "detail": "" }], "rubric": null },
            }),
        ),
        (
            "revise",
            2,
            json!({
                "text": null, "rubric": { "criteria": { "voice": 9.0 }, "comments": "Good." },
                "reviewed": { "checks": [{ "name": "links", "passed": true, "detail": "" }] },
            }),
        ),
        ("review", 3, json!("nonsense")),
    ] {
        sqlx::query(
            "insert into stage_results (job_id, stage, round, output, usage, started_at, finished_at)
             values ($1, $2, $3, $4, '{}', now(), clock_timestamp())",
        )
        .bind(id(&job))
        .bind(stage)
        .bind(round)
        .bind(output)
        .execute(&pool)
        .await
        .unwrap();
    }
    let told = service.get(&path).await.expect(200).body["data"].clone();
    let of = |version: &Value| ["stage", "title", "model", "score", "comments"].map(|name| version[name].clone());
    assert_eq!(of(&told[0]), [json!("draft"), json!("One"), json!("m1"), json!(6.5), json!("Too long.")]);
    assert_eq!(of(&told[1]), [json!("edit"), json!("Two"), json!("m2"), json!(9.0), json!("Good.")]);
    assert_eq!((&told[1]["checks"][0]["name"], &told[0]["checks"]), (&json!("links"), &json!([])));
    assert_eq!(of(&told[2]), [json!("finish"), json!("A title"), json!("m"), Value::Null, Value::Null]);
    assert_eq!(
        (&told[2]["content"], &told[2]["is_final"], &told[1]["is_final"]),
        (&json!("# A title"), &json!(true), &json!(false))
    );
    assert_eq!(told.as_array().unwrap().len(), 3);
    assert_eq!(service.get(&path).await.expect(200).body["edits"], json!([]));
    sqlx::query(
        "insert into feedback (feedback_id, generation_id, business_id, human_score, edited_content, rater, created_at)
         select gen_random_uuid(), $1, 'company_123', 5, nullif('Edit ' || n, 'Edit 0'), 'anna', now() + n * interval '1 s'
         from generate_series(0, 25) n",
    )
    .bind(job["generation_id"].as_str().unwrap().parse::<Uuid>().unwrap())
    .execute(&pool)
    .await
    .unwrap();
    let edits = service.get(&path).await.expect(200).body["edits"].clone();
    let contents: Vec<_> = edits.as_array().unwrap().iter().map(|edit| edit["content"].as_str().unwrap()).collect();
    assert_eq!((contents.len(), contents[0], contents[19]), (20, "Edit 6", "Edit 25"), "the newest, oldest first");
    assert_eq!(edits[0]["rater"], "anna");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_history_of_a_queue_is_told_by_minute_and_by_hour(pool: PgPool) {
    let service = Service::start(&pool).await;
    let store = Store::from_pool(pool.clone());
    for _ in 0..3 {
        service.post("/api/generate", &generate()).await.expect(202);
    }
    let path = "/api/ops/queues/generate/history";
    assert_eq!(service.get(path).await.expect(200).body, json!({ "kind": "generate", "step": "minute", "data": [] }));
    // Two ended in a minute of the last hour, after 10 s of waiting, and 20 and 40 s of running; one of them failed.
    let hour: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select date_trunc('hour', now()) - interval '1 hour'").fetch_one(&pool).await.unwrap();
    sqlx::query(
        "update jobs set status = case when n = 1 then 'succeeded' else 'failed' end,
                error = case when n = 2 then '{}'::jsonb end, created_at = $1::timestamptz + interval '1 second',
                started_at = $1::timestamptz + interval '11 seconds',
                finished_at = $1::timestamptz + interval '11 seconds' + n * interval '20 seconds'
         from (select id as of, row_number() over (order by id) as n from jobs) o where id = of and n < 3",
    )
    .bind(hour)
    .execute(&pool)
    .await
    .unwrap();
    let now = |ready| Now { kind: JobKind::Generate, ready, delayed: 1, running: 3, waiting: 4, oldest: Some(7.5) };
    for ready in [2, 9] {
        history::note_minute(&store, hour, &[now(ready)]).await.unwrap();
    }
    history::note_minute(&store, hour + TimeDelta::minutes(1), &[now(5)]).await.unwrap();
    history::note_hour(&store, hour).await.unwrap();
    history::note_hour(&store, hour).await.unwrap();
    let told = service.get(&format!("{path}?step=minute")).await.expect(200).body["data"].clone();
    assert_eq!(told.as_array().unwrap().len(), 2, "written twice is written once");
    let first = json!({
        "at": hour.to_rfc3339_opts(chrono::SecondsFormat::Secs, true), "ready": 2, "delayed": 1, "running": 3, "waiting": 4,
        "oldest_age_seconds": 7.5, "ended": 2, "failed": 1,
        "wait_seconds": { "p50": 10.0, "p95": 10.0 }, "run_seconds": { "p50": 20.0, "p95": 40.0 },
    });
    assert_eq!(told[0], first);
    assert_eq!((&told[1]["ended"], &told[1]["wait_seconds"]), (&json!(0), &Value::Null));
    let hours = service.get(&format!("{path}?step=hour")).await.expect(200).body["data"].clone();
    assert_eq!(hours[0], with(first, "ready", 5));
    assert_eq!(hours.as_array().unwrap().len(), 1);
    let later = (hour + TimeDelta::minutes(1)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let since = service.get(&format!("{path}?since={later}")).await.expect(200).body["data"].clone();
    assert_eq!(since.as_array().unwrap().len(), 1);
    let other = service.get("/api/ops/queues/ingest/history").await.expect(200).body["data"].clone();
    assert_eq!(other, json!([]));
    service.get(&format!("{path}?step=day")).await.expect_problem(422);
    // What was kept long enough goes with the next minute.
    history::note_minute(&store, hour + TimeDelta::days(2), &[now(1)]).await.unwrap();
    let steps: Vec<String> =
        sqlx::query_scalar("select step from queue_history order by at").fetch_all(&pool).await.unwrap();
    assert_eq!(steps, ["hour", "minute"]);
}
