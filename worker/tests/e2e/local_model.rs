//! A small real model, with no more configuration than its address and its name. Without one these tests say so and
//! end: `cargo xtask test --local-model` installs and serves one.

use std::time::Duration;

use copydesk_worker::provider::server;
use serde_json::json;

use crate::system::System;

const MODEL: &str = "smollm2-135m-instruct";
/// As slow as a model is on a busy machine.
const CALL_TIMEOUT_MS: u64 = 120_000;

/// A text that has found no answer to its liking by then ends with what it has.
const DEADLINE_SECONDS: u64 = 420;

/// The deadline, and a call that is under way then.
const ENDS_WITHIN: Duration = Duration::from_secs(DEADLINE_SECONDS + CALL_TIMEOUT_MS / 1_000);

/// A system that writes with the model at the address that the environment names.
async fn system() -> Option<System> {
    let Ok(base_url) = std::env::var("COPYDESK_TEST_LOCAL_MODEL") else {
        println!("skipped: no local model is served; `cargo xtask test --local-model` serves one");
        return None;
    };
    let mut system = System::start_with(|config| {
        let providers = &mut config.providers;
        providers.llm_base_url = base_url.parse().unwrap();
        providers.llm_model = MODEL.into();
        (providers.review_model, providers.llm_name, providers.groq_api_key) = (None, None, None);
        (providers.llm_requests_per_minute, providers.tavily_api_key) = (None, None);
        providers.simulated = false;
        providers.call_timeout_ms = CALL_TIMEOUT_MS;
        config.worker.lease_ms = CALL_TIMEOUT_MS + 10_000;
    })
    .await;
    system.config.providers = server::learn(system.config.providers.clone()).await;
    Some(system)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_model_says_its_window_and_its_slots() {
    let Some(system) = system().await else { return };
    let providers = &system.config.providers;
    assert_eq!(providers.windows().of(MODEL), Some(8_192));
    assert_eq!((providers.llm_concurrency, providers.review_model()), (1, MODEL));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_model_brings_texts_to_their_end_one_call_at_a_time() {
    let Some(system) = system().await else { return };
    let worker = system.worker();
    let about = "# Riverside Clinics\n\nRiverside Clinics treats runners in three towns. A first visit takes 45 minutes \
                 and costs 60 euros. Most people are seen within two days.\n";
    system.with_knowledge("riverside", "Riverside Clinics", about).await;
    let mut jobs = Vec::new();
    for format in ["linkedin", "email"] {
        let request = json!({ "business_id": "riverside", "topic": "A first visit", "format": format,
            "length_words": 60, "deadline_seconds": DEADLINE_SECONDS });
        jobs.push((format, system.submit("/api/generate", &request).await));
    }
    for (format, id) in jobs {
        let job =
            system.until_within(ENDS_WITHIN, id, |job| !job["result"].is_null() || job["status"] == "failed").await;
        assert_eq!(job["status"], "succeeded", "{format}: {job:#}");
        let result = &job["result"];
        let text = result["content"].as_str().unwrap();
        println!("{format}: degraded {}, by {}\n{text}\n", result["degraded"], result["models"]);
        assert!(text.split_whitespace().count() > 10, "{format}: {text}");
        assert_eq!(result["models"]["simulated"], false);
    }
    worker.leave().await;
}
