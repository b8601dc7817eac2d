//! Lists of jobs and texts; jobs that are cancelled and retried.

use std::time::Duration;

use copydesk_common::notify::{Listener, Notifier};
use copydesk_common::queue::Depth;
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::service::{NOBODY, Service, database_url, finish, generate, moved, with};

async fn submit(service: &Service) -> Value {
    service.post("/api/generate", &generate()).await.expect(202).body
}

fn path(job: &Value, action: &str) -> String {
    format!("/api/jobs/{}/{action}", job["id"].as_str().unwrap())
}

/// Walks through all pages of a list.
pub(crate) async fn pages(service: &Service, path: &str) -> Vec<Value> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = service.get(&format!("{path}&limit=2{cursor}")).await.expect(200).body;
        let data = page["data"].as_array().unwrap().clone();
        assert!(data.len() <= 2);
        seen.extend(data);
        let Some(next) = page["next_cursor"].as_str() else { return seen };
        cursor = format!("&cursor={next}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn every_open_job_can_be_cancelled_and_no_other(pool: PgPool) {
    let service = Service::start(&pool).await;
    for status in ["queued", "waiting", "running"] {
        let job = submit(&service).await;
        if status != "queued" {
            moved(&pool, &job, status).await;
        }
        let cancelled = service.post(&path(&job, "cancel"), &json!({})).await.expect(200).body;
        assert_eq!((&cancelled["status"], &cancelled["waiting"]), (&json!("cancelled"), &json!(null)), "{status}");
        assert!(cancelled["finished_at"].is_string() && cancelled["error"].is_null());
        assert_eq!(service.get(job["links"]["self"].as_str().unwrap()).await.expect(200).body, cancelled);
        let again = service.post(&path(&job, "cancel"), &json!({})).await.expect_problem(409);
        assert!(again.body["detail"].as_str().unwrap().contains("cancelled"), "{again:?}");
        service.post(&path(&job, "retry"), &json!({})).await.expect_problem(409);
    }
    let epochs: Vec<i64> =
        sqlx::query_scalar("select lease_epoch from jobs order by id").fetch_all(&pool).await.unwrap();
    assert_eq!(epochs, [1, 8, 8], "whoever ran it is fenced off");
    let ended = submit(&service).await;
    finish(&pool, ended["id"].as_str().unwrap()).await;
    service.post(&path(&ended, "cancel"), &json!({})).await.expect_problem(409);
    for action in ["cancel", "retry"] {
        service.post(&format!("/api/jobs/{}/{action}", Uuid::now_v7()), &json!({})).await.expect_problem(404);
        service.post(&format!("/api/jobs/x/{action}"), &json!({})).await.expect_problem(404);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_cancellation_is_heard_by_workers_and_by_who_waits(pool: PgPool) {
    let service = Service::start(&pool).await;
    let stop = CancellationToken::new();
    let listener = Listener::of_cancellations(service.redis(), stop.clone());
    // The subscription may not be active yet: hints of another job are repeated until one is
    // received.
    let (probe, notifier) = (JobId::new(), Notifier::new(&service.redis()));
    let mut hears = listener.subscribe(probe);
    let repeat = async {
        loop {
            notifier.cancelled(probe).await;
        }
    };
    tokio::select! {
        () = hears.changed() => {}
        never = tokio::time::timeout(Duration::from_secs(20), repeat) => never.expect("nothing is heard"),
    }

    let job = submit(&service).await;
    let mut heard = listener.subscribe(job["id"].as_str().unwrap().parse().unwrap());
    let waits = format!("{}?wait=30", job["links"]["self"].as_str().unwrap());
    let (action, nothing) = (path(&job, "cancel"), json!({}));
    let (waited, cancelled, heard) = tokio::join!(
        service.get(&waits),
        service.post(&action, &nothing),
        tokio::time::timeout(Duration::from_secs(20), heard.changed()),
    );
    heard.expect("the worker is told");
    assert_eq!(waited.expect(200).body["status"], "cancelled");
    cancelled.expect(200);
    stop.cancel();
}

#[sqlx::test(migrations = "../migrations")]
async fn a_document_whose_ingest_is_cancelled_says_so(pool: PgPool) {
    let service = Service::start(&pool).await;
    let documents = "/api/businesses/acme/documents";
    let guide = json!({"title": "Guide", "text": "Text.", "external_id": "guide"});
    let first = service.post(documents, &guide).await.expect(202).body;
    let second = service.post(documents, &with(guide, "text", "Better.")).await.expect(202).body;
    let document = format!("{documents}/{}", first["document"]["id"].as_str().unwrap());
    service.post(&path(&first["job"], "cancel"), &json!({})).await.expect(200);
    assert_eq!(service.get(&document).await.expect(200).body["status"], "pending", "the second revision comes");
    service.post(&path(&second["job"], "cancel"), &json!({})).await.expect(200);
    let failed = service.get(&document).await.expect(200).body;
    assert_eq!((&failed["status"], &failed["error"]), (&json!("failed"), &json!("Its indexing was cancelled.")));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_failed_job_goes_on_with_all_its_attempts_and_time(pool: PgPool) {
    let service = Service::start(&pool).await;
    let job = service.post("/api/generate", &with(generate(), "deadline_seconds", 600)).await.expect(202).body;
    for status in ["queued", "waiting", "running"] {
        moved(&pool, &job, status).await;
        service.post(&path(&job, "retry"), &json!({})).await.expect_problem(409);
    }
    moved(&pool, &job, "failed").await;
    sqlx::query("update jobs set created_at = now() - interval '1 hour', deadline_at = now() - interval '50 minutes'")
        .execute(&pool)
        .await
        .unwrap();
    // Redis forgets every job that has ended.
    let service = Service::start(&pool).await;
    let retried = service.post(&path(&job, "retry"), &json!({})).await.expect(202);
    assert_eq!(retried.header("location"), job["links"]["self"].as_str().unwrap());
    assert_eq!((&retried.body["status"], &retried.body["attempt"]), (&json!("queued"), &json!(1)));
    assert_eq!((&retried.body["error"], &retried.body["finished_at"]), (&json!(null), &json!(null)));
    assert_eq!(retried.body["progress"]["completed"], 5);
    let (takeovers, epoch, seconds): (i16, i64, f64) =
        sqlx::query_as("select takeovers, lease_epoch, extract(epoch from deadline_at - now())::float8 from jobs")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!((takeovers, epoch), (0, 8));
    assert!((580.0..601.0).contains(&seconds), "{seconds}");
    service.queue_has(JobKind::Generate, Depth { ready: 1, ..Depth::default() }).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_businesss_jobs_are_listed_newest_first(pool: PgPool) {
    let service = Service::start(&pool).await;
    let mut ids = Vec::new();
    for status in ["queued", "failed", "running", "failed", "succeeded"] {
        let job = submit(&service).await;
        match status {
            "queued" => {}
            "succeeded" => finish(&pool, job["id"].as_str().unwrap()).await,
            status => moved(&pool, &job, status).await,
        }
        ids.insert(0, job["id"].clone());
    }
    service.post("/api/businesses/company_123/documents", &json!({"title": "T", "text": "x"})).await.expect(202);
    service.post("/api/generate", &with(generate(), "business_id", "other")).await.expect(202);

    let listed = |jobs: Vec<Value>| jobs.into_iter().map(|job| job["id"].clone()).collect::<Vec<_>>();
    let all = pages(&service, "/api/jobs?business_id=company_123").await;
    assert_eq!(all.len(), 6);
    assert_eq!(all[1]["result"], json!(null), "texts are left out");
    assert_eq!(listed(all)[1..], ids);
    assert_eq!(listed(pages(&service, "/api/jobs?business_id=company_123&kind=generate").await), ids);
    let failed = pages(&service, "/api/jobs?business_id=company_123&status=failed").await;
    assert_eq!(failed[0]["error"]["type"], "/problems/attempts-exhausted");
    assert_eq!(listed(failed), [ids[1].clone(), ids[3].clone()]);
    assert!(pages(&service, "/api/jobs?business_id=company_123&status=failed&kind=ingest").await.is_empty());
    for (query, pointer) in [
        ("?q=a", "/q"),
        ("?business_id=a%20b", "/business_id"),
        ("?business_id=b&status=lost", "/status"),
        ("?business_id=b&kind=poem", "/kind"),
        ("?business_id=b&limit=0", "/limit"),
        ("?business_id=b&limit=201", "/limit"),
        ("?business_id=b&cursor=x", "/cursor"),
        ("?business_id=b&state=x", "/state"),
    ] {
        let answer = service.get(&format!("/api/jobs{query}")).await.expect_problem(422);
        assert_eq!(answer.pointers(), [pointer], "{query}: {answer:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_businesss_texts_are_listed_newest_first(pool: PgPool) {
    let service = Service::start(&pool).await;
    let mut generations = Vec::new();
    for _ in 0..5 {
        let job = submit(&service).await;
        finish(&pool, job["id"].as_str().unwrap()).await;
        generations.insert(0, job["generation_id"].clone());
    }
    submit(&service).await;
    let listed = pages(&service, "/api/generations?business_id=company_123").await;
    let ids: Vec<_> = listed.iter().map(|text| text["generation_id"].clone()).collect();
    assert_eq!(ids, generations);
    let one = service.get(&format!("/api/generations/{}", ids[0].as_str().unwrap())).await.expect(200).body;
    assert_eq!(listed[0], one);
    assert!(pages(&service, "/api/generations?business_id=other").await.is_empty());
    service.get("/api/generations").await.expect_problem(422);
}

#[sqlx::test(migrations = "../migrations")]
async fn texts_are_listed_by_what_they_had_to_do_without(pool: PgPool) {
    let service = Service::start(&pool).await;
    let mut generations = Vec::new();
    for degraded in ["{}", "{fallback_writer,review_unavailable}", "{review_unavailable}", "{fallback_writer}"] {
        let job = submit(&service).await;
        finish(&pool, job["id"].as_str().unwrap()).await;
        let sql = "update generations set degraded = $1::text[] where job_id = $2::uuid";
        sqlx::query(sql).bind(degraded).bind(job["id"].as_str()).execute(&pool).await.unwrap();
        generations.push(job["generation_id"].clone());
    }
    let of = "/api/generations?business_id=company_123&degraded=";
    let listed = async |name: &str| {
        let texts = pages(&service, &format!("{of}{name}")).await;
        texts.into_iter().map(|text| text["generation_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(listed("fallback_writer").await, [generations[3].clone(), generations[1].clone()]);
    assert_eq!(listed("review_unavailable").await, [generations[2].clone(), generations[1].clone()]);
    assert!(listed("context_window").await.is_empty());
    assert_eq!(service.get(&format!("{of}nothing")).await.expect_problem(422).pointers(), ["/degraded"]);
    assert!(pages(&service, "/api/generations?business_id=other&degraded=fallback_writer").await.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn without_redis_jobs_are_cancelled_and_retried_all_the_same(pool: PgPool) {
    let service = Service::start_on(&database_url(&pool), &format!("redis://{NOBODY}")).await;
    let job = submit(&service).await;
    moved(&pool, &job, "failed").await;
    service.post(&path(&job, "retry"), &json!({})).await.expect(202);
    let cancelled = service.post(&path(&job, "cancel"), &json!({})).await.expect(200).body;
    assert_eq!(cancelled["status"], "cancelled");
}
