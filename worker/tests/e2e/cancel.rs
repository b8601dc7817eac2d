//! Jobs that clients cancel and retry, and queues that operators pause, with running workers.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use copydesk_common::clock;
use copydesk_common::queue::Queue;
use copydesk_common::store::{self, StoreError};
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use serde_json::{Value, json};

use crate::system::{System, lease};

async fn act(system: &System, id: JobId, action: &str) -> (u16, Value) {
    system.post(&format!("/api/jobs/{id}/{action}"), &json!({})).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_jobs_call_is_dropped_and_its_slot_is_free_within_a_second() {
    let system = System::start_with(|config| config.worker.concurrency = 1).await;
    system.fault(&json!({ "endpoint": "chat", "times": 1, "kind": { "delay": { "ms": 30_000 } } }));
    let worker = system.worker();
    let id = system.generate("company_123", "Never mind", "linkedin").await;
    system.until(id, |_| system.simulator.calls().chat.faulted == 1).await;
    let asked = Instant::now();
    let (status, job) = act(&system, id, "cancel").await;
    assert_eq!((status, &job["status"]), (200, &json!("cancelled")), "{job}");
    let queue = Queue::new(&system.redis(), JobKind::Generate);
    while queue.depth().await.unwrap().leased > 0 {
        assert!(asked.elapsed() < Duration::from_secs(1), "the worker still holds the job");
    }
    let next = system.generate("company_123", "Something else", "linkedin").await;
    assert_eq!(system.ended(next).await["status"], "succeeded");
    let (_, job) = system.get(&format!("/api/jobs/{id}")).await;
    assert_eq!((&job["status"], &job["result"]), (&json!("cancelled"), &json!(null)));
    assert_eq!(system.count("select count(*) from generations").await, 1);
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_did_not_hear_of_it_writes_nothing_more() {
    let system = System::start().await;
    let id = system.generate("company_123", "Unheard", "linkedin").await;
    let job = store::job::begin(&system.store, lease(id, 1), "deaf").await.unwrap().unwrap();
    assert_eq!(act(&system, id, "cancel").await.0, 200);
    assert!(matches!(store::job::release(&system.store, &job, "draining").await, Err(StoreError::Superseded)));
    assert!(store::job::begin(&system.store, lease(id, i64::MAX), "late").await.unwrap().is_none());
    // Its message is still in the queue: a worker that claims it has nothing to do.
    let worker = system.worker();
    let next = system.generate("company_123", "Next", "linkedin").await;
    assert_eq!(system.ended(next).await["status"], "succeeded");
    assert_eq!(system.get(&format!("/api/jobs/{id}")).await.1["status"], "cancelled");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retried_job_goes_on_after_its_last_finished_stage() {
    let system = System::start().await;
    system.fault(&json!({ "endpoint": "chat", "kind": { "delay": { "ms": 3_000 } } }));
    let worker = system.worker();
    let body = json!({ "business_id": "company_123", "topic": "Late", "format": "linkedin", "deadline_seconds": 600 });
    let id = system.submit("/api/generate", &body).await;
    system.until(id, |job| job["progress"]["stage"] == "draft").await;
    worker.leave().await;
    let stored = system.stages(id).await;
    assert!(stored.len() >= 4, "{stored:?}");
    // It fails by its deadline after its first stages are paid for.
    sqlx::query("update jobs set deadline_at = now() where id = $1")
        .bind(id.0)
        .execute(system.store.pool())
        .await
        .unwrap();
    let worker = system.worker();
    let job = system.ended(id).await;
    assert_eq!((&job["status"], &job["error"]["type"]), (&json!("failed"), &json!("/problems/deadline-exceeded")));
    sqlx::query("update jobs set deadline_at = created_at + interval '10 minutes' where id = $1")
        .bind(id.0)
        .execute(system.store.pool())
        .await
        .unwrap();
    system.simulator.set_faults(Vec::new()).unwrap();
    let (status, job) = act(&system, id, "retry").await;
    // A worker may have claimed it already.
    assert!(status == 202 && ["queued", "running"].contains(&job["status"].as_str().unwrap()), "{job}");
    let job = system.ended(id).await;
    assert_eq!((&job["status"], &job["attempt"]), (&json!("succeeded"), &json!(1)), "{job:#}");
    assert_eq!(system.stages(id).await[..stored.len()], stored, "no finished stage ran again");
    assert_eq!(job["usage"]["calls"]["tavily"], 1);
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_queue_hands_out_nothing_until_it_is_resumed() {
    let system = System::start().await;
    let (status, _) = system.post("/api/ops/queues/generate/pause", &json!({})).await;
    assert_eq!(status, 200);
    let worker = system.worker();
    let id = system.generate("company_123", "Held back", "linkedin").await;
    // Another kind is not paused, and an idle worker looks at least every second.
    system.with_knowledge("company_123", "Handbook", "# Handbook\n\nWe answer within two days.").await;
    let quiet = Instant::now();
    system.until(id, |job| job["status"] != "queued" || quiet.elapsed() > Duration::from_millis(1_500)).await;
    assert_eq!(system.get(&format!("/api/jobs/{id}")).await.1["status"], "queued");
    system.flush_all_but_quotas().await;
    let give_up = Instant::now() + crate::system::PATIENCE;
    loop {
        let (_, overview) = system.get("/api/ops/overview").await;
        // The worker was forgotten too, and sends a heartbeat again.
        if overview["queues"][0]["intake"] == "paused" && overview["workers"].as_array().unwrap().len() == 1 {
            break;
        }
        assert!(Instant::now() < give_up, "a flush ended the pause: {overview}");
    }
    assert_eq!(system.post("/api/ops/queues/generate/resume", &json!({})).await.0, 200);
    assert_eq!(system.ended(id).await["status"], "succeeded");
    worker.leave().await;
    let (left_at, give_up) = (clock::now(), Instant::now() + crate::system::PATIENCE);
    // Where counting takes long, what is shown was counted a moment ago.
    let overview = loop {
        let (_, overview) = system.get("/api/ops/overview").await;
        let counted_at: DateTime<Utc> = overview["counted_at"].as_str().unwrap().parse().unwrap();
        if counted_at >= left_at {
            break overview;
        }
        assert!(Instant::now() < give_up, "the jobs are not counted again: {overview}");
    };
    assert_eq!(overview["workers"], json!([]), "a worker that has left is not shown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sweep_frees_idempotency_keys_of_yesterday() {
    let system = System::start().await;
    let id = system.generate("company_123", "Old", "linkedin").await;
    sqlx::query(
        "update jobs set created_at = now() - interval '25 hours', idempotency_key = 'k',
                         idempotency_fingerprint = sha256('x') where id = $1",
    )
    .bind(id.0)
    .execute(system.store.pool())
    .await
    .unwrap();
    let worker = system.worker();
    let kept = "select count(*) from jobs where idempotency_key is not null";
    let give_up = Instant::now() + crate::system::PATIENCE;
    while system.count(kept).await > 0 {
        assert!(Instant::now() < give_up, "the key is still kept");
    }
    worker.leave().await;
}
