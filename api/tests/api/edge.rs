//! What applies to every request: ids, routes, methods.

use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::service::{Answer, Service, generate};

#[sqlx::test(migrations = "../migrations")]
async fn every_response_carries_an_id_the_callers_where_it_is_sane(pool: PgPool) {
    let service = Service::start(&pool).await;
    for path in ["/health/live", "/nowhere", "/docs/", "/openapi.json", "/api/jobs/x"] {
        let request = service.request(Method::GET, path).header("x-request-id", "order-7.A_b");
        assert_eq!(Answer::of(request.send().await.unwrap()).await.header("x-request-id"), "order-7.A_b", "{path}");
    }
    for insane in ["a b", "a/b", &"x".repeat(129)] {
        let request = service.request(Method::GET, "/health/live").header("x-request-id", insane);
        let given = Answer::of(request.send().await.unwrap()).await.header("x-request-id").to_owned();
        assert_eq!(given.parse::<Uuid>().unwrap().get_version_num(), 7);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn unknown_routes_and_methods_are_problems(pool: PgPool) {
    let service = Service::start(&pool).await;
    for path in ["/nowhere", "/api", "/api/generate/", "/api/jobs/", "//", "/docs/none.js"] {
        let answer = service.get(path).await.expect_problem(404);
        assert_eq!(answer.body["type"], "/problems/not-found");
        assert_eq!(answer.body["instance"], path);
    }
    for (method, path, allow) in [
        (Method::GET, "/api/generate", "POST"),
        (Method::PATCH, "/api/generate", "POST"),
        (Method::DELETE, "/api/feedback", "POST"),
        (Method::POST, "/api/jobs/x", "GET,HEAD"),
        (Method::OPTIONS, "/api/jobs/x", "GET,HEAD"),
        (Method::DELETE, "/health", "GET,HEAD"),
        (Method::from_bytes(b"BREW").unwrap(), "/api/generate", "POST"),
    ] {
        let answer = Answer::of(service.request(method.clone(), path).send().await.unwrap()).await.expect_problem(405);
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
    for path in ["/api/businesses/b", "/api/businesses/b/documents"] {
        let answer = Answer::of(service.request(Method::PATCH, path).send().await.unwrap()).await.expect_problem(405);
        assert!(answer.header("allow").contains("GET,HEAD"), "{answer:?}");
    }
    let head = service.request(Method::HEAD, "/health/live").send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.text().await.unwrap().as_str()), (200, ""));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_foreign_page_changes_nothing_and_an_allowed_one_may_read(pool: PgPool) {
    let own = "https://app.example.com";
    let service = Service::start_with(&pool, |config| {
        config.api.cors_origins = own.to_owned();
        config.api.allowed_hosts = "copy.example.com".to_owned();
    })
    .await;
    let pause =
        |origin: &str| service.request(Method::POST, "/api/ops/queues/generate/pause").header("origin", origin).send();
    let refused = Answer::of(pause("https://evil.example").await.unwrap()).await.expect_problem(403);
    assert_eq!(refused.body["type"], "/problems/foreign-origin");
    let health = service.get("/api/ops/overview").await.expect(200).body;
    assert_eq!(health["queues"][0]["intake"], "open", "it changed nothing: {health}");
    let allowed = Answer::of(pause(own).await.unwrap()).await.expect(200);
    assert_eq!(allowed.header("access-control-allow-origin"), own);
    let asked = service
        .request(Method::OPTIONS, "/api/generate")
        .header("origin", own)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,idempotency-key");
    let asked = Answer::of(asked.send().await.unwrap()).await.expect(200);
    assert!(asked.header("access-control-allow-headers").contains("idempotency-key"), "{asked:?}");

    for (host, status) in [("copy.example.com", 200), ("evil.example", 421)] {
        let request = service.request(Method::GET, "/health").header("host", host);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status, "{host}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_body_where_none_belongs_is_json_or_refused(pool: PgPool) {
    let service = Service::start(&pool).await;
    let path = "/api/ops/queues/generate/resume";
    let answers = [
        (service.request(Method::POST, path), 200),
        (service.request(Method::POST, path).header("content-type", "application/json").body("{}"), 200),
        (service.request(Method::POST, path).header("content-type", "text/plain").body("{}"), 415),
        (
            service.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded").body("a=b"),
            415,
        ),
        (service.request(Method::POST, path).body("{}"), 415),
    ];
    for (request, status) in answers {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_connection_that_breaks_off_harms_nobody(pool: PgPool) {
    let service = Service::start(&pool).await;
    let address = service.base.trim_start_matches("http://");
    for part in [
        "POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"topic\"",
        "GET /api/jobs/x HTTP/1.1\r\nHo",
        "\r\n\r\n\0\0\0",
        "GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(part.as_bytes()).await.unwrap();
        connection.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = connection.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    service.get("/health/live").await.expect(200);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_client_that_expects_to_be_asked_is_told_no_without_its_body(pool: PgPool) {
    let service = Service::start(&pool).await;
    let mut connection = TcpStream::connect(service.base.trim_start_matches("http://")).await.unwrap();
    let head = "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n";
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 404"), "{}", String::from_utf8_lossy(&answer));
}

#[sqlx::test(migrations = "../migrations")]
async fn bodies_have_a_budget_and_small_ones_always_have_room(pool: PgPool) {
    let service = Service::start_with(&pool, |config| config.api.body_budget_bytes = 50_000).await;
    let large = json!({ "requests": vec![generate(); 1_000] });
    let refused = service.post("/api/generate/batch", &large).await.expect_problem(503);
    assert_eq!((&refused.body["type"], refused.header("retry-after")), (&json!("/problems/unavailable"), "5"));
    service.post("/api/generate/batch", &json!({ "requests": vec![generate(); 100] })).await.expect(200);
    service.post("/api/generate", &generate()).await.expect(202);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_body_over_every_limit_is_answered(pool: PgPool) {
    let service = Service::start(&pool).await;
    let mut connection = TcpStream::connect(service.base.trim_start_matches("http://")).await.unwrap();
    let (name, key) = copydesk_testkit::authorization();
    let head = "POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    connection.write_all(format!("{head}{name}: {key}\r\nContent-Length: 100000000\r\n\r\n").as_bytes()).await.unwrap();
    for _ in 0..100 {
        connection.write_all(&[b' '; 1_000_000]).await.unwrap();
    }
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("/problems/body-too-large"), "{answer}");
}

/// What reads them otherwise, such as a proxy, would see another request.
#[sqlx::test(migrations = "../migrations")]
async fn a_head_that_could_be_read_in_two_ways_is_refused(pool: PgPool) {
    let service = Service::start(&pool).await;
    let (name, key) = copydesk_testkit::authorization();
    let ask = async |head: &str| {
        let mut connection = TcpStream::connect(service.base.trim_start_matches("http://")).await.unwrap();
        let rest = format!(
            "{name}: {key}\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
        );
        connection.write_all(format!("POST /api/generate HTTP/1.1\r\n{head}\r\n{rest}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        answer
    };
    for wrong in [
        "host: localhost:abc\r\ntransfer-encoding: chunked",
        "host: localhost:99999\r\ntransfer-encoding: chunked",
        "host: localhost\r\ntransfer-encoding: gzip, chunked",
        "host: localhost\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked",
    ] {
        let answer = ask(wrong).await;
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains("/problems/malformed-request"),
            "{wrong}: {answer}"
        );
    }
    for right in ["host: localhost:80\r\ntransfer-encoding: chunked", "host: localhost:\r\ntransfer-encoding: Chunked"]
    {
        let answer = ask(right).await;
        assert!(answer.starts_with("HTTP/1.1 422 "), "{right}: {answer}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_no_request_is_a_problem_and_is_counted(pool: PgPool) {
    let service = Service::start(&pool).await;
    // Tests of one process share the counts.
    let counted = async || -> u64 {
        let metrics = service.get("/metrics").await.expect(200).text;
        let counter = r#"copydesk_http_requests_total{method="OTHER",route="unmatched",status="400"} "#;
        metrics.lines().find_map(|line| line.strip_prefix(counter)).map_or(0, |count| count.parse().unwrap())
    };
    let before = counted().await;
    let mut connection = TcpStream::connect(service.base.trim_start_matches("http://")).await.unwrap();
    connection.write_all(b"GET /health/live HTTP/1.1\r\nhost : a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("x-request-id: "), "{answer}");
    assert!(counted().await > before);
    let metrics = service.get("/metrics").await.expect(200).text;
    for line in ["copydesk_http_connections ", "copydesk_http_body_bytes "] {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn requests_are_counted_by_route_and_never_by_path(pool: PgPool) {
    let service = Service::start(&pool).await;
    let id = Uuid::now_v7();
    service.get(&format!("/api/jobs/{id}")).await.expect_problem(404);
    service.get("/nowhere").await.expect_problem(404);
    service.post("/api/generate", &generate()).await.expect(202);
    let metrics = service.get("/metrics").await.expect(200);
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    for line in [
        r#"copydesk_http_requests_total{method="GET",route="/api/jobs/{id}",status="404"}"#,
        r#"copydesk_http_requests_total{method="GET",route="unmatched",status="404"}"#,
        r#"copydesk_http_request_duration_seconds_bucket{method="GET",route="/api/jobs/{id}",le="#,
        r#"copydesk_jobs_accepted_total{kind="generate"} "#,
        r#"copydesk_database_connections{state="checked_in"} "#,
    ] {
        assert!(metrics.text.contains(line), "{line} is missing in\n{}", metrics.text);
    }
    assert!(!metrics.text.contains(&id.to_string()));
}
