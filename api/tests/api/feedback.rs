//! Verdicts and their effects.

use serde_json::{Value, json};
use sqlx::{PgPool, Row};
use uuid::Uuid;

use crate::service::{Service, finish, generate, with, without};

fn verdict(generation_id: &Value) -> Value {
    json!({
        "generation_id": generation_id, "business_id": "company_123", "human_approved": true, "human_score": 9.5,
        "human_feedback": "Excellent tone and structure",
    })
}

#[sqlx::test(migrations = "../migrations")]
async fn a_text_can_be_judged_once_it_is_there_and_by_its_business_only(pool: PgPool) {
    let service = Service::start(&pool).await;
    let job = service.post("/api/generate", &generate()).await.expect(202).body;
    let verdict = verdict(&job["generation_id"]);

    service.post("/api/feedback", &verdict).await.expect_problem(409);
    finish(&pool, job["id"].as_str().unwrap()).await;
    service.post("/api/feedback", &with(verdict.clone(), "business_id", "another")).await.expect_problem(404);
    service
        .post("/api/feedback", &with(verdict.clone(), "generation_id", Uuid::now_v7().to_string()))
        .await
        .expect_problem(404);

    let answer = service.post("/api/feedback", &verdict).await.expect(202);
    assert_eq!(answer.body["kind"], "feedback");
    assert_eq!(answer.body["generation_id"], job["generation_id"]);
    let row = sqlx::query("select payload from jobs where kind = 'feedback'").fetch_one(&pool).await.unwrap();
    let payload = row.get::<Value, _>("payload");
    assert_eq!(without(payload, "feedback_id"), without(verdict, "business_id"));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_verdict_says_something(pool: PgPool) {
    let service = Service::start(&pool).await;
    let job = service.post("/api/generate", &generate()).await.expect(202).body;
    finish(&pool, job["id"].as_str().unwrap()).await;
    let silent = json!({"generation_id": job["generation_id"], "business_id": "company_123"});
    for silent in
        [silent.clone(), with(silent.clone(), "human_feedback", "  "), with(silent.clone(), "human_score", Value::Null)]
    {
        assert_eq!(service.post("/api/feedback", &silent).await.expect_problem(422).pointers(), [""]);
    }
    for (field, value) in [("human_approved", json!(false)), ("human_score", json!(0)), ("human_feedback", json!("x"))]
    {
        service.post("/api/feedback", &with(silent.clone(), field, value)).await.expect(202);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn statistics_are_there_without_data_and_by_name_or_slug(pool: PgPool) {
    let service = Service::start(&pool).await;
    let stats = service.get("/api/learning/stats/company_123?content_type=blog").await.expect(200).body;
    assert_eq!(stats["basis"], "default");
    assert_eq!(stats["content_type"], "blog");
    assert_eq!(stats["generations"], 0);
    let by_name = service.get("/api/learning/stats/company_123?content_type=Blog%20Article").await.expect(200).body;
    assert_eq!(by_name, stats);
    let all = service.get("/api/learning/stats/company_123").await.expect(200).body;
    assert_eq!(all["content_type"], json!(null));
    let wrong = service.get("/api/learning/stats/company_123?content_type=haiku").await.expect_problem(422);
    assert_eq!(wrong.pointers(), ["/content_type"]);
    assert!(wrong.text.contains("Video Script (video_script)"));
}
