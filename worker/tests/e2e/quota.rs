//! Quota and breaker as jobs see them: waiting gives the slot back, and nothing is spent.

use std::time::Instant;

use serde_json::json;

use crate::system::{PATIENCE, System};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limited_job_gives_its_slot_back_and_says_until_when_it_waits() {
    let system = System::start_with(|config| {
        config.providers.llm_requests_per_minute = Some(1);
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
    assert_eq!(system.simulator.calls().chat.accepted, 1, "never over the limit");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_is_too_small_for_all_jobs_finishes_some_of_them() {
    let system = System::start_with(|config| config.providers.llm_requests_per_minute = Some(8)).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        let body = json!({ "business_id": "company_123", "topic": format!("Text {n}"), "format": "linkedin", "max_rounds": 1 });
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
        [("waiting", 0), ("waiting", 0), ("succeeded", 2), ("succeeded", 2), ("succeeded", 2), ("succeeded", 2)];
    assert_eq!(statuses, expected.map(|(status, calls)| (json!(status), calls)), "eight calls are four whole texts");
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
async fn jobs_go_on_at_once_where_an_operator_reopens_a_provider_that_closed_itself() {
    let system = System::start().await;
    system.fault(&json!({ "endpoint": "chat", "times": 1, "kind": { "rate_limited": { "retry_after": 1_800 } } }));
    let worker = system.worker();
    let id = system.generate("company_123", "Refused for long", "linkedin").await;
    let job = system.until(id, |job| job["status"] == "waiting").await;
    assert_eq!(job["waiting"]["reason"], "rate_limited");
    let (status, answer) = system.post("/api/ops/breakers/groq/close", &json!({})).await;
    assert_eq!((status, &answer["closed_until"]), (200, &json!(null)), "{answer}");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operators_limit_holds_at_once_and_outlives_a_flush() {
    let system = System::start_with(|config| config.providers.llm_requests_per_minute = Some(1)).await;
    let worker = system.worker();
    let id = system.generate("company_123", "Hurried", "linkedin").await;
    system.until(id, |job| job["status"] == "waiting").await;
    let (status, answer) = system.put("/api/ops/limits/groq", &json!({ "calls_per_minute": 6_000 })).await;
    assert_eq!((status, &answer["in_force"]["calls_per_minute"]), (200, &json!(6_000)), "{answer}");
    let job = system.ended(id).await;
    assert_eq!(job["status"], "succeeded", "it did not sleep until the moment that it was told: {job:#}");

    system.flush_redis().await;
    let give_up = Instant::now() + PATIENCE;
    while system.get("/api/ops/overview").await.1["limits"][0]["capacity"] != 6_000 {
        assert!(Instant::now() < give_up, "the flush lost the limit");
    }
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_business_is_over_budget_waits_for_the_next_day_and_holds_up_nobody() {
    let system = System::start_with(|config| config.providers.business_calls_per_day = 2).await;
    let worker = system.worker();
    // A search and a draft are all that each business may have.
    let text =
        |business: &str| json!({ "business_id": business, "topic": "Any", "format": "linkedin", "max_rounds": 0 });
    let first = system.submit("/api/generate", &text("poor")).await;
    assert_eq!(system.ended(first).await["status"], "succeeded");
    let second = system.submit("/api/generate", &text("poor")).await;
    let job = system.until(second, |job| job["status"] == "waiting").await;
    assert_eq!((&job["waiting"]["reason"], &job["attempt"]), (&json!("over_budget"), &json!(1)));
    let until = job["waiting"]["until"].as_str().unwrap();
    assert!(until.contains("T00:00:00"), "the next day begins then: {until}");
    let other = system.submit("/api/generate", &text("other")).await;
    assert_eq!(system.ended(other).await["status"], "succeeded");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_business_has_as_many_jobs_under_way_as_its_share_says_also_after_a_flush() {
    let system = System::start().await;
    let share = json!({ "jobs_at_once": 1 });
    assert_eq!(system.put("/api/ops/businesses/greedy/share", &share).await.0, 200);
    system.fault(&json!({ "endpoint": "chat", "kind": { "delay": { "ms": 100 } } }));
    let mut jobs = Vec::new();
    for n in 0..4 {
        jobs.push(system.generate("greedy", &format!("Topic {n}"), "linkedin").await);
    }
    system.flush_redis().await;
    let worker = system.worker();
    let (mut most, mut aside) = (0, 0);
    let give_up = Instant::now() + PATIENCE;
    loop {
        let queue = system.get("/api/ops/overview").await.1["queues"][0].clone();
        most = most.max(queue["redis"]["leased"].as_u64().unwrap_or(0));
        aside = aside.max(queue["redis"]["capped"].as_u64().unwrap_or(0));
        if system.count("select count(*) from jobs where status = 'succeeded'").await == 4 {
            break;
        }
        assert!(Instant::now() < give_up, "{queue}");
    }
    assert_eq!((most, aside), (1, 3));
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_says_what_it_cost() {
    let system = System::start_with(|config| {
        config.providers.search_usd_per_call = 1.0;
        config.providers.prices =
            format!("{}=500000/0,{}=0/0", config.providers.llm_model, config.providers.review_model());
    })
    .await;
    let worker = system.worker();
    let body = json!({ "business_id": "company_123", "topic": "Dear", "format": "linkedin", "max_rounds": 0 });
    let id = system.submit("/api/generate", &body).await;
    let job = system.ended(id).await;
    // Half a dollar a token that the writer read, and one for the search.
    let cost = job["usage"]["cost_usd"].as_f64().unwrap();
    let read = job["usage"]["prompt_tokens"].as_f64().unwrap();
    assert!(cost > 1.0 && (2.0 * cost).fract() == 0.0 && cost <= read / 2.0 + 1.0, "{}", job["usage"]);
    let (_, overview) = system.get("/api/ops/overview").await;
    let spent: f64 = (0..2).map(|n| overview["limits"][n]["usd_today"].as_f64().unwrap()).sum();
    assert!((spent - cost).abs() < 1e-6, "settled on what it cost: {spent} of {cost}");
    worker.leave().await;
}
