//! Lists of more open jobs than a page reads.

use copydesk_common::queue::message::Message;
use copydesk_common::queue::{Claimant, Depth, Entry, Intake, Queue};
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, NewJob};
use copydesk_testkit::new_job;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::control::pages;
use crate::service::{NOBODY, Service, database_url, generate, moved, with};

/// The most jobs that a page reads.
const LOOKED_AT: i32 = 2_000;

/// Open jobs that were accepted after all others.
async fn newer(pool: &PgPool, jobs: i32) {
    sqlx::query(
        "insert into jobs (id, kind, business_id, status, priority, payload, max_attempts, traceparent, created_at)
         select (lpad(to_hex((extract(epoch from now()) * 1000)::bigint + 60000), 12, '0') || '70008'
                 || lpad(to_hex(n), 15, '0'))::uuid,
                'generate', 'company_123', 'queued', 'bulk', '{}', 3,
                '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', now()
         from generate_series(1, $1) n",
    )
    .bind(jobs)
    .execute(pool)
    .await
    .unwrap();
}

fn ids(jobs: &[Value]) -> Vec<Value> {
    jobs.iter().map(|job| job["id"].clone()).collect()
}

/// A job without a row.
fn unknown_job() -> NewJob {
    new_job(JobKind::Generate, "other", json!({}))
}

#[sqlx::test(migrations = "../migrations")]
async fn running_jobs_behind_very_many_open_ones_are_found_by_their_leases(pool: PgPool) {
    let service = Service::start(&pool).await;
    let mut jobs = Vec::new();
    for business in ["company_123", "company_123", "company_123", "other", "company_123"] {
        jobs.push(service.post("/api/generate", &with(generate(), "business_id", business)).await.expect(202).body);
    }
    service.queue_has(JobKind::Generate, Depth { ready: 5, ..Depth::default() }).await;
    let queue = Queue::new(&service.redis(), JobKind::Generate);
    queue.set_intake(Intake::Open, 0).await.unwrap();
    let claimer = Claimant { name: "test", was_idle: false };
    assert_eq!(queue.claim(claimer, 10, 600_000, 0).await.unwrap().leased.len(), 5);
    // The last one is claimed but has not begun.
    for job in &jobs[..4] {
        moved(&pool, job, "running").await;
    }
    newer(&pool, LOOKED_AT).await;
    // A job that the page finds without the leases also has a lease.
    let newest: Uuid = sqlx::query_scalar("select max(id::text)::uuid from jobs").fetch_one(&pool).await.unwrap();
    let message = Message::of(&NewJob { id: JobId(newest), ..unknown_job() });
    queue.push(&[Entry { message, not_before: None, begun: None }]).await.unwrap();
    assert_eq!(queue.claim(claimer, 10, 600_000, 0).await.unwrap().leased.len(), 1);
    jobs.push(json!({"id": newest}));
    moved(&pool, &jobs[5], "running").await;
    let (list, running) =
        ("/api/jobs?business_id=company_123&status=running", ids(&[5, 2, 1, 0].map(|n| jobs[n].clone())));

    let page = service.get(list).await.expect(200).body;
    assert_eq!(ids(page["data"].as_array().unwrap()), running);
    assert_eq!(page["next_cursor"], json!(null), "that is all of them");
    let page = service.get(&format!("{list}&limit=2")).await.expect(200).body;
    assert_eq!(ids(page["data"].as_array().unwrap()), running[..2]);
    let rest = format!("{list}&limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(ids(service.get(&rest).await.expect(200).body["data"].as_array().unwrap()), running[2..]);
    let none = service.get(&format!("{list}&kind=feedback")).await.expect(200).body;
    assert_eq!((&none["data"], &none["next_cursor"]), (&json!([]), &json!(null)));

    // Without a list of leases, or with too many, the next page continues the search.
    let alone = Service::start_on(&database_url(&pool), &format!("redis://{NOBODY}")).await;
    let empty = Service::start(&pool).await;
    let entry = || Entry { message: Message::of(&unknown_job()), not_before: None, begun: None };
    let more: Vec<_> = (0..LOOKED_AT).map(|_| entry()).collect();
    queue.push(&more).await.unwrap();
    while queue.depth().await.unwrap().ready > 0 {
        queue.claim(claimer, 500, 600_000, 0).await.unwrap();
    }
    for service in [&alone, &empty, &service] {
        let page = service.get(list).await.expect(200).body;
        assert_eq!(ids(page["data"].as_array().unwrap()), running[..1]);
        assert!(page["next_cursor"].is_string());
        assert_eq!(ids(&pages(service, list).await), running);
    }
}
