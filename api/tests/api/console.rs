//! The page that people use Copydesk by is served to anybody, and can do little else than ask the API.

use reqwest::Method;
use sqlx::PgPool;

use crate::http::RequestBuilder;
use crate::service::{Answer, Service};
use crate::session::Browser;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

#[sqlx::test(migrations = "../migrations")]
async fn the_page_is_open_to_anybody_and_runs_nothing_of_others(pool: PgPool) {
    let service = Service::start(&pool).await;
    let page = Browser::new().get(&service, "/").await.expect(200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("content-security-policy"), POLICY);
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("cache-control"), "no-cache");
    assert!(page.text.contains("<title>Copydesk"), "{}", page.text);
    for wrong in ["/console", "/console/", "/console/nowhere.js", "/console/%2e%2e/Cargo.toml"] {
        Browser::new().get(&service, wrong).await.expect_problem(404);
    }
    // Its addresses are relative to `/`.
    let page_among_files = Browser::new().get(&service, "/console/index.html").await.expect(200);
    assert_eq!(page_among_files.header("content-security-policy"), POLICY);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_file_is_sent_once_and_packed_for_who_can_unpack_it(pool: PgPool) {
    let service = Service::start(&pool).await;
    // It unpacks nothing by itself.
    let client = reqwest::Client::builder().no_proxy().no_gzip().build().unwrap();
    let ask = async |encoding: &str, seen: &str| {
        let request = RequestBuilder::new(&client, Method::GET, format!("{}/", service.base));
        let request = request.header("accept-encoding", encoding).header("if-none-match", seen);
        request.send().await.unwrap()
    };
    let plain = Answer::of(ask("identity", "\"x\"").await).await.expect(200);
    let tag = plain.header("etag").to_owned();
    assert!(plain.header("content-encoding").is_empty() && tag.starts_with('"'), "{tag}");
    assert_eq!(plain.header("vary"), "accept-encoding");
    let same = Answer::of(ask("identity", &tag).await).await.expect(304);
    assert_eq!((same.header("etag"), same.header("cache-control"), same.text.as_str()), (&*tag, "no-cache", ""));
    // The browser shows the page that it has kept under the policy of this answer.
    assert_eq!(same.header("content-security-policy"), POLICY);
    // A tag never names other bytes.
    let packed = ask("br, gzip", &tag).await;
    assert_eq!((packed.status().as_u16(), packed.headers()["content-encoding"].as_bytes()), (200, b"gzip".as_slice()));
    let of_packed = packed.headers()["etag"].clone();
    assert_ne!(of_packed, *tag);
    assert_eq!(ask("gzip", of_packed.to_str().unwrap()).await.status(), 304);
}
