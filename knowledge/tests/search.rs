//! The search over passages as they are stored, against a real Postgres.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use copydesk_common::business::BusinessId;
use copydesk_common::store::Store;
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
