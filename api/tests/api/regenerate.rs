//! Regenerating texts, one by one and in bulk.

use std::collections::HashSet;

use copydesk_common::queue::Depth;
use copydesk_domain::job::JobKind;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::service::{Answer, Service, finish, generate, with};

const MANY: &str = "/api/ops/regenerate";

/// A text with this degradation.
async fn text(service: &Service, pool: &PgPool, business: &str, degraded: &str) -> Value {
    let body = with(with(generate(), "business_id", business), "deadline_seconds", 3_600);
    let job = service.post("/api/generate", &with(body, "metadata", json!({"n": 7}))).await.expect(202).body;
    finish(pool, job["id"].as_str().unwrap()).await;
    sqlx::query("update generations set degraded = $1::text[] where job_id = $2::uuid")
        .bind(degraded)
        .bind(job["id"].as_str())
        .execute(pool)
        .await
        .unwrap();
    job
}

fn path(job: &Value) -> String {
    format!("/api/generations/{}/regenerate", job["generation_id"].as_str().unwrap())
}

/// The request of a job or of its regeneration: payload, metadata and seconds to the deadline.
async fn asked(pool: &PgPool, job: &Value) -> (Value, Value, f64) {
    let sql =
        "select payload, metadata, extract(epoch from deadline_at - created_at)::float8 from jobs where id = $1::uuid";
    sqlx::query_as(sql).bind(job["id"].as_str()).fetch_one(pool).await.unwrap()
}

async fn jobs(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from jobs").fetch_one(pool).await.unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_text_is_made_anew_by_a_job_with_the_same_request(pool: PgPool) {
    let service = Service::start(&pool).await;
    let first = text(&service, &pool, "acme", "{fallback_writer}").await;
    let answer = service.post(&path(&first), &Value::Null).await.expect(202);
    let again = &answer.body;
    assert_eq!(answer.header("location"), again["links"]["self"].as_str().unwrap());
    assert_eq!(answer.header("retry-after"), "1");
    assert_ne!(again["id"], first["id"]);
    assert_ne!(again["generation_id"], first["generation_id"]);
    for same in ["kind", "business_id", "priority", "metadata", "status"] {
        assert_eq!(again[same], first[same], "{same}");
    }
    assert_eq!(asked(&pool, again).await, asked(&pool, &first).await);
    service.queue_has(JobKind::Generate, Depth { ready: 2, ..Depth::default() }).await;
    finish(&pool, again["id"].as_str().unwrap()).await;
    let old = service.get(first["links"]["generation"].as_str().unwrap()).await.expect(200).body;
    assert_eq!(old["degraded"], json!(["fallback_writer"]), "it stays as it is");
    service.post(&format!("/api/generations/{}/regenerate", Uuid::now_v7()), &json!({})).await.expect_problem(404);
    service.post("/api/generations/none/regenerate", &json!({})).await.expect_problem(404);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_text_is_made_anew_once_for_a_key(pool: PgPool) {
    let service = Service::start(&pool).await;
    let (first, other) =
        (text(&service, &pool, "acme", "{fallback_writer}").await, text(&service, &pool, "acme", "{}").await);
    let keyed = async |path: String, key: &str| {
        let request = service.request(Method::POST, &path).header("idempotency-key", key);
        Answer::of(request.send().await.unwrap()).await
    };
    let one = keyed(path(&first), "k").await.expect(202);
    let two = keyed(path(&first), "k").await.expect(202);
    assert_eq!((&one.body["id"], &one.body["generation_id"]), (&two.body["id"], &two.body["generation_id"]));
    assert_eq!((one.header("idempotency-replayed"), two.header("idempotency-replayed")), ("", "true"));
    assert_eq!(jobs(&pool).await, 3);
    let reused = keyed(path(&other), "k").await.expect_problem(422);
    assert_eq!(reused.body["type"], "/problems/idempotency-key-reused");
    assert_ne!(keyed(path(&first), "another").await.expect(202).body["id"], one.body["id"], "who asks anew gets anew");
    keyed(path(&first), "not visible: \u{e4}").await.expect_problem(400);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_operator_counts_first_and_then_has_texts_made_anew_once(pool: PgPool) {
    let service = Service::start(&pool).await;
    let mut right = Vec::new();
    for (business, degraded) in [
        ("acme", "{fallback_writer,review_unavailable}"),
        ("acme", "{fallback_writer}"),
        ("other", "{fallback_writer}"),
        ("acme", "{review_unavailable}"),
        ("acme", "{}"),
    ] {
        right.push(text(&service, &pool, business, degraded).await);
    }
    sqlx::query("update generations set created_at = now() - interval '2 days' where job_id = $1::uuid")
        .bind(right[0]["id"].as_str())
        .execute(&pool)
        .await
        .unwrap();
    let ask = async |more: Value| {
        let mut body = json!({"degraded": "fallback_writer"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        service.post(MANY, &body).await.expect(200).body
    };
    let yesterday = json!(chrono::Utc::now() - chrono::TimeDelta::days(1));
    for (more, left) in [
        (json!({}), 3),
        (json!({"confirm": false}), 3),
        (json!({"business_id": "acme"}), 2),
        (json!({"business_id": "acme", "since": yesterday}), 1),
    ] {
        assert_eq!(ask(more.clone()).await, json!({"accepted": 0, "left": left}), "{more}");
    }
    assert_eq!(jobs(&pool).await, 5, "nothing was changed");

    // A text that was regenerated by itself is not regenerated again in bulk.
    service.post(&path(&right[1]), &Value::Null).await.expect(202);
    assert_eq!(ask(json!({"business_id": "acme", "confirm": true})).await, json!({"accepted": 1, "left": 0}));
    assert_eq!(ask(json!({"confirm": true})).await, json!({"accepted": 1, "left": 0}));
    assert_eq!(ask(json!({"confirm": true})).await, json!({"accepted": 0, "left": 0}));
    assert_eq!(jobs(&pool).await, 8);
    service.queue_has(JobKind::Generate, Depth { ready: 8, ..Depth::default() }).await;
    let sql = "select (j.payload = o.payload) and j.priority = 'bulk' and j.generation_id <> g.generation_id
                      and j.deadline_at - j.created_at = interval '1 day'
               from generations g join jobs o on o.id = g.job_id join jobs j on j.id = g.regenerated_by
               where g.job_id = any($1::uuid[])";
    let ids: Vec<Uuid> = [0, 2].map(|n: usize| right[n]["id"].as_str().unwrap().parse().unwrap()).into();
    let same: Vec<bool> = sqlx::query_scalar(sql).bind(ids).fetch_all(&pool).await.unwrap();
    assert_eq!(same, [true, true]);
}

#[sqlx::test(migrations = "../migrations")]
async fn texts_are_made_anew_a_thousand_a_call_and_never_twice_by_two_at_once(pool: PgPool) {
    let service = Service::start(&pool).await;
    text(&service, &pool, "acme", "{fallback_writer}").await;
    for sql in [
        "insert into jobs (id, kind, business_id, generation_id, status, priority, payload, max_attempts, traceparent,
                           deadline_at, finished_at)
         select gen_random_uuid(), kind, business_id, gen_random_uuid(), 'succeeded', priority, payload, max_attempts,
                traceparent, deadline_at, now()
         from jobs, generate_series(1, 1500)",
        "insert into generations (generation_id, job_id, business_id, topic, content_type, voice, language, title,
                                  content, sources, lessons_applied, degraded, models, usage)
         select j.generation_id, j.id, j.business_id, topic, content_type, voice, language, title, content, sources,
                lessons_applied, degraded, models, g.usage
         from jobs j, generations g where j.id <> g.job_id",
    ] {
        sqlx::query(sql).execute(&pool).await.unwrap();
    }
    let confirmed = json!({"degraded": "fallback_writer", "confirm": true});
    assert_eq!(service.post(MANY, &confirmed).await.expect(200).body, json!({"accepted": 1000, "left": 501}));
    let (one, two) = tokio::join!(service.post(MANY, &confirmed), service.post(MANY, &confirmed));
    let accepted = [one, two].map(|answer| answer.expect(200).body["accepted"].as_u64().unwrap());
    assert_eq!(accepted.iter().sum::<u64>(), 501, "{accepted:?}");
    let made: Vec<Uuid> = sqlx::query_scalar("select regenerated_by from generations where regenerated_by is not null")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!((made.len(), made.iter().collect::<HashSet<_>>().len(), jobs(&pool).await), (1501, 1501, 3002));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_cannot_be_made_anew_is_refused(pool: PgPool) {
    let service = Service::start(&pool).await;
    for (body, pointers) in [
        (json!({}), vec!["/degraded"]),
        (json!({"degraded": "everything", "since": "yesterday"}), vec!["/degraded", "/since"]),
        (json!({"degraded": "fallback_writer", "confirm": "yes", "all": true}), vec!["/all", "/confirm"]),
        (json!({"degraded": "fallback_writer", "business_id": "a|b"}), vec!["/business_id"]),
    ] {
        assert_eq!(service.post(MANY, &body).await.expect_problem(422).pointers(), pointers, "{body}");
    }
}
