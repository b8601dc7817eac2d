//! How many requests a key, and an address without one, may send.

use std::time::Duration;

use copydesk_common::key::Secret;
use copydesk_domain::access::{KeyKind, Scope};
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;
use tokio::time::timeout;

use crate::holder::Holder;
use crate::service::{Answer, Service, generate};
use crate::session::Browser;

async fn limited(pool: &PgPool) -> Service {
    Service::start_with(pool, |config| config.api.requests_per_minute = 600).await
}

const LIST: &str = "/api/jobs?business_id=a";

/// What is left, as an answer says.
fn left(answer: &Answer) -> u32 {
    let left = answer.header("ratelimit").strip_prefix(r#""default";r="#).unwrap();
    left.split(';').next().unwrap().parse().unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_key_sends_as_much_as_it_may_and_others_go_on(pool: PgPool) {
    let service = limited(&pool).await;
    let holder = Holder::limited(&pool, &[Scope::Read], &[], Some(3)).await;
    for expected in [2, 1, 0] {
        let answer = holder.get(&service, LIST).await.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), r#""default";q=3;w=60"#);
        assert_eq!(left(&answer), expected);
    }
    let refused = holder.get(&service, LIST).await.expect_problem(429);
    assert_eq!(refused.body["type"], "/problems/too-many-requests");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(left(&refused), 0);
    // What is refused for another reason counts as well.
    holder.post(&service, "/api/generate", &generate()).await.expect_problem(429);
    let other = Holder::limited(&pool, &[Scope::Read], &[], Some(3)).await;
    other.post(&service, "/api/generate", &generate()).await.expect_problem(403);
    assert_eq!(left(&other.get(&service, LIST).await.expect(200)), 1);
    // The one that everybody else uses, and what is watched, go on.
    for _ in 0..10 {
        service.get(LIST).await.expect(200);
        Browser::new().get(&service, "/health/live").await.expect(200);
    }
    assert!(service.get("/metrics").await.expect(200).header("ratelimit").is_empty());
    let metrics = service.get("/metrics").await.text;
    assert!(metrics.contains(r#"copydesk_http_requests_limited_total{by="key"}"#), "{metrics}");
}

#[sqlx::test(migrations = "../migrations")]
async fn large_requests_count_more(pool: PgPool) {
    let service = limited(&pool).await;
    let holder = Holder::new(&pool, &[Scope::Generate, Scope::Documents, Scope::Read], &[]).await;
    let start = left(&holder.get(&service, LIST).await.expect(200));
    let document = json!({ "title": "Prices", "text": "It costs 5.", "media_type": "text/plain" });
    let added = holder.post(&service, "/api/businesses/acme/documents", &document).await.expect(202);
    let spent = start - left(&added);
    // It is filled again by 10 a second.
    assert!((3..=5).contains(&spent), "{spent}");
    let before = left(&holder.get(&service, LIST).await.expect(200));
    let batch = json!({ "requests": vec![generate(); 200] });
    let batched = holder.post(&service, "/api/generate/batch", &batch).await.expect(200);
    let spent = before - left(&batched);
    assert!((11..=21).contains(&spent), "{spent}");
}

#[sqlx::test(migrations = "../migrations")]
async fn processes_share_the_limit(pool: PgPool) {
    let one = limited(&pool).await;
    let prefix = one.config.redis.prefix.clone();
    let other = Service::start_with(&pool, |config| {
        config.api.requests_per_minute = 600;
        config.redis.prefix = prefix;
    })
    .await;
    // What a new key has left after its first request: a burst, but for one.
    let burst = async |service: &Service| {
        let holder = Holder::new(&pool, &[Scope::Read], &[]).await;
        let answer = holder.get(service, LIST).await.expect(200);
        assert_eq!(answer.header("ratelimit-policy"), r#""default";q=600;w=60"#);
        left(&answer)
    };
    // Their next heartbeats may still be under way.
    for service in [&other, &one] {
        let halved = async { while burst(service).await != 74 {} };
        timeout(Duration::from_secs(20), halved).await.expect("it grants more than its share");
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn whoever_guesses_keys_waits_and_a_known_key_passes_from_the_same_address(pool: PgPool) {
    let service = limited(&pool).await;
    let holder = Holder::new(&pool, &[Scope::Read], &[]).await;
    holder.get(&service, LIST).await.expect(200);
    let nobody = Browser::new();
    let guess = async |place: u32| {
        // Whatever is presented: an unknown key, none, a misspelt one, a session, a ticket.
        let request = match place % 4 {
            0 => {
                let secret = Secret::mint(KeyKind::Tenant);
                let request = nobody.request(&service, Method::GET, LIST);
                request.header("authorization", format!("Bearer {}", secret.expose()))
            }
            1 => nobody.request(&service, Method::GET, LIST),
            2 => nobody.request(&service, Method::GET, LIST).header("authorization", "Bearer cpd_tenant_x"),
            _ => nobody.request(&service, Method::GET, LIST).header("cookie", format!("copydesk_session={place}")),
        };
        // Nobody believes it.
        let request = request.header("x-forwarded-for", format!("192.0.2.{place}"));
        Answer::of(request.send().await.unwrap()).await
    };
    let mut refused = 0;
    while guess(refused).await.status == 401 {
        refused += 1;
        assert!(refused < 200, "nothing slows it down");
    }
    assert!(refused >= 30, "after {refused}");
    guess(0).await.expect_problem(429);
    holder.get(&service, LIST).await.expect(200);
    let metrics = service.get("/metrics").await.text;
    let of = |name: &str| metrics.lines().find(|line| line.starts_with(name)).map(str::to_owned);
    assert!(of("copydesk_auth_failures_total").is_some(), "{metrics}");
    assert!(of(r#"copydesk_http_requests_limited_total{by="tries"}"#).is_some(), "{metrics}");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_needs_no_key_is_counted_by_address_but_for_the_health(pool: PgPool) {
    let service = limited(&pool).await;
    let mut answers = 0;
    // Its answer is held against the reference, as each is.
    let refused = loop {
        let answer = service.get("/problems/not-found").await;
        if answer.status == 429 {
            break answer.expect_problem(429);
        }
        answers += 1;
        assert!(answers <= 600, "a quarter of a minute's requests at once");
    };
    assert!(answers >= 150 && !refused.header("retry-after").is_empty(), "{answers}");
    service.get("/health/live").await.expect(200);
}
