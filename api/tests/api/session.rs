//! Sessions of browsers, tickets for event streams, and that both end with their key, in every process.

use std::time::Duration;

use copydesk_common::store::{self, Store};
use copydesk_domain::access::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::time::{Instant, timeout};

use crate::holder::Holder;
use crate::http::{RequestBuilder, Response};
use crate::service::{Answer, Service, generate};

/// Long enough for a machine that is busy; a revocation takes less than a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// A browser that has no key.
pub(crate) struct Browser {
    client: reqwest::Client,
    cookie: String,
    token: String,
}

impl Browser {
    /// One that nobody has logged in.
    pub(crate) fn new() -> Self {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { client, cookie: String::new(), token: String::new() }
    }

    async fn logged_in(service: &Service, holder: &Holder) -> Self {
        let answer = holder.post(service, "/api/session", &json!({})).await.expect(200);
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        Self { cookie, token: answer.body["csrf_token"].as_str().unwrap().to_owned(), ..Self::new() }
    }

    pub(crate) fn request(&self, service: &Service, method: Method, path: &str) -> RequestBuilder {
        let request = RequestBuilder::new(&self.client, method, format!("{}{path}", service.base));
        if self.cookie.is_empty() { request } else { request.header("cookie", format!("a=b; {}", self.cookie)) }
    }

    pub(crate) async fn get(&self, service: &Service, path: &str) -> Answer {
        Answer::of(self.request(service, Method::GET, path).send().await.unwrap()).await
    }

    async fn change(&self, service: &Service, method: Method, path: &str, token: &str) -> Answer {
        let request = self.request(service, method, path);
        let request = if token.is_empty() { request } else { request.header("x-csrf-token", token) };
        Answer::of(request.send().await.unwrap()).await
    }
}

/// Repeats a request until it is refused as one without a key.
async fn until_refused(get: impl AsyncFn() -> Answer) -> Duration {
    let since = Instant::now();
    timeout(PATIENCE, async { while get().await.status != 401 {} }).await.expect("it is still let in");
    since.elapsed()
}

async fn job(service: &Service) -> String {
    let job = service.post("/api/generate", &generate()).await.expect(202).body;
    format!("/api/jobs/{}", job["id"].as_str().unwrap())
}

#[sqlx::test(migrations = "../migrations")]
async fn a_browser_logs_in_and_what_it_changes_needs_its_token(pool: PgPool) {
    let service = Service::start(&pool).await;
    let holder = Holder::new(&pool, &[Scope::Operate, Scope::Observe], &[]).await;
    let answer = holder.post(&service, "/api/session", &json!({})).await.expect(200);
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{cookie}");
    assert_eq!(answer.body["key"]["scopes"], json!(["operate", "observe"]));
    assert_eq!(answer.body["key"]["businesses"], Value::Null);
    let browser = Browser::logged_in(&service, &holder).await;
    let seen = browser.get(&service, "/api/session").await.expect(200).body;
    assert_eq!((&seen["key"], seen["csrf_token"].as_str().unwrap()), (&answer.body["key"], browser.token.as_str()));
    assert!(!seen.to_string().contains(browser.cookie.split_once('=').unwrap().1), "the secret stays in the cookie");
    assert_ne!(answer.body["csrf_token"], seen["csrf_token"], "each session has its own token");

    let pause = "/api/ops/queues/ingest/pause";
    for wrong in ["", "0", &browser.token[1..], answer.body["csrf_token"].as_str().unwrap()] {
        let refused = browser.change(&service, Method::POST, pause, wrong).await.expect_problem(403);
        assert_eq!(refused.body["type"], "/problems/csrf-token", "{wrong}");
    }
    browser.change(&service, Method::POST, pause, &browser.token).await.expect(200);
    let row = &browser.get(&service, "/api/audit?action=queues.").await.expect(200).body["data"][0];
    assert_eq!(row["key_id"], holder.secret.id().as_str());
    browser.change(&service, Method::POST, "/api/session", &browser.token).await.expect_problem(401);
    browser.get(&service, "/api/jobs?business_id=a").await.expect_problem(403);

    browser.change(&service, Method::DELETE, "/api/session", "").await.expect_problem(403);
    let ended = browser.change(&service, Method::DELETE, "/api/session", &browser.token).await.expect(204);
    assert!(ended.header("set-cookie").contains("Max-Age=0"), "{ended:?}");
    until_refused(async || browser.get(&service, "/api/session").await).await;
    holder.get(&service, "/api/session").await.expect(200);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_cookie_is_secure_where_a_trusted_proxy_says_https(pool: PgPool) {
    for (trusted, is_secure) in [("127.0.0.1", true), ("10.0.0.0/8", false)] {
        let service = Service::start_with(&pool, |config| config.api.trusted_proxies = trusted.to_owned()).await;
        let holder = Holder::new(&pool, &[Scope::Read], &[]).await;
        let request = holder.request(&service, Method::POST, "/api/session");
        let request = request.header("x-forwarded-proto", "https").header("x-forwarded-for", "192.0.2.7");
        let answer = Answer::of(request.send().await.unwrap()).await.expect(200);
        assert_eq!(answer.header("set-cookie").ends_with("; Secure"), is_secure, "{answer:?}");
        let row = &service.get("/api/audit").await.expect(200).body["data"][0];
        assert_eq!(row["peer"], if is_secure { "192.0.2.7" } else { "127.0.0.1" });
    }
}

async fn stream(browser: &Browser, service: &Service, path: &str) -> Response {
    let mut events = browser.request(service, Method::GET, path).send().await.unwrap();
    assert_eq!(events.status(), 200);
    assert!(events.chunk().await.unwrap().is_some());
    events
}

/// Reads on until the stream ends.
async fn ended(mut events: Response) {
    let rest = async { while let Ok(Some(_)) = events.chunk().await {} };
    timeout(PATIENCE, rest).await.expect("the stream goes on");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_revoked_key_ends_sessions_streams_and_long_polls_in_every_process(pool: PgPool) {
    let (one, other) = (Service::start(&pool).await, Service::start(&pool).await);
    let holder = Holder::new(&pool, &[Scope::Read], &[]).await;
    let path = job(&one).await;
    let browser = Browser::logged_in(&one, &holder).await;
    browser.get(&other, &path).await.expect(200);
    holder.get(&other, &path).await.expect(200);
    let events = stream(&browser, &other, &format!("{path}/events")).await;
    let ticket = holder.post(&one, &format!("{path}/ticket"), &json!({})).await.expect(201).body;
    let ticketed = stream(&Browser::new(), &other, ticket["events"].as_str().unwrap()).await;
    let poll = format!("{path}?wait=60");
    let polled = holder.get(&one, &poll);
    let revoked = async {
        tokio::task::yield_now().await;
        store::key::revoke(&Store::from_pool(pool.clone()), holder.secret.id()).await.unwrap();
        let since = Instant::now();
        ended(events).await;
        ended(ticketed).await;
        for service in [&one, &other] {
            until_refused(async || browser.get(service, "/api/session").await).await;
            until_refused(async || holder.get(service, "/api/session").await).await;
        }
        since.elapsed()
    };
    let (polled, took) = tokio::join!(polled, revoked);
    polled.expect_problem(401);
    assert!(took < Duration::from_secs(3), "it took {took:?}");
    println!("a revocation reached two processes within {took:?}");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_ticket_opens_one_stream_of_one_job_once(pool: PgPool) {
    let service = Service::start(&pool).await;
    let holder = Holder::new(&pool, &[Scope::Read], &["company_123"]).await;
    let (path, other) = (job(&service).await, job(&service).await);
    let issued = async || {
        let issued = holder.post(&service, &format!("{path}/ticket"), &json!({})).await.expect(201);
        issued.body["ticket"].as_str().unwrap().to_owned()
    };
    let nobody = Browser::new();
    let first = issued().await;
    let events = format!("{path}/events?ticket={first}");
    drop(stream(&nobody, &service, &events).await);
    nobody.get(&service, &events).await.expect_problem(401);
    let second = issued().await;
    nobody.get(&service, &format!("{other}/events?ticket={second}")).await.expect_problem(401);
    nobody.get(&service, &format!("{path}?ticket={second}")).await.expect_problem(401);
    sqlx::query("update tickets set expires_at = now() - interval '1 second'").execute(&pool).await.unwrap();
    nobody.get(&service, &format!("{path}/events?ticket={second}")).await.expect_problem(401);
    nobody.get(&service, &format!("{path}/events")).await.expect_problem(401);

    let stranger = Holder::new(&pool, &[Scope::Read], &["other"]).await;
    stranger.post(&service, &format!("{path}/ticket"), &json!({})).await.expect_problem(404);
    let feedback = Holder::new(&pool, &[Scope::Feedback], &[]).await;
    feedback.post(&service, &format!("{path}/ticket"), &json!({})).await.expect_problem(403);
    store::session::forget(&Store::from_pool(pool.clone()), 100).await.unwrap();
    let left: i64 = sqlx::query_scalar("select count(*) from tickets").fetch_one(&pool).await.unwrap();
    assert_eq!(left, 0);
}

#[sqlx::test(migrations = "../migrations")]
async fn where_access_is_open_neither_is_needed(pool: PgPool) {
    let service = Service::start_with(&pool, |config| config.api.auth = copydesk_common::config::AuthMode::Open).await;
    let nobody = Browser::new();
    let path = job(&service).await;
    assert_eq!(nobody.get(&service, "/api/session").await.expect(200).body["key"], Value::Null);
    nobody.change(&service, Method::POST, "/api/session", "").await.expect_problem(409);
    nobody.change(&service, Method::POST, &format!("{path}/ticket"), "").await.expect_problem(409);
    nobody.change(&service, Method::POST, &format!("{path}/cancel"), "").await.expect(200);
    let row = &nobody.get(&service, "/api/audit").await.expect(200).body["data"][0];
    assert_eq!((&row["key_id"], &row["key_name"]), (&Value::Null, &json!("open")));
}

#[sqlx::test(migrations = "../migrations")]
async fn a_ticket_opens_a_stream_and_nothing_else(pool: PgPool) {
    let service = Service::start(&pool).await;
    let path = job(&service).await;
    let ticket = service.post(&format!("{path}/ticket"), &json!({})).await.expect(201).body;
    let (secret, events) = (ticket["ticket"].as_str().unwrap(), ticket["events"].as_str().unwrap());
    let browser = Browser::new();
    let mut stream = browser.request(&service, Method::GET, events).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    stream.chunk().await.unwrap();
    let as_cookie = Browser { cookie: format!("copydesk_session={secret}"), ..Browser::new() };
    as_cookie.get(&service, "/api/session").await.expect_problem(401);
    as_cookie.get(&service, "/api/ops/overview").await.expect_problem(401);
    let key = Browser { cookie: format!("copydesk_session={}", copydesk_testkit::KEY), ..Browser::new() };
    key.get(&service, "/api/session").await.expect_problem(401);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_new_secret_ends_the_logins_of_the_old_one(pool: PgPool) {
    let (service, other) = (Service::start(&pool).await, Service::start(&pool).await);
    let holder = Holder::new(&pool, &[Scope::Observe], &[]).await;
    let browser = Browser::logged_in(&service, &holder).await;
    for service in [&service, &other] {
        browser.get(service, "/api/session").await.expect(200);
    }
    let rotate = format!("/api/keys/{}/rotate", holder.secret.id());
    service.post(&rotate, &json!({ "overlap_seconds": 3600 })).await.expect(200);
    let seen = browser.get(&service, "/api/session").await.expect(200).body;
    let ends: chrono::DateTime<chrono::Utc> = seen["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(ends > chrono::Utc::now() + chrono::TimeDelta::minutes(50), "{seen}");
    service.post(&rotate, &json!({ "overlap_seconds": 0 })).await.expect(200);
    for service in [&service, &other] {
        until_refused(|| browser.get(service, "/api/session")).await;
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn a_link_logs_in_once_and_is_good_for_nothing_else(pool: PgPool) {
    let service = Service::start(&pool).await;
    let store = Store::from_pool(pool.clone());
    let holder = Holder::new(&pool, &[Scope::Read], &["company_123"]).await;
    let link = async |seconds: i64| {
        let code = copydesk_common::key::login_code();
        let hash = copydesk_common::key::login_hash(&code).unwrap();
        let end = chrono::Utc::now() + chrono::TimeDelta::seconds(seconds);
        let made = store::session::issue_login(&store, &hash, holder.secret.id(), end).await.unwrap();
        (code, made)
    };
    let (code, made) = link(600).await;
    assert!(made);
    let ask = async |method: Method, path: &str, code: &str| {
        let request = Browser::new().request(&service, method, path).header("authorization", format!("Bearer {code}"));
        Answer::of(request.json(&json!({})).send().await.unwrap()).await
    };
    for (method, path) in [
        (Method::GET, "/api/session"),
        (Method::DELETE, "/api/session"),
        (Method::GET, "/api/jobs?business_id=company_123"),
        (Method::POST, "/api/generate"),
    ] {
        ask(method, path, &code).await.expect_problem(401);
    }
    // A refused login does not use it up.
    ask(Method::POST, "/api/session?next=work", &code).await.expect_problem(401);
    let answer = ask(Method::POST, "/api/session", &code).await.expect(200);
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    assert_eq!(answer.body["key"]["id"], holder.secret.id().as_str());
    let browser = Browser { cookie, ..Browser::new() };
    browser.get(&service, "/api/jobs?business_id=company_123").await.expect(200);
    browser.get(&service, "/api/jobs?business_id=other").await.expect_problem(404);
    ask(Method::POST, "/api/session", &code).await.expect_problem(401);
    ask(Method::POST, "/api/session", &link(-1).await.0).await.expect_problem(401);
    let stored: Vec<Vec<u8>> = sqlx::query_scalar("select hash from login_codes").fetch_all(&pool).await.unwrap();
    assert!(stored.len() == 1 && !stored.contains(&code.into_bytes()), "{stored:?}");
    let late = link(600).await.0;
    store::key::revoke(&store, holder.secret.id()).await.unwrap();
    ask(Method::POST, "/api/session", &late).await.expect_problem(401);
    assert!(!link(600).await.1, "a key that does not count has no links");
}
