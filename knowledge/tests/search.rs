//! The search over passages as they are stored, against a real Postgres; results are shared in a real Redis.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use copydesk_common::config::RedisConfig;
use copydesk_common::embedding::{InputHash, Vector};
use copydesk_common::redis::Redis;
use copydesk_common::store::{Store, document, embedding, knowledge};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::DocumentId;
use copydesk_knowledge::{Found, Hit, Knowledge};
use copydesk_testkit::NOBODY;
use sqlx::PgPool;

/// A ready document of one passage, and the change of the business's knowledge that it makes.
async fn add(pool: &PgPool, business: &str, heading: &str, text: &str) {
    add_unnoticed(pool, business, heading, text).await;
    let version = "insert into knowledge_versions as k (business_id, version) values ($1, 1)
         on conflict (business_id) do update set version = k.version + 1";
    sqlx::query(version).bind(business).execute(pool).await.unwrap();
}

/// The same without a change of the version: found only by a process that reads all passages again.
async fn add_unnoticed(pool: &PgPool, business: &str, heading: &str, text: &str) {
    let document = "with d as (
            insert into brand_documents (id, business_id, title, media_type, body, status)
            values (gen_random_uuid(), $1, 'Handbook', 'text/plain', $3, 'ready') returning id
        )
        insert into chunks (document_id, ordinal, business_id, heading_path, body, sha256)
        select id, 0, $1, $2, $3, sha256(convert_to($3, 'utf8')) from d";
    sqlx::query(document).bind(business).bind(heading).bind(text).execute(pool).await.unwrap();
}

async fn search(knowledge: &Knowledge, business: &str, query: &str) -> Found {
    knowledge.search(&BusinessId::parse(business).unwrap(), query, 10).await.unwrap()
}

async fn found(knowledge: &Knowledge, business: &str, query: &str) -> Vec<String> {
    texts(search(knowledge, business, query).await.hits)
}

fn texts(hits: Vec<Hit>) -> Vec<String> {
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

/// Changes a passage but not its document: seen only by a process that reads it again.
async fn rewrite_unnoticed(pool: &PgPool, old: &str, new: &str) {
    let update = "update chunks set body = $2 where body = $1";
    assert_eq!(sqlx::query(update).bind(old).bind(new).execute(pool).await.unwrap().rows_affected(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_change_reads_the_documents_that_changed_and_no_others(pool: PgPool) {
    let knowledge = Knowledge::new(Store::from_pool(pool.clone()), 1 << 20);
    add(&pool, "acme", "Handbook", "Every scan is read twice.").await;
    add(&pool, "acme", "Prices", "A scan costs 90.").await;
    assert_eq!(found(&knowledge, "acme", "scan").await.len(), 2);
    rewrite_unnoticed(&pool, "Every scan is read twice.", "Every scan is read thrice.").await;
    add(&pool, "acme", "Hours", "A scan takes ten minutes.").await;
    let mut texts = found(&knowledge, "acme", "scan").await;
    texts.sort_unstable();
    assert_eq!(texts, ["A scan costs 90.", "A scan takes ten minutes.", "Every scan is read twice."]);

    // A document is read again, completely, when its row has changed.
    let touch = "update brand_documents set updated_at = now() where body = 'Every scan is read twice.'";
    sqlx::query(touch).execute(&pool).await.unwrap();
    sqlx::query("update knowledge_versions set version = version + 1").execute(&pool).await.unwrap();
    let texts = found(&knowledge, "acme", "thrice").await;
    assert_eq!(texts, ["Every scan is read thrice."]);
    assert!(found(&knowledge, "acme", "twice").await.is_empty(), "nothing old");
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_found_in_one_document_is_found_in_its_copy_when_that_is_deleted(pool: PgPool) {
    let knowledge = Knowledge::new(Store::from_pool(pool.clone()), 1 << 20);
    for heading in ["First", "Second"] {
        add(&pool, "acme", heading, "Every scan is read twice.").await;
        assert_eq!(found(&knowledge, "acme", "scan").await.len(), 1);
    }
    let acme = BusinessId::parse("acme").unwrap();
    for left in [1, 0] {
        let hits = search(&knowledge, "acme", "scan").await.hits;
        let deleted = document::delete(&Store::from_pool(pool.clone()), &acme, hits[0].chunk.document_id).await;
        assert!(deleted.unwrap());
        assert_eq!(found(&knowledge, "acme", "scan").await.len(), left);
    }
}

#[sqlx::test(migrations = "../migrations")]
async fn searches_that_come_together_after_each_of_many_changes_see_it(pool: PgPool) {
    let knowledge = Knowledge::new(Store::from_pool(pool.clone()), 1 << 24);
    for number in 0..40 {
        add(&pool, "acme", "Handbook", &format!("Scan number{number} is read twice.")).await;
        let query = format!("number{number}");
        let searches: Vec<_> = (0..4)
            .map(|_| {
                let (knowledge, query) = (knowledge.clone(), query.clone());
                tokio::spawn(async move { found(&knowledge, "acme", &query).await })
            })
            .collect();
        for search in searches {
            assert_eq!(search.await.unwrap(), [format!("Scan number{number} is read twice.")]);
        }
    }
    assert_eq!(search(&knowledge, "acme", "scan").await.hits.len(), 10, "as many as asked for");
}

fn vector(numbers: [f32; 2]) -> Vector {
    Vector::parse(numbers.to_vec()).unwrap()
}

async fn by_meaning(knowledge: &Knowledge, business: &str, numbers: [f32; 2]) -> Vec<String> {
    let business_id = BusinessId::parse(business).unwrap();
    let now = knowledge.current(&business_id).await.unwrap().unwrap().passages().await.unwrap();
    texts(now.search_hybrid("nothing", vector(numbers), 10).await.unwrap().hits)
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
    let now = knowledge.current(&other).await.unwrap().unwrap().passages().await.unwrap();
    assert_eq!(now.unembedded(2, 9).await.unwrap().len(), 1);
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
    let now = knowledge.current(&acme).await.unwrap().unwrap().passages().await.unwrap();
    let missing = now.unembedded(2, 9).await.unwrap();
    assert_eq!(missing.iter().map(|passage| passage.input.as_str()).collect::<Vec<_>>(), ["Old\nMade first."]);
}

#[sqlx::test(migrations = "../migrations")]
async fn vectors_that_come_later_are_searched_and_those_of_another_dimension_replace_them(pool: PgPool) {
    let store = Store::from_pool(pool.clone());
    let acme = BusinessId::parse("acme").unwrap();
    let knowledge = Knowledge::new(store.clone(), 1 << 20).with_vectors_of("m");
    add(&pool, "acme", "Prices", "A scan costs 90.").await;
    add(&pool, "acme", "Hours", "At eight.").await;
    let put = async |heading, text, numbers: &[f32]| {
        let vector = Vector::parse(numbers.to_vec()).unwrap();
        embedding::put(&store, &acme, "m", &[(InputHash::of(heading, text), vector)]).await.unwrap();
        knowledge::changed(&store, &acme).await.unwrap();
    };
    assert!(by_meaning(&knowledge, "acme", [1.0, 0.0]).await.is_empty());
    put("Prices", "A scan costs 90.", &[1.0, 0.0]).await;
    assert_eq!(by_meaning(&knowledge, "acme", [1.0, 0.0]).await, ["A scan costs 90."]);
    put("Hours", "At eight.", &[1.0, 0.5]).await;
    assert_eq!(by_meaning(&knowledge, "acme", [1.0, 0.0]).await, ["A scan costs 90.", "At eight."]);
    put("Hours", "At eight.", &[1.0, 0.0, 0.0]).await;
    assert!(by_meaning(&knowledge, "acme", [1.0, 0.0]).await.is_empty(), "the model makes others now");
    let now = knowledge.current(&acme).await.unwrap().unwrap().passages().await.unwrap();
    assert_eq!(now.unembedded(3, 9).await.unwrap().len(), 1, "the newer one is kept");
}

/// The Redis of the tests, with a key prefix for one test.
fn redis() -> RedisConfig {
    RedisConfig::new(&copydesk_testkit::redis_url(), &copydesk_testkit::prefix())
}

/// A process of a fleet.
fn process(pool: &PgPool, redis: &RedisConfig) -> Knowledge {
    Knowledge::new(Store::from_pool(pool.clone()), 1 << 20).sharing_results(Redis::new(redis).unwrap())
}

/// Waits for a shared result: it is stored in the background, shortly after the search.
async fn shared(knowledge: &Knowledge, business: &str, query: &str, limit: usize) -> Vec<Hit> {
    let business_id = BusinessId::parse(business).unwrap();
    let poll = async {
        loop {
            let now = knowledge.current(&business_id).await.unwrap().unwrap();
            if let Some(hits) = now.shared(query, limit).await.unwrap() {
                return hits;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), poll).await.unwrap()
}

#[sqlx::test(migrations = "../migrations")]
async fn what_one_process_found_another_takes_over_without_reading_all_passages(pool: PgPool) {
    let redis = redis();
    add(&pool, "acme", "Handbook › Scans", "Every scan is read twice, scan by scan.").await;
    add(&pool, "acme", "Handbook › Hours", "A scan takes ten minutes.").await;
    let first = search(&process(&pool, &redis), "acme", "scans and minutes").await.hits;
    assert_eq!(first.len(), 2);
    let other = process(&pool, &redis);
    shared(&other, "acme", "scans and minutes", 10).await;
    add_unnoticed(&pool, "acme", "Handbook › Minutes", "Scans and minutes, minutes and scans.").await;

    let taken = search(&other, "acme", "  scans and\nminutes ").await.hits;
    let whole = |hits: &[Hit]| format!("{hits:?}");
    assert_eq!(whole(&taken), whole(&first), "passages, titles and scores; spaces make no other query");
    assert_eq!(whole(&shared(&other, "acme", "scans and minutes", 1).await), whole(&first[..1]), "the best of them");
    assert_eq!(found(&other, "acme", "minutes and scans").await.len(), 3, "another query reads all");
    let now = other.current(&BusinessId::parse("acme").unwrap()).await.unwrap().unwrap();
    assert!(now.shared("scans and minutes", 10).await.unwrap().is_none(), "words are searched here from now on");
}

#[sqlx::test(migrations = "../migrations")]
async fn a_change_is_seen_at_once_although_results_are_shared(pool: PgPool) {
    let redis = redis();
    add(&pool, "acme", "Handbook", "Every scan is read twice.").await;
    search(&process(&pool, &redis), "acme", "scan").await;
    let other = process(&pool, &redis);
    shared(&other, "acme", "scan", 10).await;
    let before = process(&pool, &redis).current(&BusinessId::parse("acme").unwrap()).await.unwrap().unwrap();
    add(&pool, "acme", "Handbook", "A scan takes ten minutes.").await;
    assert_eq!(found(&other, "acme", "scan").await.len(), 2);
    assert!(before.shared("scan", 10).await.unwrap().is_none(), "nor is one who began before told what was");
}

#[sqlx::test(migrations = "../migrations")]
async fn without_redis_everybody_searches(pool: PgPool) {
    add(&pool, "acme", "Handbook", "Every scan is read twice.").await;
    let knowledge = process(&pool, &RedisConfig::new(&format!("redis://{NOBODY}/0"), "p"));
    assert_eq!(found(&knowledge, "acme", "scan").await.len(), 1);
}

#[sqlx::test(migrations = "../migrations")]
async fn a_shared_result_is_no_other_businesss_whatever_stands_in_redis(pool: PgPool) {
    let redis = redis();
    add(&pool, "acme", "Handbook", "Every scan is read twice.").await;
    add(&pool, "other", "Handbook", "A scan is read once.").await;
    search(&process(&pool, &redis), "acme", "scan").await;
    let reader = process(&pool, &redis);
    shared(&reader, "acme", "scan", 10).await;
    let other = reader.current(&BusinessId::parse("other").unwrap()).await.unwrap().unwrap();
    assert!(other.shared("scan", 10).await.unwrap().is_none());

    let keys = copydesk_testkit::keys(&format!("{}:found:*", redis.prefix)).await;
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    let forged = key.replace(":acme:", ":other:");
    redis::cmd("COPY").arg(key).arg(forged).exec_async(&mut copydesk_testkit::redis().await).await.unwrap();
    assert!(other.shared("scan", 10).await.unwrap().is_none(), "the passages are another's");
    assert_eq!(found(&reader, "other", "scan").await, ["A scan is read once."]);
}

#[sqlx::test(migrations = "../migrations")]
async fn what_was_found_by_meaning_is_shared_whole_or_not_at_all(pool: PgPool) {
    let (redis, store) = (redis(), Store::from_pool(pool.clone()));
    let acme = BusinessId::parse("acme").unwrap();
    let worker = process(&pool, &redis).with_vectors_of("m");
    let api = || process(&pool, &redis).beside_vectors_of("m");
    add(&pool, "acme", "Prices", "A scan costs 90.").await;
    add(&pool, "acme", "Fees", "What you pay.").await;
    let put = async |heading, text, numbers| {
        embedding::put(&store, &acme, "m", &[(InputHash::of(heading, text), vector(numbers))]).await.unwrap();
        knowledge::changed(&store, &acme).await.unwrap();
    };
    let by_both = async || {
        let now = worker.current(&acme).await.unwrap().unwrap().passages().await.unwrap();
        now.search_hybrid("scan", vector([1.0, 0.1]), 10).await.unwrap()
    };
    put("Prices", "A scan costs 90.", [0.0, 1.0]).await;
    assert!(by_both().await.lacks_vectors);
    let alone = search(&api(), "acme", "scan").await;
    assert!(alone.lacks_vectors, "what lacks vectors is nobody's result");
    assert_eq!(texts(alone.hits), ["A scan costs 90."]);

    put("Fees", "What you pay.", [1.0, 0.0]).await;
    let whole = by_both().await;
    assert!(!whole.lacks_vectors && whole.hits.len() == 2);
    shared(&api(), "acme", "scan", 10).await;
    let taken = search(&api(), "acme", "scan").await;
    assert_eq!((taken.lacks_vectors, format!("{:?}", taken.hits)), (false, format!("{:?}", whole.hits)));
    assert!(search(&api(), "acme", "scans").await.lacks_vectors, "nobody looked for that by meaning");
    for reader in [process(&pool, &redis), process(&pool, &redis).beside_vectors_of("n")] {
        assert_eq!(found(&reader, "acme", "scan").await.len(), 1, "by words, or another model's");
    }
}
