//! A provider that is down, refuses for good, or is closed for long: what it costs a job, and who is told.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::system::System;

fn request(topic: &str) -> Value {
    json!({ "business_id": "company_123", "topic": topic, "format": "linkedin", "max_rounds": 0 })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_outage_costs_a_lone_job_none_of_its_attempts() {
    let system = System::start_with(|config| config.providers.max_setbacks = 8).await;
    // As many as a job has attempts.
    system.fault(&json!({ "endpoint": "chat", "times": 3, "kind": { "status": { "code": 503 } } }));
    let worker = system.worker();
    let id = system.submit("/api/generate", &request("Down for a moment")).await;
    let job = system.until(id, |job| job["status"] == "waiting").await;
    assert_eq!((&job["waiting"]["reason"], &job["waiting"]["provider"]), (&json!("backoff"), &json!("groq")));
    let job = system.ended(id).await;
    assert_eq!((&job["status"], &job["attempt"]), (&json!("succeeded"), &json!(1)), "{job:#}");
    assert!(!job["result"]["degraded"].as_array().unwrap().contains(&json!("fallback_writer")), "{job:#}");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_own_calls_fail_while_others_are_answered_spends_its_attempts() {
    let system = System::start_with(|config| config.providers.max_setbacks = 8).await;
    system.fault(&json!({ "endpoint": "chat", "about": "Cursed", "kind": { "status": { "code": 500 } } }));
    let worker = system.worker();
    let cursed = system.submit("/api/generate", &request("Cursed")).await;
    let mut others = 0;
    let ended = loop {
        let other = system.submit("/api/generate", &request(&format!("Fine {others}"))).await;
        assert_eq!(system.ended(other).await["status"], "succeeded");
        others += 1;
        let (_, job) = system.get(&format!("/api/jobs/{cursed}")).await;
        if job["status"] == "succeeded" {
            break job;
        }
        assert!(others < 1_000, "{job:#}");
    };
    assert_eq!(ended["attempt"], 3, "{ended:#}");
    assert!(ended["result"]["degraded"].as_array().unwrap().contains(&json!("fallback_writer")));
    assert!(ended["usage"]["calls"]["groq"].as_u64().unwrap() <= 8, "{ended:#}");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_job_is_woken_early_enough_to_end_with_what_it_has() {
    let system = System::start_with(|config| config.providers.call_timeout_ms = 4_000).await;
    system.fault(&json!({ "endpoint": "chat", "kind": { "rate_limited": { "retry_after": 3600 } } }));
    let worker = system.worker();
    let (began, mut request) = (Instant::now(), request("Closed for an hour"));
    request["deadline_seconds"] = json!(10);
    let id = system.submit("/api/generate", &request).await;
    request["allow_fallback"] = json!(false);
    let strict = system.submit("/api/generate", &request).await;
    let job = system.ended(id).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    assert!(job["result"]["degraded"].as_array().unwrap().contains(&json!("fallback_writer")));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let job = system.ended(strict).await;
    assert_eq!((&job["status"], &job["error"]["type"]), (&json!("failed"), &json!("/problems/deadline-exceeded")));
    assert!(job["error"]["detail"].as_str().unwrap().contains("groq takes no calls before"), "{job:#}");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_allows_no_fallback_fails_with_its_reason() {
    let system = System::start().await;
    system.fault(&json!({ "endpoint": "chat", "kind": { "status": { "code": 500 } } }));
    let worker = system.worker();
    let mut request = request("No template");
    request["allow_fallback"] = json!(false);
    let id = system.submit("/api/generate", &request).await;
    let job = system.ended(id).await;
    assert_eq!((&job["status"], &job["attempt"]), (&json!("failed"), &json!(3)), "{job:#}");
    assert_eq!(job["error"]["type"], "/problems/attempts-exhausted");
    assert!(job["error"]["detail"].as_str().unwrap().contains("the call to groq failed"), "{job:#}");
    worker.leave().await;
}

/// The provider answers again: there is no trouble any more.
async fn well_with_the_next_answer(system: &System) {
    system.simulator.set_faults(Vec::new()).unwrap();
    let id = system.submit("/api/generate", &request("Mended")).await;
    assert_eq!(system.ended(id).await["status"], "succeeded");
    let (_, health) = system.get("/health").await;
    assert_eq!((&health["status"], &health["checks"]["troubles"]), (&json!("healthy"), &json!({})));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_that_will_not_pass_fails_at_once_and_is_told_to_the_operator() {
    let system = System::start().await;
    let worker = system.worker();
    for (name, problem, look_at) in [
        ("account_empty", "/problems/provider-account", "account"),
        ("quota_used_up", "/problems/provider-account", "account"),
        ("ollama_unknown_model", "/problems/provider-misconfigured", "COPYDESK_LLM_MODEL"),
    ] {
        let made = system.simulator.calls().chat.accepted;
        system.fault(&json!({ "endpoint": "chat", "kind": { "refused": { "name": name } } }));
        let id = system.submit("/api/generate", &request(name)).await;
        let job = system.ended(id).await;
        assert_eq!((&job["status"], &job["error"]["type"]), (&json!("failed"), &json!(problem)), "{job:#}");
        assert_eq!(system.simulator.calls().chat.accepted, made + 1, "{name}: one call");
        let (_, health) = system.get("/health").await;
        let trouble = &health["checks"]["troubles"]["groq/llama-3.3-70b-versatile"];
        assert_eq!((&health["status"], &trouble["problem"]), (&json!("degraded"), &json!(problem)), "{health:#}");
        assert!(trouble["look_at"].as_str().unwrap().contains(look_at), "{health:#}");
    }
    well_with_the_next_answer(&system).await;
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_that_nobody_understands_is_told_to_the_operator_too() {
    let system = System::start().await;
    let worker = system.worker();
    system.fault(&json!({ "endpoint": "chat", "kind": { "status": { "code": 418 } } }));
    let id = system.submit("/api/generate", &request("A teapot")).await;
    let job = system.ended(id).await;
    let degraded = job["result"]["degraded"].as_array().unwrap();
    assert!(degraded.contains(&json!("fallback_writer")), "{job:#}");
    let (_, health) = system.get("/health").await;
    let trouble = &health["checks"]["troubles"]["groq/llama-3.3-70b-versatile"];
    assert_eq!((&health["status"], &trouble["status"]), (&json!("degraded"), &json!(418)), "{health:#}");
    well_with_the_next_answer(&system).await;
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_that_a_server_finds_too_long_is_made_shorter() {
    let system = System::start().await;
    let worker = system.worker();
    let handbook = (0..60).map(|n| {
        format!("# Part {n}\n\nEvery letter number {n} is answered within two days, by a person who knows the case well.\n\n")
    });
    system.with_knowledge("company_123", "Handbook", &handbook.collect::<String>()).await;
    for words in ["llama_cpp", "tokens_per_minute", "vllm"] {
        system.fault(&json!({ "endpoint": "chat", "kind": { "too_long": { "tokens": 3_400, "words": words } } }));
        let id = system.submit("/api/generate", &request("Letters that are answered")).await;
        let job = system.ended(id).await;
        assert_eq!((&job["status"], &job["attempt"]), (&json!("succeeded"), &json!(1)), "{words}: {job:#}");
        assert!(!job["result"]["degraded"].as_array().unwrap().contains(&json!("fallback_writer")), "{words}: {job:#}");
    }
    system.fault(&json!({ "endpoint": "chat", "kind": { "too_long": { "tokens": 100, "words": "llama_cpp" } } }));
    let id = system.submit("/api/generate", &request("Letters")).await;
    let job = system.ended(id).await;
    assert_eq!((&job["status"], &job["error"]["type"]), (&json!("failed"), &json!("/problems/context-window")));
    worker.leave().await;
}

/// Tells a real worker to leave while Redis is cut off, or answers nothing; how long it takes.
async fn leaves_without_redis(is_silent: bool) {
    let system = System::start_with(|config| config.worker.drain_ms = 1_000).await;
    system.fault(&json!({ "endpoint": "chat", "kind": "hang" }));
    let mut worker = system.worker_process();
    let id = system.submit("/api/generate", &request("Hanging")).await;
    system.until(id, |_| system.simulator.calls().chat.faulted > 0).await;
    if is_silent {
        system.redis_link.slow(Duration::from_secs(3_600));
    } else {
        system.redis_link.cut();
    }
    let began = Instant::now();
    let process = nix::unistd::Pid::from_raw(worker.id().unwrap().try_into().unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGTERM).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(40), worker.wait()).await.expect("it leaves").unwrap();
    assert!(ended.success(), "{ended}");
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_leaves_within_its_grace_where_redis_is_gone() {
    leaves_without_redis(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_leaves_within_its_grace_where_redis_is_silent() {
    leaves_without_redis(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_call_had_written_counts_where_its_job_is_cancelled_or_its_worker_stops() {
    for is_cancelled in [true, false] {
        let system = System::start_with(|config| config.worker.drain_ms = 1).await;
        // Spread over the stream, which does not end before it is stopped.
        system.fault(&json!({ "endpoint": "chat", "kind": { "delay": { "ms": 20_000 } } }));
        let worker = system.worker();
        let mut request = request("Stopped midway");
        request["format"] = json!("blog");
        request["run_at"] = json!(chrono::Utc::now() + chrono::TimeDelta::milliseconds(1_500));
        let id = system.submit("/api/generate", &request).await;
        let mut events = system.open(&format!("/api/jobs/{id}/events")).await;
        let mut seen = String::new();
        while !seen.contains("event: token") {
            seen += &String::from_utf8_lossy(&events.chunk().await.unwrap().expect("the stream goes on"));
        }
        if is_cancelled {
            system.post(&format!("/api/jobs/{id}/cancel"), &json!({})).await;
        } else {
            worker.leave().await;
        }
        let job = system.until(id, |job| job["usage"]["completion_tokens"].as_u64().unwrap_or(0) > 0).await;
        assert!(job["usage"]["prompt_tokens"].as_u64().unwrap() > 0, "{job:#}");
        assert_eq!(job["status"], if is_cancelled { "cancelled" } else { "queued" });
    }
}
