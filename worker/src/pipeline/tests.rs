//! The stages that ask a model, against the simulator and its faults: what becomes of every kind of
//! bad answer, on a job's first attempt and on its last.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use copydesk_common::config::ProvidersConfig;
use copydesk_domain::business::BusinessId;
use copydesk_domain::format::Format;
use copydesk_domain::generation::SourceKind;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, LeaseEpoch, Priority, StartedJob, WaitReason};
use copydesk_domain::trace::TraceParent;
use copydesk_simulator::{Fault, FaultKind, Part, RetryAfter, Stage as SimulatedStage};

use super::brief::Brief;
use super::brief::tests::brief;
use super::error::StageError;
use super::passage::Passage;
use super::plan::{Outline, Planned};
use super::prompt::Task;
use super::*;
use crate::provider::tests::Simulated;

mod edits;
mod fallback;
mod hostile;
mod injection;
mod promise;
mod scripts;
mod search;
mod window;

/// A job with a simulator behind it, about to ask a model.
struct Setting {
    simulated: Simulated,
    job: StartedJob,
    brief: Brief,
    passages: Vec<Passage>,
}

impl Setting {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut ProvidersConfig)) -> Self {
        let text = "Every scan is read twice, once by a model and once by a radiologist. Results arrive within two \
            hours of the visit. Patients see their results in the portal before they leave the clinic.";
        let passage = Passage {
            n: 1,
            kind: SourceKind::Knowledge,
            title: "Handbook › Scans".into(),
            url: None,
            document_id: None,
            chunk: Some(0),
            is_about_others: false,
            text: text.into(),
        };
        let job = StartedJob {
            id: JobId::new(),
            kind: JobKind::Generate,
            priority: Priority::Interactive,
            business_id: BusinessId::parse("acme").unwrap(),
            generation_id: None,
            payload: serde_json::Value::Null,
            attempt: 1,
            max_attempts: 3,
            takeovers: 0,
            is_takeover: false,
            created_at: clock::now(),
            deadline_at: None,
            stages_completed: 4,
            usage: Usage::default(),
            trace: TraceParent::start(),
            epoch: LeaseEpoch(1),
        };
        Self { simulated: Simulated::with(change).await, job, brief: brief(Format::Blog), passages: vec![passage] }
    }

    fn on_last_attempt(mut self) -> Self {
        self.job.attempt = self.job.max_attempts;
        self
    }

    fn with_deadline(mut self, deadline: DateTime<Utc>) -> Self {
        self.job.deadline_at = Some(deadline);
        self
    }

    fn calls(&self) -> Calls {
        Calls::new(self.simulated.providers.clone(), &self.job)
    }

    fn made(&self) -> u64 {
        self.simulated.simulator.calls().chat.accepted
    }

    /// Calls that the LLM answered, and that it refused.
    fn asked(&self) -> (u64, u64) {
        let chat = self.simulated.simulator.calls().chat;
        (chat.accepted, chat.refused)
    }

    fn task(&self) -> Task<'_> {
        Task::new(&self.brief, &[], &self.passages, true)
    }

    async fn outline(&self) -> Result<Outline, StageError> {
        Ok(self.planned().await?.outline)
    }

    async fn planned(&self) -> Result<Planned, StageError> {
        outline::run(&self.calls(), &self.task()).await
    }

    async fn draft(&self) -> Result<draft::Draft, StageError> {
        draft::run(&self.calls(), &self.task()).await
    }

    async fn edit(&self, draft: &str) -> Result<edit::Edited, StageError> {
        self.edit_of(&Task { draft: Some(draft), ..self.task() }).await
    }

    async fn edit_of(&self, task: &Task<'_>) -> Result<edit::Edited, StageError> {
        let before = review::checked(task, task.draft.unwrap());
        edit::run(&self.calls(), &Task { fixes: &before.fixes, ..*task }, &before).await
    }

    fn becomes(&self, error: StageError) -> Interruption {
        error.interruption(&self.job)
    }
}

fn server_error() -> FaultKind {
    FaultKind::Status { code: 500, body: None, retry_after: None, retry_after_ms: None }
}

/// Answers that are no usable text.
fn bad_texts() -> [FaultKind; 8] {
    [
        FaultKind::EmptyText,
        FaultKind::Echo,
        FaultKind::MidSentence,
        FaultKind::Refusal,
        FaultKind::Repetition,
        FaultKind::WrongLanguage,
        FaultKind::PromptLeak,
        FaultKind::TruncatedJson { part: Some(Part::Body) },
    ]
}

/// Answers that hold no JSON of the shape.
fn bad_objects() -> [FaultKind; 4] {
    [
        FaultKind::EmptyText,
        FaultKind::Refusal,
        FaultKind::TruncatedJson { part: Some(Part::Content) },
        FaultKind::WrongShape { part: Some(Part::Content) },
    ]
}

#[tokio::test]
async fn a_server_of_few_slots_streams_also_where_nobody_listens() {
    for (slots, streams) in [(0, false), (1, true), (9, false)] {
        let setting = Setting::with(|config| config.llm_concurrency = slots).await;
        // It meets only calls that are streamed.
        setting.simulated.fail(Fault::chat(FaultKind::StreamError { as_event: false }));
        assert_eq!(setting.draft().await.is_err(), streams, "{slots}");
    }
}

#[tokio::test]
async fn each_stage_has_a_sound_answer_and_counts_it() {
    let setting = Setting::new().await;
    let calls = setting.calls();
    let outline = outline::run(&calls, &setting.task()).await.unwrap().outline;
    assert!(!outline.sections.is_empty());
    let draft = draft::run(&calls, &Task { outline: Some(&outline), ..setting.task() }).await.unwrap();
    assert!(!draft.is_template && draft.text.starts_with("# "));
    assert!(draft.plan.is_none(), "it was planned before");
    let edited = setting.edit(&draft.text).await.unwrap();
    assert!(edited.rubric.unwrap().score() < 7.5 && edited.text.is_some_and(|text| text != draft.text));
    let usage = calls.take_usage();
    assert_eq!(usage.calls["groq"], 2);
    assert!(usage.prompt_tokens > 0 && usage.completion_tokens > 0);
    assert_eq!(calls.take_usage(), Usage::default(), "what was taken is not counted twice");
}

#[tokio::test]
async fn one_bad_answer_is_asked_for_again() {
    for kind in bad_objects() {
        let setting = Setting::new().await;
        setting.simulated.fail(Fault::chat(kind.clone()).times(1));
        let outline = setting.outline().await.unwrap();
        assert_eq!(setting.made(), 2, "{kind:?}");
        assert_ne!(outline.sections[0].heading, "Why it matters", "{kind:?}: the second answer counts");
    }
    for kind in bad_texts().into_iter().filter(|kind| !matches!(kind, FaultKind::TruncatedJson { .. })) {
        let setting = Setting::new().await;
        setting.simulated.fail(Fault::chat(kind.clone()).times(1));
        assert!(!setting.draft().await.unwrap().is_template, "{kind:?}");
        assert_eq!(setting.made(), 2, "{kind:?}");
    }
}

#[tokio::test]
async fn json_in_prose_is_no_reason_to_ask_again() {
    let setting = Setting::new().await;
    setting.simulated.fail(Fault::chat(FaultKind::JsonInProse));
    setting.outline().await.unwrap();
    assert!(setting.edit("# T\n\nA text.").await.unwrap().rubric.is_some());
    assert!(!setting.draft().await.unwrap().is_template);
    assert_eq!(setting.made(), 3);
}

#[tokio::test]
async fn a_plan_and_edits_that_stay_bad_are_done_without() {
    for kind in bad_objects() {
        let setting = Setting::new().await;
        setting.simulated.fail(Fault::chat(kind.clone()));
        assert_eq!(setting.outline().await.unwrap().sections[0].heading, "Why it matters", "{kind:?}");
        let edited = setting.edit("# T\n\nA text.").await.unwrap();
        assert!(edited.rubric.is_none() && edited.text.is_none() && edited.reviewed.failed_checks > 0, "{kind:?}");
        assert_eq!(setting.made(), 4, "{kind:?}: one repair each");
    }
}

#[tokio::test]
async fn a_text_that_stays_bad_is_composed_on_the_last_attempt_only() {
    for kind in bad_texts() {
        let setting = Setting::new().await;
        setting.simulated.fail(Fault::chat(kind.clone()));
        let error = setting.draft().await.unwrap_err();
        assert!(matches!(setting.becomes(error), Interruption::Retry(_)), "{kind:?}");

        let setting = Setting::new().await.on_last_attempt();
        setting.simulated.fail(Fault::chat(kind.clone()));
        let draft = setting.draft().await.unwrap();
        assert!(draft.is_template && draft.text.contains("[1]"), "{kind:?}: {}", draft.text);
    }
}

#[tokio::test]
async fn a_provider_that_fails_costs_an_attempt_and_on_the_last_one_is_done_without() {
    let setting = Setting::new().await;
    setting.simulated.fail(Fault::chat(server_error()));
    for error in [setting.outline().await.map(drop), setting.draft().await.map(drop), setting.edit("A").await.map(drop)]
    {
        assert!(matches!(setting.becomes(error.unwrap_err()), Interruption::Retry(_)));
    }
    let setting = Setting::new().await.on_last_attempt();
    setting.simulated.fail(Fault::chat(server_error()));
    assert!(!setting.outline().await.unwrap().sections.is_empty());
    assert!(setting.draft().await.unwrap().is_template);
    let edited = setting.edit("A").await.unwrap();
    assert!(edited.rubric.is_none() && edited.text.is_none());
}

#[tokio::test]
async fn a_throttled_or_broken_provider_is_waited_for_even_on_the_last_attempt() {
    let setting = Setting::new().await.on_last_attempt();
    setting.simulated.fail(Fault::chat(FaultKind::RateLimited { retry_after: Some(RetryAfter::Seconds(20)) }));
    let Interruption::Wait(waiting) = setting.becomes(setting.draft().await.unwrap_err()) else { panic!("no wait") };
    assert_eq!((waiting.reason, waiting.provider.as_deref()), (WaitReason::RateLimited, Some("groq")));

    let setting = Setting::new().await;
    setting.simulated.fail(Fault::chat(server_error()));
    for _ in 0..5 {
        assert!(setting.draft().await.is_err());
    }
    let setting = setting.on_last_attempt();
    let Interruption::Wait(waiting) = setting.becomes(setting.draft().await.unwrap_err()) else { panic!("no wait") };
    assert_eq!(waiting.reason, WaitReason::BreakerOpen);
}

#[tokio::test]
async fn a_short_wait_is_slept_through() {
    let setting = Setting::new().await;
    let brief = FaultKind::Status { code: 429, body: None, retry_after: None, retry_after_ms: Some(100) };
    setting.simulated.fail(Fault::chat(brief).times(1));
    assert!(!setting.draft().await.unwrap().is_template);
}

#[tokio::test]
async fn near_the_deadline_a_provider_that_is_away_is_done_without() {
    let soon = clock::now() + TimeDelta::seconds(20);
    let setting = Setting::new().await.with_deadline(soon);
    setting.simulated.fail(Fault::chat(FaultKind::RateLimited { retry_after: Some(RetryAfter::Seconds(30)) }));
    assert!(setting.draft().await.unwrap().is_template);
    let setting = setting.with_deadline(clock::now() + TimeDelta::seconds(600));
    assert!(setting.draft().await.is_err(), "there is time to wait");
    let setting = setting.with_deadline(clock::now() + TimeDelta::milliseconds(300));
    let before = setting.made();
    assert!(setting.draft().await.unwrap().is_template);
    assert_eq!(setting.made(), before, "no call is begun that cannot end in time");
}

#[tokio::test]
async fn a_hanging_provider_leaves_time_for_what_follows() {
    let setting = Setting::new().await.with_deadline(clock::now() + TimeDelta::milliseconds(2_400));
    setting.simulated.fail(Fault::chat(FaultKind::Hang));
    assert!(setting.draft().await.unwrap().is_template);
    assert!(setting.job.deadline_at.unwrap() > clock::now() + TimeDelta::milliseconds(500));
}

#[tokio::test]
async fn a_model_without_schemas_is_asked_for_an_object_from_then_on() {
    let setting = Setting::with(|config| config.llm_model = "no-strict-schemas".into()).await;
    setting.outline().await.unwrap();
    assert_eq!(setting.asked(), (1, 1), "a 400 is no accepted call");
    setting.outline().await.unwrap();
    assert_eq!(setting.asked(), (2, 1));
}

#[tokio::test]
async fn a_model_that_takes_no_form_at_all_is_asked_in_plain_text_from_then_on() {
    let setting = Setting::with(|config| config.llm_model = "no-strict-no-json".into()).await;
    let outline = setting.outline().await.unwrap();
    assert_eq!(setting.asked(), (1, 2));
    assert_eq!(setting.outline().await.unwrap(), outline, "dug out of the text");
    assert_eq!(setting.asked(), (2, 2));
}

#[tokio::test]
async fn a_model_that_does_not_stream_tells_its_text_at_the_end() {
    let setting = Setting::with(|config| config.llm_model = "no-stream".into()).await;
    let (calls, told) = (setting.calls(), std::sync::Mutex::new(String::new()));
    let sink = |piece: &str| told.lock().unwrap().push_str(piece);
    let prompt = setting.task().prompt(Stage::Draft, &calls.writer().window(), 500).unwrap();
    let request = prompt.request(crate::provider::chat::Form::Text, 500, 0.0);
    for asked in [(1, 1), (2, 1)] {
        let answer = calls.ask(calls.writer().primary(), &request, Some(&sink)).await.unwrap();
        assert_eq!(std::mem::take(&mut *told.lock().unwrap()), answer.text);
        assert_eq!(setting.asked(), asked, "it is remembered");
    }
    setting.simulated.fail(Fault::chat(server_error()));
    assert!(calls.ask(calls.writer().primary(), &request, Some(&sink)).await.is_err());
}

#[tokio::test]
async fn a_wrong_key_fails_the_job_and_names_the_variable() {
    let setting = Setting::new().await.on_last_attempt();
    let wrong = FaultKind::Status { code: 401, body: None, retry_after: None, retry_after_ms: None };
    setting.simulated.fail(Fault::chat(wrong));
    let Interruption::Fail(problem) = setting.becomes(setting.draft().await.unwrap_err()) else { panic!("no failure") };
    assert!(problem.detail.contains("GROQ_API_KEY") && !problem.detail.contains("gsk-test"), "{}", problem.detail);
    assert_eq!(problem.kind, "/problems/provider-misconfigured");
}

#[tokio::test]
async fn research_goes_on_without_the_web_but_waits_for_its_turn() {
    let mut setting = Setting::new().await;
    let found = research::run(&setting.calls(), &setting.brief).await.unwrap();
    // What was found would be there for another text that asks the same.
    setting.brief.topic = "Something else".into();
    assert!(!found.is_unavailable && !found.passages.is_empty());
    for kind in [server_error(), FaultKind::TruncatedJson { part: Some(Part::Body) }, FaultKind::Reset] {
        setting.simulated.fail(Fault::search(kind));
        let found = research::run(&setting.calls(), &setting.brief).await.unwrap();
        assert!(found.is_unavailable && found.passages.is_empty());
    }
    setting.simulated.fail(Fault::search(FaultKind::EmptyText));
    assert!(
        !research::run(&setting.calls(), &setting.brief).await.unwrap().is_unavailable,
        "nothing found is an answer"
    );
    setting.simulated.fail(Fault::search(FaultKind::RateLimited { retry_after: Some(RetryAfter::Seconds(9)) }));
    let error = research::run(&setting.calls(), &setting.brief).await.unwrap_err();
    assert!(
        matches!(setting.becomes(error), Interruption::Wait(waiting) if waiting.provider.as_deref() == Some("tavily"))
    );
    let keyless = Setting::with(|config| config.tavily_api_key = None).await;
    assert!(research::run(&keyless.calls(), &keyless.brief).await.unwrap().is_unavailable);
}

#[tokio::test]
async fn a_slow_editor_holds_nothing_up_but_itself() {
    let setting = Setting::with(|config| config.call_timeout_ms = 300).await.on_last_attempt();
    setting.simulated.fail(Fault::chat(FaultKind::Hang).stage(SimulatedStage::Edit));
    let began = Instant::now();
    assert!(setting.edit("# T\n\nA text.").await.unwrap().rubric.is_none());
    assert!(began.elapsed() < Duration::from_secs(3));
    assert!(!setting.draft().await.unwrap().is_template);
}
