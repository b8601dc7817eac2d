//! Quota and breaker as jobs see them: waiting gives the slot back, and nothing is spent.

use serde_json::json;

use crate::system::System;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limited_job_gives_its_slot_back_and_says_until_when_it_waits() {
    let system = System::start_with(|config| {
        config.providers.llm_requests_per_minute = 2;
        config.worker.concurrency = 1;
    })
    .await;
    let worker = system.worker();
    let id = system.generate("company_123", "Limited", "linkedin").await;
    let job = system.until(id, |job| job["status"] == "waiting").await;
    assert_eq!((&job["waiting"]["reason"], &job["waiting"]["provider"]), (&json!("rate_limited"), &json!("groq")));
    assert_eq!(job["attempt"], 1);
    // The only slot is free: a job that needs no provider runs meanwhile.
    system.with_knowledge("company_123", "Handbook", "# Handbook\n\nWe answer every letter within two days.").await;
    assert_eq!(system.simulator.calls().chat.accepted, 2, "never over the limit");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_is_too_small_for_all_jobs_finishes_some_of_them() {
    let system = System::start_with(|config| config.providers.llm_requests_per_minute = 9).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        let body = json!({ "business_id": "company_123", "topic": format!("Text {n}"), "format": "linkedin", "max_rounds": 0 });
        ids.push(system.submit("/api/generate", &body).await);
    }
    let worker = system.worker();
    let mut statuses = Vec::new();
    for id in ids {
        let job = system.until(id, |job| job["status"] == "succeeded" || job["status"] == "waiting").await;
        statuses.push((job["status"].clone(), job["usage"]["calls"]["groq"].as_u64().unwrap_or(0)));
    }
    statuses.sort_by_key(|(_, calls)| *calls);
    let expected =
        [("waiting", 0), ("waiting", 0), ("waiting", 0), ("succeeded", 3), ("succeeded", 3), ("succeeded", 3)];
    assert_eq!(statuses, expected.map(|(status, calls)| (json!(status), calls)), "nine calls are three whole texts");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_providers_429_closes_it_for_all_and_costs_no_attempt() {
    let system = System::start().await;
    system.fault(&json!({ "endpoint": "chat", "times": 1, "kind": { "rate_limited": { "retry_after": 1 } } }));
    let worker = system.worker();
    let id = system.generate("company_123", "Refused once", "linkedin").await;
    let job = system.until(id, |job| job["status"] == "waiting").await;
    assert_eq!(job["waiting"]["reason"], "rate_limited");
    let job = system.ended(id).await;
    assert_eq!((&job["status"], &job["attempt"]), (&json!("succeeded"), &json!(1)));
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_provider_opens_the_breaker_and_jobs_wait_for_it() {
    let system = System::start_with(|config| config.worker.first_backoff_ms = 1).await;
    system.fault(&json!({ "endpoint": "chat", "kind": { "status": { "code": 500 } } }));
    let worker = system.worker();
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(system.generate("company_123", &format!("Down {n}"), "linkedin").await);
    }
    let waits = |job: &serde_json::Value| job["waiting"]["reason"] == "breaker_open";
    for id in &ids {
        let job = system.until(*id, waits).await;
        assert_eq!(job["status"], "waiting");
    }
    // Five failures open it; two more calls may have been under way.
    assert!((5..=7).contains(&system.simulator.calls().chat.faulted), "{:?}", system.simulator.calls().chat);
    let (_, health) = system.get("/health").await;
    assert_eq!(health["status"], "degraded", "{health}");
    worker.leave().await;
}
