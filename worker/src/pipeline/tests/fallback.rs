//! Models that stand in for others: when they are asked, and when not.

use super::*;
use crate::provider::chat::Form;
use crate::provider::tests::decommissioned;

/// Stands in for both.
const FALLBACK: &str = "llama-3.1-8b-instant";

async fn setting() -> Setting {
    Setting::with(|config| config.llm_fallback_models = FALLBACK.into()).await
}

impl Setting {
    fn writer(&self) -> String {
        self.simulated.providers.writer.primary().name().to_owned()
    }

    fn writer_fails(&self, kind: FaultKind) {
        self.simulated.fail(Fault::chat(kind).model(self.writer()));
    }

    fn faulted(&self) -> u64 {
        self.simulated.simulator.calls().chat.faulted
    }
}

fn by(draft: &draft::Draft) -> (&str, bool) {
    draft.by.as_ref().map_or(("nobody", false), |by| (by.model.as_str(), by.is_fallback))
}

#[tokio::test]
async fn another_model_writes_while_the_breaker_of_the_first_is_open() {
    let setting = setting().await;
    setting.writer_fails(server_error());
    for _ in 0..5 {
        let error = setting.draft().await.unwrap_err();
        assert!(matches!(setting.becomes(error), Interruption::Retry(_)), "a failed call is the job's to repeat");
    }
    assert_eq!(setting.made(), 5);
    let calls = setting.calls();
    let draft = draft::run(&calls, &setting.task()).await.unwrap();
    assert_eq!(by(&draft), (FALLBACK, true));
    let usage = calls.take_usage();
    assert_eq!((usage.models[FALLBACK], usage.models.len(), usage.calls["groq"]), (1, 1, 1));
    assert_eq!(setting.faulted(), 5, "the first was not called again");
    let edited = setting.edit(&draft.text).await.unwrap();
    assert!(!edited.by.unwrap().is_fallback, "the editor is another model, and well");
}

#[tokio::test]
async fn another_model_edits_and_plans_too() {
    let setting = setting().await;
    setting.writer_fails(decommissioned());
    assert_eq!(setting.planned().await.unwrap().by.unwrap().model, FALLBACK);
    let reviewer = setting.simulated.providers.reviewer.primary().name().to_owned();
    setting.simulated.fail(Fault::chat(decommissioned()).model(reviewer));
    let edited = setting.edit("# T\n\nA text.").await.unwrap();
    assert!(edited.rubric.is_some() && edited.by.unwrap().model == FALLBACK);
}

#[tokio::test]
async fn a_model_that_the_provider_does_not_know_is_asked_once() {
    for model in ["no-such-model-anywhere", "gone"] {
        let setting = Setting::with(|config| {
            (config.llm_model, config.llm_fallback_models) = (model.into(), FALLBACK.into());
        })
        .await;
        setting.simulated.fail(Fault::chat(decommissioned()).model("gone"));
        for n in 1..=2 {
            let calls = setting.calls();
            let draft = draft::run(&calls, &setting.task()).await.unwrap();
            assert_eq!(by(&draft), (FALLBACK, true));
            let expected = if n == 1 { 2 } else { 1 };
            assert_eq!(calls.take_usage().calls["groq"], expected, "{model}: a call that would be refused is saved");
        }
    }
}

#[tokio::test]
async fn a_reviewer_that_nobody_knows_costs_the_review_and_not_the_text() {
    let setting = Setting::with(|config| config.review_model = Some("no-such-model-to-review".into())).await;
    let calls = setting.calls();
    let before = review::checked(&setting.task(), "# T\n\nA text.");
    let edited = edit::run(&calls, &setting.task(), &before).await.unwrap();
    assert!(edited.text.is_none() && edited.rubric.is_none() && edited.by.is_none());
    assert!(setting.edit("# T\n\nA text.").await.is_ok());
}

#[tokio::test]
async fn what_is_not_the_models_own_lets_no_other_stand_in() {
    let status = |code| FaultKind::Status { code, body: None, retry_after: None, retry_after_ms: None };
    for (kind, becomes) in [(status(401), "fail"), (status(403), "fail"), (status(429), "wait"), (status(500), "retry")]
    {
        let setting = setting().await;
        setting.writer_fails(kind.clone());
        let error = setting.draft().await.unwrap_err();
        let became = match setting.becomes(error) {
            Interruption::Fail(_) => "fail",
            Interruption::Wait(_) => "wait",
            Interruption::Retry(_) => "retry",
            _ => "other",
        };
        assert_eq!((became, setting.made()), (becomes, 1), "{kind:?}");
    }
}

#[tokio::test]
async fn a_job_without_another_chance_asks_the_next_model_at_once() {
    let setting = setting().await.on_last_attempt();
    setting.writer_fails(server_error());
    let draft = setting.draft().await.unwrap();
    assert_eq!((by(&draft), draft.is_template), ((FALLBACK, true), false));
    setting.simulated.fail(Fault::chat(server_error()));
    assert!(setting.draft().await.unwrap().is_template, "where that fails too, the passages are left");
}

#[tokio::test]
async fn a_job_waits_where_every_model_is_down_or_unknown() {
    let setting = setting().await;
    setting.simulated.fail(Fault::chat(server_error()));
    for _ in 0..10 {
        assert!(setting.draft().await.is_err());
    }
    let made = setting.made();
    assert_eq!(made, 10, "five of each");
    let setting = setting.on_last_attempt();
    let Interruption::Wait(waiting) = setting.becomes(setting.draft().await.unwrap_err()) else { panic!("no wait") };
    assert_eq!((waiting.reason, setting.made()), (WaitReason::BreakerOpen, made));

    let setting = self::setting().await;
    setting.writer_fails(server_error());
    for _ in 0..5 {
        assert!(setting.draft().await.is_err());
    }
    setting.simulated.fail(Fault::chat(decommissioned()).model(FALLBACK));
    let Interruption::Wait(waiting) = setting.becomes(setting.draft().await.unwrap_err()) else { panic!("no wait") };
    assert_eq!(waiting.reason, WaitReason::BreakerOpen, "the first may come back");
}

#[tokio::test]
async fn a_model_without_schemas_does_not_spoil_them_for_the_other() {
    let setting = Setting::with(|config| {
        (config.llm_model, config.llm_fallback_models) = ("no-strict-schemas".into(), FALLBACK.into());
    })
    .await;
    assert_eq!(setting.planned().await.unwrap().by.unwrap().model, "no-strict-schemas");
    let schema = Form::JsonSchema { name: "outline", schema: serde_json::Value::Null };
    let writer = &setting.simulated.providers.writer;
    let refuse: Vec<_> = writer.candidates().iter().map(|model| model.refuses(&schema)).collect();
    assert_eq!(refuse, [true, false]);
}

#[tokio::test]
async fn an_outage_spends_no_attempt_and_is_no_last_chance_until_it_lasts() {
    let setting = Setting::with(|config| config.max_setbacks = 3).await.on_last_attempt();
    setting.simulated.fail(Fault::chat(server_error()));
    for nth in 1..=3 {
        let error = setting.draft().await.unwrap_err();
        let Interruption::Wait(waiting) = setting.becomes(error) else { panic!("the {nth}. spends an attempt") };
        assert_eq!((waiting.reason, waiting.provider.as_deref()), (WaitReason::Backoff, Some("groq")));
        let seconds = (waiting.until - clock::now()).as_seconds_f64();
        assert!((f64::from(nth) * 0.7..f64::from(nth) * 1.25).contains(&seconds), "{nth}: {seconds}");
    }
    assert!(setting.draft().await.unwrap().is_template, "then it was the last attempt");
    assert_eq!(setting.made(), 4);
}
