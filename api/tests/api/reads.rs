//! Concurrent polls share a read, and each gets its own answer.

use futures_util::future::join_all;
use sqlx::PgPool;

use crate::service::{Hold, Service, finish, generate, with};

/// Polls each of these many times at once; all reads are blocked until all requests have arrived.
async fn poll_at_once(service: &Service, pool: &PgPool, ids: &[String]) -> Vec<(u16, serde_json::Value)> {
    let hold = Hold::jobs(pool).await;
    let polls = ids.iter().cycle().take(ids.len() * 10).map(|id| async move {
        let answer = service.get(&format!("/api/jobs/{id}")).await;
        (answer.status.as_u16(), answer.body)
    });
    tokio::join!(join_all(polls), hold.until_somebody_waits()).0
}

async fn accepted(service: &Service, business: &str) -> String {
    let job = service.post("/api/generate", &with(generate(), "business_id", business)).await.expect(202);
    job.body["id"].as_str().unwrap().to_owned()
}

#[sqlx::test(migrations = "../migrations")]
async fn each_poll_is_answered_with_its_own_job(pool: PgPool) {
    let service = Service::start(&pool).await;
    let businesses = ["a", "b", "c"];
    let mut ids = join_all(businesses.map(|business| accepted(&service, business))).await;
    finish(&pool, &ids[2]).await;
    ids.push(uuid::Uuid::now_v7().to_string());
    let answers = poll_at_once(&service, &pool, &ids).await;
    assert_eq!(answers.len(), 40);
    for (index, (status, job)) in answers.iter().enumerate() {
        let Some(business) = businesses.get(index % ids.len()) else {
            assert_eq!((*status, &job["type"]), (404, &"/problems/not-found".into()));
            continue;
        };
        assert_eq!((*status, job["business_id"].as_str()), (200, Some(*business)), "{job}");
        assert_eq!(job["id"].as_str(), Some(&*ids[index % ids.len()]));
        assert_eq!(job["result"]["title"].as_str(), (*business == "c").then_some("A title"));
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_row_that_cannot_be_read_spoils_no_other(pool: PgPool) {
    let service = Service::start(&pool).await;
    let ids = join_all(["a", "b", "c"].map(|business| accepted(&service, business))).await;
    let id: uuid::Uuid = ids[1].parse().unwrap();
    sqlx::query("update jobs set usage = '7' where id = $1").bind(id).execute(&pool).await.unwrap();
    let answers = poll_at_once(&service, &pool, &ids).await;
    for (index, (status, job)) in answers.iter().enumerate() {
        assert_eq!(*status, [200, 500, 200][index % ids.len()], "{job}");
    }
}
