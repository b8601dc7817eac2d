//! `Idempotency-Key`: a repeated request is done once.

use copydesk_common::store::{Store, idempotency};
use futures_util::future::join_all;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::http::RequestBuilder;
use crate::service::{Answer, Hold, Service, finish, generate, with};

const DOCUMENTS: &str = "/api/businesses/acme/documents";

async fn send(request: RequestBuilder, key: &str) -> Answer {
    Answer::of(request.header("idempotency-key", key).send().await.unwrap()).await
}

async fn post(service: &Service, path: &str, body: &Value, key: &str) -> Answer {
    send(service.request(Method::POST, path).json(body), key).await
}

async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// Every request that creates something, with a second body for the same business.
async fn creations(service: &Service, pool: &PgPool) -> Vec<(&'static str, Value, Value)> {
    let job = service.post("/api/generate", &generate()).await.expect(202).body;
    finish(pool, job["id"].as_str().unwrap()).await;
    let verdict = json!({"generation_id": job["generation_id"], "business_id": "company_123", "human_score": 9});
    let document = json!({"title": "Guide", "text": "Text.", "external_id": "guide"});
    let batch = |topic: &str| json!({"requests": [with(generate(), "topic", topic), generate(), {"topic": 1}]});
    vec![
        ("/api/generate", generate(), with(generate(), "topic", "Tea")),
        ("/api/feedback", verdict.clone(), with(verdict, "human_score", 1)),
        ("/api/generate/batch", batch("AI"), batch("Tea")),
        (DOCUMENTS, document.clone(), with(document, "title", "Other")),
    ]
}

#[sqlx::test(migrations = "../migrations")]
async fn a_request_sent_again_is_answered_as_at_first_and_does_nothing(pool: PgPool) {
    let service = Service::start(&pool).await;
    for (path, body, other) in creations(&service, &pool).await {
        let first = post(&service, path, &body, "order-7").await;
        assert!(first.status.is_success(), "{path}: {first:?}");
        assert_eq!(first.header("idempotency-replayed"), "", "{path}");
        let jobs = count(&pool, "select count(*) from jobs").await;
        // Later changes of the job do not change the answer.
        sqlx::query("update jobs set stage = 'draft', metadata = '{\"later\": true}'").execute(&pool).await.unwrap();
        for _ in 0..2 {
            let again = post(&service, path, &body, "order-7").await;
            assert_eq!(again.header("idempotency-replayed"), "true", "{path}: {again:?}");
            assert_eq!(again.header("location"), first.header("location"), "{path}");
            assert_eq!((again.status, &again.body), (first.status, &first.body), "{path}");
        }
        let reused = post(&service, path, &other, "order-7").await.expect_problem(422);
        assert_eq!(reused.body["type"], "/problems/idempotency-key-reused", "{path}");
        assert_eq!(count(&pool, "select count(*) from jobs").await, jobs, "{path}");

        let another = post(&service, path, &body, "order-8").await;
        assert_eq!((another.status, another.header("idempotency-replayed")), (first.status, ""), "{path}");
        assert_ne!(another.body, first.body, "{path}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_scheduled_job_is_answered_as_at_first_also_after_its_start(pool: PgPool) {
    let service = Service::start(&pool).await;
    let run_at = copydesk_common::clock::now() + std::time::Duration::from_millis(300);
    let body = with(generate(), "run_at", run_at.to_rfc3339());
    let first = post(&service, "/api/generate", &body, "k").await.expect(202);
    assert_eq!(first.body["status"], "waiting");
    while copydesk_common::clock::now() <= run_at {
        tokio::task::yield_now().await;
    }
    assert_eq!(post(&service, "/api/generate", &body, "k").await.expect(202).body, first.body);
}

#[sqlx::test(migrations = "../migrations")]
async fn of_many_at_once_one_does_the_work(pool: PgPool) {
    let service = Service::start(&pool).await;
    for (path, body, _) in creations(&service, &pool).await {
        let before = count(&pool, "select count(*) from jobs").await;
        let answers = join_all((0..20).map(|_| post(&service, path, &body, "race"))).await;
        let created = count(&pool, "select count(*) from jobs").await - before;
        assert_eq!(created, if path.ends_with("batch") { 2 } else { 1 }, "{path}");
        let first = answers.iter().find(|a| a.status.is_success() && a.header("idempotency-replayed").is_empty());
        let first = first.unwrap_or_else(|| panic!("{path}: {answers:?}"));
        for answer in &answers {
            assert!(
                answer.body == first.body || (answer.status == 409 && answer.header("retry-after") == "1"),
                "{path}: {answer:?}"
            );
        }
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn while_the_first_upload_is_stored_another_is_told_to_wait(pool: PgPool) {
    let service = Service::start(&pool).await;
    let document = json!({"title": "Guide", "text": "Text."});
    let hold = Hold::jobs(&pool).await;
    let second = async {
        let answer = post(&service, DOCUMENTS, &document, "k").await.expect_problem(409);
        assert_eq!(
            (answer.header("retry-after"), &answer.body["type"]),
            ("1", &json!("/problems/request-in-progress"))
        );
    };
    let (first, ()) = tokio::join!(post(&service, DOCUMENTS, &document, "k"), hold.until_somebody_waits_and(second));
    let again = post(&service, DOCUMENTS, &document, "k").await.expect(202);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &first.expect(202).body));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_form_is_the_same_whatever_its_boundary(pool: PgPool) {
    let service = Service::start(&pool).await;
    let form = |text: &'static str| {
        let form = Form::new().part("file", Part::bytes(text.as_bytes()).file_name("guide.md"));
        send(service.request(Method::POST, DOCUMENTS).multipart(form), "k")
    };
    let first = form("Short sentences.").await.expect(202);
    let again = form("Short sentences.").await.expect(202);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &first.body));
    form("Long ones.").await.expect_problem(422);
    // The answer stays the same after the document is deleted.
    service.delete(&format!("{DOCUMENTS}/{}", first.body["document"]["id"].as_str().unwrap())).await.expect(204);
    assert_eq!(form("Short sentences.").await.expect(202).body, first.body);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_key_is_a_businesss_own_and_a_failed_request_leaves_it_free(pool: PgPool) {
    let service = Service::start(&pool).await;
    post(&service, "/api/generate", &with(generate(), "topic", ""), "k").await.expect_problem(422);
    let first = post(&service, "/api/generate", &generate(), "k").await.expect(202);
    let other = post(&service, "/api/generate", &with(generate(), "business_id", "other"), "k").await.expect(202);
    assert_eq!(other.header("idempotency-replayed"), "");
    assert_ne!(other.body["id"], first.body["id"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_malformed_key_is_refused(pool: PgPool) {
    let service = Service::start(&pool).await;
    for (path, body, _) in creations(&service, &pool).await {
        for key in ["", "a b", "a\tb", &"x".repeat(256), "\u{fc}"] {
            let answer = post(&service, path, &body, key).await.expect_problem(400);
            assert!(answer.body["detail"].as_str().unwrap().contains("Idempotency-Key"), "{answer:?}");
        }
        let twice = service.request(Method::POST, path).json(&body).header("idempotency-key", "a");
        send(twice, "b").await.expect_problem(400);
        let longest = post(&service, path, &body, &"~".repeat(255)).await;
        assert!(longest.status.is_success(), "{longest:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn keys_are_kept_for_a_day(pool: PgPool) {
    let service = Service::start(&pool).await;
    let creations = creations(&service, &pool).await;
    let store = Store::from_pool(pool.clone());
    for (hours, freed) in [(23, 0), (25, 4)] {
        for (path, body, _) in &creations {
            assert!(post(&service, path, body, "k").await.status.is_success());
        }
        for table in ["jobs", "idempotent_answers"] {
            let age = format!("update {table} set created_at = now() - interval '{hours} hours'");
            sqlx::query(sqlx::AssertSqlSafe(age)).execute(&pool).await.unwrap();
        }
        assert_eq!(idempotency::forget(&store, 100).await.unwrap(), freed);
    }
    for (path, body, _) in &creations {
        let anew = post(&service, path, body, "k").await;
        assert!(anew.status.is_success() && anew.header("idempotency-replayed").is_empty(), "{path}: {anew:?}");
    }
}
