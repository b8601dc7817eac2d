//! The export of a business.

use std::collections::BTreeSet;

use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::service::{Answer, Service, finish, generate};

const PATH: &str = "/api/businesses/company_123/export";

/// Many texts with their jobs, and a verdict on each.
async fn seeded(pool: &PgPool, texts: i32, business: &str) {
    for sql in [
        "insert into jobs (id, kind, business_id, generation_id, status, priority, payload, max_attempts, traceparent,
                           finished_at)
         select gen_random_uuid(), 'generate', $2, gen_random_uuid(), 'succeeded', 'bulk', '{\"topic\": \"Tides\"}', 3,
                '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', now()
         from generate_series(1, $1)",
        "insert into generations (generation_id, job_id, business_id, topic, content_type, voice, language, title, content,
                                  sources, lessons_applied, degraded, models, usage)
         select generation_id, id, business_id, 'Tides', 'blog', 'plain', 'en', 'Tides', repeat('The sea. ', 800), '[]',
                '[]', '{}', '{\"writer\": \"m\", \"reviewer\": null, \"simulated\": true}', '{}'
         from jobs where business_id = $2 and priority = 'bulk' and $1 > 0",
        "insert into feedback (feedback_id, generation_id, business_id, human_score)
         select gen_random_uuid(), generation_id, business_id, 7 from generations where business_id = $2 and topic = 'Tides' and $1 > 0",
    ] {
        sqlx::query(sql).bind(texts).bind(business).execute(pool).await.unwrap();
    }
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_type<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn an_export_has_everything_of_a_business_and_nothing_of_others(pool: PgPool) {
    let service = Service::start(&pool).await;
    service.get(PATH).await.expect_problem(404);
    let profile = service.put("/api/businesses/company_123", &json!({"name": "Acme"})).await.expect(200).body;
    let job = service.post("/api/generate", &generate()).await.expect(202).body;
    finish(&pool, job["id"].as_str().unwrap()).await;
    let verdict = json!({"generation_id": job["generation_id"], "business_id": "company_123", "human_score": 9});
    service.post("/api/feedback", &verdict).await.expect(202);
    seeded(&pool, 2, "company_123").await;
    seeded(&pool, 3, "other").await;
    let documents = "/api/businesses/company_123/documents";
    let document = json!({"title": "Guide", "text": "# Guide\n\nBe plain.", "media_type": "text/markdown"});
    let document = service.post(documents, &document).await.expect(202).body["document"].clone();
    let file = Form::new().part(
        "file",
        Part::bytes(&b"%PDF-1.7 \xff\0 and so on, for more than a line of Base64 has"[..]).file_name("a.pdf"),
    );
    Answer::of(service.request(Method::POST, documents).multipart(file).send().await.unwrap()).await.expect(202);
    sqlx::query("insert into chunks select id, 0, business_id, 'Guide', 'Be plain.', sha256('x') from brand_documents where file is null")
        .execute(&pool)
        .await
        .unwrap();

    let answer = service.get(PATH).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/jsonl");
    let lines = lines(&answer);
    assert!(answer.text.ends_with("}\n") && !answer.text.contains("other"), "{}", answer.text);
    assert_eq!((&lines[0]["type"], &lines[0]["version"]), (&json!("export"), &json!(1)));
    assert_eq!(lines[1], json!({"type": "profile", "profile": profile}));
    let kinds: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    let mut in_order = kinds.clone();
    in_order.dedup();
    assert_eq!(in_order, ["export", "profile", "document", "job", "generation", "feedback", "learning", "end"]);

    let exported = of_type(&lines, "document");
    assert_eq!(
        (&exported[0]["document"]["id"], &exported[0]["text"]),
        (&document["id"], &json!("# Guide\n\nBe plain."))
    );
    assert_eq!(exported[0]["passages"], json!([{"heading_path": "Guide", "text": "Be plain."}]));
    let encoded = exported[1]["file"].as_str().unwrap();
    assert!(encoded.starts_with("JVBERi0xLjcg/wAg") && !encoded.contains('\n'), "{encoded}");
    let jobs = of_type(&lines, "job");
    assert_eq!(jobs.len(), 6, "those of documents and verdicts too");
    let asked = jobs.iter().find(|line| line["job"]["id"] == job["id"]).unwrap();
    assert_eq!(
        (&asked["request"]["topic"], &asked["job"]["status"]),
        (&json!("AI in Healthcare"), &json!("succeeded"))
    );
    let texts = of_type(&lines, "generation");
    let text = &texts.iter().find(|line| line["generation"]["job_id"] == job["id"]).unwrap()["generation"];
    assert_eq!((&text["content"], &text["title"]), (&json!("# A title"), &json!("A title")));
    assert_eq!(
        lines.last().unwrap()["counts"],
        json!({"profile": 1, "document": 2, "job": 6, "generation": 3, "feedback": 2, "lesson": 0, "learning": 1})
    );
}

/// More rows than pages hold, and than the answer's buffers; the pool has one connection.
#[sqlx::test(migrations = "../migrations")]
async fn an_export_is_read_while_it_is_sent_and_holds_no_connection(pool: PgPool) {
    let service = Service::start_with(&pool, |config| {
        config.postgres.pool_size = 1;
        config.postgres.pool_overflow = 0;
        config.postgres.acquire_timeout_seconds = 2;
    })
    .await;
    seeded(&pool, 1_500, "company_123").await;
    let mut response = service.request(Method::GET, PATH).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let mut text = response.chunk().await.unwrap().unwrap();
    // Sent on demand: the client has not read on, and the connection is free.
    service.put("/api/businesses/company_123", &json!({"name": "Meanwhile"})).await.expect(200);
    sqlx::query("update generations set title = 'Changed meanwhile'").execute(&pool).await.unwrap();
    while let Some(chunk) = response.chunk().await.unwrap() {
        text.extend(chunk);
    }
    let text = String::from_utf8(text).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let counts = json!({"profile": 0, "document": 0, "job": 1_500, "generation": 1_500, "feedback": 1_500, "lesson": 0, "learning": 1});
    assert_eq!(lines.last().unwrap()["counts"], counts);
    assert!(text.contains("Changed meanwhile"), "texts are not read in advance");
    for (kind, field) in [("job", "id"), ("generation", "generation_id")] {
        let ids: Vec<_> = of_type(&lines, kind).iter().map(|line| line[kind][field].as_str().unwrap()).collect();
        assert!(ids.len() == 1_500 && ids.is_sorted_by(|a, b| a < b), "each {kind} once, in the order of ids");
    }
    let verdicts: BTreeSet<_> =
        of_type(&lines, "feedback").iter().map(|line| line["feedback"]["feedback_id"].as_str()).collect();
    assert_eq!(verdicts.len(), 1_500);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_export_that_is_cut_off_has_no_last_line(pool: PgPool) {
    let service = Service::start(&pool).await;
    seeded(&pool, 3_000, "company_123").await;
    let mut response = service.request(Method::GET, PATH).send().await.unwrap();
    let mut text = response.chunk().await.unwrap().unwrap();
    service.stop.cancel();
    let cut = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => text.extend(chunk),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(cut, "the client sees a broken answer");
    assert!(!String::from_utf8_lossy(&text).contains(r#""type":"end""#));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_process_makes_a_few_exports_at_once(pool: PgPool) {
    let service = Service::start(&pool).await;
    seeded(&pool, 3_000, "company_123").await;
    let mut running = Vec::new();
    for _ in 0..4 {
        let response = service.request(Method::GET, PATH).send().await.unwrap();
        assert_eq!(response.status(), 200);
        running.push(response);
    }
    service.get(PATH).await.expect_problem(503);
    running.pop();
    // The server notices the closed connection when it next sends.
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while service.request(Method::GET, PATH).send().await.unwrap().status() != 200 {
        assert!(std::time::Instant::now() < give_up, "its turn is not free again");
    }
}
