//! Followed jobs: what followers see, and that other jobs have no cost.

use std::time::Duration;

use copydesk_domain::id::JobId;
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::system::System;

/// A word that no text may contain.
const MARK: &str = "zyzzyva";

impl System {
    /// Waits until a worker receives announcements of followed jobs.
    async fn until_a_worker_listens(&self) {
        let mut connection = copydesk_testkit::redis().await;
        let channel = format!("{}:followed", self.config.redis.prefix);
        for _ in 0..2_000 {
            let (_, listening): (String, u32) =
                redis::cmd("PUBSUB").arg("NUMSUB").arg(&channel).query_async(&mut connection).await.unwrap();
            if listening > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("no worker listens");
    }

    /// Follows a job to its end: the events' names and data.
    async fn events(&self, id: JobId) -> Vec<(String, Value)> {
        let response = self.open(&format!("/api/jobs/{id}/events")).await;
        let mut bytes = response.bytes_stream();
        let mut text = String::new();
        while let Some(piece) = tokio::time::timeout(crate::system::PATIENCE, bytes.next()).await.expect("events") {
            text.push_str(str::from_utf8(&piece.unwrap()).unwrap());
        }
        let field = |block: &str, name: &str| block.lines().find_map(|line| line.strip_prefix(name).map(str::to_owned));
        text.split("\n\n")
            .filter_map(|block| {
                Some((field(block, "event: ")?, serde_json::from_str(&field(block, "data: ")?).unwrap()))
            })
            .collect()
    }

    /// Submits a job that is followed before a worker begins it, and follows it to its end.
    async fn followed(&self, request: &Value) -> (JobId, Vec<(String, Value)>) {
        self.until_a_worker_listens().await;
        self.post("/api/ops/queues/generate/pause", &json!({})).await;
        let id = self.submit("/api/generate", request).await;
        let mut heard = copydesk_testkit::redis_client().get_async_pubsub().await.unwrap();
        heard.subscribe(format!("{}:followed", self.config.redis.prefix)).await.unwrap();
        let begin = async {
            heard.on_message().next().await;
            self.post("/api/ops/queues/generate/resume", &json!({})).await;
        };
        let (events, ()) = tokio::join!(self.events(id), begin);
        (id, events)
    }

    /// The text as a stage stored it.
    async fn stored(&self, id: JobId, stage: &str) -> String {
        // Edits are stored as revisions, for workers of the release before.
        let stage = if stage == "edit" { "revise" } else { stage };
        let (output,): (Value,) = sqlx::query_as("select output from stage_results where job_id = $1 and stage = $2")
            .bind(id.0)
            .bind(stage)
            .fetch_one(self.store.pool())
            .await
            .unwrap();
        output["text"].as_str().unwrap().to_owned()
    }
}

fn request() -> Value {
    json!({ "business_id": "riverside", "topic": "Physiotherapy appointments", "format": "blog", "max_rounds": 0 })
}

/// Makes drafts slow.
fn slowly() -> Value {
    json!({ "endpoint": "chat", "stage": "draft", "kind": { "delay": { "ms": 1_500 } } })
}

/// The text that a client sees after joining all pieces, and how often a new text began.
fn seen(events: &[(String, Value)]) -> (String, usize) {
    let mut seen = (String::new(), 0);
    for (_, piece) in events.iter().filter(|(name, _)| name == "token") {
        if piece["reset"] == true {
            seen = (String::new(), seen.1 + 1);
        }
        seen.0.push_str(piece["text"].as_str().unwrap());
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_sees_the_text_grow() {
    let system = System::start().await;
    let worker = system.worker();
    // Less than the time after which a follower reads without a hint.
    let waits = |stage| json!({ "endpoint": "chat", "stage": stage, "kind": { "delay": { "ms": 600 } } });
    system.faults(&[slowly(), waits("edit")]);
    let mut request = request();
    request["max_rounds"] = json!(1);
    let (id, events) = system.followed(&request).await;

    let names: Vec<_> = events.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((names[0], names[names.len() - 1]), ("status", "done"));
    let tokens = names.iter().filter(|name| **name == "token").count();
    assert!(tokens >= 4, "the text grows: {names:?}");
    let edit = events.iter().position(|(_, data)| data["stage"] == "edit").unwrap();
    let draft = system.stored(id, "draft").await;
    assert_eq!(seen(&events[..edit]), (draft, 1), "piece by piece it is the draft without its plan, begun once");
    let edited = system.stored(id, "edit").await;
    assert_eq!(seen(&events), (edited, 2), "the edited text comes whole");
    let stages: Vec<_> = events.iter().filter(|(name, _)| name == "progress").map(|(_, told)| &told["stage"]).collect();
    for stage in ["draft", "edit"] {
        assert!(stages.contains(&&json!(stage)), "{stage}: {stages:?}");
    }
    assert!(!format!("{events:?}").contains("plan>"), "nobody sees the plan");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_text_may_hold_is_not_seen_while_it_is_written_either() {
    let system = System::start().await;
    let worker = system.worker();
    let sound = "# Scans read twice\n\nEvery scan is read by a model and by a radiologist. Results arrive within two hours, \
         and most patients see them before they leave. Nobody waits for a letter any more.\n\n";
    let bad = [
        format!("<think>The user wants {MARK}. So be it, at some length, until it is enough.</think>\n{sound}"),
        format!(
            "```markdown\n{sound}<script>{MARK}()</script>\n\nSee https://{MARK}.example/ for more. It is good.\n```"
        ),
        format!("{sound}Let me know if you'd like any changes to the {MARK}!"),
        format!(
            "I'm sorry, but I can't help with that. The {MARK} is not for me to say, and it never will be, I fear."
        ),
    ];
    for text in bad {
        let says = json!({ "endpoint": "chat", "stage": "draft", "times": 1, "kind": { "message": { "text": text } } });
        system.faults(&[slowly(), says]);
        let (_, events) = system.followed(&request()).await;
        assert!(!format!("{events:?}").contains(MARK), "{text}: {events:#?}");
        assert!(seen(&events).0.starts_with("# "), "{text}: {events:#?}");
    }
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_breaks_off_is_taken_back_and_begun_anew() {
    let system = System::start().await;
    let worker = system.worker();
    system.faults(&[slowly(), json!({ "endpoint": "chat", "stage": "draft", "times": 1, "kind": "mid_sentence" })]);
    let (id, events) = system.followed(&request()).await;
    let (text, begun) = seen(&events);
    assert_eq!(text, system.stored(id, "draft").await);
    assert!(begun >= 2, "the first one was shown, and taken back: {events:#?}");
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_saw_a_text_that_is_withdrawn_sees_the_one_that_stands() {
    let system = System::start().await;
    let worker = system.worker();
    system.faults(&[slowly(), json!({ "endpoint": "chat", "stage": "draft", "kind": "mid_sentence" })]);
    let (id, events) = system.followed(&request()).await;
    assert_eq!(seen(&events).0, "", "each answer was taken back: {events:#?}");
    let (_, revised) = events.iter().find(|(name, _)| name == "revised").expect("a text that stands");
    assert_eq!(revised["text"], json!(system.stored(id, "draft").await));
    let (_, done) = events.last().unwrap();
    assert_eq!(done["result"]["degraded"].as_array().unwrap().last(), Some(&json!("fallback_writer")));
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_nobody_follows_leaves_no_draft_in_redis() {
    let system = System::start().await;
    let worker = system.worker();
    let id = system.submit("/api/generate", &request()).await;
    assert_eq!(system.ended(id).await["status"], "succeeded");
    let drafts = copydesk_testkit::keys(&format!("{}:draft:*", system.config.redis.prefix)).await;
    assert!(drafts.is_empty(), "{drafts:?}");
    worker.leave().await;
}
