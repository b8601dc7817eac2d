//! Accepting a generation: the guarantees of a 202.

use std::time::{Duration, Instant};

use copydesk_common::queue::Depth;
use copydesk_domain::job::JobKind;
use serde_json::json;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use crate::service::{NOBODY, Service, finish, generate, with};

#[sqlx::test(migrations = "../migrations")]
async fn the_originals_request_is_accepted(pool: PgPool) {
    let service = Service::start(&pool).await;
    let answer = service.post("/api/generate", &generate()).await.expect(202);

    let job = &answer.body;
    let id: Uuid = job["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
    assert_eq!(answer.header("location"), format!("/api/jobs/{id}"));
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(job["kind"], "generate");
    assert_eq!(job["status"], "queued");
    assert_eq!(job["business_id"], "company_123");
    assert_eq!(job["links"]["self"], format!("/api/jobs/{id}"));
    assert_eq!(job["links"]["generation"], format!("/api/generations/{}", job["generation_id"].as_str().unwrap()));
    service.queue_has(JobKind::Generate, Depth { ready: 1, ..Depth::default() }).await;

    let seen = service.get(answer.header("location")).await.expect(200);
    assert_eq!(seen.body, with(answer.body, "position", 1), "all but its place was known at once");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_payload_holds_every_wish_and_the_defaults(pool: PgPool) {
    let service = Service::start(&pool).await;
    let wishes = json!({
        "business_id": "b", "topic": "  Tea  ", "format": "LINKEDIN post", "voice": " ", "audience": "nurses",
        "keywords": ["green", " oolong "], "language": "pt-BR", "length_words": 300, "instructions": "Be brief.",
        "priority": "bulk", "deadline_seconds": 60, "max_rounds": 0, "min_score": 9, "metadata": {"order": 7},
    });
    let answer = service.post("/api/generate", &wishes).await.expect(202);
    assert_eq!(answer.body["metadata"], json!({"order": 7}));

    let row = sqlx::query(
        "select payload, priority, extract(epoch from deadline_at - created_at)::float8 as seconds from jobs",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(
        row.get::<serde_json::Value, _>("payload"),
        json!({
            "topic": "Tea", "format": "linkedin", "voice": null, "audience": "nurses",
            "keywords": ["green", "oolong"], "language": "pt-BR", "length_words": 300, "instructions": "Be brief.",
            "max_rounds": 0, "min_score": 9.0,
        })
    );
    assert_eq!(row.get::<String, _>("priority"), "bulk");
    assert!((55.0..65.0).contains(&row.get::<f64, _>("seconds")));

    let least = service.post("/api/generate", &json!({"business_id": "b", "topic": "Tea"})).await.expect(202);
    let row = sqlx::query("select payload, max_attempts, extract(epoch from deadline_at - created_at)::float8 as seconds from jobs where id = $1")
        .bind(least.body["id"].as_str().unwrap().parse::<Uuid>().unwrap())
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(row.get::<serde_json::Value, _>("payload")["format"], "blog");
    assert_eq!(row.get::<i16, _>("max_attempts"), 3);
    assert!((86_390.0..86_410.0).contains(&row.get::<f64, _>("seconds")));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_later_start_is_a_wait_and_a_past_one_is_now(pool: PgPool) {
    let service = Service::start(&pool).await;
    let run_at = copydesk_common::clock::now() + Duration::from_secs(3600);
    let later = service.post("/api/generate", &with(generate(), "run_at", run_at.to_rfc3339())).await.expect(202);
    assert_eq!(later.body["status"], "waiting");
    assert_eq!(later.body["waiting"]["reason"], "scheduled");
    let seen = service.get(later.header("location")).await.expect(200);
    assert_eq!(seen.body, later.body);
    service.queue_has(JobKind::Generate, Depth { delayed: 1, ..Depth::default() }).await;

    let past = service.post("/api/generate", &with(generate(), "run_at", "2020-01-01T00:00:00Z")).await.expect(202);
    assert_eq!(past.body["status"], "queued");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_callers_trace_goes_on_in_the_job(pool: PgPool) {
    let service = Service::start(&pool).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = service.request(reqwest::Method::POST, "/api/generate").header("traceparent", trace);
    assert_eq!(request.json(&generate()).send().await.unwrap().status(), 202);
    let row = sqlx::query("select traceparent from jobs").fetch_one(&pool).await.unwrap();
    assert!(row.get::<String, _>("traceparent").starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
}

#[sqlx::test(migrations = "../migrations")]
async fn without_redis_the_promise_stands(pool: PgPool) {
    let service = Service::start_on(&crate::service::database_url(&pool), &format!("redis://{NOBODY}")).await;
    let started = Instant::now();
    let answer = service.post("/api/generate", &generate()).await.expect(202);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let id: Uuid = answer.body["id"].as_str().unwrap().parse().unwrap();
    let row = sqlx::query("select status from jobs where id = $1").bind(id).fetch_one(&pool).await.unwrap();
    assert_eq!(row.get::<String, _>("status"), "queued");
    service.get(answer.header("location")).await.expect(200);
}

#[tokio::test]
async fn without_postgres_nothing_is_promised_and_the_answer_comes_in_time() {
    let service = Service::start_on(&format!("postgres://postgres@{NOBODY}/none"), &format!("redis://{NOBODY}")).await;
    let started = Instant::now();
    let id = Uuid::now_v7();
    let (request, path) = (generate(), format!("/api/jobs/{id}?wait=30"));
    let (posted, waited) = tokio::join!(service.post("/api/generate", &request), service.get(&path));
    for answer in [posted, waited] {
        let answer = answer.expect_problem(503);
        assert_eq!(answer.header("retry-after"), "5");
        assert_eq!(answer.body["type"], "/problems/unavailable");
        assert!(!answer.text.contains(NOBODY), "{}", answer.text);
    }
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_finished_job_carries_its_text(pool: PgPool) {
    let service = Service::start(&pool).await;
    let answer = service.post("/api/generate", &generate()).await.expect(202);
    let generation = answer.body["links"]["generation"].as_str().unwrap();
    service.get(generation).await.expect_problem(404);
    finish(&pool, answer.body["id"].as_str().unwrap()).await;

    let job = service.get(answer.header("location")).await.expect(200).body;
    let generation = service.get(generation).await.expect(200).body;
    assert_eq!(job["status"], "succeeded");
    assert_eq!(job["result"], generation);
    assert_eq!(generation["format"], "Blog Article");
    assert_eq!(generation["content_type"], "blog");
    assert_eq!(generation["degraded"], json!([]));
    assert_eq!(generation["feedback"], json!(null));
}
