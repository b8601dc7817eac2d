//! Accepting many jobs at once: they share statements but do not affect each other.

use axum::response::IntoResponse;
use copydesk_api::accept::{AcceptError, AcceptedJob, Acceptor};
use copydesk_api::announce::Announcer;
use copydesk_api::error::ApiError;
use copydesk_common::batch::BatchError;
use copydesk_common::queue::{Depth, Queue};
use copydesk_common::store::Store;
use copydesk_common::store::job::{IdempotencyKey, Submission};
use copydesk_domain::job::JobKind;
use futures_util::future::join_all;
use serde_json::json;
use sqlx::PgPool;
use tokio_util::task::TaskTracker;

use crate::service::{Hold, Service, generate};

fn submission(topic: &str) -> Submission {
    let job = copydesk_testkit::new_job(JobKind::Generate, "b", json!({"topic": topic}));
    Submission { job, key: None }
}

fn keyed(topic: &str, key: &str, fingerprint: u8) -> Submission {
    let key = IdempotencyKey { key: key.to_owned(), fingerprint: [fingerprint; 32] };
    Submission { key: Some(key), ..submission(topic) }
}

async fn accept_all(
    service: &Service,
    pool: &PgPool,
    submissions: Vec<Submission>,
) -> Vec<Result<AcceptedJob, AcceptError>> {
    let queue = Queue::new(&service.redis(), JobKind::Generate);
    let lanes = TaskTracker::new();
    let announcer = Announcer::new(&[queue], &lanes);
    let acceptor = Acceptor::start(&Store::from_pool(pool.clone()), &announcer, &lanes);
    let accepted = join_all(submissions.into_iter().map(|submission| acceptor.accept(submission))).await;
    drop(acceptor);
    lanes.close();
    lanes.wait().await;
    accepted
}

async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn jobs_that_come_together_share_a_few_statements(pool: PgPool) {
    let service = Service::start(&pool).await;
    let accepted = accept_all(&service, &pool, (0..600).map(|n| submission(&n.to_string())).collect()).await;
    assert!(accepted.iter().all(|accepted| accepted.as_ref().is_ok_and(|accepted| !accepted.replayed)));
    assert_eq!(count(&pool, "select count(*) from jobs").await, 600);
    let statements = count(&pool, "select count(distinct xmin::text) from jobs").await;
    assert!(statements <= 6, "{statements} statements");
    service.queue_has(JobKind::Generate, Depth { ready: 600, ..Depth::default() }).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_row_that_the_database_refuses_fails_alone(pool: PgPool) {
    let service = Service::start(&pool).await;
    sqlx::query("alter table jobs add constraint no_poison check (payload->>'topic' <> 'poison')")
        .execute(&pool)
        .await
        .unwrap();
    let topics = (0..100).map(|n| submission(if n == 41 { "poison" } else { "tea" })).collect();
    let accepted = accept_all(&service, &pool, topics).await;
    let failed: Vec<_> = (0..100).filter(|n| accepted[*n].is_err()).collect();
    assert_eq!(failed, [41]);
    assert!(matches!(accepted[41], Err(AcceptError::Batch(BatchError::Store(_)))));
    assert_eq!(count(&pool, "select count(*) from jobs").await, 99);
    service.queue_has(JobKind::Generate, Depth { ready: 99, ..Depth::default() }).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn one_key_makes_one_job_also_within_a_statement(pool: PgPool) {
    let service = Service::start(&pool).await;
    let mut submissions: Vec<_> = (0..50).map(|n| keyed("same", "a", u8::from(n == 49))).collect();
    submissions.extend((0..50).map(|n| keyed("other", &format!("key-{n}"), 7)));
    let accepted = accept_all(&service, &pool, submissions).await;
    let first = accepted.iter().flatten().find(|accepted| !accepted.replayed).unwrap().job.id;
    let same: Vec<_> = accepted[..49].iter().map(|accepted| accepted.as_ref().unwrap().job.id).collect();
    assert_eq!(same, [first; 49]);
    assert_eq!(accepted[..49].iter().flatten().filter(|accepted| accepted.replayed).count(), 48);
    assert!(matches!(accepted[49], Err(AcceptError::KeyReused)));
    assert!(accepted[50..].iter().flatten().filter(|accepted| !accepted.replayed).count() == 50);
    assert_eq!(count(&pool, "select count(*) from jobs").await, 51);
}

#[sqlx::test(migrations = "../migrations")]
async fn more_than_can_wait_is_told_to_come_again(pool: PgPool) {
    let service = Service::start(&pool).await;
    let accepted = accept_all(&service, &pool, (0..5_000).map(|n| submission(&n.to_string())).collect()).await;
    let full = accepted.iter().filter(|accepted| matches!(accepted, Err(AcceptError::Batch(BatchError::Full)))).count();
    let committed = accepted.iter().filter(|accepted| accepted.is_ok()).count();
    assert!(full > 0 && committed >= 4_096 && full + committed == 5_000, "{full} were refused, {committed} committed");
    assert_eq!(count(&pool, "select count(*) from jobs").await, i64::try_from(committed).unwrap());
    let response = ApiError::from(BatchError::Full).into_response();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"5".parse().unwrap()));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_client_that_leaves_leaves_no_half_job(pool: PgPool) {
    let service = Service::start(&pool).await;
    let hold = Hold::jobs(&pool).await;
    let request = service.request(reqwest::Method::POST, "/api/generate").json(&generate());
    let client = tokio::spawn(request.send());
    hold.until_somebody_waits_and(async { client.abort() }).await;
    service.queue_has(JobKind::Generate, Depth { ready: 1, ..Depth::default() }).await;
    assert_eq!(count(&pool, "select count(*) from jobs").await, 1);
}
