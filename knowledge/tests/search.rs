//! The search over passages as they are stored, against a real Postgres.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use copydesk_common::business::BusinessId;
use copydesk_common::document::DocumentId;
use copydesk_common::embedding::{InputHash, Vector};
use copydesk_common::store::{Store, document, embedding};
use copydesk_knowledge::Knowledge;
use sqlx::PgPool;

/// A ready document of one passage, and the change of the business's knowledge that it makes.
async fn add(pool: &PgPool, business: &str, heading: &str, text: &str) {
    let document = "with d as (
            insert into brand_documents (id, business_id, title, media_type, body, status)
            values (gen_random_uuid(), $1, 'Handbook', 'text/plain', $3, 'ready') returning id
        )
        insert into chunks (document_id, ordinal, business_id, heading_path, body, sha256)
        select id, 0, $1, $2, $3, sha256(convert_to($3, 'utf8')) from d";
    sqlx::query(document).bind(business).bind(heading).bind(text).execute(pool).await.unwrap();
    let version = "insert into knowledge_versions as k (business_id, version) values ($1, 1)
         on conflict (business_id) do update set version = k.version + 1";
    sqlx::query(version).bind(business).execute(pool).await.unwrap();
}

async fn found(knowledge: &Knowledge, business: &str, query: &str) -> Vec<String> {
    let hits = knowledge.search(&BusinessId::parse(business).unwrap(), query, 10).await.unwrap();
    hits.into_iter().map(|hit| hit.chunk.text).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn a_business_finds_its_own_passages_and_nobody_elses(pool: PgPool) {
    let knowledge = Knowledge::new(Store::from_pool(pool.clone()), 1 << 20);
    add(&pool, "acme", "Handbook › Scans", "Every scan is read twice.").await;
    add(&pool, "other", "Handbook › Scans", "A scan is read once.").await;
    assert_eq!(found(&knowledge, "acme", "scans").await, ["Every scan is read twice."]);
    assert_eq!(found(&knowledge, "other", "scans").await, ["A scan is read once."]);
    assert!(found(&knowledge, "unknown", "scans").await.is_empty());
}

#[sqlx::test(migrations = "../migrations")]
async fn a_change_is_seen_by_the_next_search_and_a_repeated_passage_once(pool: PgPool) {
    let knowledge = Knowledge::new(Store::from_pool(pool.clone()), 1 << 20);
    add(&pool, "acme", "Handbook", "Every scan is read twice.").await;
    assert_eq!(found(&knowledge, "acme", "scan").await.len(), 1);
    add(&pool, "acme", "Copy of the handbook", "Every scan is read twice.").await;
    add(&pool, "acme", "Handbook", "A scan takes ten minutes.").await;
    assert_eq!(found(&knowledge, "acme", "scan").await.len(), 2);
    sqlx::query("delete from brand_documents where business_id = 'acme'").execute(&pool).await.unwrap();
    sqlx::query("update knowledge_versions set version = version + 1").execute(&pool).await.unwrap();
    assert!(found(&knowledge, "acme", "scan").await.is_empty());
}

fn vector(numbers: [f32; 2]) -> Vector {
    Vector::parse(numbers.to_vec()).unwrap()
}

async fn by_meaning(knowledge: &Knowledge, business: &str, numbers: [f32; 2]) -> Vec<String> {
    let business_id = BusinessId::parse(business).unwrap();
    let now = knowledge.current(&business_id).await.unwrap().unwrap();
    let hits = now.search_hybrid("nothing", vector(numbers), 10).await.unwrap();
    hits.into_iter().map(|hit| hit.chunk.text).collect()
}

#[sqlx::test(migrations = "../migrations")]
async fn vectors_are_a_businesss_and_a_models_own_and_go_with_their_passages(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    let knowledge = Knowledge::new(store.clone(), 1 << 20).with_vectors_of("m");
    let (acme, other) = (BusinessId::parse("acme").unwrap(), BusinessId::parse("other").unwrap());
    for business in ["acme", "other"] {
        add(&pool, business, "Handbook", "Every scan is read twice.").await;
    }
    let hash = InputHash::of("Handbook", "Every scan is read twice.");
    embedding::put(&store, &acme, "m", &[(hash, vector([1.0, 0.0]))]).await.unwrap();
    embedding::put(&store, &acme, "another", &[(hash, vector([0.0, 1.0]))]).await.unwrap();
    assert_eq!(by_meaning(&knowledge, "acme", [1.0, 0.1]).await, ["Every scan is read twice."]);
    assert!(by_meaning(&knowledge, "acme", [-1.0, 0.5]).await.is_empty(), "the other model's vector is not seen");
    assert!(by_meaning(&knowledge, "other", [1.0, 0.1]).await.is_empty(), "nor that of another business");
    assert_eq!(knowledge.current(&other).await.unwrap().unwrap().unembedded(2, 9).await.unwrap().len(), 1);
    let known = |business, model| embedding::known(&store, business, model, None, std::slice::from_ref(&hash));
    assert_eq!(known(&acme, "m").await.unwrap().len(), 1);
    assert!(known(&other, "m").await.unwrap().is_empty());

    let id = sqlx::query_scalar("select id from brand_documents where business_id = 'acme'").fetch_one(&pool).await;
    assert!(document::delete(&store, &acme, DocumentId(id.unwrap())).await.unwrap());
    assert!(known(&acme, "m").await.unwrap().is_empty(), "deleted with the passage");
}

#[sqlx::test(migrations = "../migrations")]
async fn vectors_of_two_dimensions_are_never_compared(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    let acme = BusinessId::parse("acme").unwrap();
    add(&pool, "acme", "Old", "Made first.").await;
    add(&pool, "acme", "New", "Made last.").await;
    let long = Vector::parse(vec![1.0, 0.0, 0.0]).unwrap();
    embedding::put(&store, &acme, "m", &[(InputHash::of("Old", "Made first."), long)]).await.unwrap();
    embedding::put(&store, &acme, "m", &[(InputHash::of("New", "Made last."), vector([1.0, 0.0]))]).await.unwrap();
    let knowledge = Knowledge::new(store, 1 << 20).with_vectors_of("m");
    assert_eq!(by_meaning(&knowledge, "acme", [1.0, 0.0]).await, ["Made last."]);
    let missing = knowledge.current(&acme).await.unwrap().unwrap().unembedded(2, 9).await.unwrap();
    assert_eq!(missing.iter().map(|passage| passage.input.as_str()).collect::<Vec<_>>(), ["Old\nMade first."]);
}
