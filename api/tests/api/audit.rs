//! What operators and keys change is in the audit log: with its key, and without texts.

use copydesk_domain::access::Scope;
use copydesk_testkit::KEY;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::control::pages;
use crate::described::REFERENCE;
use crate::holder::Holder;
use crate::http::RequestBuilder;
use crate::service::{Answer, Service, finish, generate, judge, moved, with};

/// In every text that the tests send.
const MARKER: &str = "zxmarkerzx";

/// Operations that change nothing that an operator answers for.
const UNRECORDED: [&str; 4] =
    ["POST /api/generate", "POST /api/generate/batch", "POST /api/feedback", "POST /api/jobs/{id}/ticket"];

/// Every operation that changes something.
fn changes() -> impl Iterator<Item = String> {
    let paths = REFERENCE["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    all.filter(|operation| !operation.starts_with("GET ") && !UNRECORDED.contains(&operation.as_str()))
}

async fn job(service: &Service) -> Value {
    let body = with(generate(), "topic", format!("about {MARKER}"));
    service.post("/api/generate", &body).await.expect(202).body
}

fn document() -> Value {
    json!({ "title": "Prices", "text": format!("It costs 5 {MARKER}."), "media_type": "text/plain", "external_id": "p" })
}

const DOCUMENTS: &str = "/api/businesses/acme/documents";

async fn added(service: &Service) -> String {
    let added = service.post(DOCUMENTS, &document()).await.expect(202);
    format!("{DOCUMENTS}/{}", added.body["document"]["id"].as_str().unwrap())
}

/// A key's path.
async fn key(service: &Service) -> String {
    let body = json!({ "name": "another", "scopes": ["read"], "businesses": ["acme"] });
    let made = service.post("/api/keys", &body).await.expect(201).body;
    format!("/api/keys/{}", made["key"]["id"].as_str().unwrap())
}

/// What an operation needs to change something: its path, its body, and the action of its row.
async fn made(service: &Service, pool: &PgPool, operation: &str) -> (String, Value, &'static str) {
    let id = |job: &Value| job["id"].as_str().unwrap().to_owned();
    let none = json!({});
    let written = async || {
        let job = job(service).await;
        finish(pool, &id(&job)).await;
        sqlx::query("update generations set degraded = '{fallback_writer}'").execute(pool).await.unwrap();
        job["links"]["generation"].as_str().unwrap_or_default().to_owned()
    };
    let failed = async || {
        let job = job(service).await;
        moved(pool, &job, "failed").await;
        id(&job)
    };
    let judged = async || {
        let job = job(service).await;
        finish(pool, &id(&job)).await;
        judge(pool, &job).await
    };
    match operation {
        "PUT /api/businesses/{business_id}" => {
            let profile = json!({
                "name": MARKER, "description": MARKER, "voice": MARKER, "audience": MARKER, "guidelines": MARKER,
                "banned_phrases": [MARKER], "default_language": "de",
            });
            ("/api/businesses/acme".into(), profile, "businesses.put")
        }
        "POST /api/businesses/{business_id}/documents" => (DOCUMENTS.into(), document(), "documents.put"),
        "POST /api/businesses/{business_id}/documents/reread" => {
            added(service).await;
            let read = [
                "update brand_documents set status = 'failed', error = 'it was not read'",
                "delete from jobs where kind = 'ingest'",
            ];
            for statement in read {
                sqlx::query(statement).execute(pool).await.unwrap();
            }
            (format!("{DOCUMENTS}/reread"), none, "documents.reread")
        }
        "PATCH /api/businesses/{business_id}/documents/{id}" => {
            (added(service).await, json!({ "kind": "policy" }), "documents.change")
        }
        "DELETE /api/businesses/{business_id}/documents/{id}" => (added(service).await, none, "documents.delete"),
        "PATCH /api/learning/lessons/{business_id}/{id}" => {
            let (_, lesson) = judged().await;
            let body = json!({ "status": "pinned", "text": MARKER });
            (format!("/api/learning/lessons/company_123/{lesson}"), body, "lessons.change")
        }
        "POST /api/learning/lessons/{business_id}/{id}/replay" => {
            let (_, lesson) = judged().await;
            (format!("/api/learning/lessons/company_123/{lesson}/replay"), json!({ "briefs": 1 }), "lessons.replay")
        }
        "DELETE /api/feedback/{id}" => (format!("/api/feedback/{}", judged().await.0), none, "feedback.delete"),
        "POST /api/generations/{id}/regenerate" => {
            let path = written().await;
            (format!("{path}/regenerate"), none, "generations.regenerate")
        }
        "POST /api/ops/regenerate" => {
            written().await;
            let body = json!({ "degraded": "fallback_writer", "confirm": true });
            ("/api/ops/regenerate".into(), body, "generations.regenerate_many")
        }
        "POST /api/jobs/{id}/cancel" => (format!("/api/jobs/{}/cancel", id(&job(service).await)), none, "jobs.cancel"),
        "POST /api/jobs/{id}/retry" => (format!("/api/jobs/{}/retry", failed().await), none, "jobs.retry"),
        "POST /api/ops/dead/{id}/retry" => (format!("/api/ops/dead/{}/retry", failed().await), none, "dead.retry"),
        "POST /api/ops/dead/{id}/discard" => {
            (format!("/api/ops/dead/{}/discard", failed().await), none, "dead.discard")
        }
        "POST /api/ops/dead/retry" | "POST /api/ops/dead/discard" => {
            failed().await;
            let (path, retries) = (operation.split_once(' ').unwrap().1, operation.ends_with("retry"));
            (path.into(), none, if retries { "dead.retry_many" } else { "dead.discard_many" })
        }
        "POST /api/ops/jobs/cancel" => {
            job(service).await;
            ("/api/ops/jobs/cancel".into(), json!({ "kind": "generate" }), "jobs.cancel_many")
        }
        "POST /api/ops/queues/{kind}/pause" => ("/api/ops/queues/generate/pause".into(), none, "queues.pause"),
        "POST /api/ops/queues/{kind}/drain" => ("/api/ops/queues/generate/drain".into(), none, "queues.drain"),
        "POST /api/ops/queues/{kind}/resume" => ("/api/ops/queues/generate/resume".into(), none, "queues.resume"),
        "PUT /api/ops/businesses/{business_id}/share" => {
            ("/api/ops/businesses/acme/share".into(), json!({ "weight": 2 }), "shares.set")
        }
        "PUT /api/ops/limits/{provider}" => {
            ("/api/ops/limits/groq".into(), json!({ "calls_per_minute": 7 }), "limits.set")
        }
        "POST /api/ops/breakers/{provider}/open" => {
            ("/api/ops/breakers/groq/open?seconds=5".into(), none, "breakers.open")
        }
        "POST /api/ops/breakers/{provider}/close" => ("/api/ops/breakers/groq/close".into(), none, "breakers.close"),
        "DELETE /api/businesses/{business_id}" => {
            added(service).await;
            ("/api/businesses/acme".into(), none, "businesses.erase")
        }
        "POST /api/keys" => {
            let body = json!({ "name": "reader", "scopes": ["read"], "businesses": ["acme"] });
            ("/api/keys".into(), body, "keys.create")
        }
        "DELETE /api/keys/{id}" => (key(service).await, none, "keys.revoke"),
        "POST /api/keys/{id}/rotate" => (format!("{}/rotate", key(service).await), none, "keys.rotate"),
        "POST /api/session" => ("/api/session".into(), none, "sessions.start"),
        "DELETE /api/session" => ("/api/session".into(), none, "sessions.end"),
        other => panic!("{other} changes something: say here what it needs, and what its row says"),
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn every_change_has_a_row_with_its_key_and_without_texts(pool: PgPool) {
    let service = Service::start(&pool).await;
    let mut operations = 0;
    let session = service.post("/api/session", &json!({})).await.expect(200);
    let cookie = session.header("set-cookie").split(';').next().unwrap().to_owned();
    let token = session.body["csrf_token"].as_str().unwrap();
    let anonymous = reqwest::Client::builder().no_proxy().build().unwrap();
    for (place, operation) in changes().enumerate() {
        let (path, body, action) = made(&service, &pool, &operation).await;
        let method: Method = operation.split_once(' ').unwrap().0.parse().unwrap();
        let request_id = format!("audit-{place}");
        // A session is ended by itself, not by a key beside it.
        let request = if operation == "DELETE /api/session" {
            let request = RequestBuilder::new(&anonymous, method.clone(), format!("{}{path}", service.base));
            request.header("cookie", &cookie).header("x-csrf-token", token)
        } else {
            service.request(method.clone(), &path)
        };
        let request = request.header("x-request-id", &request_id);
        let request = if method == Method::DELETE { request } else { request.json(&body) };
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert!(answer.status.is_success(), "{operation}: {answer:?}");
        let page = service.get("/api/audit?limit=1").await.expect(200).body;
        let row = &page["data"][0];
        assert_eq!(row["request_id"], request_id, "{operation}: {row}");
        assert_eq!((&row["key_id"], &row["key_name"]), (&json!("TestTestTest"), &json!("tests")), "{operation}");
        assert_eq!((&row["action"], &row["outcome"]), (&json!(action), &json!("done")), "{operation}");
        assert_eq!(row["peer"], "127.0.0.1", "{operation}");
        operations += 1;
    }
    assert!(operations >= 20, "only {operations} operations");
    let rows = service.get("/api/audit?limit=200").await.expect(200);
    for secret in [MARKER, KEY, "cpd_operator_"] {
        assert!(!rows.text.contains(secret), "{secret} is in {}", rows.text);
    }
    let profile = &service.get("/api/audit?action=businesses.").await.expect(200).body["data"][0];
    assert_eq!(profile["after"]["guidelines"], json!({ "chars": MARKER.len() }));
    assert_eq!((&profile["after"]["default_language"], &profile["before"]), (&json!("de"), &Value::Null));
}

#[sqlx::test(migrations = "../migrations")]
async fn what_cannot_be_recorded_is_not_changed(pool: PgPool) {
    let service = Service::start(&pool).await;
    service.put("/api/ops/limits/groq", &json!({ "calls_per_minute": 7 })).await.expect(200);
    sqlx::query("alter table audit rename to lost").execute(&pool).await.unwrap();
    service.put("/api/ops/limits/groq", &json!({ "calls_per_minute": 9 })).await.expect_problem(500);
    service.post("/api/ops/breakers/groq/open", &json!({})).await.expect_problem(500);
    service.put("/api/businesses/acme", &json!({ "name": "Acme" })).await.expect_problem(500);
    sqlx::query("alter table lost rename to audit").execute(&pool).await.unwrap();
    let overview = service.get("/api/ops/overview").await.expect(200).body;
    assert!(overview.to_string().contains(r#""calls_per_minute":7"#), "{overview}");
    let breakers = overview["breakers"].as_object().unwrap();
    assert!(breakers.values().all(|state| state == "closed"), "{overview}");
    service.get("/api/businesses/acme").await.expect_problem(404);
    service.put("/api/ops/limits/groq", &json!({ "calls_per_minute": 9 })).await.expect(200);
    let row = &service.get("/api/audit").await.expect(200).body["data"][0];
    assert_eq!((&row["before"]["calls_per_minute"], &row["after"]["calls_per_minute"]), (&json!(7), &json!(9)));
}

#[sqlx::test(migrations = "../migrations")]
async fn the_log_is_read_by_page_and_filter_and_only_of_ones_own_businesses(pool: PgPool) {
    let service = Service::start(&pool).await;
    for business in ["a", "b", "a"] {
        let path = format!("/api/ops/businesses/{business}/share");
        service.put(&path, &json!({ "weight": 2 })).await.expect(200);
    }
    service.post("/api/ops/queues/ingest/pause", &json!({})).await.expect(200);
    let subjects = async |query: &str| -> Vec<Value> {
        let rows = pages(&service, &format!("/api/audit?{query}")).await;
        rows.into_iter().map(|row| row["subject"].clone()).collect()
    };
    let (a, b) = ("businesses/a/share", "businesses/b/share");
    assert_eq!(subjects("").await, ["queues/ingest", a, b, a]);
    assert_eq!(subjects("business_id=a").await, [a, a]);
    assert_eq!(subjects("action=queues.").await, ["queues/ingest"]);
    assert_eq!(subjects("key_id=TestTestTest&action=shares").await, [a, b, a]);
    assert!(subjects("key_id=TestTestTesx").await.is_empty());
    assert!(subjects("until=2026-01-01T00:00:00Z").await.is_empty());
    assert_eq!(subjects("since=2026-01-01T00:00:00Z").await.len(), 4);
    let observer = Holder::new(&pool, &[Scope::Observe], &["b"]).await;
    let seen = observer.get(&service, "/api/audit").await.expect(200).body;
    assert_eq!((seen["data"].as_array().unwrap().len(), &seen["data"][0]["subject"]), (1, &json!(b)));
    let of_others = observer.get(&service, "/api/audit?business_id=a").await.expect(200);
    assert_eq!(of_others.body["data"], json!([]));
    let reader = Holder::new(&pool, &[Scope::Read], &[]).await;
    reader.get(&service, "/api/audit").await.expect_problem(403);
}
