//! Fallback models that are used while another model is down, and no longer afterwards.

use std::time::Duration;

use copydesk_common::quota::{BreakerState, Quota, Quotas};
use serde_json::{Value, json};

use crate::system::{System, sum};

const FALLBACK: &str = "llama-3.1-8b-instant";

async fn system() -> System {
    System::start_with(|config| {
        config.providers.llm_fallback_models = FALLBACK.into();
        config.worker.first_backoff_ms = 1;
    })
    .await
}

impl System {
    async fn text(&self, topic: &str) -> Value {
        let id = self.submit("/api/generate", &request(topic)).await;
        let job = self.ended(id).await;
        assert_eq!(job["status"], "succeeded", "{job:#}");
        job
    }

    fn quotas(&self) -> Quotas {
        Quotas::new(&self.redis(), &self.config.providers)
    }
}

fn request(topic: &str) -> Value {
    json!({ "business_id": "company_123", "topic": topic, "format": "linkedin", "max_rounds": 0 })
}

fn has_fallback(job: &Value) -> bool {
    job["result"]["degraded"].as_array().unwrap().contains(&json!("fallback_model"))
}

async fn breaker(quota: &Quota) -> BreakerState {
    quota.status().await.unwrap().breaker
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fallback_model_writes_until_the_first_one_is_back() {
    let system = system().await;
    let model = system.config.providers.llm_model.clone();
    let writer = system.quotas().writer;
    system.fault(&json!({ "endpoint": "chat", "model": model, "kind": { "status": { "code": 500 } } }));
    let worker = system.worker();
    // Their failures open the breaker.
    let first = system.text("One").await;
    let calls = &first["usage"]["calls"];
    let all = calls["groq"].as_u64().unwrap() + calls["tavily"].as_u64().unwrap();
    assert_eq!(sum(&first["usage"]["stages"], "calls"), all, "failed attempts' too: {first:#}");
    system.text("Two").await;
    assert_eq!(breaker(&writer).await, BreakerState::Open);
    let faulted = system.simulator.calls().chat.faulted;

    let job = system.text("Three").await;
    assert_eq!(job["attempt"], 1, "nothing failed");
    let result = &job["result"];
    assert_eq!(result["models"]["writer"], FALLBACK);
    assert!(has_fallback(&job), "{result:#}");
    assert_eq!(job["usage"]["models"], json!({ FALLBACK: 1 }));
    assert_eq!(result["usage"]["models"], job["usage"]["models"]);
    assert_eq!(system.simulator.calls().chat.faulted, faulted, "the model that is down was left alone");
    let (_, overview) = system.get("/api/ops/overview").await;
    assert_eq!(overview["breakers"][format!("groq/{FALLBACK}")], "closed", "{overview:#}");
    assert_eq!(overview["breakers"][format!("groq/{model}")], "open");

    // It works again, and its minute is over.
    system.simulator.set_faults(Vec::new()).unwrap();
    writer.open_breaker(Duration::from_millis(1)).await.unwrap();
    let job = system.text("Four").await;
    assert_eq!((&job["result"]["models"]["writer"], has_fallback(&job)), (&json!(model), false));
    assert_eq!(breaker(&writer).await, BreakerState::Closed, "the probe closed it");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_waits_for_the_first_model_to_be_back_where_all_are_down() {
    let system = system().await;
    let Quotas { writer, fallbacks, .. } = system.quotas();
    let earliest = writer.open_breaker(Duration::from_secs(300)).await.unwrap();
    fallbacks[0].1.open_breaker(Duration::from_secs(900)).await.unwrap();
    let worker = system.worker();
    let id = system.submit("/api/generate", &request("Waits")).await;
    let job = system.until(id, |job| job["status"] == "waiting").await;
    assert_eq!((&job["waiting"]["reason"], &job["attempt"]), (&json!("breaker_open"), &json!(1)));
    let until: chrono::DateTime<chrono::Utc> = job["waiting"]["until"].as_str().unwrap().parse().unwrap();
    assert!((until - earliest).num_seconds().abs() <= 1, "{until} is not {earliest}");
    assert_eq!(system.simulator.calls().chat.accepted, 0);

    let (status, answer) = system.post("/api/ops/breakers/groq/close", &json!({})).await;
    assert_eq!((status, &answer["breakers"][format!("groq/{FALLBACK}")]), (200, &json!("closed")));
    let job = system.ended(id).await;
    assert_eq!((&job["status"], &job["attempt"]), (&json!("succeeded"), &json!(1)));
    assert!(!has_fallback(&job));
    worker.leave().await;
}
