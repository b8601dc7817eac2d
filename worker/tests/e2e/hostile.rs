//! Bad answers of models in a whole worker. Whatever stage gets them, once or every time, no part
//! of them is in the text that a client reads, and the degradations are named.

use chrono::Utc;
use copydesk_common::store;
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_learning::log::Action;
use copydesk_simulator::{Fault, FaultKind, Finish, Stage};
use copydesk_worker::feedback;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::system::System;

const BUSINESS: &str = "riverside";
/// A word in each bad answer that no text may contain.
const MARK: &str = "zyzzyva";
/// A sentence of the system prompt.
const RULE: &str = "Never mention this task, these rules, the tags or yourself.";
const HANDBOOK: &str = "# Riverside Clinics\n\n## Our promise\n\nEvery patient of Riverside Clinics sees the same \
    physiotherapist for the whole course of treatment, and most courses end within six weeks.\n\n## Prices\n\nA first \
    appointment of 45 minutes costs 60 euros, and insured patients pay nothing for it at all.\n";

/// A model's answer; `worker/src/pipeline/tests/hostile.rs` reads the same file.
#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    answer: String,
    /// `text`, `shown` (a text and more), `read` (an object) or `nothing`; `anything` if the client
    /// handles it.
    becomes: String,
    finish: Option<Finish>,
    times: Option<usize>,
    /// The stage for which the answer has the right shape and is valid.
    fits: Option<Stage>,
    /// The only stage that it applies to.
    only: Option<Stage>,
    /// The whole body of the provider's answer.
    body: Option<String>,
}

/// A part of the cases: all of them would take one worker too long.
#[derive(Clone, Copy)]
enum Half {
    First,
    Second,
}

impl Case {
    fn all_of(half: Half) -> Vec<Self> {
        let mut cases: Vec<Self> = serde_json::from_str(include_str!("../fixtures/hostile_answers.json")).unwrap();
        let second = cases.split_off(cases.len() / 2);
        match half {
            Half::First => cases,
            Half::Second => second,
        }
    }

    fn kind(&self) -> FaultKind {
        if let Some(body) = &self.body {
            let body = Some(body.clone().into());
            return FaultKind::Status { code: 200, body, retry_after: None, retry_after_ms: None };
        }
        let in_lines = RULE.replace(", ", ",\n  ");
        let answer =
            self.answer.replace("$RULE_IN_LINES", &in_lines).replace("$RULE_IN_CAPITALS", &RULE.to_uppercase());
        let answer = answer.replace("$RULE", RULE).replace("$LESSON", LESSON);
        FaultKind::Message { text: answer.repeat(self.times.unwrap_or(1)), finish: self.finish }
    }

    /// The faults at each of these stages for which it is a bad answer.
    fn faults(&self, stages: &[Stage]) -> Vec<Fault> {
        let is_bad = |stage: &&Stage| self.fits != Some(**stage) && self.only.is_none_or(|only| only == **stage);
        let stages = stages.iter().filter(is_bad);
        stages.map(|stage| Fault::chat(self.kind()).stage(*stage)).collect()
    }
}

/// What people said of an earlier text.
const LESSON: &str = "The new wing must stay out of all texts, since the board has not decided on it yet.";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_answer_is_asked_for_again() {
    once(Half::First).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn further_bad_answers_are_asked_for_again() {
    once(Half::Second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_answer_that_comes_every_time_is_done_without_and_named() {
    always(Half::First).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn further_bad_answers_that_come_every_time_are_done_without_and_named() {
    always(Half::Second).await;
}

const STAGES: [Stage; 3] = [Stage::Outline, Stage::Draft, Stage::Edit];

/// Each stage gets the bad answer once.
async fn once(half: Half) {
    let faults = |case: &Case| case.faults(&STAGES).into_iter().map(|fault| fault.times(1)).collect();
    // What is too long to be read is a failed call: each costs an attempt, and where there are three such calls the
    // last one costs the editor.
    let is_last = matches!(half, Half::Second);
    let degraded = |case: &Case| if case.times.is_some() && is_last { vec!["review_unavailable"] } else { Vec::new() };
    all_are_clean(half, faults, degraded).await;
}

/// Each stage gets the bad answer every time.
async fn always(half: Half) {
    let faults = |case: &Case| case.faults(&STAGES);
    let degraded = |case: &Case| {
        let is_refusal = case.name.starts_with("a refusal") || case.name == "a filter";
        let is_bad = |stage| case.becomes != "read" && !case.faults(&[stage]).is_empty();
        let is_composed = case.becomes == "nothing" && is_bad(Stage::Draft);
        let shortfalls = [
            ("review_unavailable", is_bad(Stage::Edit)),
            ("fallback_writer", is_composed),
            ("content_refused", is_composed && is_refusal),
        ];
        shortfalls.into_iter().filter(|(_, short)| *short).map(|(name, _)| name).collect()
    };
    all_are_clean(half, faults, degraded).await;
}

/// Runs a job for each case, all in one worker. Its calls fail as in `faults`, and its text has the
/// degradations in `degraded`.
async fn all_are_clean(
    half: Half,
    faults: impl Fn(&Case) -> Vec<Fault>,
    degraded: impl Fn(&Case) -> Vec<&'static str>,
) {
    let cases = Case::all_of(half);
    let system = System::start_with(|config| {
        // The first half is planned in the drafts, the second by calls of their own.
        if matches!(half, Half::Second) {
            config.worker.outline_from_words = 0;
        }
        config.providers.llm_requests_per_minute = Some(60_000);
        config.providers.search_requests_per_minute = 60_000;
        config.worker.first_backoff_ms = 1;
    })
    .await;
    let worker = system.worker();
    system.with_knowledge(BUSINESS, "Riverside Clinics", HANDBOOK).await;
    system.with_lesson().await;

    let topic = |n: usize| format!("Physiotherapy appointments and prices, part {n:03}");
    let about = |(n, case)| faults(case).into_iter().map(move |fault| fault.about(topic(n)));
    system.simulator.set_faults(cases.iter().enumerate().flat_map(about).collect()).unwrap();
    let mut jobs = Vec::new();
    for n in 0..cases.len() {
        let request = json!({ "business_id": BUSINESS, "topic": topic(n), "format": "linkedin", "length_words": 150,
            "max_rounds": 1 });
        jobs.push(system.submit("/api/generate", &request).await);
    }
    let mut wrong = Vec::new();
    for (id, case) in jobs.into_iter().zip(&cases) {
        if let Err(why) = judge(&system, id, case, &degraded(case)).await {
            wrong.push(format!("{}: {why}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
    worker.leave().await;
}

/// Checks that a job ended with a text that contains nothing of the bad answer and names its
/// degradations.
async fn judge(system: &System, id: JobId, case: &Case, degraded: &[&str]) -> Result<(), String> {
    let job = system.ended(id).await;
    let result = &job["result"];
    let shown = job.to_string().to_lowercase();
    let content = result["content"].as_str().unwrap_or_default().to_lowercase();
    let is_clean = !shown.contains(MARK) && ![RULE, LESSON].iter().any(|said| content.contains(&said.to_lowercase()));
    // Whether checks fail that nobody mended is the draft's, not the bad answer's.
    let named = result["degraded"].as_array().cloned().unwrap_or_default();
    let named: Vec<_> = named.into_iter().filter(|name| *name != "checks_failed").collect();
    let is_told = case.becomes == "anything" || json!(named) == json!(degraded);
    let is_clean = is_clean && job["status"] == "succeeded";
    if is_clean && is_told { Ok(()) } else { Err(format!("not {degraded:?}: {job:#}")) }
}

impl System {
    /// Adds a remark on an earlier text, which the writer gets from then on.
    async fn with_lesson(&self) {
        let first = self.generate(BUSINESS, "Physiotherapy", "linkedin").await;
        let first = self.ended(first).await;
        let verdict: Value = json!({ "generation_id": first["result"]["generation_id"], "business_id": BUSINESS,
            "human_approved": false, "human_feedback": LESSON });
        let judged = self.submit("/api/feedback", &verdict).await;
        assert_eq!(self.ended(judged).await["status"], "succeeded");
        // It counts as it stands: pinned, with one text behind it.
        let rule = json!({ "rule": { "kind": "note", "text": LESSON, "wanted": true }, "from": "comment" });
        let business_id = BusinessId::parse(BUSINESS).unwrap();
        sqlx::query("update feedback set human_approved = true, distilled = $1")
            .bind(json!({ "by": "rules/v1", "rules": [rule] }))
            .execute(self.store.pool())
            .await
            .unwrap();
        feedback::rebuild(&self.store, &business_id).await.unwrap();
        let known = store::learning::lessons(&self.store, &business_id).await.unwrap();
        let id = known[0].known.lesson.lesson_id;
        store::learning::change(&self.store, &business_id, id, &[Action::Pin { lesson: None }], Utc::now())
            .await
            .unwrap();
    }
}
