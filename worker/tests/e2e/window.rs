//! A model whose context window is too small for all the material of a text.

use serde_json::json;

use crate::system::System;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_was_written_without_its_passages_says_so() {
    let system = System::start_with(|config| {
        config.providers.context_tokens = format!("{}=3200", config.providers.llm_model);
    })
    .await;
    let _worker = system.worker();
    let request = json!({ "business_id": "company_123", "topic": "Scans", "format": "linkedin", "max_rounds": 0 });
    let id = system.submit("/api/generate", &request).await;
    let job = system.ended(id).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    assert!(job["result"]["degraded"].as_array().unwrap().contains(&json!("context_window")), "{job:#}");
}
