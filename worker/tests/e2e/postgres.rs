//! A long outage of Postgres: requests do not wait for it, and jobs lose no attempt.

use std::time::{Duration, Instant};

use copydesk_common::queue::{Depth, Queue};
use copydesk_domain::job::JobKind;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::system::{PATIENCE, System};

/// The longest time until a process notices that Postgres is available again: a probe every 2 s, on
/// a slow machine.
const NOTICED: Duration = Duration::from_secs(6);

fn request(topic: &str) -> Value {
    json!({ "business_id": "company_123", "topic": topic, "format": "linkedin", "max_rounds": 0 })
}

async fn gauge(system: &System) -> String {
    let (_, metrics) = system.get("/metrics").await;
    let line = metrics.as_str().unwrap().lines().find_map(|line| line.strip_prefix("copydesk_postgres_breaker_open "));
    line.unwrap_or("nothing").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgres_is_away_the_api_refuses_at_once_and_soon_after_it_serves() {
    let system = System::start().await;
    let breaker = async || system.get("/health").await.1["checks"]["postgres"]["breaker"].clone();
    assert_eq!(breaker().await, "closed");
    system.postgres_link.cut();
    let give_up = Instant::now() + PATIENCE;
    while breaker().await != "open" {
        assert!(Instant::now() < give_up, "the breaker does not open");
    }
    assert_eq!(gauge(&system).await, "1");
    let (began, broken) = (Instant::now(), system.postgres_link.broken());
    let paths = ["/api/generations?business_id=company_123", "/api/ops/dead", "/api/businesses/company_123"];
    let reads = paths.into_iter().cycle().take(60).map(|path| system.get(path));
    for (status, problem) in join_all(reads).await {
        assert_eq!((status, &problem["type"]), (503, &json!("/problems/unavailable")), "{problem}");
    }
    for _ in 0..5 {
        let refused = system.send("/api/generate", &request("Refused")).await;
        assert_eq!(refused.status(), 503);
        assert!(refused.headers().contains_key("retry-after"), "{:?}", refused.headers());
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
    }
    // Nor does what looks at Postgres several times a second call it.
    tokio::time::sleep(Duration::from_secs(2).saturating_sub(began.elapsed())).await;
    // None of them waited for Postgres: only the probes called it, one every 2 s.
    let (asked, probes) = (system.postgres_link.broken() - broken, began.elapsed().as_secs() / 2 + 2);
    assert!(asked <= probes, "{asked} connections in {:?}", began.elapsed());

    system.postgres_link.heal();
    let back = Instant::now();
    while system.post("/api/generate", &request("Accepted")).await.0 != 202 {
        assert!(back.elapsed() < NOTICED, "the API does not notice that Postgres is back");
    }
    assert_eq!(breaker().await, "closed");
    assert_eq!(gauge(&system).await, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_without_postgres_claims_nothing_and_says_why() {
    let system = System::start().await;
    // A separate link, so that the API keeps working.
    let (worker, link) = system.worker_on_its_own_link().await;
    link.cut();
    let give_up = Instant::now() + PATIENCE;
    let ready = loop {
        let (status, ready) = worker.ready().await;
        if ready["checks"]["postgres_breaker"] == "open" {
            assert_eq!(status, 503);
            break ready;
        }
        assert!(Instant::now() < give_up, "the breaker does not open: {ready}");
    };
    assert_eq!((&ready["checks"]["postgres"], &ready["checks"]["queue"]), (&json!(false), &json!(true)));

    let id = system.submit("/api/generate", &request("Waits for Postgres")).await;
    let queue = Queue::new(&system.redis(), JobKind::Generate);
    let untouched = Depth { ready: 1, ..Depth::default() };
    let give_up = Instant::now() + PATIENCE;
    while queue.depth().await.unwrap() != untouched {
        assert!(Instant::now() < give_up, "{:?}", queue.depth().await);
    }
    // An idle worker that is not on hold claims as soon as the bell rings, and looks every half
    // second.
    let watched = Instant::now();
    while watched.elapsed() < Duration::from_millis(1_500) {
        assert_eq!(queue.depth().await.unwrap(), untouched, "it was claimed");
    }

    link.heal();
    let job = system.ended(id).await;
    assert_eq!((&job["status"], &job["attempt"]), (&json!("succeeded"), &json!(1)));
    worker.leave().await;
}

/// More concurrent calls than connections, however long they take: none holds a connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_connection_is_held_across_a_call_to_a_provider() {
    let system = System::start_with(|config| {
        (config.postgres.pool_size, config.postgres.pool_overflow) = (2, 0);
        config.worker.drain_ms = 1;
    })
    .await;
    // The calls end with the test, none of them before.
    system.fault(&json!({ "endpoint": "chat", "kind": "hang" }));
    let mut jobs = Vec::new();
    for n in 0..8 {
        jobs.push(system.submit("/api/generate", &request(&format!("Topic {n}"))).await);
    }
    let worker = system.worker();
    let give_up = Instant::now() + PATIENCE;
    while system.simulator.under_way() < jobs.len() {
        assert!(Instant::now() < give_up, "{} calls are under way at once", system.simulator.under_way());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    worker.leave().await;
    for job in jobs {
        assert_eq!(system.until(job, |job| job["status"] == "queued").await["attempt"], 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finished_stage_waits_for_postgres_and_is_not_paid_for_again() {
    let system = System::start().await;
    let (worker, link) = system.worker_on_its_own_link().await;
    system.fault(&json!({ "endpoint": "chat", "kind": { "delay": { "ms": 400 } } }));
    let mut request = request("Held");
    request["max_rounds"] = json!(1);
    let id = system.submit("/api/generate", &request).await;
    system.until(id, |job| job["progress"]["stage"] == "draft").await;
    link.cut();
    let give_up = Instant::now() + PATIENCE;
    while worker.ready().await.1["checks"]["postgres_breaker"] != "open" {
        assert!(Instant::now() < give_up, "the breaker does not open");
    }
    let paid = system.simulator.calls().chat.accepted;
    assert_eq!(paid, 1, "the draft's call was made");
    link.heal();
    let job = system.ended(id).await;
    assert_eq!((&job["status"], &job["attempt"]), (&json!("succeeded"), &json!(1)));
    assert_eq!(system.simulator.calls().chat.accepted, 2, "the draft was kept, and only the edit was left");
    assert_eq!(job["usage"]["calls"]["groq"], 2);
    worker.leave().await;
}
