//! Every answer tells browsers and caches what they must not do with it.

use reqwest::Method;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::service::{Answer, Service, generate};
use crate::session::Browser;

fn protected(answer: &Answer, what: &str) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{what}");
    let policy = answer.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && policy.ends_with("frame-ancestors 'none'"), "{what}: {policy}");
    assert!(!policy.contains("unsafe"), "{what}: {policy}");
    let is_page = answer.header("content-type").starts_with("text/html");
    assert_eq!(policy.contains("script-src 'self';"), is_page, "{what}: {policy}");
}

#[sqlx::test(migrations = "../migrations")]
async fn every_answer_is_protected(pool: PgPool) {
    let service = Service::start_with(&pool, |config| config.api.cors_origins = "https://a.example".to_owned()).await;
    let job = service.post("/api/generate", &generate()).await.expect(202);
    protected(&job, "a POST");
    assert_eq!(job.header("cache-control"), "no-store");
    let path = job.header("location").to_owned();
    let reference = ["/", "/docs/", "/docs/swagger-ui-bundle.js", "/openapi.json", "/problems", "/problems/validation"];
    for path in reference {
        let answer = service.get(path).await;
        protected(&answer, path);
        assert_ne!(answer.header("cache-control"), "no-store", "{path}");
    }
    let wrong =
        ["/nowhere", "/docs/nowhere", "/problems/nowhere", "/api/jobs/nowhere", "/api/generations", "/api/audit?x=1"];
    let watched = ["/health", "/health/live", "/health/ready", "/metrics", "/api/audit", "/api/ops/overview"];
    for path in wrong.into_iter().chain(watched) {
        let answer = service.get(path).await;
        protected(&answer, path);
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
    let refused = Browser::new().get(&service, "/api/audit").await.expect_problem(401);
    protected(&refused, "a 401");
    protected(&Answer::of(service.request(Method::PUT, "/api/jobs").send().await.unwrap()).await, "a 405");
    let preflight = service.request(Method::OPTIONS, "/api/jobs").header("origin", "https://a.example");
    let preflight = preflight.header("access-control-request-method", "GET");
    protected(&Answer::of(preflight.send().await.unwrap()).await, "a preflight");

    let seen = service.get(&path).await.expect(200);
    protected(&seen, "an answer with a tag");
    assert_eq!(seen.header("cache-control"), "private, no-cache");
    let same = service.request(Method::GET, &path).header("if-none-match", seen.header("etag"));
    let same = Answer::of(same.send().await.unwrap()).await.expect(304);
    assert_eq!(same.header("cache-control"), "private, no-cache");
    let events = service.request(Method::GET, &format!("{path}/events")).send().await.unwrap();
    assert_eq!(events.headers()["cache-control"], "no-store");
    assert_eq!(events.headers()["x-content-type-options"], "nosniff");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_is_no_request_is_answered_no_less_carefully(pool: PgPool) {
    let service = Service::start(&pool).await;
    let address = service.base.strip_prefix("http://").unwrap();
    for (sent, status) in [("nonsense\r\n\r\n", "400"), ("GET /health/live HTTP/1.1\r\nhost: a b\r\n\r\n", "400")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut buffer = vec![0; 4096];
        let read = stream.read(&mut buffer).await.unwrap();
        let answer = String::from_utf8_lossy(&buffer[..read]).to_ascii_lowercase();
        assert!(answer.starts_with(&format!("http/1.1 {status}")), "{answer}");
        for line in [
            "x-content-type-options: nosniff\r\n",
            "referrer-policy: no-referrer\r\n",
            "content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n",
            "cache-control: no-store\r\n",
        ] {
            assert!(answer.contains(line), "{line} in {answer}");
        }
    }
}
