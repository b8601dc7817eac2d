//! Nothing that was answered with 202 is lost, and nothing gets a second result, whatever Redis does.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::system::{PATIENCE, System, sum};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_accepted_while_redis_is_away_runs_once_it_is_back() {
    let system = System::start().await;
    let worker = system.worker();
    system.redis_link.cut();
    let id = system.generate("company_123", "Written in the dark", "linkedin").await;
    let (_, job) = system.get(&format!("/api/jobs/{id}")).await;
    assert_eq!(job["status"], "queued");
    system.redis_link.heal();
    assert_eq!(system.ended(id).await["status"], "succeeded");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_of_redis_loses_no_job_and_writes_no_result_twice() {
    let system = System::start().await;
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(system.generate("company_123", &format!("Topic {n}"), "linkedin").await);
    }
    system.flush_redis().await;
    let worker = system.worker();
    // Once more while they run.
    system.until(ids[0], |job| job["status"] != "queued").await;
    system.flush_all_but_quotas().await;
    for id in &ids {
        assert_eq!(system.ended(*id).await["status"], "succeeded");
    }
    assert_eq!(system.count("select count(*) from generations").await, 20);
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_goes_on_after_its_link_to_redis_broke() {
    let system = System::start().await;
    let worker = system.worker();
    let before = system.generate("company_123", "Before", "linkedin").await;
    assert_eq!(system.ended(before).await["status"], "succeeded");
    system.redis_link.cut();
    let during = system.generate("company_123", "During", "linkedin").await;
    tokio::time::timeout(Duration::from_secs(3), async { while system.redis().ping().await.is_ok() {} })
        .await
        .expect("the link is cut");
    system.redis_link.heal();
    let after = system.generate("company_123", "After", "linkedin").await;
    for id in [during, after] {
        assert_eq!(system.ended(id).await["status"], "succeeded");
    }
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_goes_on_after_postgres_was_away() {
    let system = System::start().await;
    let worker = system.worker();
    let before = system.generate("company_123", "Before", "linkedin").await;
    assert_eq!(system.ended(before).await["status"], "succeeded");
    system.postgres_link.cut();
    let (status, problem) =
        system.post("/api/generate", &json!({ "business_id": "company_123", "topic": "Lost" })).await;
    assert_eq!((status, &problem["type"]), (503, &json!("/problems/unavailable")), "{problem}");
    system.postgres_link.heal();
    let give_up = Instant::now() + PATIENCE;
    // Refused for a moment longer: a probe must find it first.
    while system.get("/health").await.1["checks"]["postgres"]["status"] != "up" {
        assert!(Instant::now() < give_up, "the API does not notice that Postgres is back");
    }
    let after = system.generate("company_123", "After", "linkedin").await;
    assert_eq!(system.ended(after).await["status"], "succeeded");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaving_worker_spends_no_attempt_and_another_goes_on() {
    let system = System::start().await;
    system.fault(&json!({ "endpoint": "chat", "kind": { "delay": { "ms": 400 } } }));
    let first = system.worker();
    let id = system.generate("company_123", "Handed over", "linkedin").await;
    system.until(id, |job| job["progress"]["completed"].as_u64() >= Some(4)).await;
    first.leave().await;
    let (_, job) = system.get(&format!("/api/jobs/{id}")).await;
    assert_eq!((&job["status"], &job["attempt"]), (&json!("queued"), &json!(1)));
    let second = system.worker();
    assert_eq!(system.ended(id).await["status"], "succeeded");
    let usage = &system.get(&format!("/api/jobs/{id}")).await.1["usage"];
    let calls = usage["calls"].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>();
    assert_eq!(usage["calls"]["groq"].as_u64().unwrap(), system.simulator.calls().chat.accepted);
    assert_eq!(sum(&usage["stages"], "calls"), calls, "both workers' stages: {usage}");
    second.leave().await;
}
