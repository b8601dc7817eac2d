//! The reference matches the service: its routes, and the limits of every field.

use std::collections::BTreeMap;

use copydesk_api::openapi::pretty;
use copydesk_common::queue::Intake;
use copydesk_common::store::audit::Outcome;
use copydesk_common::store::history::Step;
use copydesk_common::store::job::events::EventKind;
use copydesk_domain::access::{KeyKind, KeyStatus, Scope};
use copydesk_domain::document::{DocumentKind, DocumentStatus, DocumentWarningCode, MediaType};
use copydesk_domain::feedback::Basis;
use copydesk_domain::format::Format;
use copydesk_domain::generation::{Degradation, SourceKind};
use copydesk_domain::job::{JobKind, JobStatus, Priority, WaitReason};
use copydesk_domain::language::Language;
use copydesk_domain::lesson::{Arm, Bound, Category, Escalation, LessonStatus, Mark, Opening, Person, StatusByHand};
use copydesk_domain::review::Scored;
use reqwest::Method;
use serde_json::{Map, Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::described::{REFERENCE, held};
use crate::service::{Answer, Service, with, without};

async fn reference(service: &Service) -> Value {
    service.get("/openapi.json").await.expect(200).body
}

fn object<'a>(value: &'a Value, pointer: &str) -> &'a Map<String, Value> {
    value.pointer(pointer).and_then(Value::as_object).unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

/// The path with valid values for its parameters.
pub(crate) fn concrete(path: &str) -> String {
    let path = if path.contains("/keys/") { path.replace("{id}", "neverneverne") } else { path.to_owned() };
    path.replace("{business_id}", "acme")
        .replace("{id}", &Uuid::now_v7().to_string())
        .replace("{kind}", "generate")
        .replace("{provider}", "groq")
        .replace("{slug}", "validation")
}

#[sqlx::test(migrations = "../migrations")]
async fn every_operation_of_the_contract_is_there_and_served(pool: PgPool) {
    let service = Service::start(&pool).await;
    let reference = reference(&service).await;
    let paths = object(&reference, "/paths");
    let mut operations: Vec<_> = paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    operations.sort_unstable();
    assert_eq!(
        operations,
        [
            "DELETE /api/businesses/{business_id}",
            "DELETE /api/businesses/{business_id}/documents/{id}",
            "DELETE /api/feedback/{id}",
            "DELETE /api/keys/{id}",
            "DELETE /api/session",
            "GET /api/audit",
            "GET /api/businesses",
            "GET /api/businesses/{business_id}",
            "GET /api/businesses/{business_id}/documents",
            "GET /api/businesses/{business_id}/documents/{id}",
            "GET /api/businesses/{business_id}/export",
            "GET /api/businesses/{business_id}/search",
            "GET /api/businesses/{business_id}/voice",
            "GET /api/generations",
            "GET /api/generations/{id}",
            "GET /api/generations/{id}/versions",
            "GET /api/jobs",
            "GET /api/jobs/count",
            "GET /api/jobs/{id}",
            "GET /api/jobs/{id}/events",
            "GET /api/jobs/{id}/timeline",
            "GET /api/keys",
            "GET /api/learning/lessons/{business_id}",
            "GET /api/learning/stats/{business_id}",
            "GET /api/ops/businesses/{business_id}/share",
            "GET /api/ops/dead",
            "GET /api/ops/dead/count",
            "GET /api/ops/overview",
            "GET /api/ops/queues/{kind}/history",
            "GET /api/session",
            "GET /health",
            "GET /health/live",
            "GET /health/ready",
            "GET /metrics",
            "GET /problems",
            "GET /problems/{slug}",
            "PATCH /api/businesses/{business_id}/documents/{id}",
            "PATCH /api/learning/lessons/{business_id}/{id}",
            "POST /api/businesses/{business_id}/documents",
            "POST /api/businesses/{business_id}/documents/reread",
            "POST /api/feedback",
            "POST /api/generate",
            "POST /api/generate/batch",
            "POST /api/generations/{id}/regenerate",
            "POST /api/jobs/{id}/cancel",
            "POST /api/jobs/{id}/retry",
            "POST /api/jobs/{id}/ticket",
            "POST /api/keys",
            "POST /api/keys/{id}/rotate",
            "POST /api/learning/lessons/{business_id}/{id}/replay",
            "POST /api/ops/breakers/{provider}/close",
            "POST /api/ops/breakers/{provider}/open",
            "POST /api/ops/dead/discard",
            "POST /api/ops/dead/retry",
            "POST /api/ops/dead/{id}/discard",
            "POST /api/ops/dead/{id}/retry",
            "POST /api/ops/jobs/cancel",
            "POST /api/ops/queues/{kind}/drain",
            "POST /api/ops/queues/{kind}/pause",
            "POST /api/ops/queues/{kind}/resume",
            "POST /api/ops/regenerate",
            "POST /api/session",
            "PUT /api/businesses/{business_id}",
            "PUT /api/ops/businesses/{business_id}/share",
            "PUT /api/ops/limits/{provider}",
        ]
    );
    for operation in operations {
        let (method, path) = operation.split_once(' ').unwrap();
        let method: Method = method.parse().unwrap();
        let answer = Answer::of(service.request(method, &concrete(path)).send().await.unwrap()).await;
        assert!(answer.status != 405 && !answer.text.contains("no such route"), "{operation}: {answer:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn every_answer_is_described(pool: PgPool) {
    let service = Service::start(&pool).await;
    let reference = reference(&service).await;
    let mut ids = std::collections::HashSet::new();
    for (path, item) in object(&reference, "/paths") {
        for (method, operation) in item.as_object().unwrap() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{method} {path} {parameter}");
            }
            let responses = operation["responses"].as_object().unwrap();
            for (status, response) in responses {
                assert!(response["headers"]["x-request-id"].is_object(), "{method} {path} {status}");
                if path.starts_with("/api/") && status.as_str() >= "400" {
                    let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                    assert_eq!(schema, "#/components/schemas/Problem", "{method} {path} {status}");
                }
            }
            if path.starts_with("/api/") {
                let common =
                    if operation["requestBody"].is_object() { vec!["400", "408", "413", "415", "422"] } else { vec![] };
                for status in common.into_iter().chain(["500", "503"]) {
                    assert!(responses.contains_key(status), "{method} {path} {status}");
                }
            }
        }
    }
    let names = object(&reference, "/components/schemas");
    let text = reference.to_string();
    for (at, _) in text.match_indices("#/components/schemas/") {
        let name = text[at..].trim_start_matches("#/components/schemas/").split('"').next().unwrap();
        assert!(names.contains_key(name), "{name} is named and not there");
    }
    // Beside the scope of that name.
    assert!(!text.replace(r#""webhooks""#, "").contains("webhook"));
}

/// Every enum in the reference, by its position.
fn enums<'a>(value: &'a Value, at: &str, found: &mut BTreeMap<String, &'a Value>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("enum", Value::Array(_)) => drop(found.insert(at.to_owned(), member)),
                    _ => enums(member, &format!("{at}/{name}"), found),
                }
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(place, item)| enums(item, &format!("{at}/{place}"), found));
        }
        _ => {}
    }
}

/// The kinds of rules of lessons.
const RULES: [&str; 11] = [
    "term",
    "prefer",
    "length",
    "opening",
    "call_to_action",
    "punctuation",
    "person",
    "reading",
    "headings",
    "lists",
    "note",
];

#[sqlx::test(migrations = "../migrations")]
async fn the_words_of_enums_are_those_on_the_wire(pool: PgPool) {
    let service = Service::start(&pool).await;
    let reference = reference(&service).await;
    let mut found = BTreeMap::new();
    enums(&reference["components"]["schemas"], "", &mut found);
    // All enums: a new one must be added here.
    let mut expected = json!({
        "/Answer": ["up", "down"],
        "/Arm": Arm::ALL,
        "/Basis": [Basis::Measured, Basis::Default],
        "/Bound": Bound::ALL,
        "/Category": Category::ALL,
        "/Condition": ["healthy", "degraded", "unhealthy"],
        "/Degradation": Degradation::ALL,
        "/DocumentKind": DocumentKind::ALL,
        "/DocumentRequest/properties/media_type/oneOf/0": ["text/markdown", "text/plain", "text/html"],
        "/DocumentStatus": DocumentStatus::ALL,
        "/DocumentWarningCode": DocumentWarningCode::ALL,
        "/Escalation": Escalation::ALL,
        "/ExportLine/oneOf/0/properties/type": ["export"],
        "/ExportLine/oneOf/1/properties/type": ["profile"],
        "/ExportLine/oneOf/2/properties/type": ["document"],
        "/ExportLine/oneOf/3/properties/type": ["job"],
        "/ExportLine/oneOf/4/properties/type": ["generation"],
        "/ExportLine/oneOf/5/properties/type": ["feedback"],
        "/ExportLine/oneOf/6/properties/type": ["lesson"],
        "/ExportLine/oneOf/7/properties/type": ["learning"],
        "/ExportLine/oneOf/8/properties/type": ["end"],
        "/Format": Format::ALL,
        "/Intake": Intake::ALL,
        "/JobKind": JobKind::ALL,
        "/JobStatus": JobStatus::ALL,
        "/KeyKind": KeyKind::ALL,
        "/KeyRequest/anyOf/1/properties/scopes/items":
            ["generate", "read", "feedback", "documents", "learning", "webhooks"],
        "/KeyStatus": KeyStatus::ALL,
        "/Language": Language::ALL,
        "/LessonStatus": LessonStatus::ALL,
        "/Mark": Mark::ALL,
        "/MediaType": MediaType::ALL,
        "/Opening": Opening::ALL,
        "/Outcome": Outcome::ALL,
        "/Person": Person::ALL,
        "/Priority": Priority::ALL,
        "/Scope": Scope::ALL,
        "/Scored": Scored::ALL,
        "/SourceKind": SourceKind::ALL,
        "/StatusByHand": StatusByHand::ALL,
        "/WaitReason": WaitReason::ALL,
    });
    expected["/EventKind"] = json!(EventKind::ALL);
    expected["/Step"] = json!(Step::ALL);
    for (n, kind) in RULES.iter().enumerate() {
        expected[format!("/Rule/oneOf/{n}/properties/kind")] = json!([kind]);
    }
    assert_eq!(json!(found), expected);
}

/// Every example and default in the reference, by its position, with the schema that it is of.
fn examples(value: &'static Value, at: &str, found: &mut Vec<(String, &'static Value, &'static Value)>) {
    match value {
        Value::Object(members) => {
            // Beside the schema, or within it.
            let schema = members.get("schema").unwrap_or(value);
            let is_of_schema = ["type", "$ref", "oneOf", "anyOf"].iter().any(|name| schema.get(name).is_some());
            for (name, member) in members {
                let at = format!("{at}/{name}");
                match name.as_str() {
                    "example" | "default" if is_of_schema && !at.contains("/properties/default") => {
                        found.push((at, schema, member));
                    }
                    _ => examples(member, &at, found),
                }
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(place, item)| examples(item, &format!("{at}/{place}"), found));
        }
        _ => {}
    }
}

#[test]
fn examples_are_of_their_schemas() {
    let mut found = Vec::new();
    examples(&REFERENCE, "", &mut found);
    assert!(found.len() > 200, "only {} examples were found", found.len());
    let wrong = found.iter().filter_map(|(at, schema, example)| Some((at, held(schema, example).err()?)));
    let wrong: Vec<_> = wrong.map(|(at, wrong)| format!("{at}: {wrong}")).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let committed = std::fs::read_to_string(file).unwrap_or_default();
    let is_same = committed == pretty().unwrap() + "\n";
    assert!(is_same, "docs/openapi.json is another one: run `cargo xtask openapi` and commit it");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_schemas_of_requests_say_what_is_taken(pool: PgPool) {
    let service = Service::start(&pool).await;
    let reference = reference(&service).await;
    let mut limits = 0;
    for (method, path, name) in [
        (Method::POST, "/api/generate", "GenerateRequest"),
        (Method::POST, "/api/feedback", "FeedbackRequest"),
        (Method::PUT, "/api/businesses/acme", "BusinessRequest"),
        (Method::POST, "/api/businesses/acme/documents", "DocumentRequest"),
        (Method::POST, "/api/ops/dead/retry", "DeadLettersRequest"),
        (Method::POST, "/api/ops/regenerate", "RegenerateRequest"),
        (Method::POST, "/api/ops/jobs/cancel", "CancelJobsRequest"),
    ] {
        let schema = &reference["components"]["schemas"][name];
        assert_eq!(schema["additionalProperties"], false, "{name}");
        let example = &schema["example"];
        let send = async |body: Value| {
            Answer::of(service.request(method.clone(), path).json(&body).send().await.unwrap()).await
        };
        assert_ne!(send(example.clone()).await.status, 422, "{name}: {example}");
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (field, schema) in object(schema, "/properties") {
            let pointer = format!("/{field}");
            let check = async |value: Value, taken: bool| {
                let answer = send(with(example.clone(), field, value)).await;
                assert_eq!(
                    answer.pointers().contains(&pointer.as_str()),
                    !taken,
                    "{name} {field} {schema}: {answer:?}"
                );
            };
            assert!(
                schema["description"].is_string() || schema.get("$ref").is_some() || schema.get("oneOf").is_some(),
                "{name} {field}"
            );
            let is_required = required.contains(&json!(field));
            assert_eq!(
                send(without(example.clone(), field)).await.pointers().contains(&pointer.as_str()),
                is_required,
                "{name} {field}"
            );
            check(Value::Null, !is_required).await;
            let has_form = ["url", "language", "default_language"].contains(&field.as_str());
            if let Some(most) = schema["maxLength"].as_u64().filter(|_| !has_form) {
                let most = usize::try_from(most).unwrap();
                check("ü".repeat(most).into(), true).await;
                check("ü".repeat(most + 1).into(), false).await;
                limits += 1;
            }
            if let Some(least) = schema["minLength"].as_u64() {
                check("x".repeat(usize::try_from(least).unwrap() - 1).into(), false).await;
            }
            if let Some(most) = schema["maxItems"].as_u64() {
                let most = usize::try_from(most).unwrap();
                check(json!(vec!["x"; most]), true).await;
                check(json!(vec!["x"; most + 1]), false).await;
                limits += 1;
            }
            if let (Some(least), Some(most)) = (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
                for (value, taken) in [(least - 1, false), (least, true), (most, true), (most + 1, false)] {
                    check(value.into(), taken).await;
                }
                limits += 1;
            }
        }
    }
    assert!(limits >= 19, "only {limits} limits were looked at");
}

#[sqlx::test(migrations = "../migrations")]
async fn the_reference_can_be_read_without_the_internet(pool: PgPool) {
    let service = Service::start(&pool).await;
    let page = service.get("/docs/").await.expect(200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(!page.text.contains("https://"), "{}", page.text);
    for asset in ["swagger-ui-bundle.js", "swagger-ui.css", "swagger-initializer.js"] {
        assert!(page.text.contains(asset), "{}", page.text);
        service.get(&format!("/docs/{asset}")).await.expect(200);
    }
    assert!(service.get("/docs/swagger-initializer.js").await.text.contains("/openapi.json"));
}
