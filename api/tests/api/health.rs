//! `/health` and the probes of orchestrators.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::PgPool;

use crate::service::{Hold, NOBODY, Service, database_url};

#[sqlx::test(migrations = "../migrations")]
async fn a_whole_service_is_healthy_in_the_originals_shape(pool: PgPool) {
    let service = Service::start(&pool).await;
    let health = service.get("/health").await.expect(200).body;
    assert_eq!(health["status"], "healthy");
    assert!(chrono::DateTime::parse_from_rfc3339(health["timestamp"].as_str().unwrap()).is_ok());
    assert_eq!(health["environment"], json!({"groq_api_key": false, "postgres_uri": true, "tavily_api_key": true}));
    let checks = &health["checks"];
    assert_eq!(checks["postgres"]["status"], "up");
    for count in ["size", "checked_out", "checked_in", "overflow"] {
        assert!(checks["postgres"]["pool"][count].is_u64(), "{count}");
    }
    assert_eq!(checks["postgres"]["pool"]["size"], 20);
    assert_eq!(checks["troubles"], json!({}));
    assert_eq!(checks["redis"], json!({"status": "up"}));
    assert_eq!(checks["breakers"]["groq/llama-3.3-70b-versatile"], "closed");
    assert_eq!(checks["queue"]["generate"], json!({"ready": 0, "delayed": 0, "running": 0}));
    assert_eq!(checks["limits"][0], json!({"provider": "groq", "capacity": 30, "remaining": 30, "waiting": 0}));
    assert_eq!(checks["limits"][1]["provider"], "tavily");
    service.get("/health/live").await.expect(200);
    service.get("/health/ready").await.expect(200);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_llm_has_its_own_name_and_a_search_that_is_off_is_not_shown(pool: PgPool) {
    let service = Service::start_with(&pool, |config| {
        config.providers.llm_base_url = "http://localhost:11434/v1".parse().unwrap();
        config.providers.tavily_api_key = None;
    })
    .await;
    let checks = service.get("/health").await.expect(200).body["checks"].take();
    assert_eq!(checks["limits"], json!([{"provider": "localhost", "capacity": 6000, "remaining": 6000, "waiting": 0}]));
    let breakers: Vec<_> = checks["breakers"].as_object().unwrap().keys().collect();
    assert!(breakers.iter().all(|name| name.starts_with("localhost/")), "{breakers:?}");
    let overview = service.get("/api/ops/overview").await.expect(200).body;
    assert_eq!(overview["limits"].as_array().unwrap().len(), 1, "{overview}");
    service.put("/api/ops/limits/localhost", &json!({"calls_per_minute": 60})).await.expect(200);
    for unknown in ["groq", "tavily"] {
        let answer = service.put(&format!("/api/ops/limits/{unknown}"), &json!({})).await.expect_problem(404);
        assert_eq!(answer.body["detail"], "no such provider: there are localhost");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn without_redis_it_is_degraded(pool: PgPool) {
    let service = Service::start_on(&database_url(&pool), &format!("redis://{NOBODY}")).await;
    let started = Instant::now();
    let health = service.get("/health").await.expect(200).body;
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(health["status"], "degraded");
    assert_eq!(health["checks"]["redis"]["status"], "down");
    assert_eq!(health["checks"]["queue"], json!({}));
    service.get("/health/ready").await.expect(200);
}

#[sqlx::test(migrations = "../migrations")]
async fn probes_wait_for_no_connection_of_the_pool(pool: PgPool) {
    let service = Service::start_with(&pool, |config| {
        (config.postgres.pool_size, config.postgres.pool_overflow) = (1, 0);
    })
    .await;
    service.get("/health/ready").await.expect(200);
    let hold = Hold::jobs(&pool).await;
    let (path, client) = (format!("{}/api/jobs/{}", service.base, uuid::Uuid::now_v7()), service.client.clone());
    let reader = tokio::spawn(async move { client.get(path).send().await.unwrap().status() });
    hold.until_somebody_waits_and(async {
        let started = Instant::now();
        service.get("/health/ready").await.expect(200);
        service.get("/health/live").await.expect(200);
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    })
    .await;
    assert_eq!(reader.await.unwrap(), 404);
}

#[tokio::test]
async fn without_postgres_it_is_unhealthy_and_says_so_in_time() {
    let service =
        Service::start_on(&format!("postgres://postgres:hunter2@{NOBODY}/none"), &format!("redis://{NOBODY}")).await;
    let started = Instant::now();
    let health = service.get("/health").await.expect(503);
    assert_eq!(health.header("content-type"), "application/json");
    assert_eq!(health.body["status"], "unhealthy");
    assert_eq!(health.body["checks"]["postgres"]["status"], "down");
    assert!(!health.text.contains("hunter2"));
    service.get("/health/ready").await.expect(503);
    service.get("/health/live").await.expect(200);
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
}
