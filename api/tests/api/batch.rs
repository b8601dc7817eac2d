//! `POST /api/generate/batch`: each request has its own answer.

use copydesk_common::queue::Depth;
use copydesk_domain::job::JobKind;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::service::{NOBODY, Service, database_url, generate, with};

const BATCH: &str = "/api/generate/batch";

#[sqlx::test(migrations = "../migrations")]
async fn each_line_is_accepted_or_refused_on_its_own(pool: PgPool) {
    let service = Service::start(&pool).await;
    let requests = json!([
        generate(),
        with(generate(), "topic", ""),
        with(generate(), "business_id", "other"),
        with(with(generate(), "colour", "red"), "max_rounds", 9),
        [],
        {"topic": "a\u{0}b", "business_id": "b"},
    ]);
    let answer = service.post(BATCH, &json!({"requests": requests})).await.expect(200).body;
    let lines = answer["data"].as_array().unwrap();
    let statuses: Vec<_> = lines.iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [202, 422, 202, 422, 422, 422]);
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line["index"], index);
        assert_ne!(line["job"].is_object(), line["error"].is_object(), "{line}");
    }
    let pointers = |line: &Value| -> Vec<String> {
        let errors = line["error"]["errors"].as_array().unwrap();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(pointers(&lines[1]), ["/requests/1/topic"]);
    assert_eq!(pointers(&lines[3]), ["/requests/3/colour", "/requests/3/max_rounds"]);
    assert_eq!(pointers(&lines[4]), ["/requests/4"]);
    assert_eq!(pointers(&lines[5]), ["/requests/5/topic"]);
    for line in [&lines[0], &lines[2]] {
        let seen = service.get(line["job"]["links"]["self"].as_str().unwrap()).await.expect(200);
        // Its position is known once it is announced.
        assert_eq!(with(seen.body, "position", json!(null)), line["job"]);
    }
    service.queue_has(JobKind::Generate, Depth { ready: 2, ..Depth::default() }).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn a_thousand_are_one_insert(pool: PgPool) {
    let service = Service::start(&pool).await;
    let long = with(generate(), "instructions", "x".repeat(5_000));
    let requests = vec![long; 1_000];
    let answer = service.post(BATCH, &json!({"requests": requests})).await.expect(200).body;
    assert!(answer["data"].as_array().unwrap().iter().all(|line| line["status"] == 202));
    let (jobs, statements): (i64, i64) =
        sqlx::query_as("select count(*), count(distinct xmin::text) from jobs").fetch_one(&pool).await.unwrap();
    assert_eq!((jobs, statements), (1_000, 1));
    service.queue_has(JobKind::Generate, Depth { ready: 1_000, ..Depth::default() }).await;

    for requests in [json!(vec![generate(); 1_001]), json!([]), json!({}), json!(null)] {
        let refused = service.post(BATCH, &json!({"requests": requests})).await.expect_problem(422);
        assert_eq!(refused.pointers(), ["/requests"]);
    }
    let unknown = json!({"requests": [generate()], "colour": "red"});
    assert_eq!(service.post(BATCH, &unknown).await.expect_problem(422).pointers(), ["/colour"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_row_that_the_database_refuses_is_refused_on_its_line(pool: PgPool) {
    let service = Service::start(&pool).await;
    sqlx::query("alter table jobs add constraint no_poison check (payload->>'topic' <> 'poison')")
        .execute(&pool)
        .await
        .unwrap();
    let requests = json!([generate(), with(generate(), "topic", "poison"), generate()]);
    let answer = service.post(BATCH, &json!({"requests": requests})).await.expect(200).body;
    let statuses: Vec<_> =
        answer["data"].as_array().unwrap().iter().map(|line| line["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [202, 500, 202]);
    assert!(!answer.to_string().contains("no_poison"), "{answer}");
    service.queue_has(JobKind::Generate, Depth { ready: 2, ..Depth::default() }).await;
}

#[sqlx::test(migrations = "../migrations")]
async fn without_redis_the_promise_stands(pool: PgPool) {
    let service = Service::start_on(&database_url(&pool), &format!("redis://{NOBODY}")).await;
    let answer = service.post(BATCH, &json!({"requests": [generate(), generate()]})).await.expect(200).body;
    assert_eq!(answer["data"][1]["status"], 202);
    let jobs: i64 = sqlx::query_scalar("select count(*) from jobs").fetch_one(&pool).await.unwrap();
    assert_eq!(jobs, 2);
}
