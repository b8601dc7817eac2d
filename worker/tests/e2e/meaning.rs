//! Search by meaning in addition to words: it is paid for once, is never required, and missing
//! vectors are made later.

use copydesk_common::config::Config;
use serde_json::{Value, json};

use crate::system::System;

const HANDBOOK: &str = "# Riverside Clinics\n\n## Our promise\n\nEvery patient of Riverside Clinics sees the same \
    physiotherapist for the whole course of treatment, and most courses end within six weeks.\n\n## Prices\n\nA first \
    appointment of 45 minutes costs 60 euros, and insured patients pay nothing for it at all.\n";

async fn with_embeddings(change: impl FnOnce(&mut Config)) -> System {
    System::start_with(|config| {
        let base_url = config.providers.search_base_url.endpoint("v1");
        config.providers.embeddings.base_url = Some(base_url);
        config.providers.embeddings.model = Some("hashed-words".into());
        config.providers.embeddings.api_key = Some("sk-test".into());
        config.providers.embeddings.requests_per_minute = 6_000;
        change(config);
    })
    .await
}

impl System {
    async fn embedding_calls(&self) -> u64 {
        self.simulator.calls().embeddings.accepted
    }

    async fn vectors(&self) -> i64 {
        self.count("select count(*) from embeddings").await
    }

    async fn passages(&self) -> i64 {
        self.count("select count(*) from chunks").await
    }

    async fn add_handbook(&self) -> Value {
        let document =
            json!({ "title": "Handbook", "text": HANDBOOK, "media_type": "text/markdown", "external_id": "h" });
        let job = self.submit("/api/businesses/riverside/documents", &document).await;
        self.ended(job).await
    }

    async fn written(&self) -> Value {
        let job = self.generate("riverside", "Physiotherapy appointments and prices", "LinkedIn Post").await;
        let job = self.ended(job).await;
        assert_eq!(job["status"], "succeeded", "{job:#}");
        job
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passages_get_vectors_once_and_a_text_asks_for_its_querys_alone() {
    let system = with_embeddings(|_| {}).await;
    let worker = system.worker();
    assert_eq!(system.add_handbook().await["status"], "succeeded");
    assert!(system.passages().await > 1);
    assert_eq!((system.vectors().await, system.embedding_calls().await), (system.passages().await, 1));
    assert_eq!(system.add_handbook().await["progress"], json!({ "stage": "store", "completed": 3, "total": 3 }));
    assert_eq!(system.embedding_calls().await, 1, "the same passages are not paid for again");
    let job = system.written().await;
    assert_eq!(job["result"]["degraded"], json!([]), "{job:#}");
    assert_eq!((system.embedding_calls().await, &job["usage"]["calls"]["embeddings"]), (2, &json!(1)));
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fleet_asks_for_the_vector_of_a_query_once() {
    let system = with_embeddings(|_| {}).await;
    let worker = system.worker();
    system.add_handbook().await;
    let first = system.written().await;
    worker.leave().await;
    let another = system.worker();
    let second = system.written().await;
    assert_eq!(second["result"]["degraded"], json!([]), "{second:#}");
    assert_eq!(second["usage"]["calls"].get("embeddings"), None, "{second:#}");
    assert_eq!(system.embedding_calls().await, 2, "the document's, and the first text's");
    let passages = |job: &Value| {
        let sources = job["result"]["sources"].as_array().unwrap().iter();
        sources.filter(|source| source["kind"] == "kb").cloned().collect::<Vec<_>>()
    };
    assert!(!passages(&first).is_empty());
    assert_eq!(passages(&second), passages(&first), "cited and quoted as before");

    let search = async |query: &str| system.get(&format!("/api/businesses/riverside/search?q={query}")).await.1;
    assert_eq!(search("Physiotherapy%20appointments%20and%20prices").await["degraded"], json!([]));
    assert_eq!(search("appointments").await["degraded"], json!(["embeddings_unavailable"]), "the API asks no model");
    another.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_model_words_are_searched_and_vectors_follow_when_it_is_back() {
    let system = with_embeddings(|_| {}).await;
    let worker = system.worker();
    system.fault(&json!({ "endpoint": "embeddings", "kind": { "status": { "code": 503 } } }));
    assert_eq!(system.add_handbook().await["status"], "succeeded", "a document needs no vectors");
    let job = system.written().await;
    assert_eq!(job["result"]["degraded"], json!(["embeddings_unavailable"]), "{job:#}");
    assert!(job["result"]["sources"].as_array().unwrap().iter().any(|source| source["kind"] == "kb"), "{job:#}");
    assert_eq!(system.vectors().await, 0);

    system.simulator.set_faults(Vec::new()).unwrap();
    let job = system.written().await;
    assert_eq!(job["result"]["degraded"], json!([]), "{job:#}");
    assert_eq!(job["usage"]["calls"]["embeddings"], 2, "the query's vector, and those that were missing");
    assert_eq!(system.vectors().await, system.passages().await);
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_waits_for_the_models_quota_and_keeps_its_attempts() {
    let system = with_embeddings(|_| {}).await;
    let worker = system.worker();
    system.fault(&json!({ "endpoint": "embeddings", "times": 1, "kind": { "rate_limited": { "retry_after": 1 } } }));
    let job = system.add_handbook().await;
    assert_eq!((&job["status"], &job["attempt"]), (&json!("succeeded"), &json!(1)), "{job:#}");
    assert_eq!((system.vectors().await, system.embedding_calls().await), (system.passages().await, 2));
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_model_makes_all_vectors_anew() {
    let system = with_embeddings(|_| {}).await;
    let worker = system.worker();
    assert_eq!(system.add_handbook().await["status"], "succeeded");
    // The state after the model behind the name was replaced by one with another dimension.
    sqlx::query("update embeddings set dimension = 2, vector = '\\x0000803f00000000'")
        .execute(system.store.pool())
        .await
        .unwrap();
    sqlx::query("update knowledge_versions set version = version + 1").execute(system.store.pool()).await.unwrap();
    let job = system.written().await;
    assert_eq!(job["result"]["degraded"], json!([]), "{job:#}");
    assert_eq!(system.count("select count(*) from embeddings where dimension = 2").await, 0);
    assert_eq!(system.vectors().await, system.passages().await);
    worker.leave().await;
}
