//! Jobs found by words and ids, counted, and cancelled by the same filters.

use copydesk_common::store::Store;
use copydesk_common::store::job::find;
use copydesk_domain::access::Scope;
use copydesk_domain::id::JobId;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::control::pages;
use crate::holder::Holder;
use crate::service::{Service, finish, generate, moved, with};

/// What the sweep does.
async fn filled(pool: &PgPool) -> u64 {
    find::fill(&Store::from_pool(pool.clone()), JobId(Uuid::nil()), 10_000).await.unwrap().jobs
}

async fn asked(service: &Service, body: &Value) -> Value {
    service.post("/api/generate", body).await.expect(202).body
}

/// Three jobs of two businesses.
async fn three(service: &Service) -> [Value; 3] {
    let scans = with(generate(), "metadata", json!({ "order": { "ref": "ZX-81 überlingen" } }));
    let bread = with(with(generate(), "topic", "Bread at home"), "keywords", json!(["sourdough-starter"]));
    let theirs = with(with(generate(), "topic", "Bread for clinics"), "business_id", "other");
    [asked(service, &scans).await, asked(service, &bread).await, asked(service, &theirs).await]
}

#[sqlx::test(migrations = "../migrations")]
async fn jobs_are_found_by_ids_and_by_words_of_their_requests(pool: PgPool) {
    let service = Service::start(&pool).await;
    let [scans, bread, theirs] = three(&service).await;
    assert_eq!((filled(&pool).await, filled(&pool).await), (3, 0));
    let found = async |query: &str| -> Vec<Value> {
        let jobs = pages(&service, &format!("/api/jobs?{query}")).await;
        jobs.into_iter().map(|job| job["id"].clone()).collect()
    };
    let [a, b, c] = [&scans["id"], &bread["id"], &theirs["id"]].map(Clone::clone);
    for (query, right) in [
        ("q=bread", vec![&c, &b]),
        ("q=BREAD%20home", vec![&b]),
        ("q=brea", vec![&c, &b]),
        ("q=sourdough", vec![&b]),
        ("q=sourdough-sta", vec![&b]),
        ("q=starter", vec![&b]),
        ("q=sourdough-bun", vec![]),
        ("q=%C3%BCberlingen", vec![&a]),
        ("q=zx-81", vec![&a]),
        ("q=healthcare&business_id=company_123", vec![&a]),
        ("q=bread&business_id=company_123", vec![&b]),
        ("q=bread&business_id=nobody", vec![]),
        ("q=bread&status=failed", vec![]),
        ("q=bread&kind=generate&status=queued", vec![&c, &b]),
        ("q=bread%20scans", vec![]),
        ("q=!!", vec![]),
        ("q='%26|:*\\%22", vec![]),
        ("", vec![&c, &b, &a]),
        ("kind=ingest", vec![]),
        ("status=queued", vec![&c, &b, &a]),
        ("status=failed", vec![]),
    ] {
        assert_eq!(found(query).await, right.into_iter().cloned().collect::<Vec<_>>(), "{query}");
    }
    for id in [&bread["id"], &bread["generation_id"]] {
        let id = id.as_str().unwrap();
        assert_eq!(found(&format!("q={id}")).await, std::slice::from_ref(&b));
        assert!(found(&format!("q={id}&business_id=other")).await.is_empty());
    }
    // The end of an id, as pages show it, and nothing shorter.
    let end = b.as_str().unwrap()[28..].to_uppercase();
    assert_eq!(found(&format!("q={end}")).await, std::slice::from_ref(&b));
    assert!(found(&format!("q={end}&business_id=other")).await.is_empty());
    assert!(found(&format!("q={}", &end[..7])).await.is_empty());
    // What an id names is meant, and not who speaks of it.
    let again = asked(&service, &with(generate(), "metadata", json!({ "again": b }))).await;
    filled(&pool).await;
    assert_eq!(found(&format!("q={}", b.as_str().unwrap())).await, std::slice::from_ref(&b));
    let count =
        service.get(&format!("/api/jobs/count?q={}", b.as_str().unwrap())).await.expect(200).body["count"].clone();
    assert_eq!(count, 1);
    assert_eq!(again["topic"], generate()["topic"]);
    for wrong in ["q=", "q=a", &format!("q={}", "a".repeat(201)), "q=a%00b"] {
        let answer = service.get(&format!("/api/jobs?{wrong}")).await.expect_problem(422);
        assert_eq!(answer.pointers(), ["/q"], "{wrong}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_word_that_very_many_jobs_have_is_looked_for_among_the_newest(pool: PgPool) {
    let service = Service::start(&pool).await;
    let [scans, ..] = three(&service).await;
    sqlx::query(
        "insert into jobs (id, kind, business_id, status, priority, payload, max_attempts, traceparent, created_at)
         select gen_random_uuid(), 'generate', case when n % 3 = 0 then 'many' else 'more' end, 'queued', 'bulk',
                jsonb_build_object('topic', 'common ' || n % 500), 3, 't', now() from generate_series(1, 12000) n",
    )
    .execute(&pool)
    .await
    .unwrap();
    assert_eq!(find::fill(&Store::from_pool(pool.clone()), JobId(Uuid::nil()), 20_000).await.unwrap().jobs, 12_003);
    let all = async |query: &str| -> usize {
        let (mut seen, mut cursor) = (std::collections::HashSet::new(), String::new());
        loop {
            let page = service.get(&format!("/api/jobs?{query}&limit=200{cursor}")).await.expect(200).body;
            for job in page["data"].as_array().unwrap() {
                assert!(seen.insert(job["id"].as_str().unwrap().to_owned()), "twice: {job}");
            }
            let Some(next) = page["next_cursor"].as_str() else { return seen.len() };
            cursor = format!("&cursor={next}");
        }
    };
    assert_eq!(all("q=common").await, 12_000);
    assert_eq!(all("q=common&business_id=more").await, 8_000);
    assert_eq!(all("q=common%20499").await, 24);
    assert_eq!(all("q=common&status=failed").await, 0);
    let page = service.get("/api/jobs?q=healthcare").await.expect(200).body;
    assert_eq!((&page["data"][0]["id"], &page["next_cursor"]), (&scans["id"], &Value::Null));
    let count = async |query: &str| {
        let body = service.get(&format!("/api/jobs/count?{query}")).await.expect(200).body;
        (body["count"].as_i64().unwrap(), body["is_capped"].as_bool().unwrap())
    };
    assert_eq!(count("q=common").await, (10_000, true));
    assert_eq!(count("q=common&business_id=more").await, (8_000, false));
    assert_eq!(count("q=common&status=failed").await, (0, false));
    assert_eq!(count("").await, (10_000, true));
    assert_eq!(count("business_id=more").await, (8_000, false));
    assert_eq!(count("business_id=more&status=running").await, (0, false));
    assert_eq!(count("business_id=company_123&kind=generate").await, (2, false));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_key_sees_no_more_by_a_search(pool: PgPool) {
    let service = Service::start(&pool).await;
    let [_, _, theirs] = three(&service).await;
    filled(&pool).await;
    let holder = Holder::new(&pool, &[Scope::Read, Scope::Observe, Scope::Operate], &["company_123"]).await;
    for path in ["/api/jobs?q=bread", "/api/jobs", "/api/jobs/count?q=bread", "/api/ops/dead/count"] {
        holder.get(&service, path).await.expect_problem(403);
    }
    holder.get(&service, "/api/jobs?q=bread&business_id=other").await.expect_problem(404);
    holder.get(&service, "/api/jobs/count?business_id=other").await.expect_problem(404);
    let id = theirs["id"].as_str().unwrap();
    let found = holder.get(&service, &format!("/api/jobs?business_id=company_123&q={id}")).await.expect(200);
    assert_eq!(found.body["data"], json!([]));
    let counted = holder.get(&service, &format!("/api/jobs/count?business_id=company_123&q={id}")).await.expect(200);
    assert_eq!(counted.body["count"], 0);
    holder.post(&service, "/api/ops/jobs/cancel", &json!({ "q": "bread" })).await.expect_problem(403);
    let body = json!({ "business_id": "company_123", "q": id });
    assert_eq!(holder.post(&service, "/api/ops/jobs/cancel", &body).await.expect(200).body["jobs"], 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn many_open_jobs_are_cancelled_by_a_filter(pool: PgPool) {
    let service = Service::start(&pool).await;
    let jobs = three(&service).await;
    filled(&pool).await;
    let ended = asked(&service, &with(generate(), "topic", "Bread and butter")).await;
    finish(&pool, ended["id"].as_str().unwrap()).await;
    moved(&pool, &jobs[2], "waiting").await;
    let cancel = async |body: Value| {
        let answer = service.post("/api/ops/jobs/cancel", &body).await.expect(200).body;
        (answer["jobs"].as_u64().unwrap(), answer["more"].as_bool().unwrap())
    };
    let status = async |job: &Value| service.get(job["links"]["self"].as_str().unwrap()).await.body["status"].clone();
    assert_eq!(cancel(json!({ "kind": "ingest" })).await, (0, false));
    assert_eq!(cancel(json!({ "status": "succeeded" })).await, (0, false));
    assert_eq!(cancel(json!({ "q": "bread", "status": "waiting" })).await, (1, false));
    assert_eq!((status(&jobs[2]).await, status(&jobs[1]).await), (json!("cancelled"), json!("queued")));
    // An id names a job, whoever speaks of it; one that names none is a word.
    let order = Uuid::from_u128(7).to_string();
    let again = with(generate(), "metadata", json!({ "again": ended["id"], "order": order }));
    let again = asked(&service, &again).await;
    filled(&pool).await;
    assert_eq!(cancel(json!({ "q": ended["id"] })).await, (0, false));
    assert_eq!(status(&again).await, "queued");
    assert_eq!(cancel(json!({ "q": order })).await, (1, false));
    assert_eq!(status(&again).await, "cancelled");
    assert_eq!(cancel(json!({ "business_id": "company_123", "limit": 1 })).await, (1, true));
    assert_eq!((status(&jobs[0]).await, status(&jobs[1]).await), (json!("cancelled"), json!("queued")));
    sqlx::query("update jobs set kind = 'erase' where id = $1")
        .bind(jobs[1]["id"].as_str().unwrap().parse::<Uuid>().unwrap())
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(cancel(json!({})).await, (0, false));
    assert_eq!(cancel(json!({ "kind": "erase" })).await, (1, false));
    assert_eq!(status(&ended).await, "succeeded");
    let row = &service.get("/api/audit?action=jobs.cancel_many&limit=1").await.expect(200).body["data"][0];
    assert_eq!((&row["after"]["jobs"], &row["after"]["kind"]), (&json!(1), &json!("erase")));
}

#[sqlx::test(migrations = "../migrations")]
async fn dead_letters_are_counted_by_their_cause(pool: PgPool) {
    let service = Service::start(&pool).await;
    let jobs = three(&service).await;
    for job in &jobs {
        moved(&pool, job, "failed").await;
    }
    sqlx::query("update jobs set stage = 'edit' where id = $1")
        .bind(jobs[0]["id"].as_str().unwrap().parse::<Uuid>().unwrap())
        .execute(&pool)
        .await
        .unwrap();
    let count = async |query: &str| service.get(&format!("/api/ops/dead/count?{query}")).await.expect(200).body;
    let all = count("").await;
    assert_eq!(all["count"], 3);
    let told = |group: &Value| (group["stage"].clone(), group["kind"].clone(), group["count"].clone());
    let groups = all["groups"].as_array().unwrap();
    assert_eq!(
        groups.iter().map(told).collect::<Vec<_>>(),
        [(json!("draft"), json!("generate"), json!(2)), (json!("edit"), json!("generate"), json!(1)),]
    );
    assert_eq!(groups[0]["error_type"], "/problems/attempts-exhausted");
    assert!(groups[0]["newest_at"].is_string());
    assert_eq!(count("business_id=other").await["count"], 1);
    assert_eq!(count("stage=edit&error_type=/problems/attempts-exhausted").await["count"], 1);
    assert_eq!(count("kind=ingest").await, json!({ "count": 0, "groups": [] }));
    service.post("/api/ops/dead/discard", &json!({ "stage": "edit" })).await.expect(200);
    assert_eq!(count("").await["count"], 2);
}
