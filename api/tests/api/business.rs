//! Profiles.

use copydesk_domain::access::Scope;
use serde_json::json;
use sqlx::PgPool;

use crate::control::pages;
use crate::holder::Holder;
use crate::service::{Service, with};

#[sqlx::test(migrations = "../migrations")]
async fn a_profile_is_replaced_as_a_whole_and_can_be_sent_back(pool: PgPool) {
    let service = Service::start(&pool).await;
    let path = "/api/businesses/company_123";
    service.get(path).await.expect_problem(404);
    let profile = json!({
        "name": "Acme Clinics", "description": "Clinics.", "voice": "warm", "audience": "parents",
        "guidelines": "No promises.", "banned_phrases": ["world-class"], "default_language": "pt-BR",
    });
    let stored = service.put(path, &profile).await.expect(200).body;
    assert_eq!(stored, with(profile, "business_id", "company_123"));
    assert_eq!(service.get(path).await.expect(200).body, stored);
    assert_eq!(service.put(path, &stored).await.expect(200).body, stored);

    let emptied = service.put(path, &json!({"name": "Acme"})).await.expect(200).body;
    assert_eq!(emptied["voice"], "");
    assert_eq!(emptied["default_language"], "en");
    assert_eq!(service.get(path).await.expect(200).body, emptied);

    service.put("/api/businesses/other", &stored).await.expect_problem(409);
    service.get("/api/businesses/other").await.expect_problem(404);
}

#[sqlx::test(migrations = "../migrations")]
async fn an_id_that_breaks_the_rules_is_told_so(pool: PgPool) {
    let service = Service::start(&pool).await;
    for id in ["a%20b", "%C3%BC", "a%2Fb", &"x".repeat(129), "a%00b"] {
        let answer = service.put(&format!("/api/businesses/{id}"), &json!({})).await.expect_problem(422);
        assert_eq!(answer.pointers(), ["/business_id"], "{id}");
    }
    service.put("/api/businesses/%FF", &json!({})).await.expect_problem(404);
    service.put(&format!("/api/businesses/{}", "x".repeat(128)), &json!({})).await.expect(200);
}

#[sqlx::test(migrations = "../migrations")]
async fn profiles_are_listed_by_page_and_only_those_in_reach(pool: PgPool) {
    let service = Service::start(&pool).await;
    for id in ["b", "a_1", "c", "B"] {
        service.put(&format!("/api/businesses/{id}"), &json!({ "name": format!("Business {id}") })).await.expect(200);
    }
    let listed = pages(&service, "/api/businesses?").await;
    let ids: Vec<_> = listed.iter().map(|profile| profile["business_id"].clone()).collect();
    assert_eq!(ids, ["B", "a_1", "b", "c"]);
    assert_eq!(listed[1]["name"], "Business a_1");
    assert!(listed[1]["created_at"].is_string() && listed[1]["updated_at"].is_string());
    let holder = Holder::new(&pool, &[Scope::Read], &["c", "nobody", "a_1"]).await;
    let theirs = holder.get(&service, "/api/businesses").await.expect(200).body;
    let ids: Vec<_> = theirs["data"].as_array().unwrap().iter().map(|profile| profile["business_id"].clone()).collect();
    assert_eq!((ids, &theirs["next_cursor"]), (vec![json!("a_1"), json!("c")], &json!(null)));
    service.get("/api/businesses?colour=red").await.expect_problem(422);
}
