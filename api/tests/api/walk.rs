//! Every operation of the router with every sort of key. An operation that is added is walked by itself; one that
//! answers a stranger otherwise than with 404 is named here, or the test fails.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{TimeDelta, Utc};
use copydesk_api::auth::need::Need;
use copydesk_api::router;
use copydesk_common::key::Secret;
use copydesk_common::store::Store;
use copydesk_common::store::key;
use copydesk_domain::access::{KeyKind, Scope};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::holder::Holder;
use crate::http::RequestBuilder;
use crate::service::{Answer, Service, finish, generate, judge, with};

/// The business that the ids are of, and one that was never there.
const ACME: &str = "company_123";
const NOBODYS: &str = "nobody";

/// What the keys of others get where it is not 404, and why that tells nothing.
fn stranger_gets(operation: &str) -> Option<u16> {
    match operation {
        // Each request of a batch has its own answer: 404 in there.
        "POST /api/generate/batch" => Some(200),
        // Keys and rows of the caller's own businesses.
        "GET /api/keys" | "GET /api/audit" | "GET /api/businesses" => Some(200),
        // The body names a business that the caller may not give away.
        "POST /api/keys" => Some(422),
        _ => None,
    }
}

/// The ids that requests name.
struct Ids {
    business: &'static str,
    job: String,
    generation: String,
    document: String,
    key: String,
    verdict: String,
    lesson: String,
}

impl Ids {
    /// Those of things that were never there.
    fn of_nothing() -> Self {
        let id = || Uuid::now_v7().to_string();
        let key = "neverneverne".to_owned();
        Self { business: NOBODYS, job: id(), generation: id(), document: id(), key, verdict: id(), lesson: id() }
    }

    fn path(&self, template: &str) -> String {
        let id = match template {
            path if path.contains("/generations/") => &self.generation,
            path if path.contains("/documents/") => &self.document,
            path if path.contains("/keys/") => &self.key,
            path if path.contains("/feedback/") => &self.verdict,
            path if path.contains("/lessons/") => &self.lesson,
            _ => &self.job,
        };
        let path = template.replace("{business_id}", self.business).replace("{id}", id);
        let path = path.replace("{kind}", "feedback").replace("{provider}", "groq").replace("{slug}", "validation");
        path.replace("{*rest}", "index.html")
    }

    fn query(&self, operation: &str) -> String {
        match operation {
            "GET /api/jobs"
            | "GET /api/jobs/count"
            | "GET /api/generations"
            | "GET /api/ops/dead"
            | "GET /api/ops/dead/count" => format!("?business_id={}", self.business),
            "GET /api/jobs/{id}" => "?wait=1".to_owned(),
            "GET /api/businesses/{business_id}/search" => "?q=blood".to_owned(),
            _ => String::new(),
        }
    }

    /// A body that the operation takes, for this business.
    fn body(&self, reference: &Value, operation: &str) -> Option<Value> {
        let (method, path) = operation.split_once(' ').unwrap();
        let operation_of = &reference["paths"][path][method.to_lowercase()];
        let content = operation_of["requestBody"]["content"]["application/json"].as_object()?;
        let schema = content["schema"]["$ref"].as_str().unwrap().trim_start_matches("#/components/schemas/");
        let mut body = reference["components"]["schemas"][schema]["example"].clone();
        self.put_into(&mut body);
        match operation {
            "POST /api/ops/dead/retry"
            | "POST /api/ops/dead/discard"
            | "POST /api/ops/regenerate"
            | "POST /api/ops/jobs/cancel" => {
                body["business_id"] = json!(self.business);
            }
            "POST /api/keys" => body["businesses"] = json!([self.business]),
            _ => {}
        }
        Some(body)
    }

    fn put_into(&self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match name.as_str() {
                        "business_id" => *value = json!(self.business),
                        "generation_id" => *value = json!(self.generation),
                        _ => self.put_into(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.put_into(item)),
            _ => {}
        }
    }
}

struct Walk<'a> {
    service: &'a Service,
    anonymous: reqwest::Client,
    reference: Value,
}

impl Walk<'_> {
    async fn answer(&self, operation: &str, ids: &Ids, key: Option<&str>) -> Answer {
        let (method, template) = operation.split_once(' ').unwrap();
        let url = format!("{}{}{}", self.service.base, ids.path(template), ids.query(operation));
        let mut request = RequestBuilder::new(&self.anonymous, method.parse::<Method>().unwrap(), url);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if let Some(body) = ids.body(&self.reference, operation) {
            request = request.json(&body);
        }
        let mut response = request.send().await.unwrap();
        // An event stream does not end by itself.
        if response.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
            response.chunk().await.unwrap();
            return Answer::head(&response);
        }
        Answer::of(response).await
    }
}

async fn ids_of_acme(service: &Service, pool: &PgPool) -> Ids {
    let job = service.post("/api/generate", &generate()).await.expect(202).body;
    finish(pool, job["id"].as_str().unwrap()).await;
    let document = json!({ "title": "Blood", "text": "We test blood.", "media_type": "text/plain" });
    let document = service.post(&format!("/api/businesses/{ACME}/documents"), &document).await.expect(202).body;
    service.put(&format!("/api/businesses/{ACME}"), &json!({ "name": "Acme" })).await.expect(200);
    let key = Holder::new(pool, &[Scope::Read], &[ACME]).await.secret;
    let (verdict, lesson) = judge(pool, &job).await;
    Ids {
        business: ACME,
        job: job["id"].as_str().unwrap().to_owned(),
        generation: job["generation_id"].as_str().unwrap().to_owned(),
        document: document["document"]["id"].as_str().unwrap().to_owned(),
        key: key.id().to_string(),
        verdict,
        lesson,
    }
}

/// The answer without what names the request.
fn told(answer: &Answer) -> (u16, Value, BTreeMap<String, String>) {
    let mut body = answer.body.clone();
    if let Some(fields) = body.as_object_mut() {
        fields.remove("instance");
    }
    let of_request = ["date", "x-request-id", "content-length", "ratelimit"];
    let headers = answer.headers().filter(|(name, _)| !of_request.contains(name));
    (answer.status.as_u16(), body, headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[sqlx::test(migrations = "../migrations")]
async fn every_operation_is_closed_to_those_it_does_not_concern(pool: PgPool) {
    let service = Service::start(&pool).await;
    let anonymous = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let reference = service.get("/openapi.json").await.expect(200).body;
    let walk = Walk { service: &service, anonymous, reference };
    let (ids, nothing) = (ids_of_acme(&service, &pool).await, Ids::of_nothing());

    let expired = Holder::new(&pool, Scope::ALL, &[]).await.secret;
    let revoked = Holder::new(&pool, Scope::ALL, &[]).await.secret;
    sqlx::query("update api_keys set expires_at = $2 where id = $1")
        .bind(expired.id().as_str())
        .bind(Utc::now() - TimeDelta::seconds(1))
        .execute(&pool)
        .await
        .unwrap();
    key::revoke(&Store::from_pool(pool.clone()), revoked.id()).await.unwrap();
    let unknown = Secret::mint(KeyKind::Operator);
    let stranger = Holder::new(&pool, Scope::ALL, &["other"]).await.secret;
    let observer = Holder::new(&pool, &[Scope::Observe], &[]).await.secret;

    let needs = router::needs();
    let mut operations: Vec<_> = needs.all().map(|(path, method, need)| (format!("{method} {path}"), need)).collect();
    // What deletes comes last: the ids are there for all others.
    operations.sort_by_key(|(operation, _)| (operation.starts_with("DELETE"), operation.clone()));
    let mut table = String::new();
    for (operation, need) in &operations {
        let operation = operation.as_str();
        if *need == Need::Nothing {
            let status = walk.answer(operation, &ids, None).await.status.as_u16();
            assert!(![401, 403, 404].contains(&status), "{operation}: {status}");
            writeln!(table, "{operation}: open").unwrap();
            continue;
        }
        // On a loopback address metrics need no key.
        if *need == Need::Metrics {
            continue;
        }
        let mut row = Vec::new();
        for key in [None, Some("cpd_tenant_x"), Some(unknown.expose()), Some(expired.expose()), Some(revoked.expose())]
        {
            let answer = walk.answer(operation, &ids, key).await.expect_problem(401);
            assert!(answer.header("www-authenticate").starts_with("Bearer"), "{operation}: {answer:?}");
            row.push(401);
        }
        if let Some(scope) = need.scope() {
            let others: Vec<_> = Scope::ALL.iter().copied().filter(|other| *other != scope).collect();
            let scopeless = Holder::new(&pool, &others, &[]).await.secret;
            let answer = walk.answer(operation, &ids, Some(scopeless.expose())).await.expect_problem(403);
            assert!(answer.body["detail"].as_str().unwrap().contains(scope.as_str()), "{operation}: {answer:?}");
            row.push(403);
        }
        // What needs any key concerns the caller's own session.
        if *need == Need::Key {
            let status = walk.answer(operation, &ids, Some(stranger.expose())).await.status;
            assert!(status.is_success(), "{operation}: {status}");
            row.push(status.as_u16());
            writeln!(table, "{operation}: {row:?}").unwrap();
            continue;
        }
        let theirs = walk.answer(operation, &ids, Some(stranger.expose())).await;
        let nobodys = walk.answer(operation, &nothing, Some(stranger.expose())).await;
        assert_eq!(told(&theirs), told(&nobodys), "{operation} tells a stranger what exists");
        let expected = match need {
            Need::Service(_) => 403,
            _ => stranger_gets(operation).unwrap_or(404),
        };
        assert_eq!(theirs.status.as_u16(), expected, "{operation} by a stranger: {theirs:?}");
        let (_, body, headers) = told(&theirs);
        let shown = format!("{body} {headers:?}");
        assert!(!shown.contains(&ids.job) && !shown.contains("Acme"), "{operation}: {shown}");
        row.push(expected);
        let status = walk.answer(operation, &ids, Some(observer.expose())).await.status.as_u16();
        assert_eq!(status == 403, !matches!(need.scope(), None | Some(Scope::Observe)), "{operation}: {status}");
        row.push(status);
        let status = walk.answer(operation, &ids, Some(copydesk_testkit::KEY)).await.status.as_u16();
        assert!(![401, 403, 404].contains(&status) && status < 500, "{operation}: {status}");
        row.push(status);
        writeln!(table, "{operation}: {row:?}").unwrap();
    }
    println!("{table}");
    assert!(operations.len() > 45, "{table}");
    let answer = service.post("/api/generate", &with(generate(), "topic", "Still served")).await;
    answer.expect(202);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_batch_takes_only_requests_for_the_keys_own_businesses(pool: PgPool) {
    let service = Service::start(&pool).await;
    let key = Holder::new(&pool, &[Scope::Generate], &["other"]).await.secret;
    let batch = json!({ "requests": [generate(), with(generate(), "business_id", "other")] });
    let request = service.request(Method::POST, "/api/generate/batch").json(&batch);
    let request = request.header("authorization", format!("Bearer {}", key.expose()));
    let answer = Answer::of(request.send().await.unwrap()).await.expect(200);
    assert_eq!((&answer.body["data"][0]["status"], &answer.body["data"][1]["status"]), (&json!(404), &json!(202)));
    // The same request of a stronger key is not answered once more to this one.
    let others_first = json!({ "requests": [with(generate(), "business_id", "other"), generate()] });
    let send = |key: &str| {
        let request = service.request(Method::POST, "/api/generate/batch").json(&others_first);
        request.header("authorization", format!("Bearer {key}")).header("idempotency-key", "k").send()
    };
    let first = Answer::of(send(copydesk_testkit::KEY).await.unwrap()).await.expect(200);
    Answer::of(send(copydesk_testkit::KEY).await.unwrap()).await.expect(200);
    let refused = Answer::of(send(key.expose()).await.unwrap()).await.expect_problem(422);
    let job = first.body["data"][1]["job"]["id"].as_str().unwrap();
    assert!(!refused.text.contains(job), "{refused:?}");
    let jobs: i64 = sqlx::query_scalar("select count(*) from jobs").fetch_one(&pool).await.unwrap();
    assert_eq!(jobs, 3);
}
