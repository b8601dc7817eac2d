//! The clients and the gate against the simulator, over real HTTP and a real quota in Redis.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use copydesk_common::config::{Config, SearchProvider};
use copydesk_common::money::MicroUsd;
use copydesk_common::quota::{AskedFor, BreakerState, Rank};
use copydesk_domain::id::JobId;
use copydesk_simulator::{Fault, FaultKind, Part, RetryAfter, Simulator, SimulatorConfig};

use super::chat::{Answer, ChatRequest, Form};
use super::web_page::WebPage;
use super::*;

mod dialects;
mod stream;

/// Long enough for ten megabytes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Providers that are a simulator, with a quota of the test's own.
pub(crate) struct Simulated {
    pub(crate) simulator: Simulator,
    pub(crate) providers: Providers,
}

impl Simulated {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut ProvidersConfig)) -> Self {
        Self::on(SimulatorConfig::unlimited(), change).await
    }

    async fn on(simulator: SimulatorConfig, change: impl FnOnce(&mut ProvidersConfig)) -> Self {
        let simulator = copydesk_testkit::simulator(simulator).await;
        let postgres = format!("postgres://nobody@{}/none", copydesk_testkit::NOBODY);
        let (redis_url, prefix) = (copydesk_testkit::redis_url(), copydesk_testkit::prefix());
        let mut config = Config::for_servers(&postgres, &redis_url, &prefix).unwrap();
        config.providers.llm_base_url = simulator.llm_base_url().parse().unwrap();
        config.providers.search_base_url = simulator.base_url().parse().unwrap();
        config.providers.groq_api_key = Some("gsk-test".into());
        config.providers.llm_name = Some("groq".into());
        config.providers.tavily_api_key = Some("tvly-test".into());
        config.providers.llm_requests_per_minute = Some(6_000);
        config.providers.review_model = Some("openai/gpt-oss-20b".into());
        config.providers.search_requests_per_minute = 6_000;
        // Each failure speaks of the job, but where a test says otherwise.
        config.providers.max_setbacks = 0;
        change(&mut config.providers);
        let redis = Redis::new(&config.redis).unwrap();
        let providers = Providers::new(&config.providers, &redis).unwrap();
        Self { simulator, providers }
    }

    pub(crate) fn fail(&self, fault: Fault) {
        self.simulator.set_faults(vec![fault]).unwrap();
    }

    async fn ask(&self) -> Result<Answer, ProviderError> {
        self.ask_within(TIMEOUT).await
    }

    async fn ask_within(&self, timeout: Duration) -> Result<Answer, ProviderError> {
        self.providers.writer.primary().complete(rank(), timeout, &request(), None).await
    }

    async fn search(&self) -> Result<Vec<WebPage>, ProviderError> {
        self.providers.search.as_ref().unwrap().search(rank(), AskedFor::Call, TIMEOUT, "tides", "en").await
    }
}

/// Asks for vectors of two texts.
async fn embed(simulated: &Simulated) -> Result<Vec<f32>, ProviderError> {
    let texts = ["scans are read twice".to_owned(), "prices of coffee".to_owned()];
    let model = simulated.providers.embeddings.as_ref().unwrap();
    let embedded = model.embed(rank(), TIMEOUT, &texts).await?;
    assert_eq!(embedded.vectors.len(), 2);
    Ok(embedded.vectors[0].numbers().to_vec())
}

async fn with_embeddings() -> Simulated {
    Simulated::with(|config| {
        config.embeddings.base_url = Some(config.search_base_url.endpoint("v1"));
        config.embeddings.model = Some("hashed-words".into());
        config.embeddings.api_key = Some("sk-test".into());
    })
    .await
}

#[tokio::test]
async fn vectors_come_in_the_order_of_their_texts_and_whole() {
    let simulated = with_embeddings().await;
    let first = embed(&simulated).await.unwrap();
    let model = simulated.providers.embeddings.as_ref().unwrap();
    let alone = model.embed(rank(), TIMEOUT, &["scans are read twice".to_owned()]).await.unwrap();
    assert_eq!(first, alone.vectors[0].numbers(), "the simulator answers last first");
    assert_eq!(alone.tokens, Some(5));
    for kind in [FaultKind::EmptyText, FaultKind::TruncatedJson { part: None }, FaultKind::WrongShape { part: None }] {
        simulated.fail(Fault::embeddings(kind.clone()));
        let error = embed(&simulated).await.unwrap_err();
        assert!(
            matches!(&error, ProviderError::Failed { provider, .. } if *provider == "embeddings"),
            "{kind:?}: {error}"
        );
    }
}

#[tokio::test]
async fn a_model_of_vectors_that_is_down_is_left_alone_and_others_are_not() {
    let simulated = with_embeddings().await;
    simulated.fail(Fault::embeddings(status(503)));
    for _ in 0..5 {
        assert!(matches!(embed(&simulated).await, Err(ProviderError::Failed { .. })));
    }
    assert!(
        matches!(embed(&simulated).await, Err(ProviderError::BreakerOpen { provider, .. }) if provider == "embeddings")
    );
    assert_eq!(simulated.simulator.calls().embeddings.accepted, 5, "the sixth was not made");
    assert!(simulated.ask().await.is_ok());
}

#[tokio::test]
async fn what_is_wrong_with_the_setting_of_vectors_is_named() {
    let simulated = with_embeddings().await;
    for (code, variable) in [(401, "COPYDESK_EMBEDDINGS_API_KEY"), (404, "COPYDESK_EMBEDDINGS_BASE_URL")] {
        simulated.fail(Fault::embeddings(status(code)));
        let error = embed(&simulated).await.unwrap_err().to_string();
        assert!(error.ends_with(&format!("see {variable}")), "{error}");
    }
}

fn rank() -> Rank {
    let business = copydesk_domain::business::BusinessId::parse("company_123").unwrap();
    Rank::new_job(JobId::new(), business, copydesk_common::clock::now())
}

fn request() -> ChatRequest {
    ChatRequest {
        system: "You write.".into(),
        user: "Tell me about the tides.".into(),
        prompt_tokens: 20,
        max_completion_tokens: 500,
        temperature: 0.0,
        frequency_penalty: 0.0,
        form: Form::Text,
        meter: chat::Meter::default(),
    }
}

fn status(code: u16) -> FaultKind {
    FaultKind::Status { code, body: None, retry_after: None, retry_after_ms: None }
}

/// What Groq says of a model that it has no more.
pub(crate) fn decommissioned() -> FaultKind {
    let body = serde_json::json!({ "error": { "message": "gone", "code": "model_decommissioned" } });
    FaultKind::Status { code: 400, body: Some(body), retry_after: None, retry_after_ms: None }
}

/// How long the provider is left alone, in milliseconds.
#[track_caller]
fn throttled_ms(result: Result<Answer, ProviderError>) -> i64 {
    match result.unwrap_err() {
        ProviderError::Throttled { until, .. } => (until - copydesk_common::clock::now()).num_milliseconds(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_and_its_tokens_arrive() {
    let simulated = Simulated::start().await;
    let answer = simulated.ask().await.unwrap();
    assert!(!answer.text.is_empty() && !answer.is_cut);
    assert!(answer.prompt_tokens > 0 && answer.completion_tokens > 0);
    assert!(!simulated.search().await.unwrap().is_empty());
}

#[tokio::test]
async fn five_failures_in_a_row_open_the_breaker_for_every_caller() {
    let simulated = Simulated::start().await;
    simulated.fail(Fault::chat(status(500)));
    for _ in 0..5 {
        let error = simulated.ask().await.unwrap_err();
        assert!(
            matches!(error, ProviderError::Failed { source: CallError::Status { status: 500, .. }, .. }),
            "{error:?}"
        );
    }
    assert!(matches!(simulated.ask().await, Err(ProviderError::BreakerOpen { provider, .. }) if provider == "groq"));
    assert_eq!(simulated.simulator.calls().chat.accepted, 5, "the sixth was not made");
    assert!(simulated.search().await.is_ok(), "each provider has its own breaker");
}

#[tokio::test]
async fn failures_are_told_apart() {
    let simulated = Simulated::start().await;
    simulated.fail(Fault::chat(FaultKind::Hang));
    let error = simulated.ask_within(Duration::from_millis(100)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Failed { source: CallError::TimedOut(_), .. }), "{error:?}");

    simulated.fail(Fault::chat(FaultKind::SlowDrip { ms_per_chunk: 50 }));
    let error = simulated.ask_within(Duration::from_millis(200)).await.unwrap_err();
    assert!(
        matches!(error, ProviderError::Failed { source: CallError::TimedOut(_), .. }),
        "the body counts too: {error:?}"
    );

    simulated.fail(Fault::chat(FaultKind::Reset));
    let error = simulated.ask().await.unwrap_err();
    assert!(matches!(error, ProviderError::Failed { source: CallError::Connection(_), .. }), "{error:?}");

    for kind in [FaultKind::TruncatedJson { part: Some(Part::Body) }, FaultKind::WrongShape { part: Some(Part::Body) }]
    {
        simulated.fail(Fault::chat(kind));
        let error = simulated.ask().await.unwrap_err();
        let malformed =
            matches!(error, ProviderError::Failed { source: CallError::Malformed(_) | CallError::NoChoice, .. });
        assert!(malformed, "{error:?}");
    }
    simulated.fail(Fault::search(FaultKind::Huge { bytes: 3 * 1024 * 1024 }));
    let error = simulated.search().await.unwrap_err();
    assert!(matches!(error, ProviderError::Failed { source: CallError::TooLarge, .. }), "{error:?}");
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_has_failed() {
    let simulated = Simulated::with(|config| config.llm_base_url = "http://127.0.0.1:9/v1".parse().unwrap()).await;
    let error = simulated.ask().await.unwrap_err();
    assert!(matches!(error, ProviderError::Failed { source: CallError::Connection(_), .. }), "{error:?}");
}

#[tokio::test]
async fn a_429_closes_the_provider_for_as_long_as_it_says() {
    for (retry_after, within) in [(Some(RetryAfter::Seconds(30)), 29_000..=30_000), (None, 4_000..=5_000)] {
        let simulated = Simulated::start().await;
        simulated.fail(Fault::chat(FaultKind::RateLimited { retry_after }).times(1));
        let wait = throttled_ms(simulated.ask().await);
        assert!(within.contains(&wait), "{wait}");
        let wait = throttled_ms(simulated.ask().await);
        assert!(wait > 1_000, "the quota keeps everybody away: {wait}");
        assert_eq!(simulated.simulator.calls().chat.accepted, 1, "the second call was not made");
    }
    let simulated = Simulated::start().await;
    let precise = FaultKind::Status { code: 429, body: None, retry_after: None, retry_after_ms: Some(1_500) };
    simulated.fail(Fault::chat(precise));
    let wait = throttled_ms(simulated.ask().await);
    assert!((1_000..=1_500).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_provider_that_says_nothing_is_left_is_called_no_more() {
    let of_day = SimulatorConfig { llm_requests_per_day: Some(1), ..SimulatorConfig::unlimited() };
    let simulated = Simulated::on(of_day, |_| {}).await;
    simulated.ask().await.unwrap();
    let wait = throttled_ms(simulated.ask().await);
    assert!((3_590_000..=3_600_000).contains(&wait), "a day, but no longer than an hour unasked: {wait}");
    assert_eq!(simulated.simulator.calls().chat.accepted, 1);
    assert_eq!(simulated.simulator.calls().chat.rejected_429, 0, "it was not asked to refuse");
}

#[tokio::test]
async fn the_text_of_a_429_closes_the_provider_for_all() {
    let text = "Rate limit reached. Limit 15000, Used 11972, Requested 4351. Please try again in 9.289s.";
    let body = serde_json::json!({ "error": { "message": text, "type": "tokens", "code": "rate_limit_exceeded" } });
    let simulated = Simulated::start().await;
    let refusal = FaultKind::Status { code: 429, body: Some(body), retry_after: None, retry_after_ms: None };
    simulated.fail(Fault::chat(refusal).times(1));
    assert!((8_000..=9_289).contains(&throttled_ms(simulated.ask().await)));
    assert!((8_000..=9_289).contains(&throttled_ms(simulated.ask().await)), "everybody is kept away");
    assert_eq!(simulated.simulator.calls().chat.accepted, 1);
}

#[tokio::test]
async fn a_429_says_nothing_of_the_providers_health() {
    let simulated = Simulated::start().await;
    let brief = FaultKind::Status { code: 429, body: None, retry_after: None, retry_after_ms: Some(1) };
    simulated.fail(Fault::chat(brief).times(3));
    loop {
        match simulated.ask().await {
            Ok(_) => break,
            Err(ProviderError::Throttled { until, .. }) => {
                let wait = until - copydesk_common::clock::now();
                tokio::time::sleep(wait.to_std().unwrap_or_default()).await;
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_an_operator_must_mend_names_the_variable() {
    let cases = [
        (Fault::chat(status(401)), "GROQ_API_KEY"),
        (Fault::chat(status(403)), "GROQ_API_KEY"),
        (Fault::chat(status(404)), "COPYDESK_LLM_BASE_URL"),
        (Fault::chat(decommissioned()), "COPYDESK_LLM_MODEL"),
    ];
    let simulated = Simulated::start().await;
    for (fault, expected) in cases {
        simulated.fail(fault);
        let error = simulated.ask().await.unwrap_err();
        assert!(matches!(error, ProviderError::Misconfigured { variable, .. } if variable == expected), "{error:?}");
        assert!(!format!("{error:?} {error}").contains("gsk-test"));
    }
    simulated.fail(Fault::search(status(401)));
    let error = simulated.search().await.unwrap_err();
    assert!(matches!(error, ProviderError::Misconfigured { variable: "TAVILY_API_KEY", .. }), "{error:?}");
    simulated.fail(Fault::search(status(432)));
    assert!(matches!(simulated.search().await, Err(ProviderError::Account { status: 432, .. })));
}

#[tokio::test]
async fn a_prompt_that_is_longer_than_a_window_is_refused_for_its_length() {
    let body = serde_json::json!({ "error": { "message": "too long", "code": "context_length_exceeded" } });
    let simulated = Simulated::start().await;
    simulated.fail(Fault::chat(FaultKind::Status {
        code: 400,
        body: Some(body),
        retry_after: None,
        retry_after_ms: None,
    }));
    let error = simulated.ask().await.unwrap_err();
    assert!(matches!(error, ProviderError::TooLong { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_is_asked_for_no_longer_than_the_window_leaves() {
    let window = |config: &mut ProvidersConfig| config.context_tokens = "llama-3.3-70b-versatile=2048".into();
    let simulated = Simulated::with(window).await;
    let request = ChatRequest { prompt_tokens: 1_800, ..request() };
    let answer = simulated.providers.writer.primary().complete(rank(), TIMEOUT, &request, None).await.unwrap();
    assert!(answer.is_cut && answer.completion_tokens == 2_048 - 204 - 1_800, "{}", answer.completion_tokens);
}

#[tokio::test]
async fn tokens_are_counted_where_a_server_does_not_say_them() {
    let simulated = Simulated::start().await;
    let body = serde_json::json!({ "choices": [{ "message": { "content": "潮の満ち引きは一日に二回ある。" } }] });
    let silent = FaultKind::Status { code: 200, body: Some(body), retry_after: None, retry_after_ms: None };
    simulated.fail(Fault::chat(silent));
    let answer = simulated.ask().await.unwrap();
    assert_eq!((answer.prompt_tokens, answer.completion_tokens), (20, 13));
}

#[tokio::test]
async fn keys_and_prompts_do_not_show() {
    let simulated = Simulated::start().await;
    let shown = format!("{:?} {:?} {:?}", simulated.providers, request(), simulated.ask().await.unwrap());
    for hidden in ["gsk-test", "tvly-test", "tides"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}

#[tokio::test]
async fn a_full_window_says_when_to_come_back() {
    let simulated = Simulated::with(|config| config.llm_requests_per_minute = Some(2)).await;
    simulated.ask().await.unwrap();
    simulated.ask().await.unwrap();
    let wait = throttled_ms(simulated.ask().await);
    assert!((50_000..=61_000).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_dropped_call_says_nothing_of_health() {
    let simulated = Simulated::start().await;
    simulated.fail(Fault::chat(FaultKind::Hang));
    let call = simulated.ask();
    assert!(tokio::time::timeout(Duration::from_millis(200), call).await.is_err());
    simulated.simulator.set_faults(Vec::new()).unwrap();
    let breaker = simulated.providers.writer.primary().breaker().await;
    assert_eq!(breaker, Some(BreakerState::Closed), "a cancelled call says nothing of the provider's health");
    simulated.ask().await.unwrap();
}

#[tokio::test]
async fn groqs_failed_generation_is_an_answer() {
    let simulated = Simulated::start().await;
    let body = serde_json::json!({ "error": { "message": "no", "code": "json_validate_failed", "failed_generation": "{\"a\": 1" } });
    simulated.fail(Fault::chat(FaultKind::Status {
        code: 400,
        body: Some(body),
        retry_after: None,
        retry_after_ms: None,
    }));
    assert_eq!(simulated.ask().await.unwrap().text, "{\"a\": 1");
}

#[tokio::test]
async fn without_a_key_there_is_no_search_unless_it_is_simulated() {
    let search =
        |simulated: bool| Simulated::with(move |config| (config.tavily_api_key, config.simulated) = (None, simulated));
    assert!(search(false).await.providers.search.is_none());
    assert!(search(true).await.providers.search.is_some());
}

async fn searxng() -> Simulated {
    Simulated::with(|config| (config.search_provider, config.tavily_api_key) = (SearchProvider::Searxng, None)).await
}

#[tokio::test]
async fn a_searxng_of_ones_own_is_asked_without_a_key_and_costs_nothing() {
    let simulated = searxng().await;
    let found = simulated.search().await.unwrap();
    assert!(found.len() >= 5 && found.iter().all(|page| page.url.starts_with("https://") && page.score.is_some()));
    assert_eq!(simulated.providers.search.as_ref().unwrap().cost(), MicroUsd(0));
}

#[tokio::test]
async fn a_searxng_whose_engines_are_silent_has_failed_and_has_not_found_nothing() {
    let simulated = searxng().await;
    simulated.fail(Fault::any(FaultKind::EmptyText));
    let error = simulated.search().await.unwrap_err();
    assert!(
        matches!(&error, ProviderError::Failed { provider, source: CallError::NoEngine, .. } if *provider == "searxng"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_searxng_without_json_says_what_to_set() {
    let simulated = searxng().await;
    simulated.fail(Fault::any(FaultKind::Status { code: 403, body: None, retry_after: None, retry_after_ms: None }));
    let error = simulated.search().await.unwrap_err().to_string();
    assert!(error.contains("search.formats"), "{error}");
}

#[tokio::test]
async fn a_key_that_no_header_takes_stops_the_start() {
    let mut config = Config::for_servers("postgres://h/d", "redis://h", "p").unwrap();
    config.providers.groq_api_key = Some("line\nbreak".into());
    let redis = Redis::new(&config.redis).unwrap();
    let error = Providers::new(&config.providers, &redis).unwrap_err();
    assert!(matches!(error, ClientError::Key { variable: "GROQ_API_KEY" }), "{error:?}");
}
