//! Keys: made, listed, rotated, revoked, by HTTP and on the command line.

use std::process::Output;
use std::time::{Duration, Instant};

use copydesk_testkit::database_url;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::binary::program;
use crate::service::{Answer, Service, generate};

/// A revocation is a fact everywhere after this long.
const HEARD: Duration = Duration::from_secs(1);

fn request_of(name: &str) -> Value {
    json!({ "name": name, "scopes": ["generate", "read"], "businesses": ["company_123"] })
}

async fn by(service: &Service, key: &str, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let request = service.request(method, path).header("authorization", format!("Bearer {key}"));
    let request = match body {
        Some(body) => request.json(body),
        None => request,
    };
    Answer::of(request.send().await.unwrap()).await
}

async fn make(service: &Service, body: &Value) -> (String, String) {
    let made = service.post("/api/keys", body).await.expect(201);
    assert_eq!(made.header("cache-control"), "no-store");
    (made.body["key"]["id"].as_str().unwrap().to_owned(), made.body["secret"].as_str().unwrap().to_owned())
}

#[sqlx::test(migrations = "../migrations")]
async fn a_key_does_what_it_says_until_it_is_revoked_in_every_process(pool: PgPool) {
    let (service, other) = (Service::start(&pool).await, Service::start(&pool).await);
    let (id, secret) = make(&service, &request_of("website")).await;
    for service in [&service, &other] {
        by(service, &secret, Method::POST, "/api/generate", Some(&generate())).await.expect(202);
    }
    by(&service, &secret, Method::GET, "/api/keys", None).await.expect_problem(403);
    service.delete(&format!("/api/keys/{id}")).await.expect(204);
    let revoked = Instant::now();
    for service in [&service, &other] {
        while by(service, &secret, Method::POST, "/api/generate", Some(&generate())).await.status == 202 {
            assert!(revoked.elapsed() < HEARD, "a revoked key still works after {:?}", revoked.elapsed());
        }
        let refused = by(service, &secret, Method::POST, "/api/generate", Some(&generate())).await.expect_problem(401);
        assert!(refused.body["detail"].as_str().unwrap().contains("revoked"), "{refused:?}");
    }
    let list = service.get("/api/keys").await.expect(200).body;
    assert_eq!((&list["data"][0]["id"], &list["data"][0]["status"]), (&json!(id), &json!("revoked")));
    service.delete(&format!("/api/keys/{id}")).await.expect(204);
    service.delete("/api/keys/neverneverne").await.expect_problem(404);
}

#[sqlx::test(migrations = "../migrations")]
async fn revocation_ends_open_streams_and_long_polls_of_other_processes(pool: PgPool) {
    let (service, other) = (Service::start(&pool).await, Service::start(&pool).await);
    let (id, secret) = make(&service, &request_of("website")).await;
    let job = by(&other, &secret, Method::POST, "/api/generate", Some(&generate())).await.expect(202).body;
    let path = format!("/api/jobs/{}", job["id"].as_str().unwrap());
    let stream = other.request(Method::GET, &format!("{path}/events"));
    let mut stream = stream.header("authorization", format!("Bearer {secret}")).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    assert!(stream.chunk().await.unwrap().is_some());
    let revoke = async {
        service.delete(&format!("/api/keys/{id}")).await.expect(204);
        Instant::now()
    };
    let waits = async {
        let answer = by(&other, &secret, Method::GET, &format!("{path}?wait=30"), None).await.expect_problem(401);
        (answer, Instant::now())
    };
    let ends = async {
        while stream.chunk().await.unwrap().is_some() {}
        Instant::now()
    };
    let (revoked, (_, answered), ended) = tokio::join!(revoke, waits, ends);
    assert!(answered < revoked + HEARD, "a long poll went on for {:?}", answered - revoked);
    assert!(ended < revoked + HEARD, "a stream went on for {:?}", ended - revoked);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_rotated_key_keeps_its_id_and_its_old_secret_for_a_while(pool: PgPool) {
    let service = Service::start(&pool).await;
    let (id, first) = make(&service, &request_of("website")).await;
    let rotate = |overlap: i64| {
        let (service, path) = (&service, format!("/api/keys/{id}/rotate"));
        async move { service.post(&path, &json!({ "overlap_seconds": overlap })).await.expect(200).body }
    };
    let rotated = rotate(3_600).await;
    let second = rotated["secret"].as_str().unwrap().to_owned();
    assert_eq!(rotated["key"]["id"], json!(id));
    assert!(rotated["key"]["previous_secret_until"].is_string());
    assert_ne!(first, second);
    for secret in [&first, &second] {
        by(&service, secret, Method::GET, "/api/jobs?business_id=company_123", None).await.expect(200);
    }
    let third = rotate(0).await["secret"].as_str().unwrap().to_owned();
    let rotated = Instant::now();
    for secret in [&first, &second] {
        while by(&service, secret, Method::GET, "/api/jobs?business_id=company_123", None).await.status == 200 {
            assert!(rotated.elapsed() < HEARD, "an old secret still works");
        }
    }
    by(&service, &third, Method::GET, "/api/jobs?business_id=company_123", None).await.expect(200);
    service.delete(&format!("/api/keys/{id}")).await.expect(204);
    service.post(&format!("/api/keys/{id}/rotate"), &json!({})).await.expect_problem(409);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_key_makes_only_keys_that_may_do_no_more(pool: PgPool) {
    let service = Service::start(&pool).await;
    let end = "2999-01-01T00:00:00Z";
    let maker = json!({ "kind": "operator", "name": "of acme", "scopes": ["keys", "read"], "businesses": ["acme"],
                        "expires_at": end, "requests_per_minute": 600 });
    let (_, maker) = make(&service, &maker).await;
    let good = json!({ "name": "reader", "scopes": ["read"], "businesses": ["acme"], "expires_at": end });
    let made = by(&service, &maker, Method::POST, "/api/keys", Some(&good)).await.expect(201).body;
    assert_eq!(made["key"]["requests_per_minute"], 600, "that of its maker");
    for (field, value) in [
        ("scopes", json!(["read", "generate"])),
        ("scopes", json!([])),
        ("scopes", json!(["keys"])),
        ("businesses", json!(["acme", "other"])),
        ("businesses", json!([])),
        ("businesses", Value::Null),
        ("expires_at", Value::Null),
        ("expires_at", json!("2999-01-02T00:00:00Z")),
        ("expires_at", json!("2020-01-01T00:00:00Z")),
        ("requests_per_minute", json!(601)),
        ("name", json!("on\ntwo lines")),
        ("name", json!("  ")),
    ] {
        let mut wrong = good.clone();
        wrong[field] = value;
        let refused = by(&service, &maker, Method::POST, "/api/keys", Some(&wrong)).await.expect_problem(422);
        assert_eq!(refused.pointers(), [format!("/{field}")], "{wrong}");
    }
    let list = by(&service, &maker, Method::GET, "/api/keys", None).await.expect(200).body;
    let names: Vec<_> = list["data"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["reader", "of acme"], "keys of other businesses are not shown");
    // The key of the tests reaches more.
    for path in ["/api/keys/TestTestTest", "/api/keys/TestTestTest/rotate"] {
        let method = if path.ends_with("rotate") { Method::POST } else { Method::DELETE };
        by(&service, &maker, method, path, Some(&json!({}))).await.expect_problem(404);
    }
    let reader = format!("/api/keys/{}", made["key"]["id"].as_str().unwrap());
    by(&service, &maker, Method::DELETE, &reader, None).await.expect(204);
}

#[sqlx::test(migrations = "../migrations")]
async fn with_open_access_no_key_is_needed_and_a_wrong_one_is_refused(pool: PgPool) {
    let service = Service::start_with(&pool, |config| config.api.auth = copydesk_common::config::AuthMode::Open).await;
    let anonymous = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/api/ops/overview", service.base);
    assert_eq!(anonymous.get(&url).send().await.unwrap().status(), 200);
    assert_eq!(anonymous.get(&url).bearer_auth("nonsense").send().await.unwrap().status(), 401);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_body_that_comes_after_the_revocation_changes_nothing(pool: PgPool) {
    let service = Service::start(&pool).await;
    let maker = json!({ "kind": "operator", "name": "maker", "scopes": ["keys", "read"], "businesses": null });
    let (id, secret) = make(&service, &maker).await;
    let body = json!({ "name": "late", "scopes": ["read"], "businesses": null }).to_string();
    let mut connection = TcpStream::connect(service.base.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST /api/keys HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
        body.len(),
        &body[..5]
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    // It is let in, and waits for its body.
    by(&service, &secret, Method::GET, "/api/keys", None).await.expect(200);
    service.delete(&format!("/api/keys/{id}")).await.expect(204);
    while by(&service, &secret, Method::GET, "/api/keys", None).await.status != 401 {}
    connection.write_all(&body.as_bytes()[5..]).await.unwrap();
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(std::str::from_utf8(&answer).unwrap(), "HTTP/1.1 401");
    let keys: i64 =
        sqlx::query_scalar("select count(*) from api_keys where name = 'late'").fetch_one(&pool).await.unwrap();
    assert_eq!(keys, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn no_row_of_the_audit_log_can_be_changed_or_soon_removed(pool: PgPool) {
    let service = Service::start(&pool).await;
    make(&service, &request_of("website")).await;
    for statement in ["update audit set key_name = 'x'", "delete from audit", "truncate audit"] {
        let refused = sqlx::query(statement).execute(&pool).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{statement}: {refused}");
    }
}

fn keys(uri: &str, arguments: &[&str]) -> Output {
    program().env("POSTGRES_URI", uri).arg("keys").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn the_first_key_is_made_on_the_command_line(pool: PgPool) {
    let service = Service::start(&pool).await;
    let uri = database_url(&pool);
    let made = keys(&uri, &["create", "--name", "first"]);
    let secret = text(&made.stdout).trim().to_owned();
    assert!(made.status.success() && secret.starts_with("cpd_operator_"), "{made:?}");
    assert!(!text(&made.stderr).contains(&secret), "{made:?}");
    by(&service, &secret, Method::GET, "/api/ops/overview", None).await.expect(200);

    let id = secret.split('_').nth(2).unwrap();
    let listed = text(&keys(&uri, &["list"]).stdout);
    assert!(listed.contains(id) && listed.contains("\"first\"") && !listed.contains(&secret), "{listed}");
    let rotated = keys(&uri, &["rotate", id, "--overlap-seconds", "0"]);
    let second = text(&rotated.stdout).trim().to_owned();
    by(&service, &second, Method::GET, "/api/ops/overview", None).await.expect(200);
    assert!(keys(&uri, &["revoke", id]).status.success());
    let unknown = keys(&uri, &["revoke", "neverneverne"]);
    assert_eq!(text(&unknown.stderr).lines().count(), 1, "{unknown:?}");
    for wrong in
        [&["create"][..], &["create", "--name", "x", "--kind", "tenant", "--scope", "operate"], &["revoke", "?"]]
    {
        let refused = keys(&uri, wrong);
        assert!(!refused.status.success() && text(&refused.stdout).is_empty(), "{refused:?}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_secret_in_a_file_is_kept_while_it_counts(pool: PgPool) {
    use std::os::unix::fs::PermissionsExt;

    let uri = database_url(&pool);
    let file = std::env::temp_dir().join(format!("{}.key", copydesk_testkit::prefix()));
    let create = ["create", "--name", "prometheus", "--scope", "observe", "--secret-file", file.to_str().unwrap()];
    assert!(keys(&uri, &create).status.success());
    let first = std::fs::read_to_string(&file).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(text(&keys(&uri, &create).stderr).contains("kept"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first);
    keys(&uri, &["revoke", first.split('_').nth(2).unwrap()]);
    assert!(keys(&uri, &create).status.success());
    assert_ne!(std::fs::read_to_string(&file).unwrap(), first);
    std::fs::write(&file, "something else").unwrap();
    assert!(!keys(&uri, &create).status.success());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "something else");
    std::fs::remove_file(&file).unwrap();
}
