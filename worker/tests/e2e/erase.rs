//! Erasing a business, with running workers: nothing of it is left or comes back, and nothing of others is touched.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use copydesk_common::embedding::{InputHash, Vector};
use copydesk_common::queue::Queue;
use copydesk_common::redis::Redis;
use copydesk_common::store::document::ingest::{self, Ingested};
use copydesk_common::store::erase::{self, Erasable};
use copydesk_common::store::feedback::ReadVerdict;
use copydesk_common::store::generation::Ending;
use copydesk_common::store::job::{Checkpoint, Fenced, Submission};
use copydesk_common::store::{self, StoreError, embedding, feedback, generation, knowledge};
use copydesk_domain::business::BusinessId;
use copydesk_domain::feedback::Verdict;
use copydesk_domain::generation::Generation;
use copydesk_domain::id::{DocumentId, FeedbackId, JobId};
use copydesk_domain::job::{JobKind, Progress, StartedJob};
use copydesk_domain::lesson::Distilled;
use copydesk_domain::usage::Usage;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::system::{System, lease, until};

/// Another business, whose id begins with that of the erased one.
const OTHER: &str = "acme:x";

async fn with_embeddings() -> System {
    System::start_with(|config| {
        config.providers.embeddings.base_url = Some(config.providers.search_base_url.endpoint("v1"));
        config.providers.embeddings.model = Some("hashed-words".into());
        config.providers.embeddings.api_key = Some("sk-test".into());
        config.providers.embeddings.requests_per_minute = 6_000;
    })
    .await
}

/// How many rows name a business, in each table that could. Erasures are not counted, and the audit log keeps that they
/// happened.
async fn rows(system: &System, business: &str) -> BTreeMap<String, i64> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.columns
         where table_schema = 'public' and column_name = 'business_id' and table_name <> 'audit' order by 1",
    )
    .fetch_all(system.store.pool())
    .await
    .unwrap();
    let mut rows = BTreeMap::new();
    for table in tables {
        let unlike = if table == "jobs" { "and kind <> 'erase'" } else { "" };
        let sql = format!("select count(*) from {table} where business_id = $1 {unlike}");
        let count = sqlx::query_scalar(AssertSqlSafe(sql)).bind(business);
        rows.insert(table, count.fetch_one(system.store.pool()).await.unwrap());
    }
    let stages = "select count(*) from stage_results s join jobs j on j.id = s.job_id where j.business_id = $1";
    let stages = sqlx::query_scalar(stages).bind(business).fetch_one(system.store.pool()).await.unwrap();
    rows.insert("stage_results".to_owned(), stages);
    rows
}

async fn erase(system: &System, business: &str) -> (u16, Value) {
    system.request(Method::DELETE, &format!("/api/businesses/{business}")).await
}

/// Asks for the erasure; its job.
async fn erasing(system: &System, business: &str) -> JobId {
    let (status, job) = erase(system, business).await;
    assert_eq!((status, &job["kind"]), (202, &json!("erase")), "{job}");
    job["id"].as_str().unwrap().parse().unwrap()
}

/// A business with rows in every table, and with results of searches in Redis. Returns its text.
async fn filled(system: &System, business: &str) -> Value {
    system.with_knowledge(business, "Handbook", "# Handbook\n\nEvery lantern is checked twice.").await;
    let job = system.generate(business, "Lanterns", "linkedin").await;
    let text = system.ended(job).await["generation_id"].clone();
    let verdict = json!({ "generation_id": text, "business_id": business, "human_approved": true, "human_score": 9,
        "human_feedback": "No exclamation marks, please." });
    let verdict = system.submit("/api/feedback", &verdict).await;
    assert_eq!(system.ended(verdict).await["status"], "succeeded");
    let share = json!({ "weight": 3 });
    assert_eq!(system.put(&format!("/api/ops/businesses/{business}/share"), &share).await.0, 200);
    let later = json!({ "business_id": business, "topic": "Later", "format": "linkedin", "run_at": Utc::now() + TimeDelta::days(20) });
    system.submit("/api/generate", &later).await;
    for sql in [
        "insert into learning_counts values ($1, 'linkedin', 1, now())",
        "insert into idempotent_answers (operation, business_id, key, fingerprint, answer)
         values ('generate_batch', $1, 'k', sha256('x'), '{}')",
        "insert into lesson_changes (business_id, lesson_id, change)
         select $1, lesson_id, jsonb_build_object('lesson_id', lesson_id, 'at', now(), 'action', '{\"action\": \"pin\"}'::jsonb)
         from lessons where business_id = $1",
        "insert into lesson_uses (generation_id, lesson_id, business_id)
         select generation_id, lesson_id, $1 from generations join lessons using (business_id) where business_id = $1",
    ] {
        sqlx::query(sql).bind(business).execute(system.store.pool()).await.unwrap();
    }
    assert_eq!(found(system, business, "lantern").await, 1);
    text
}

async fn found(system: &System, business: &str, word: &str) -> usize {
    let (_, found) = system.get(&format!("/api/businesses/{business}/search?q={word}")).await;
    found["data"].as_array().unwrap().len()
}

/// The names of the business's keys, and what the queues hold of it.
async fn in_redis(system: &System, business: &str) -> Vec<String> {
    let prefix = &system.config.redis.prefix;
    let mut found = copydesk_testkit::keys(&format!("{prefix}*:{business}:*")).await;
    found.retain(|key| business == OTHER || !key.contains(OTHER));
    let mut redis = copydesk_testkit::redis().await;
    for kind in JobKind::ALL {
        let keys = Redis::new(&system.config.redis).unwrap().keys().queue(*kind);
        for hash in [keys.messages, keys.shares, keys.clocks] {
            let held: Vec<String> = redis::cmd("HGETALL").arg(&hash).query_async(&mut redis).await.unwrap();
            // A record, a clock, a share.
            let names = |text: &String| {
                let clock = text.strip_prefix("interactive:").or(text.strip_prefix("bulk:"));
                text.split('|').nth(2) == Some(business) || clock == Some(business) || text == business
            };
            found.extend(held.into_iter().filter(names).map(|text| format!("{hash}: {text}")));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_leaves_nothing_of_a_business_and_all_of_others() {
    let system = with_embeddings().await;
    let worker = system.worker();
    let text = filled(&system, "acme").await;
    filled(&system, OTHER).await;
    let (before, others) = (rows(&system, "acme").await, rows(&system, OTHER).await);
    assert!(before.values().chain(others.values()).all(|rows| *rows > 0), "{before:?} {others:?}");
    until(async || in_redis(&system, "acme").await.len() > 3).await;

    let job = system.ended(erasing(&system, "acme").await).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    let after = rows(&system, "acme").await;
    assert!(after.values().all(|rows| *rows == 0), "{after:?}");
    assert_eq!(rows(&system, OTHER).await, others);
    // The verdicts of a text refer to each other: all tables are counted.
    let removed = &job["result"]["removed"];
    let differing: Vec<_> = before.iter().filter(|(table, rows)| removed[table] != **rows).collect();
    assert!(differing.is_empty(), "{differing:?} {job:#}");
    assert_eq!((&job["result"]["used_meanwhile"], &job["result"]["passes"]), (&json!(false), &json!(1)));
    assert_eq!(in_redis(&system, "acme").await, Vec::<String>::new());
    assert!(!in_redis(&system, OTHER).await.is_empty());
    let row =
        system.count("select count(*) from jobs where kind = 'erase' and payload::text !~ 'lantern|Lantern'").await;
    assert_eq!(row, 1, "its own row stays");

    assert_eq!(system.get(&format!("/api/generations/{}", text.as_str().unwrap())).await.0, 404);
    assert_eq!(erase(&system, "acme").await.0, 404, "nothing of it is left");
    assert_eq!(found(&system, "acme", "lantern").await, 0);

    // Used again, it starts from nothing, also where a process still has the old index in memory.
    system.with_knowledge("acme", "Ships", "# Ships\n\nEvery anchor is weighed.").await;
    assert_eq!((found(&system, "acme", "lantern").await, found(&system, "acme", "anchor").await), (0, 1));
    let job = system.generate("acme", "Lanterns and anchors", "linkedin").await;
    let job = system.ended(job).await;
    assert!(job["status"] == "succeeded" && !job["result"]["sources"].to_string().contains("Handbook"), "{job:#}");
    assert_eq!(system.get("/api/learning/stats/acme").await.1["with_feedback"], 0);
    assert_eq!(found(&system, OTHER, "lantern").await, 1);
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_is_being_written_is_given_up_for_an_erasure() {
    let system = System::start().await;
    system.fault(&json!({ "endpoint": "chat", "times": 1, "kind": { "delay": { "ms": 30_000 } } }));
    let worker = system.worker();
    let id = system.generate("acme", "Never mind", "linkedin").await;
    system.until(id, |_| system.simulator.calls().chat.faulted == 1).await;
    let other = system.generate(OTHER, "Something else", "linkedin").await;
    let job = system
        .until_within(Duration::from_secs(15), erasing(&system, "acme").await, |job| job["status"] == "succeeded");
    assert_eq!(job.await["result"]["removed"]["jobs"], 1);
    let queue = Queue::new(&system.redis(), JobKind::Generate);
    assert_eq!(queue.unknown(&[id]).await.unwrap(), [id], "no worker holds it");
    assert_eq!(system.get(&format!("/api/jobs/{id}")).await.0, 404);
    assert_eq!(system.ended(other).await["status"], "succeeded");
    worker.leave().await;
}

/// A job in the hands of a worker that hears nothing.
async fn in_deaf_hands(system: &System, kind: JobKind, payload: Value) -> StartedJob {
    let job = copydesk_testkit::new_job(kind, "acme", payload);
    let submission = Submission { job, key: None };
    store::job::accept(&system.store, std::slice::from_ref(&submission)).await.unwrap();
    store::job::begin(&system.store, lease(submission.job.id, 1), "deaf").await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_zombie_writes_after_an_erasure_does_not_come_back() {
    let system = System::start().await;
    let worker = system.worker();
    let text = filled_text(&system).await;
    for kind in ["generate", "feedback", "ingest"] {
        assert_eq!(system.post(&format!("/api/ops/queues/{kind}/pause"), &json!({})).await.0, 200);
    }
    let document = DocumentId::new();
    let writer = in_deaf_hands(&system, JobKind::Generate, json!({})).await;
    let verdict = Verdict {
        feedback_id: FeedbackId::new(),
        generation_id: text.generation_id,
        human_approved: Some(true),
        human_score: None,
        human_feedback: None,
        edited_content: None,
        rater: None,
    };
    let judge = in_deaf_hands(&system, JobKind::Feedback, json!(verdict)).await;
    let reader = in_deaf_hands(&system, JobKind::Ingest, json!({ "document_id": document })).await;
    let job = system.ended(erasing(&system, "acme").await).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");

    let superseded =
        |result: Result<(), StoreError>| assert!(matches!(result, Err(StoreError::Superseded)), "{result:?}");
    let (store, acme) = (&system.store, BusinessId::parse("acme").unwrap());
    let checkpoint = Checkpoint { lease: writer.lease(), results: Vec::new(), progress: None, usage: Usage::default() };
    assert_eq!(store::job::checkpoint_all(store, &[checkpoint]).await.unwrap(), [Fenced::Superseded]);
    let progress = Progress { stage: "finish".to_owned(), completed: 1, total: 1 };
    let ending = Ending { lease: writer.lease(), results: Vec::new(), progress, generation: text };
    assert_eq!(generation::settle_all(store, &[ending]).await.unwrap(), [Fenced::Superseded]);
    let read = ReadVerdict { verdict, distilled: Distilled::default(), effort: None };
    superseded(feedback::settle(store, &judge, &read).await);
    superseded(ingest::settle(store, &reader, document, 1, &Ingested::Unusable("Gone.".to_owned())).await);
    let vector = Vector::parse(vec![1.0, 0.0]).unwrap();
    embedding::put(store, &acme, "m", &[(InputHash::of("Title", "Text."), vector)]).await.unwrap();
    knowledge::changed(store, &acme).await.unwrap();
    let after = rows(&system, "acme").await;
    assert!(after.values().all(|rows| *rows == 0), "{after:?}");
    worker.leave().await;
}

/// A finished text of the business, as a worker would write it again.
async fn filled_text(system: &System) -> Generation {
    let job = system.generate("acme", "Lanterns", "linkedin").await;
    serde_json::from_value(system.ended(job).await["result"].clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_goes_on_after_a_crash_and_counts_each_row_once() {
    let system = System::start().await;
    let worker = system.worker();
    let texts = futures_util::future::join_all((0..3).map(|_| system.generate("acme", "Lanterns", "linkedin"))).await;
    for text in texts {
        assert_eq!(system.ended(text).await["status"], "succeeded");
    }
    worker.leave().await;
    let before = rows(&system, "acme").await;
    let id = erasing(&system, "acme").await;
    let crashed = store::job::begin(&system.store, lease(id, 1), "crashed").await.unwrap().unwrap();
    let progress = Progress { stage: "generations".to_owned(), completed: 2, total: 15 };
    for what in [Erasable::ReviewerLearning, Erasable::Generations] {
        assert_eq!(erase::remove_some(&system.store, &crashed, what, &progress).await.unwrap(), 3);
    }
    assert_eq!(system.get(&format!("/api/jobs/{id}")).await.1["progress"], json!(progress));

    let heir = system.worker();
    let job = system.ended(id).await;
    assert_eq!(job["status"], "succeeded", "{job:#}");
    for table in ["reviewer_learning", "generations", "jobs", "stage_results"] {
        assert_eq!(job["result"]["removed"][table], before[table], "{table}: {job:#}");
    }
    heir.leave().await;
    // The crashed worker comes back: what the business has by now is none of its business.
    assert_eq!(system.put("/api/businesses/acme", &json!({ "name": "Again" })).await.0, 200);
    let late = erase::remove_some(&system.store, &crashed, Erasable::Profile, &progress).await;
    assert!(matches!(late, Err(StoreError::Superseded)), "{late:?}");
    assert_eq!(system.get("/api/businesses/acme").await.0, 200);
}
