//! A worker that dies at any point costs no finished stage, and gives no second result.

use std::time::{Duration, Instant};

use copydesk_common::queue::message::{Message, MessageV1};
use copydesk_common::queue::{Entry, Queue};
use copydesk_common::store::job::Submission;
use copydesk_common::store::{self, StoreError};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, Priority};
use copydesk_domain::problem::Problem;
use copydesk_domain::trace::TraceParent;
use serde_json::{Value, json};

use crate::system::{PATIENCE, System, lease};

const BUSINESS: &str = "company_123";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_checkpoint_repeats_no_finished_stage() {
    let system = System::start().await;
    let worker = system.worker();
    let reference = submit(&system).await;
    let whole = system.ended(reference).await;
    assert_eq!(whole["status"], "succeeded", "{whole:#}");
    worker.leave().await;
    let stages = system.stages(reference).await;
    let calls = calls_by_stage(&system, reference).await;
    assert!(stages.len() >= 6, "{stages:?}");

    for finished in 0..=stages.len() {
        let crashed = crashed_after(&system, reference, finished).await;
        let before = system.simulator.calls().chat.accepted;
        let heir = system.worker();
        let job = system.ended(crashed).await;
        heir.leave().await;
        assert_eq!(job["status"], "succeeded", "after {finished} stages: {job:#}");
        assert_eq!(job["attempt"], 1, "a crash of the worker is not the job's failure");
        let made = system.simulator.calls().chat.accepted - before;
        let owed: u64 = calls[finished..].iter().sum();
        assert!(made <= owed, "after {finished} of {stages:?}: {made} calls were made, {owed} were owed");
        assert!(system.stages(crashed).await.len() >= finished);
    }
    let doubles = "select count(*) from (select job_id from generations group by 1 having count(*) > 1) d";
    assert_eq!(system.count(doubles).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_the_claim_costs_neither_a_verdict_nor_a_document() {
    let system = System::start().await;
    let (feedback, document) = verdict_and_document(&system).await;
    for id in [feedback, document] {
        store::job::begin(&system.store, lease(id, 1), "dead").await.unwrap().unwrap();
    }
    let heir = system.worker();
    for id in [feedback, document] {
        let job = system.ended(id).await;
        assert_eq!((&job["status"], &job["attempt"]), (&json!("succeeded"), &json!(1)), "{job:#}");
    }
    assert_eq!(effects(&system).await, ONCE);
    heir.leave().await;
}

/// The worker dies between the job's end in Postgres and its message's end in Redis.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_the_end_and_before_its_message_is_gone_changes_nothing() {
    let system = System::start().await;
    let (feedback, document) = verdict_and_document(&system).await;
    let worker = system.worker();
    for id in [feedback, document] {
        assert_eq!(system.ended(id).await["status"], "succeeded");
    }
    let before = (every_row(&system).await, effects(&system).await, system.simulator.calls().chat.accepted);
    assert_eq!(before.1, ONCE);
    let generation =
        JobId(sqlx::query_scalar("select job_id from generations").fetch_one(system.store.pool()).await.unwrap());
    for (kind, id) in [(JobKind::Generate, generation), (JobKind::Feedback, feedback), (JobKind::Ingest, document)] {
        handled_again(&system, kind, id).await;
    }
    let after = (every_row(&system).await, effects(&system).await, system.simulator.calls().chat.accepted);
    assert_eq!(before, after);
    worker.leave().await;
}

/// A verdict on a text, and a document: jobs that have not begun.
async fn verdict_and_document(system: &System) -> (JobId, JobId) {
    let worker = system.worker();
    let text = system.generate(BUSINESS, "A crash", "linkedin").await;
    let generation_id = system.ended(text).await["result"]["generation_id"].clone();
    worker.leave().await;
    let verdict = json!({ "generation_id": generation_id, "business_id": BUSINESS, "human_approved": true });
    let document = json!({ "title": "Handbook", "text": "We answer letters.", "media_type": "text/markdown" });
    let feedback = system.submit("/api/feedback", &verdict).await;
    let ingest = system.submit(&format!("/api/businesses/{BUSINESS}/documents"), &document).await;
    (feedback, ingest)
}

/// Texts, verdicts, how often a verdict was applied, usable documents, passages.
const ONCE: [i64; 5] = [1; 5];

async fn effects(system: &System) -> [i64; 5] {
    [
        system.count("select count(*) from generations").await,
        system.count("select count(*) from feedback").await,
        system.count("select sum(applied)::bigint from learning_state").await,
        system.count("select count(*) from brand_documents where status = 'ready'").await,
        system.count("select count(*) from chunks").await,
    ]
}

async fn every_row(system: &System) -> Vec<String> {
    sqlx::query_scalar("select jobs::text from jobs order by id").fetch_all(system.store.pool()).await.unwrap()
}

/// Puts the job's message back, like the end of its lease, and waits until a worker has handled it.
async fn handled_again(system: &System, kind: JobKind, id: JobId) {
    let queue = Queue::new(&system.redis(), kind);
    let message = Message::V1(MessageV1 {
        job_id: id,
        kind,
        business_id: BusinessId::parse(BUSINESS).unwrap(),
        priority: Priority::Interactive,
        trace: TraceParent::start(),
    });
    // The job is unknown again as soon as the worker has settled its lease.
    let give_up = Instant::now() + PATIENCE;
    while queue.push(&[Entry { message: message.clone(), not_before: None, begun: None }]).await.unwrap() == 0 {
        assert!(Instant::now() < give_up, "the first message never went");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    while queue.unknown(&[id]).await.unwrap().is_empty() {
        assert!(Instant::now() < give_up, "the message stays");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A job that is edited once.
async fn submit(system: &System) -> JobId {
    let body = json!({ "business_id": "company_123", "topic": "A crash", "format": "linkedin", "max_rounds": 1 });
    system.submit("/api/generate", &body).await
}

async fn calls_by_stage(system: &System, id: JobId) -> Vec<u64> {
    let rows: Vec<(i64,)> = sqlx::query_as(
        "select coalesce((usage->'calls'->>'groq')::bigint, 0) from stage_results where job_id = $1
         order by finished_at, round",
    )
    .bind(id.0)
    .fetch_all(system.store.pool())
    .await
    .unwrap();
    rows.into_iter().map(|(calls,)| u64::try_from(calls).unwrap()).collect()
}

/// A job whose worker died right after it had stored this many of the stages of `reference`.
async fn crashed_after(system: &System, reference: JobId, finished: usize) -> JobId {
    let id = submit(system).await;
    store::job::begin(&system.store, lease(id, 1), "dead").await.unwrap().unwrap();
    sqlx::query(
        "insert into stage_results (job_id, stage, round, output, usage, started_at, finished_at)
         select $1, stage, round, output, usage, started_at, finished_at from stage_results where job_id = $2
         order by finished_at, round limit $3",
    )
    .bind(id.0)
    .bind(reference.0)
    .bind(i64::try_from(finished).unwrap())
    .execute(system.store.pool())
    .await
    .unwrap();
    sqlx::query("update jobs set stages_completed = $2 where id = $1")
        .bind(id.0)
        .bind(i16::try_from(finished).unwrap())
        .execute(system.store.pool())
        .await
        .unwrap();
    id
}

/// Stages that an earlier release stores, with what they used.
async fn stored_before(system: &System, id: JobId, stages: &[(&str, i16, Value)]) {
    for (n, (stage, round, output)) in stages.iter().enumerate() {
        let usage = json!({ "calls": { "groq": 1 }, "prompt_tokens": 10, "completion_tokens": 10 });
        sqlx::query(
            "insert into stage_results (job_id, stage, round, output, usage, started_at, finished_at)
             values ($1, $2, $3, $4, $5, now(), now() + $6 * interval '1 ms')",
        )
        .bind(id.0)
        .bind(stage)
        .bind(round)
        .bind(output)
        .bind(usage)
        .bind(i32::try_from(n).unwrap())
        .execute(system.store.pool())
        .await
        .unwrap();
    }
    sqlx::query("update jobs set stages_completed = $2, usage = '{\"calls\": {\"groq\": 1}}' where id = $1")
        .bind(id.0)
        .bind(i16::try_from(stages.len()).unwrap())
        .execute(system.store.pool())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_earlier_release_reviewed_and_revised_is_edited_from_there_and_not_paid_for_again() {
    let system = System::start().await;
    let text = |words: &str| {
        format!(
            "{words} It is a day like any other.\n\nSome read. Others write about it.\n\nWhat do you think?\n\n#One #Two #Three"
        )
    };
    let outline = ("outline", 0, json!({ "title": "An old plan", "sections": [{ "heading": "One" }] }));
    let draft = ("draft", 0, json!({ "text": text("The draft."), "is_template": false }));
    let review = |round, score: f64| {
        let criteria =
            json!({ "accuracy": score, "relevance": score, "voice": score, "structure": score, "clarity": score });
        let rubric = json!({ "criteria": criteria, "comments": "So so.", "fixes": ["Say more."] });
        ("review", round, json!({ "rubric": rubric, "failed_checks": 0, "fixes": ["Say more."] }))
    };
    let revise = |round| ("revise", round, json!({ "text": text("The revision.") }));
    // Stored stages, and what is left to pay for: an edit, where a round is left and the text is not good enough yet.
    let cases = [
        (vec![outline.clone(), draft.clone()], vec!["edit"], "The draft.", "draft"),
        (vec![outline.clone(), draft.clone(), review(0, 8.0)], vec![], "The draft.", "final"),
        (vec![outline.clone(), draft.clone(), review(0, 6.5)], vec!["edit"], "The draft.", "draft"),
        (vec![outline.clone(), draft.clone(), review(0, 6.5), revise(1)], vec![], "The revision.", "draft"),
        (
            vec![outline.clone(), draft.clone(), review(0, 6.5), revise(1), review(1, 7.0)],
            vec![],
            "The revision.",
            "final",
        ),
        (
            vec![outline, draft, review(0, 6.5), revise(1), review(1, 6.0), ("polish", 0, json!(7))],
            vec![],
            "The draft.",
            "final",
        ),
    ];
    let mut jobs = Vec::new();
    for (stages, ..) in &cases {
        let id = submit(&system).await;
        store::job::begin(&system.store, lease(id, 1), "dead").await.unwrap().unwrap();
        stored_before(&system, id, stages).await;
        jobs.push(id);
    }
    let worker = system.worker();
    for (id, (stages, paid, begins, scored)) in jobs.into_iter().zip(&cases) {
        let job = system.ended(id).await;
        assert_eq!((&job["status"], &job["attempt"]), (&json!("succeeded"), &json!(1)), "{job:#}");
        let rows: Vec<(String,)> = sqlx::query_as(
            "select stage from stage_results where job_id = $1 and usage->'calls'->>'groq' is not null and output <> '7'
             order by finished_at",
        )
        .bind(id.0)
        .fetch_all(system.store.pool())
        .await
        .unwrap();
        let new: Vec<&str> = rows
            .iter()
            .skip(stages.iter().filter(|stage| stage.0 != "polish").count())
            // Edits are stored as revisions, for workers of the release before.
            .map(|row| if row.0 == "revise" { "edit" } else { row.0.as_str() })
            .collect();
        assert_eq!(new, *paid, "{rows:?}");
        let result = &job["result"];
        assert_eq!(result["review"]["scored"], *scored, "{result:#}");
        assert!(result["content"].as_str().unwrap().contains(begins.trim_end_matches('.')), "{result:#}");
        assert_eq!(job["progress"]["completed"], job["progress"]["total"]);
    }
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_worker_process_hands_its_job_on() {
    let system = System::start().await;
    system.fault(&json!({ "endpoint": "chat", "stage": "draft", "times": 1, "kind": { "delay": { "ms": 500 } } }));
    let mut doomed = system.worker_process();
    let id = submit(&system).await;
    system.until(id, |_| system.simulator.calls().chat.faulted == 1).await;
    doomed.kill().await.unwrap();
    let stored = system.stages(id).await;
    let mut heir = system.worker_process();
    let job = system.ended(id).await;
    assert_eq!((&job["status"], &job["attempt"]), (&json!("succeeded"), &json!(1)), "{job:#}");
    assert_eq!(system.stages(id).await[..stored.len()], stored);
    let paid = job["usage"]["calls"]["groq"].as_u64().unwrap();
    let made = system.simulator.calls().chat.accepted;
    assert_eq!(made, paid + 1, "the call that the kill cut off, and no other, was made twice");
    heir.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zombies_writes_change_no_row() {
    let system = System::start().await;
    let id = system.generate("company_123", "Zombies", "linkedin").await;
    let zombie = store::job::begin(&system.store, lease(id, 1), "zombie").await.unwrap().unwrap();
    let heir = store::job::begin(&system.store, lease(id, 2), "heir").await.unwrap().unwrap();
    assert!(store::job::begin(&system.store, lease(id, 1), "zombie").await.unwrap().is_none());
    let superseded = |result: Result<(), StoreError>| matches!(result, Err(StoreError::Superseded));
    assert!(superseded(store::job::release(&system.store, &zombie, "draining").await));
    let problem = Problem::new("test", "A zombie's", 500, "It must not be written.");
    assert!(superseded(store::job::fail(&system.store, &zombie, &problem, &[]).await));
    store::job::fail(&system.store, &heir, &problem, &[]).await.unwrap();
    assert!(superseded(store::job::release(&system.store, &heir, "draining").await), "it has ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_ends_its_workers_is_dead_after_a_few_and_blocks_nobody() {
    let system = System::start().await;
    let poison = system.generate("company_123", "Poison", "linkedin").await;
    for epoch in 1..=7 {
        store::job::begin(&system.store, lease(poison, epoch), "doomed").await.unwrap().unwrap();
    }
    let worker = system.worker();
    let job = system.ended(poison).await;
    assert_eq!((&job["status"], &job["error"]["type"]), (&json!("failed"), &json!("/problems/poisoned")));
    let next = system.generate("company_123", "Cure", "linkedin").await;
    assert_eq!(system.ended(next).await["status"], "succeeded");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_fails_with_the_job_that_was_to_index_it() {
    let system = System::start().await;
    let document = json!({ "title": "Handbook", "text": "We answer letters.", "media_type": "text/markdown" });
    let job = system.submit("/api/businesses/riverside/documents", &document).await;
    for epoch in 1..=7 {
        store::job::begin(&system.store, lease(job, epoch), "doomed").await.unwrap().unwrap();
    }
    let worker = system.worker();
    assert_eq!(system.ended(job).await["status"], "failed");
    let (_, documents) = system.get("/api/businesses/riverside/documents").await;
    assert_eq!(documents["data"][0]["status"], "failed", "{documents}");
    worker.leave().await;
}

/// A row whose payload does not match its kind, as another version or a manual change may leave
/// one.
fn unreadable(kind: JobKind, payload: &Value) -> Submission {
    Submission { job: copydesk_testkit::new_job(kind, BUSINESS, payload.clone()), key: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_that_cannot_be_read_ends_a_job_of_any_kind_at_its_first_attempt() {
    let system = System::start().await;
    let payloads = [json!({}), json!("nonsense"), json!({ "document_id": "no UUID" })];
    let submissions: Vec<_> =
        JobKind::ALL.iter().flat_map(|kind| payloads.iter().map(|payload| unreadable(*kind, payload))).collect();
    store::job::accept(&system.store, &submissions).await.unwrap();
    let worker = system.worker();
    for Submission { job, .. } in submissions {
        let ended = system.ended(job.id).await;
        let how = (&ended["status"], &ended["attempt"], &ended["error"]["type"]);
        assert_eq!(how, (&json!("failed"), &json!(1), &json!("/problems/unreadable-request")), "{ended:#}");
    }
    worker.leave().await;
}
