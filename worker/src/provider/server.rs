//! What an LLM server says of itself: how much its models can read and write at once, and how many calls it answers
//! at once. Servers on people's own machines say so in different places; what none of them says is assumed.

use std::error::Error;
use std::time::Duration;

use copydesk_common::config::{ProvidersConfig, SecretUrl, windows};
use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::call::{self, CallError};
use super::{body, http_client};

/// How long each question may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(2);
/// How long a server that is not up yet is left alone.
const ASKED_EVERY: Duration = Duration::from_secs(5);
/// A description of all models of a large provider is shorter.
const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// What Ollama serves of a model's window where neither it nor the model says more.
const OLLAMA_TOKENS: u32 = 4_096;
/// The fields of `GET /v1/models` that hold a window, by server: OpenRouter and others, vLLM, Groq, LM Studio.
const WINDOW_FIELDS: [&str; 4] = ["context_length", "max_model_len", "context_window", "max_context_length"];

/// What a server said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Windows by model, in tokens.
    pub windows: Vec<(String, u32)>,
    /// Calls that it answers at once.
    pub slots: Option<u32>,
}

/// The server does not answer at all, or says that it is not up yet.
#[derive(Debug, thiserror::Error)]
#[error("the LLM server does not answer")]
struct Silent(#[source] CallError);

/// Asks the server for what the configuration does not say, and says what is known in one line of the log. A server
/// that is not up yet is asked again by [`late`].
pub async fn learn(mut config: ProvidersConfig) -> ProvidersConfig {
    let told = if is_asked(&config) { Some(ask(&config, &unknown(&config)).await) } else { None };
    let answers = told.as_ref().map(Result::is_ok);
    let told = told.unwrap_or_else(|| Ok(Told::default())).unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn Error, "the LLM server cannot be asked for its windows and slots yet");
        Told::default()
    });
    for (model, tokens) in &told.windows {
        config.context_tokens = format!("{},{model}={tokens}", config.context_tokens);
    }
    if config.llm_concurrency == 0 {
        config.llm_concurrency = told.slots.unwrap_or(0);
    }
    report(&config, answers);
    config
}

/// Asks a server that was not up at the start until it answers, and says what it told.
pub async fn late(config: &ProvidersConfig) -> Told {
    if !is_asked(config) {
        return Told::default();
    }
    let asked = unknown(config);
    loop {
        if let Ok(told) = ask(config, &asked).await {
            for (model, tokens) in &told.windows {
                tracing::info!(model, window_tokens = tokens, "the LLM server said how much a model reads and writes");
            }
            if let Some(slots) = told.slots.filter(|_| config.llm_concurrency == 0) {
                tracing::info!(calls_at_once = slots, "the LLM server said how many calls it answers at once");
            }
            return told;
        }
        tokio::time::sleep(ASKED_EVERY).await;
    }
}

/// Whether there is something to ask the server for. Nobody bounds the calls at once of a provider on the internet.
fn is_asked(config: &ProvidersConfig) -> bool {
    !config.models_without_window().is_empty() || (config.llm_concurrency == 0 && config.is_private())
}

/// The models whose windows nobody said.
fn unknown(config: &ProvidersConfig) -> Vec<String> {
    config.models_without_window().into_iter().map(str::to_owned).collect()
}

/// `answers` is whether the server did, where it was asked.
fn report(config: &ProvidersConfig, answers: Option<bool>) {
    let windows = config.windows();
    let window = |model: &str| windows.of(model).unwrap_or(windows::UNKNOWN_TOKENS);
    let assumed = config.models_without_window().join(", ");
    tracing::info!(
        provider.name = %config.llm_name(),
        llm.address = config.llm_base_url.host_str().unwrap_or_default(),
        llm.answers = answers,
        model = config.llm_model,
        window_tokens = window(&config.llm_model),
        reviewer = config.review_model(),
        reviewer.window_tokens = window(config.review_model()),
        windows.assumed_for = assumed,
        calls_at_once = config.llm_concurrency,
        calls_per_minute = config.llm_requests_per_minute(),
        call_timeout_ms = config.call_timeout_ms,
        "the LLM provider is known: COPYDESK_CONTEXT_TOKENS, COPYDESK_REVIEW_MODEL, COPYDESK_LLM_CONCURRENCY and \
         COPYDESK_CALL_TIMEOUT_MS set what is not right"
    );
}

async fn ask(config: &ProvidersConfig, models: &[String]) -> Result<Told, Silent> {
    let server = Server::of(config).map_err(Silent)?;
    let listed = server.get(&server.base.endpoint("models")).await?;
    let props = server.get(&server.root.endpoint("props")).await.unwrap_or_default();
    let slots = props["total_slots"].as_u64().and_then(|slots| slots.try_into().ok()).filter(|slots| *slots > 0);
    let served = tokens(&props["default_generation_settings"]["n_ctx"]);
    let mut told = Told { windows: Vec::new(), slots };
    for model in models {
        let found = match served.or_else(|| of_listed(&listed, model)) {
            Some(tokens) => Some(tokens),
            None => server.ollama(model).await,
        };
        let is_listable = !model.contains([',', '=']);
        told.windows
            .extend(found.filter(|tokens| *tokens >= windows::MIN_TOKENS && is_listable).map(|n| (model.clone(), n)));
    }
    Ok(told)
}

/// A server's addresses, and how it is asked.
struct Server {
    http: reqwest::Client,
    headers: HeaderMap,
    /// Up to and with the version.
    base: SecretUrl,
    /// Without it: where servers keep what is not OpenAI's.
    root: SecretUrl,
}

impl Server {
    fn of(config: &ProvidersConfig) -> Result<Self, CallError> {
        let http = http_client().map_err(CallError::of)?;
        let base = config.llm_base_url.clone();
        let root = base.without_end("/v1");
        // A key that no header takes stops the start a moment later.
        let headers = call::bearer(config.groq_api_key.as_ref(), "GROQ_API_KEY").unwrap_or_default();
        Ok(Self { http, headers, base, root })
    }

    async fn get(&self, url: &SecretUrl) -> Result<Value, Silent> {
        self.send(self.http.get(url.expose().clone())).await
    }

    /// What Ollama gives a model: what it is loaded with, what its file asks for, or what Ollama gives every model.
    async fn ollama(&self, model: &str) -> Option<u32> {
        let running = self.get(&self.root.endpoint("api/ps")).await.ok()?;
        let named = |entry: &&Value| entry["model"] == model || entry["name"] == model;
        let loaded = running["models"].as_array().into_iter().flatten().find(named);
        if let Some(tokens) = loaded.and_then(|entry| tokens(&entry["context_length"])) {
            return Some(tokens);
        }
        let asked = self.http.post(self.root.endpoint("api/show").expose().clone()).json(&json!({ "model": model }));
        of_shown(&self.send(asked).await.ok()?)
    }

    /// What is answered as JSON; nothing where the answer is a refusal.
    async fn send(&self, request: RequestBuilder) -> Result<Value, Silent> {
        match call::open(request.headers(self.headers.clone()), ANSWERS_WITHIN).await {
            Ok(answer) => {
                let bytes = call::read(answer, MAX_BODY_BYTES).await.unwrap_or_default();
                Ok(body::json(&bytes).unwrap_or_default())
            }
            // llama.cpp while it loads its model, and proxies before a server that is not up.
            Err(error @ CallError::Status { status: 502..=504, .. }) => Err(Silent(error)),
            Err(CallError::Status { .. }) => Ok(Value::Null),
            Err(error) => Err(Silent(error)),
        }
    }
}

/// The window in a list of models. A server of one model answers to any name.
fn of_listed(listed: &Value, model: &str) -> Option<u32> {
    let entries = listed["data"].as_array()?;
    let named = |entry: &&Value| {
        entry["id"] == model
            || entry["aliases"].as_array().is_some_and(|aliases| aliases.iter().any(|alias| alias == model))
    };
    let entry = entries.iter().find(named).or(entries.first().filter(|_| entries.len() == 1))?;
    let direct = WINDOW_FIELDS.iter().find_map(|field| tokens(&entry[field]));
    direct.or_else(|| tokens(&entry["meta"]["n_ctx"])).or_else(|| tokens(&entry["meta"]["n_ctx_train"]))
}

/// The window in Ollama's description of a model.
fn of_shown(shown: &Value) -> Option<u32> {
    let parameters = shown["parameters"].as_str().unwrap_or_default();
    let asked = parameters.lines().find_map(|line| line.trim().strip_prefix("num_ctx")?.trim().parse().ok());
    let info = shown["model_info"].as_object()?;
    let trained = info.iter().find(|(name, _)| name.ends_with(".context_length")).and_then(|(_, value)| tokens(value));
    asked.or(trained.map(|trained| trained.min(OLLAMA_TOKENS)))
}

fn tokens(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|tokens| tokens.try_into().ok()).filter(|tokens| *tokens > 0)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::{get, post};
    use copydesk_common::config::Config;
    use copydesk_common::redis::Redis;
    use tokio::net::TcpListener;

    use super::*;
    use crate::provider::Providers;

    /// A server that answers these paths.
    async fn serve(answers: &[(&'static str, Value)]) -> ProvidersConfig {
        let mut router = Router::new();
        for (path, answer) in answers.iter().cloned() {
            let answer = move || async move { axum::Json(answer) };
            router = router.route(path, if path == "/api/show" { post(answer) } else { get(answer) });
        }
        config(&served(router.fallback(|| async { StatusCode::NOT_FOUND })).await)
    }

    /// The address of a server.
    async fn served(router: Router) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}/v1")
    }

    fn config(base_url: &str) -> ProvidersConfig {
        let mut config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap().providers;
        config.llm_base_url = base_url.parse().unwrap();
        config.llm_model = "mine".into();
        config
    }

    #[tokio::test]
    async fn every_servers_window_is_learnt_before_one_is_assumed() {
        let list =
            |entry: Value| ("/v1/models", json!({ "data": [{ "id": "other", "context_length": 9_999 }, entry] }));
        let ps = |models: Value| ("/api/ps", json!({ "models": models }));
        let show =
            ("/api/show", json!({ "parameters": "stop \"x\"", "model_info": { "qwen3.context_length": 40_960 } }));
        let cases = [
            (vec![list(json!({ "id": "mine", "max_model_len": 16_384 }))], 16_384),
            (vec![list(json!({ "id": "mine", "context_window": 131_072 }))], 131_072),
            (vec![list(json!({ "id": "mine", "meta": { "n_ctx_train": 2_048 } }))], 2_048),
            (
                vec![(
                    "/v1/models",
                    json!({ "data": [{ "id": "file.gguf", "meta": { "n_ctx": 4_096, "n_ctx_train": 8_192 } }] }),
                )],
                4_096,
            ),
            (
                vec![
                    list(json!({ "id": "mine" })),
                    ps(json!([{ "name": "mine", "context_length": 32_768 }])),
                    show.clone(),
                ],
                32_768,
            ),
            (
                vec![
                    list(json!({ "id": "mine" })),
                    ps(json!([])),
                    ("/api/show", json!({ "parameters": "num_ctx    12000", "model_info": {} })),
                ],
                12_000,
            ),
            (vec![list(json!({ "id": "mine" })), ps(json!([])), show], OLLAMA_TOKENS),
        ];
        for (answers, tokens) in cases {
            let learnt = learn(serve(&answers).await).await;
            assert_eq!(learnt.windows().of("mine"), Some(tokens), "{answers:?}");
            assert_eq!((learnt.models_without_window(), learnt.llm_concurrency), (vec![], 0), "{answers:?}");
        }
    }

    #[tokio::test]
    async fn the_slots_of_a_server_bound_its_calls_and_what_is_given_wins() {
        let answers = [
            ("/v1/models", json!({ "data": [{ "id": "mine", "meta": { "n_ctx_train": 8_192 } }] })),
            ("/props", json!({ "total_slots": 1, "default_generation_settings": { "n_ctx": 2_560 } })),
        ];
        let asked = serve(&answers).await;
        let learnt = learn(asked.clone()).await;
        assert_eq!(
            (learnt.windows().of("mine"), learnt.llm_concurrency),
            (Some(2_560), 1),
            "what is served, not what was trained"
        );
        let with_a_window = ProvidersConfig { context_tokens: "mine=3000".into(), ..asked };
        let learnt = learn(with_a_window.clone()).await;
        assert_eq!((learnt.windows().of("mine"), learnt.llm_concurrency), (Some(3_000), 1), "slots are asked for too");
        let given = ProvidersConfig { llm_concurrency: 4, ..with_a_window };
        let learnt = learn(given).await;
        assert_eq!((learnt.windows().of("mine"), learnt.llm_concurrency), (Some(3_000), 4));
    }

    #[tokio::test]
    async fn a_server_that_says_nothing_or_nonsense_changes_nothing() {
        let nonsense = ("/v1/models", json!({ "data": [{ "id": "mine", "context_length": -1, "meta": "x" }] }));
        for asked in
            [serve(&[]).await, serve(&[nonsense, ("/props", json!([]))]).await, config("http://127.0.0.1:1/v1")]
        {
            let learnt = learn(asked.clone()).await;
            assert_eq!((learnt.context_tokens, learnt.llm_concurrency), (asked.context_tokens, 0));
        }
    }

    #[tokio::test]
    async fn a_server_that_loads_its_model_is_asked_again() {
        let loading = Arc::new(AtomicBool::new(true));
        let answer = |answer: Value| {
            let loading = loading.clone();
            get(move || async move {
                let is_loading = loading.load(Ordering::Relaxed);
                if is_loading { Err(StatusCode::SERVICE_UNAVAILABLE) } else { Ok(axum::Json(answer)) }
            })
        };
        let router = Router::new()
            .route("/v1/models", answer(json!({ "data": [{ "id": "mine", "meta": { "n_ctx": 4_096 } }] })))
            .route("/props", answer(json!({ "total_slots": 1 })));
        let asked = config(&served(router).await);
        let server_is_silent = ask(&asked, &unknown(&asked)).await.is_err();
        assert!(server_is_silent, "it said nothing yet");
        loading.store(false, Ordering::Relaxed);
        assert_eq!(learn(asked).await.windows().of("mine"), Some(4_096));
    }

    #[tokio::test]
    async fn a_server_that_comes_up_later_is_asked_again() {
        let asked = serve(&[("/v1/models", json!({ "data": [{ "id": "mine", "max_model_len": 16_384 }] }))]).await;
        assert_eq!(late(&asked).await.windows, [("mine".to_owned(), 16_384)]);
    }

    #[tokio::test]
    async fn what_a_server_says_later_bounds_the_calls_too() {
        let answers = [
            ("/v1/models", json!({ "data": [{ "id": "mine", "meta": { "n_ctx": 4_096 } }] })),
            ("/props", json!({ "total_slots": 2 })),
        ];
        let config = serve(&answers).await;
        let redis = Redis::new(&Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap().redis).unwrap();
        let providers = Providers::new(&config, &redis).unwrap();
        let writer = providers.writer.primary();
        assert!(!writer.has_few_slots(), "nobody said anything yet");
        providers.clone().learn(config).await;
        assert!(writer.has_few_slots());
        assert_eq!((writer.calls_at_once(), writer.window().tokens), (Some(2), 4_096));
        assert_eq!(providers.reviewer.primary().calls_at_once(), Some(2));
    }
}
