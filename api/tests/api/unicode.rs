//! Texts that look the same and are written in other characters: names and texts of requests come in
//! as NFC, and documents of one name are one document.

use copydesk_common::store::Store;
use copydesk_common::store::document::ingest::{self, Ingested};
use copydesk_domain::business::BusinessId;
use copydesk_domain::document::{DocumentKind, DocumentWarning, DocumentWarningCode};
use copydesk_domain::id::{DocumentId, JobId};
use copydesk_domain::job::{JobKind, LeaseEpoch, Priority, StartedJob};
use copydesk_domain::trace::TraceParent;
use copydesk_domain::usage::Usage;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

use crate::service::{Answer, Service, with};

const DOCUMENTS: &str = "/api/businesses/acme/documents";
const NFC: &str = "résumé";
const NFD: &str = "re\u{301}sume\u{301}";

fn document(external_id: &str) -> Value {
    json!({"title": "Guide", "text": "Short sentences.", "external_id": external_id})
}

fn codes(document: &Value) -> Vec<&str> {
    document["warnings"].as_array().unwrap().iter().map(|warning| warning["code"].as_str().unwrap()).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_document_is_replaced_by_its_name_in_whatever_form_and_says_so(pool: PgPool) {
    let service = Service::start(&pool).await;
    let put =
        async |external_id| service.post(DOCUMENTS, &document(external_id)).await.expect(202).body["document"].clone();
    let first = put(NFD).await;
    assert_eq!((&first["external_id"], codes(&first)), (&json!(NFC), vec![]), "no other was there");
    let id = &first["id"];
    for (given, warnings) in [(NFC, vec![]), (NFD, vec!["same_external_id"]), (NFC, vec![])] {
        let replaced = put(given).await;
        assert_eq!((&replaced["id"], &replaced["external_id"]), (id, &json!(NFC)), "{given:?}");
        assert_eq!(codes(&replaced), warnings, "{given:?}");
        let path = format!("{DOCUMENTS}/{}", id.as_str().unwrap());
        assert_eq!(service.get(&path).await.expect(200).body, replaced, "as it is stored");
    }
    let form = Form::new()
        .text("external_id", NFD)
        .part("file", Part::bytes(b"Text.".as_slice()).file_name(format!("{NFD}.txt")));
    let answer = Answer::of(service.request(Method::POST, DOCUMENTS).multipart(form).send().await.unwrap()).await;
    let document = &answer.expect(202).body["document"];
    assert_eq!((&document["id"], &document["title"]), (id, &json!(NFC)), "a file's name is a title");
    assert_eq!(codes(document), ["same_external_id"]);
}

#[sqlx::test(migrations = "../migrations")]
async fn the_warning_of_a_name_survives_the_reading(pool: PgPool) {
    let service = Service::start(&pool).await;
    service.post(DOCUMENTS, &document(NFC)).await.expect(202);
    let answer = service.post(DOCUMENTS, &document(NFD)).await.expect(202).body;
    let id = |of: &str| answer[of]["id"].as_str().unwrap().parse::<Uuid>().unwrap();
    let job = StartedJob {
        id: JobId(id("job")),
        kind: JobKind::Ingest,
        priority: Priority::Interactive,
        business_id: BusinessId::parse("acme").unwrap(),
        generation_id: None,
        payload: Value::Null,
        attempt: 1,
        max_attempts: 3,
        takeovers: 0,
        is_takeover: false,
        created_at: Default::default(),
        deadline_at: None,
        stages_completed: 0,
        usage: Usage::default(),
        trace: TraceParent::start(),
        epoch: LeaseEpoch(1),
    };
    let garbled = DocumentWarning { code: DocumentWarningCode::Garbled, detail: "Look at it.".to_owned() };
    let path = format!("{DOCUMENTS}/{}", id("document"));
    let read = async |ingested: Ingested, expected: &[&str]| {
        let run = "update jobs set status = 'running', lease_owner = 'w', lease_epoch = 1, result = null, error = null,
                          finished_at = null";
        sqlx::query(run).execute(&pool).await.unwrap();
        let store = Store::from_pool(pool.clone());
        ingest::settle(&store, &job, DocumentId(id("document")), 2, &ingested).await.unwrap();
        assert_eq!(codes(&service.get(&path).await.expect(200).body), expected);
    };
    let ready = |warnings| Ingested::Ready { chunks: Vec::new(), language: None, kind: DocumentKind::Other, warnings };
    read(ready(vec![garbled]), &["same_external_id", "garbled_text"]).await;
    read(ready(Vec::new()), &["same_external_id"]).await;
    read(Ingested::Unusable("No.".to_owned()), &["same_external_id"]).await;
}

/// Runs on the rows that a release before has left.
#[sqlx::test(migrations = "../migrations")]
async fn documents_from_before_are_named_in_nfc_unless_another_has_the_name(pool: PgPool) {
    let service = Service::start(&pool).await;
    let lone = "e\u{323}\u{302}";
    for (title, business, external_id, age) in [
        ("plain", "acme", Some("guide"), 0),
        ("nameless", "acme", None, 0),
        ("lone", "acme", Some("cafe\u{301}"), 0),
        ("of another", "other", Some(NFD), 0),
        ("first", "acme", Some(NFC), 9),
        ("left", "acme", Some(NFD), 0),
        // The same letter in two forms, of which none is NFC.
        ("older form", "acme", Some(lone), 9),
        ("newer form", "acme", Some("e\u{302}\u{323}"), 1),
    ] {
        sqlx::query(
            "insert into brand_documents (id, business_id, external_id, title, media_type, body, updated_at)
             values (gen_random_uuid(), $1, $2, $3, 'text/plain', 'Text.', now() - make_interval(days => $4))",
        )
        .bind(business)
        .bind(external_id)
        .bind(title)
        .bind(age)
        .execute(&pool)
        .await
        .unwrap();
    }
    // Again is harmless but for those that are left.
    sqlx::raw_sql(include_str!("../../../migrations/20261127110000_external_ids_in_nfc.sql"))
        .execute(&pool)
        .await
        .unwrap();
    let of = async |business: &str| {
        let page = service.get(&format!("/api/businesses/{business}/documents")).await.expect(200).body;
        page["data"].as_array().unwrap().clone()
    };
    let all: Vec<Value> = [of("acme").await, of("other").await].concat();
    for (title, external_id, is_left) in [
        ("plain", Some("guide"), false),
        ("nameless", None, false),
        ("lone", Some("café"), false),
        ("of another", Some(NFC), false),
        ("first", Some(NFC), false),
        ("left", Some(NFD), true),
        ("older form", Some(lone), true),
        ("newer form", Some("ệ"), false),
    ] {
        let document = all.iter().find(|document| document["title"] == title).unwrap();
        assert_eq!(document["external_id"], json!(external_id), "{title}");
        assert_eq!(codes(document), if is_left { vec!["same_external_id"] } else { vec![] }, "{title}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn texts_of_requests_come_in_as_nfc(pool: PgPool) {
    let service = Service::start(&pool).await;
    let profile = json!({"name": NFD, "description": NFD, "voice": NFD, "audience": NFD, "guidelines": NFD,
                         "banned_phrases": [NFD]});
    service.put("/api/businesses/acme", &profile).await;
    let stored = service.get("/api/businesses/acme").await.expect(200).body;
    for field in ["name", "description", "voice", "audience", "guidelines"] {
        assert_eq!(stored[field], NFC, "{field}");
    }
    assert_eq!(stored["banned_phrases"], json!([NFC]));

    let request = json!({"business_id": "acme", "topic": NFD, "voice": NFD, "audience": NFD, "instructions": NFD,
                         "keywords": [NFD]});
    service.post("/api/generate", &request).await.expect(202);
    let payload: Value = sqlx::query_scalar("select payload from jobs").fetch_one(&pool).await.unwrap();
    for field in ["topic", "voice", "audience", "instructions"] {
        assert_eq!(payload[field], NFC, "{field}");
    }
    assert_eq!(payload["keywords"], json!([NFC]));

    for (given, expected) in [(NFD, NFC), ("Gui\u{ad}de\u{200b}", "Guide"), ("\u{feff}", "\u{feff}")] {
        let url = format!("https://acme.example/{}", "a");
        let request = with(with(document("d"), "title", given), "url", &*url);
        let stored = service.post(DOCUMENTS, &request).await.expect(202).body["document"].clone();
        assert_eq!((&stored["title"], &stored["url"]), (&json!(expected), &json!(url)), "{given:?}");
    }
}
