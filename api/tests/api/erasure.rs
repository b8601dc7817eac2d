//! Asking for the erasure of a business.

use copydesk_common::queue::Depth;
use copydesk_domain::job::JobKind;
use serde_json::json;
use sqlx::PgPool;

use crate::service::{Service, generate};

const PATH: &str = "/api/businesses/company_123";

#[sqlx::test(migrations = "../migrations")]
async fn a_business_of_which_anything_is_stored_is_erased_by_a_job(pool: PgPool) {
    let service = Service::start(&pool).await;
    service.delete(PATH).await.expect_problem(404);
    service.delete("/api/businesses/a%20b").await.expect_problem(422);
    // A profile is not needed.
    service.post("/api/generate", &generate()).await.expect(202);
    let answer = service.delete(PATH).await.expect(202);
    assert_eq!(answer.header("location"), answer.body["links"]["self"].as_str().unwrap());
    assert_eq!((&answer.body["kind"], &answer.body["business_id"]), (&json!("erase"), &json!("company_123")));
    service.queue_has(JobKind::Erase, Depth { ready: 1, ..Depth::default() }).await;
    let seen = service.get(answer.header("location")).await.expect(200).body;
    assert_eq!((&seen["status"], &seen["result"]), (&json!("queued"), &json!(null)));
    let deadline: bool =
        sqlx::query_scalar("select deadline_at is null from jobs where kind = 'erase'").fetch_one(&pool).await.unwrap();
    assert!(deadline, "it is done when it can be");
}

/// An erasure is no trace of the business, and neither are those of other businesses.
#[sqlx::test(migrations = "../migrations")]
async fn a_business_of_which_only_an_erasure_is_left_is_unknown(pool: PgPool) {
    let service = Service::start(&pool).await;
    service.put("/api/businesses/other", &json!({"name": "Other"})).await.expect(200);
    for table in ["businesses", "business_shares", "learning_state", "knowledge_versions"] {
        let insert = match table {
            "businesses" => "insert into businesses values ('company_123', '', '', '', '', '', '{}', 'en')",
            "business_shares" => "insert into business_shares (business_id, weight) values ('company_123', 2)",
            "learning_state" => "insert into learning_state values ('company_123', 0)",
            _ => "insert into knowledge_versions values ('company_123', 1)",
        };
        sqlx::query(insert).execute(&pool).await.unwrap();
        service.delete(PATH).await.expect(202);
        let delete = format!("delete from {table} where business_id = 'company_123'");
        sqlx::query(sqlx::AssertSqlSafe(delete)).execute(&pool).await.unwrap();
        service.delete(PATH).await.expect_problem(404);
    }
}
