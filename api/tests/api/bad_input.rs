//! Any invalid input is answered with a problem that names what is wrong.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{PgPool, Row};
use uuid::Uuid;

use crate::http::RequestBuilder;
use crate::service::{Answer, Service, generate, with, without};

/// Every operation with a body, and a valid body for it.
fn operations() -> Vec<(Method, &'static str, Value)> {
    let generation = Uuid::now_v7().to_string();
    vec![
        (Method::POST, "/api/generate", generate()),
        (
            Method::POST,
            "/api/feedback",
            json!({"generation_id": generation, "business_id": "b", "human_approved": true, "human_score": 1, "human_feedback": "x"}),
        ),
        (Method::PUT, "/api/businesses/b", json!({"name": "B", "banned_phrases": ["x"]})),
        (Method::POST, "/api/businesses/b/documents", json!({"title": "T", "text": "x"})),
    ]
}

/// The same and the batch, whose entries are refused one by one.
fn operations_and_batch() -> Vec<(Method, &'static str, Value)> {
    let mut operations = operations();
    operations.push((Method::POST, "/api/generate/batch", json!({"requests": [generate()]})));
    operations
}

async fn answer(request: RequestBuilder) -> Answer {
    Answer::of(request.send().await.unwrap()).await
}

#[sqlx::test(migrations = "../migrations")]
async fn a_body_that_is_no_json_is_malformed(pool: PgPool) {
    let service = Service::start(&pool).await;
    let deep = format!("{{\"metadata\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_objects = format!("{{\"x\": {}1{}}}", "{\"a\":".repeat(50_000), "}".repeat(50_000));
    for (method, path, _) in operations_and_batch() {
        let broken: [&[u8]; 15] = [
            b"",
            b"  \n",
            b"{",
            b"{\"topic\": \"x\"",
            b"{\"topic\": \"x\",}",
            b"{} {}",
            b"nonsense",
            b"{\"topic\": \"\xff\"}",
            b"{\"topic\": \"\x00\"}",
            b"{\"topic\": \"\\ud800\"}",
            b"{\"topic\": 1e999}",
            b"\xef\xbb\xbf",
            b"{}\xef\xbb\xbf",
            deep.as_bytes(),
            deep_objects.as_bytes(),
        ];
        for body in broken {
            let request = service.request(method.clone(), path).header("content-type", "application/json");
            let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            let answer = answer(request.body(body.to_vec())).await;
            assert_eq!(answer.status, 400, "{method} {path} {shown}: {answer:?}");
            assert_eq!(answer.expect_problem(400).body["type"], "/problems/malformed-request");
        }
        answer(service.request(method, path)).await.expect_problem(400);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_body_of_another_kind_or_size_is_refused(pool: PgPool) {
    let service = Service::start(&pool).await;
    for (method, path, body) in operations_and_batch() {
        let text = body.to_string();
        for kind in
            ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/xml", "", "\u{1}"]
        {
            let request = service.request(method.clone(), path).body(text.clone());
            match request.header("content-type", kind).send().await {
                Err(error) if error.is_builder() => {}
                sent => drop(Answer::of(sent.unwrap()).await.expect_problem(415)),
            }
        }
        let zipped = service.request(method.clone(), path).json(&body).header("content-encoding", "gzip");
        answer(zipped).await.expect_problem(415);
        for kind in ["application/json; charset=utf-8", "Application/JSON", "application/vnd.acme+json"] {
            let taken = service.request(method.clone(), path).header("content-type", kind).body(text.clone());
            assert_ne!(answer(taken).await.status, 415, "{kind}");
        }

        let large = json!({"topic": "x".repeat(20_000_000)}).to_string();
        let request = service.request(method.clone(), path).header("content-type", "application/json");
        answer(request.body(large.clone())).await.expect_problem(413);
        // Chunked, so that its length is not known beforehand.
        let chunks =
            large.into_bytes().chunks(100_000).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
        let stream = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
        let request = service.request(method.clone(), path).header("content-type", "application/json");
        answer(request.body(stream)).await.expect_problem(413);
        // No handler reads this body, and still the answer arrives.
        let request = service.request(method.clone(), path).header("content-type", "text/plain");
        answer(request.body(vec![b'x'; 20_000_000])).await.expect_problem(415);
        answer(service.request(method, "/nowhere").body(vec![b'x'; 20_000_000])).await.expect_problem(404);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn each_wrong_field_is_named(pool: PgPool) {
    let service = Service::start(&pool).await;
    for (method, path, body) in operations() {
        let check = async |body: Value, pointer: &str| {
            let answer = answer(service.request(method.clone(), path).json(&body)).await.expect_problem(422);
            assert_eq!(answer.pointers(), [pointer], "{method} {path} {body}");
            answer
        };
        let unknown = check(with(body.clone(), "colour", "red"), "/colour").await;
        assert!(unknown.body["detail"].as_str().unwrap().contains("colour"));
        check(with(body.clone(), "a/b~c", 1), "/a~1b~0c").await;
        for (field, value) in body.as_object().unwrap() {
            let pointer = format!("/{field}");
            for wrong in [json!({}), json!([[]])] {
                let answer =
                    answer(service.request(method.clone(), path).json(&with(body.clone(), field, wrong))).await;
                let answer = answer.expect_problem(422);
                assert!(answer.pointers()[0].starts_with(&pointer), "{answer:?}");
            }
            if value.is_string() {
                check(with(body.clone(), field, 5), &pointer).await;
                check(with(body.clone(), field, true), &pointer).await;
            }
            if !["name", "banned_phrases", "format", "voice", "human_approved", "human_score", "human_feedback"]
                .contains(&field.as_str())
            {
                check(without(body.clone(), field), &pointer).await;
                check(with(body.clone(), field, Value::Null), &pointer).await;
            }
        }
        for no_object in [json!([]), json!("x"), json!(1), Value::Null] {
            check(no_object, "").await;
        }
        let twice = body.to_string().replacen('{', "{\"business_id\": \"b\", \"business_id\": \"b\", ", 1);
        let request = service.request(method.clone(), path).header("content-type", "application/json").body(twice);
        answer(request).await.expect_problem(422);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn limits_are_kept(pool: PgPool) {
    let service = Service::start(&pool).await;
    let long = |chars: usize| Value::String("ü".repeat(chars));
    for (field, value, pointer) in [
        ("business_id", json!(""), "/business_id"),
        ("business_id", json!("a b"), "/business_id"),
        ("business_id", json!("x".repeat(129)), "/business_id"),
        ("topic", json!(""), "/topic"),
        ("topic", json!(" \t\n"), "/topic"),
        ("topic", long(501), "/topic"),
        ("topic", json!("a\0b"), "/topic"),
        ("format", json!("haiku"), "/format"),
        ("voice", long(1001), "/voice"),
        ("audience", long(1001), "/audience"),
        ("keywords", json!(vec!["x"; 21]), "/keywords"),
        ("keywords", json!(["x", ""]), "/keywords/1"),
        ("keywords", json!(["x", "x".repeat(101)]), "/keywords/1"),
        ("keywords", json!(["x", "a\0b"]), "/keywords/1"),
        ("keywords", json!(["x", 1]), "/keywords/1"),
        ("keywords", json!("x"), "/keywords"),
        ("language", json!("english language"), "/language"),
        ("language", json!("e"), "/language"),
        ("length_words", json!(19), "/length_words"),
        ("length_words", json!(5001), "/length_words"),
        ("length_words", json!(99.5), "/length_words"),
        ("length_words", json!(1e30), "/length_words"),
        ("instructions", long(5001), "/instructions"),
        ("priority", json!("urgent"), "/priority"),
        ("run_at", json!("tomorrow"), "/run_at"),
        ("run_at", json!("2999-01-01T00:00:00Z"), "/run_at"),
        ("run_at", json!("2026-11-24 06:30:00"), "/run_at"),
        ("deadline_seconds", json!(0), "/deadline_seconds"),
        ("deadline_seconds", json!(604_801), "/deadline_seconds"),
        ("deadline_seconds", json!(-1), "/deadline_seconds"),
        ("allow_fallback", json!("yes"), "/allow_fallback"),
        ("max_rounds", json!(6), "/max_rounds"),
        ("max_rounds", json!(-1), "/max_rounds"),
        ("min_score", json!(10.01), "/min_score"),
        ("min_score", json!(-0.01), "/min_score"),
        ("metadata", json!({"x": "y".repeat(2041)}), "/metadata"),
        ("metadata", json!({"a": {"b\0": 1}}), "/metadata/a"),
        ("metadata", json!({"a": ["x\0"]}), "/metadata/a/0"),
        ("metadata", json!([]), "/metadata"),
        ("webhook", json!({"url": "https://example.com"}), "/webhook"),
    ] {
        let body = with(generate(), field, value);
        let answer = service.post("/api/generate", &body).await.expect_problem(422);
        assert_eq!(answer.pointers(), [pointer], "{body}");
    }
    let row = sqlx::query("select count(*) from jobs").fetch_one(&pool).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 0);
    for (field, value) in [
        ("topic", long(500)),
        ("topic", json!("\\u0000 is no NUL")),
        ("metadata", json!({"x": "y".repeat(2040)})),
        ("keywords", json!(vec!["x".repeat(100); 20])),
        ("voice", Value::Null),
        ("keywords", Value::Null),
        ("metadata", Value::Null),
    ] {
        service.post("/api/generate", &with(generate(), field, value)).await.expect(202);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn everything_wrong_is_told_at_once(pool: PgPool) {
    let service = Service::start(&pool).await;
    let body = json!({
        "topic": "x".repeat(501), "format": "haiku", "voice": 5, "keywords": ["", "fine", "a\0b"], "min_score": 11,
        "colour": "red", "shape": "round",
    });
    let answer = service.post("/api/generate", &body).await.expect_problem(422);
    assert_eq!(
        answer.pointers(),
        [
            "/business_id",
            "/colour",
            "/format",
            "/keywords/0",
            "/keywords/2",
            "/min_score",
            "/shape",
            "/topic",
            "/voice"
        ]
    );
    assert!(answer.text.contains("Video Script (video_script)"), "{}", answer.text);

    let many: serde_json::Map<_, _> = (0..20_000).map(|n| (n.to_string(), json!(1))).collect();
    let answer = service.post("/api/generate", &Value::Object(many)).await.expect_problem(422);
    assert_eq!(answer.pointers().len(), 50);
}

#[sqlx::test(migrations = "../migrations")]
async fn wrong_names_in_paths_and_queries_are_refused(pool: PgPool) {
    let service = Service::start(&pool).await;
    let id = Uuid::now_v7();
    for path in ["/api/jobs", "/api/generations", "/api/businesses/b/documents"] {
        for name in ["1", "x", "%00", "%FF", "..%2F", &id.to_string(), &format!("{id}0")] {
            service.get(&format!("{path}/{name}")).await.expect_problem(404);
        }
    }
    service.delete("/api/businesses/b/documents/x").await.expect_problem(404);
    for (path, pointer) in [
        (format!("/api/jobs/{id}?wait=61"), "/wait"),
        (format!("/api/jobs/{id}?wait=-1"), "/wait"),
        (format!("/api/jobs/{id}?wait=x"), "/wait"),
        (format!("/api/jobs/{id}?wait="), "/wait"),
        (format!("/api/jobs/{id}?wait=99999999999999999999"), "/wait"),
        (format!("/api/jobs/{id}?wait=1&wait=2"), "/wait"),
        (format!("/api/jobs/{id}?wiat=1"), "/wiat"),
        (format!("/api/jobs/{id}?%FF=1"), "/\u{fffd}"),
        (format!("/api/generations/{id}?x=1"), "/x"),
        ("/api/businesses/b?x".to_owned(), "/x"),
        ("/api/businesses/b/documents?limit=0".to_owned(), "/limit"),
        ("/api/businesses/b/documents?limit=201".to_owned(), "/limit"),
        ("/api/businesses/b/documents?cursor=x".to_owned(), "/cursor"),
        (format!("/api/businesses/b/documents/{id}?x=1"), "/x"),
        ("/api/businesses/b/search".to_owned(), "/q"),
        ("/api/businesses/b/search?q=".to_owned(), "/q"),
        ("/api/businesses/b/search?q=%20".to_owned(), "/q"),
        (format!("/api/businesses/b/search?q={}", "x".repeat(501)), "/q"),
        ("/api/businesses/b/search?q=x&limit=51".to_owned(), "/limit"),
        ("/api/businesses/b/search?q=a%00b".to_owned(), "/q"),
        ("/api/learning/stats/b?content_type=".to_owned(), "/content_type"),
        ("/api/learning/stats/a%20b".to_owned(), "/business_id"),
        ("/api/businesses/a%20b/search?q=x".to_owned(), "/business_id"),
        ("/health?x=1".to_owned(), "/x"),
    ] {
        let answer = service.get(&path).await.expect_problem(422);
        assert_eq!(answer.pointers(), [pointer], "{path}");
    }
    for (method, path, body) in operations() {
        let answer = answer(service.request(method, &format!("{path}?dry_run=1")).json(&body)).await;
        assert_eq!(answer.expect_problem(422).pointers(), ["/dry_run"]);
    }
}
