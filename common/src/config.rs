//! Configuration: read from the environment once, at the start, and checked there: a missing or
//! senseless value stops the process with one line that names the variable and what it takes. The
//! only place that reads the environment.

use std::net::SocketAddr;
use std::time::Duration;

use confique::Config as _;
use confique::meta::{Expr, FieldKind, LeafKind, Meta};
use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::EnvFilter;
use url::Url;

use crate::quota::money::{MicroUsd, Prices};
use crate::redis::{Address, AddressError};

pub(crate) mod by_model;
pub mod windows;

use windows::Windows;

/// Everything that Copydesk's processes can be told.
#[derive(Debug, Clone, confique::Config)]
pub struct Config {
    /// Postgres.
    #[config(nested)]
    pub postgres: PostgresConfig,
    /// Redis.
    #[config(nested)]
    pub redis: RedisConfig,
    /// Logs.
    #[config(nested)]
    pub telemetry: TelemetryConfig,
    /// The HTTP API.
    #[config(nested)]
    pub api: ApiConfig,
    /// The workers.
    #[config(nested)]
    pub worker: WorkerConfig,
    /// LLM and search providers.
    #[config(nested)]
    pub providers: ProvidersConfig,
}

/// Postgres: the truth.
#[derive(Debug, Clone, confique::Config)]
#[config(validate = Self::validate)]
pub struct PostgresConfig {
    /// Where Postgres is: `postgres://user:password@host:port/database`. A `postgresql+asyncpg://`
    /// URI is taken too.
    #[config(env = "POSTGRES_URI")]
    uri: Option<SecretString>,
    /// Read where POSTGRES_URI is not set.
    #[config(env = "POSTGRES_ASYNC_URI")]
    async_uri: Option<SecretString>,
    /// Connections kept in normal times.
    #[config(env = "COPYDESK_DATABASE_POOL_SIZE", default = 20)]
    pub pool_size: u32,
    /// Connections beyond these, at a peak.
    #[config(env = "COPYDESK_DATABASE_POOL_OVERFLOW", default = 10)]
    pub pool_overflow: u32,
    /// How long a query waits for a connection, in seconds.
    #[config(env = "COPYDESK_DATABASE_ACQUIRE_TIMEOUT_SECONDS", default = 30)]
    pub acquire_timeout_seconds: u64,
    /// A connection is replaced at this age, in seconds.
    #[config(env = "COPYDESK_DATABASE_RECYCLE_SECONDS", default = 3600)]
    pub recycle_seconds: u64,
}

impl PostgresConfig {
    fn validate(&self) -> Result<(), String> {
        let Some(uri) = self.uri.as_ref().or(self.async_uri.as_ref()) else {
            return Err("POSTGRES_URI is not set: it takes postgres://user:password@host:port/database".into());
        };
        let parsed = Url::parse(uri.expose_secret());
        let scheme = parsed.as_ref().map(Url::scheme).unwrap_or_default();
        if !matches!(scheme, "postgres" | "postgresql" | "postgresql+asyncpg" | "postgres+asyncpg") {
            return Err("POSTGRES_URI takes postgres://user:password@host:port/database".into());
        }
        if self.pool_size == 0 {
            return Err("COPYDESK_DATABASE_POOL_SIZE takes a number of connections from 1".into());
        }
        Ok(())
    }

    /// The URL to connect to, in the form that the driver takes. Holds the password.
    pub(crate) fn connect_url(&self) -> String {
        let uri = self.uri.as_ref().or(self.async_uri.as_ref()).map_or("", |uri| uri.expose_secret());
        uri.replacen("+asyncpg://", "://", 1)
    }
}

/// Redis: the queue, the quota, the breakers.
#[derive(Debug, Clone, confique::Config)]
#[config(validate = Self::validate)]
pub struct RedisConfig {
    /// Where Redis is: `redis://:password@host:port/database`, or for Redis Cluster
    /// `redis-cluster://:password@host:port,host:port`, some of its nodes. `rediss://` and
    /// `rediss-cluster://` for TLS.
    #[config(env = "REDIS_URL")]
    url: SecretString,
    /// The first part of every key, so that several installations can share one Redis.
    #[config(env = "COPYDESK_REDIS_PREFIX", default = "copydesk")]
    pub prefix: String,
}

impl RedisConfig {
    /// A configuration that does not come from the environment.
    pub fn new(url: &str, prefix: &str) -> Self {
        Self { url: url.into(), prefix: prefix.to_owned() }
    }

    fn validate(&self) -> Result<(), String> {
        self.address().map_err(|error| error.to_string())?;
        if self.prefix.is_empty() || self.prefix.contains(['{', '}']) {
            return Err("COPYDESK_REDIS_PREFIX takes a word without braces".into());
        }
        Ok(())
    }

    /// Where to connect to. Holds the password.
    pub(crate) fn address(&self) -> Result<Address, AddressError> {
        self.url.expose_secret().parse()
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Console,
}

/// Logs.
#[derive(Debug, Clone, confique::Config)]
#[config(validate = Self::validate)]
pub struct TelemetryConfig {
    /// `json` or `console`.
    #[config(env = "LOG_FORMAT", default = "json")]
    pub format: LogFormat,
    /// Which lines: a level, or directives such as `info,copydesk_worker=debug`.
    #[config(env = "COPYDESK_LOG", default = "info")]
    pub filter: String,
}

impl TelemetryConfig {
    fn validate(&self) -> Result<(), String> {
        EnvFilter::builder().parse(&self.filter).map(drop).map_err(|error| {
            format!("COPYDESK_LOG takes a level, or directives such as info,copydesk_worker=debug: {error}")
        })
    }
}

/// The HTTP API.
#[derive(Debug, Clone, confique::Config)]
pub struct ApiConfig {
    /// The address that it serves at.
    #[config(env = "COPYDESK_API_LISTEN", default = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// The largest JSON body it takes, in bytes. Uploads have their own limit of 10 MiB.
    #[config(env = "COPYDESK_API_MAX_BODY_BYTES", default = 1_048_576)]
    pub max_body_bytes: usize,
}

/// The workers.
#[derive(Debug, Clone, confique::Config)]
#[config(validate = Self::validate)]
pub struct WorkerConfig {
    /// The address of its `/metrics` and `/health`; `off` for none.
    #[config(env = "COPYDESK_WORKER_LISTEN", default = "127.0.0.1:8081")]
    pub listen: String,
    /// Jobs of each kind that one worker runs at once.
    #[config(env = "COPYDESK_WORKER_CONCURRENCY", default = 64)]
    pub concurrency: u16,
    /// Jobs of each kind that one business may have in all workers' hands at once; 0 for any number. The
    /// same for all workers; operators can give a business another number.
    #[config(env = "COPYDESK_BUSINESS_JOBS_AT_ONCE", default = 0)]
    pub business_jobs_at_once: u32,
    /// How long a job stays its worker's without a renewal, in milliseconds.
    #[config(env = "COPYDESK_LEASE_MS", default = 75_000)]
    pub lease_ms: u64,
    /// How long a leaving worker lets its stages finish, in milliseconds.
    #[config(env = "COPYDESK_DRAIN_MS", default = 20_000)]
    pub drain_ms: u64,
    /// The wait before a job's second attempt, in milliseconds; four times as long before the third.
    #[config(env = "COPYDESK_FIRST_BACKOFF_MS", default = 5_000)]
    pub first_backoff_ms: u64,
    /// How often the sweep looks for jobs that Redis does not know, in milliseconds.
    #[config(env = "COPYDESK_SWEEP_MS", default = 2_000)]
    pub sweep_ms: u64,
    /// Makes the machine's clock look so many seconds ahead, or behind where negative. For tests of
    /// wrong clocks: leave it.
    #[config(env = "COPYDESK_CLOCK_AHEAD_SECONDS", default = 0)]
    pub clock_ahead_seconds: i64,
}

impl WorkerConfig {
    fn validate(&self) -> Result<(), String> {
        if self.listen != "off" && self.listen.parse::<SocketAddr>().is_err() {
            return Err("COPYDESK_WORKER_LISTEN takes an address such as 127.0.0.1:8081, or off".into());
        }
        if self.concurrency == 0 {
            return Err("COPYDESK_WORKER_CONCURRENCY takes a number of jobs from 1".into());
        }
        if self.sweep_ms == 0 {
            return Err("COPYDESK_SWEEP_MS takes a number of milliseconds from 1".into());
        }
        Ok(())
    }

    /// The address of `/metrics` and `/health`, where there is one.
    pub fn listen(&self) -> Option<SocketAddr> {
        self.listen.parse().ok()
    }
}

/// Models that may stand in: a job asks Redis once for each that is down.
const MAX_FALLBACK_MODELS: usize = 8;
/// The longest name of a model, in bytes: it is part of keys and metrics.
const MAX_MODEL_BYTES: usize = 128;

/// The default's host.
const TAVILY_HOST: &str = "api.tavily.com";

/// Who searches the web.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchProvider {
    /// Tavily, with a key.
    Tavily,
    /// A SearXNG of one's own.
    Searxng,
}

impl SearchProvider {
    /// Its name in quotas, usage and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tavily => "tavily",
            Self::Searxng => "searxng",
        }
    }
}

/// LLM and search providers.
#[derive(Debug, Clone, confique::Config)]
#[config(validate = Self::validate)]
pub struct ProvidersConfig {
    /// The key of the LLM provider.
    #[config(env = "GROQ_API_KEY")]
    pub groq_api_key: Option<SecretString>,
    /// The key of the search provider. Without it nothing is researched on the web.
    #[config(env = "TAVILY_API_KEY")]
    pub tavily_api_key: Option<SecretString>,
    /// Any OpenAI-compatible API, up to and with its version.
    #[config(env = "COPYDESK_LLM_BASE_URL", default = "https://api.groq.com/openai/v1")]
    pub llm_base_url: Url,
    /// The model that writes.
    #[config(env = "COPYDESK_LLM_MODEL", default = "llama-3.3-70b-versatile")]
    pub llm_model: String,
    /// The model that reviews: another one than the writer's sees more.
    #[config(env = "COPYDESK_REVIEW_MODEL", default = "openai/gpt-oss-20b")]
    pub review_model: String,
    /// The models that stand in, in this order, while the one that writes or reviews is down or
    /// unknown to the provider: up to 8 names, separated by commas.
    #[config(env = "COPYDESK_LLM_FALLBACK_MODELS", default = "")]
    pub llm_fallback_models: String,
    /// Who searches the web: `tavily`, or `searxng`, which needs COPYDESK_SEARCH_BASE_URL and no key.
    #[config(env = "COPYDESK_SEARCH_PROVIDER", default = "tavily")]
    pub search_provider: SearchProvider,
    /// The search provider's API.
    #[config(env = "COPYDESK_SEARCH_BASE_URL", default = "https://api.tavily.com")]
    pub search_base_url: Url,
    /// Calls to the LLM provider in any 60 seconds, by all workers together.
    #[config(env = "COPYDESK_LLM_REQUESTS_PER_MINUTE", default = 30)]
    pub llm_requests_per_minute: u32,
    /// Calls to the search provider in any 60 seconds, by all workers together.
    #[config(env = "COPYDESK_SEARCH_REQUESTS_PER_MINUTE", default = 20)]
    pub search_requests_per_minute: u32,
    /// Tokens in any 60 seconds, by all workers together; 0 for no limit.
    #[config(env = "COPYDESK_LLM_TOKENS_PER_MINUTE", default = 0)]
    pub llm_tokens_per_minute: u32,
    /// Calls to the LLM provider on any day (UTC), by all workers together; 0 for no limit.
    #[config(env = "COPYDESK_LLM_REQUESTS_PER_DAY", default = 0)]
    pub llm_requests_per_day: u32,
    /// Calls to the LLM provider at once, by all workers together; 0 for no limit.
    #[config(env = "COPYDESK_LLM_CONCURRENCY", default = 0)]
    pub llm_concurrency: u32,
    /// Money for the LLM provider on any day (UTC), in US dollars; 0 for no limit.
    #[config(env = "COPYDESK_LLM_USD_PER_DAY", default = 0.0)]
    pub llm_usd_per_day: f64,
    /// Money for the search provider on any day (UTC), in US dollars; 0 for no limit.
    #[config(env = "COPYDESK_SEARCH_USD_PER_DAY", default = 0.0)]
    pub search_usd_per_day: f64,
    /// Calls to all providers that each business may have on any day (UTC); 0 for no limit.
    #[config(env = "COPYDESK_BUSINESS_CALLS_PER_DAY", default = 0)]
    pub business_calls_per_day: u32,
    /// Money for all providers that each business may have on any day (UTC), in US dollars; 0 for no
    /// limit.
    #[config(env = "COPYDESK_BUSINESS_USD_PER_DAY", default = 0.0)]
    pub business_usd_per_day: f64,
    /// What models cost, in US dollars for a million tokens that they read and write:
    /// `model=0.59/0.79, other=0/0`. Groq's for the models used by default are known; a model
    /// without a price counts as free.
    #[config(env = "COPYDESK_PRICES", default = "")]
    pub prices: String,
    /// How much models can read and write at once, in tokens: `model=32768, other=8192`. The windows of
    /// Groq's and OpenAI's models are known; of any other 8192 are assumed.
    #[config(env = "COPYDESK_CONTEXT_TOKENS", default = "")]
    pub context_tokens: String,
    /// What a search of Tavily's costs, in US dollars.
    #[config(env = "COPYDESK_SEARCH_USD_PER_CALL", default = 0.008)]
    pub search_usd_per_call: f64,
    /// The longest that a call to a provider may take, in milliseconds.
    #[config(env = "COPYDESK_CALL_TIMEOUT_MS", default = 60_000)]
    pub call_timeout_ms: u64,
    /// The providers are a simulator: results say so.
    #[config(env = "COPYDESK_SIMULATED", default = false)]
    pub simulated: bool,
    /// The search in documents by meaning.
    #[config(nested)]
    pub embeddings: EmbeddingsConfig,
}

/// The search in documents by meaning, beside that by words: off unless a base URL and a model are set.
#[derive(Debug, Clone, confique::Config)]
#[config(validate = Self::validate)]
pub struct EmbeddingsConfig {
    /// Any API with OpenAI's embeddings, up to and with its version: `http://localhost:11434/v1`.
    #[config(env = "COPYDESK_EMBEDDINGS_BASE_URL")]
    pub base_url: Option<Url>,
    /// The model that makes vectors. Another one makes all of them anew.
    #[config(env = "COPYDESK_EMBEDDINGS_MODEL")]
    pub model: Option<String>,
    /// The key of that API, where it takes one.
    #[config(env = "COPYDESK_EMBEDDINGS_API_KEY")]
    pub api_key: Option<SecretString>,
    /// Calls to it in any 60 seconds, by all workers together.
    #[config(env = "COPYDESK_EMBEDDINGS_REQUESTS_PER_MINUTE", default = 60)]
    pub requests_per_minute: u32,
}

impl EmbeddingsConfig {
    /// What the environment says of embeddings alone: for tools that need no servers.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::builder().env().load().map_err(|error| ConfigError(explain(&error)))
    }

    fn validate(&self) -> Result<(), String> {
        let is_named = |model: &String| !model.trim().is_empty();
        match (&self.base_url, &self.model) {
            (Some(url), _) if !matches!(url.scheme(), "http" | "https") => {
                Err("COPYDESK_EMBEDDINGS_BASE_URL takes an http:// or https:// URL".into())
            }
            (_, Some(model)) if !is_named(model) => Err("COPYDESK_EMBEDDINGS_MODEL takes the name of a model".into()),
            (Some(_), None) => {
                Err("COPYDESK_EMBEDDINGS_MODEL is not set: COPYDESK_EMBEDDINGS_BASE_URL needs a model".into())
            }
            (None, Some(_)) => {
                Err("COPYDESK_EMBEDDINGS_BASE_URL is not set: COPYDESK_EMBEDDINGS_MODEL needs an API".into())
            }
            _ if !(1..=1_000_000).contains(&self.requests_per_minute) => {
                Err("COPYDESK_EMBEDDINGS_REQUESTS_PER_MINUTE takes a number of calls from 1 to 1000000".into())
            }
            _ => Ok(()),
        }
    }

    /// The API and the model, where both are set.
    pub fn target(&self) -> Option<(&Url, &str)> {
        Some((self.base_url.as_ref()?, self.model.as_deref()?))
    }
}

impl ProvidersConfig {
    fn validate(&self) -> Result<(), String> {
        for (name, limit) in [
            ("COPYDESK_LLM_REQUESTS_PER_MINUTE", self.llm_requests_per_minute),
            ("COPYDESK_SEARCH_REQUESTS_PER_MINUTE", self.search_requests_per_minute),
        ] {
            if !(1..=1_000_000).contains(&limit) {
                return Err(format!("{name} takes a number of calls from 1 to 1000000"));
            }
        }
        for (name, url) in
            [("COPYDESK_LLM_BASE_URL", &self.llm_base_url), ("COPYDESK_SEARCH_BASE_URL", &self.search_base_url)]
        {
            if !matches!(url.scheme(), "http" | "https") {
                return Err(format!("{name} takes an http:// or https:// URL"));
            }
        }
        if self.search_provider == SearchProvider::Searxng && self.search_base_url.host_str() == Some(TAVILY_HOST) {
            return Err("COPYDESK_SEARCH_PROVIDER=searxng needs the address of yours: COPYDESK_SEARCH_BASE_URL".into());
        }
        if self.call_timeout_ms == 0 {
            return Err("COPYDESK_CALL_TIMEOUT_MS takes a number of milliseconds from 1".into());
        }
        Windows::parse(&self.context_tokens).map_err(|error| format!("COPYDESK_CONTEXT_TOKENS: {error}"))?;
        self.validate_fallback_models()?;
        self.validate_money()
    }

    fn validate_fallback_models(&self) -> Result<(), String> {
        let takes = "COPYDESK_LLM_FALLBACK_MODELS takes names of models, separated by commas";
        let names: Vec<_> = self.fallback_models().collect();
        if names.len() > MAX_FALLBACK_MODELS {
            return Err(format!("{takes}: {MAX_FALLBACK_MODELS} at most"));
        }
        for (n, name) in names.iter().enumerate() {
            if name.is_empty() {
                return Err(format!("{takes}: one is empty"));
            }
            if name.len() > MAX_MODEL_BYTES || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
                return Err(format!("{takes}: each at most {MAX_MODEL_BYTES} characters without spaces"));
            }
            if *name == self.llm_model {
                return Err(format!("{takes}: {name} is COPYDESK_LLM_MODEL already"));
            }
            if names[..n].contains(name) {
                return Err(format!("{takes}: {name} is there twice"));
            }
        }
        Ok(())
    }

    fn validate_money(&self) -> Result<(), String> {
        for (name, usd) in [
            ("COPYDESK_LLM_USD_PER_DAY", self.llm_usd_per_day),
            ("COPYDESK_SEARCH_USD_PER_DAY", self.search_usd_per_day),
            ("COPYDESK_BUSINESS_USD_PER_DAY", self.business_usd_per_day),
            ("COPYDESK_SEARCH_USD_PER_CALL", self.search_usd_per_call),
        ] {
            if !(0.0..=1e9).contains(&usd) {
                return Err(format!("{name} takes an amount of US dollars from 0"));
            }
        }
        Prices::parse(&self.prices).map_err(|error| format!("COPYDESK_PRICES: {error}"))?;
        let limits = [
            ("COPYDESK_LLM_USD_PER_DAY", self.llm_usd_per_day),
            ("COPYDESK_BUSINESS_USD_PER_DAY", self.business_usd_per_day),
        ];
        for (name, _) in limits.into_iter().filter(|(_, usd)| *usd > 0.0) {
            if let Some(model) = self.models_without_price().first() {
                return Err(format!("{name} needs the price of {model}: set COPYDESK_PRICES={model}=0.59/0.79"));
            }
        }
        Ok(())
    }

    /// What models cost.
    pub fn prices(&self) -> Prices {
        // A list that cannot be read has stopped the start.
        Prices::parse(&self.prices).unwrap_or_default()
    }

    /// The models whose calls count as free because nobody said what they cost.
    pub fn models_without_price(&self) -> Vec<&str> {
        let prices = self.prices();
        self.models().filter(|model| prices.of(model).is_none()).collect()
    }

    /// The windows of models.
    pub fn windows(&self) -> Windows {
        // A list that cannot be read has stopped the start.
        Windows::parse(&self.context_tokens).unwrap_or_default()
    }

    /// The models whose windows nobody said.
    pub fn models_without_window(&self) -> Vec<&str> {
        let windows = self.windows();
        self.models().filter(|model| windows.of(model).is_none()).collect()
    }

    fn models(&self) -> impl Iterator<Item = &str> {
        [self.llm_model.as_str(), self.review_model.as_str()].into_iter().chain(self.fallback_models())
    }

    /// The models that stand in for the others, in order.
    pub fn fallback_models(&self) -> impl Iterator<Item = &str> {
        let names = Some(self.llm_fallback_models.trim()).filter(|names| !names.is_empty());
        names.into_iter().flat_map(|names| names.split(',').map(str::trim))
    }

    /// What a search costs.
    pub fn search_cost(&self) -> MicroUsd {
        match self.search_provider {
            SearchProvider::Tavily => MicroUsd::from_usd(self.search_usd_per_call),
            SearchProvider::Searxng => MicroUsd::default(),
        }
    }

    /// The longest that a call to a provider may take.
    pub fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.call_timeout_ms)
    }
}

/// The configuration cannot be used. Shows as one line that names the variable and what it takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

/// A lease is renewed at every third of its length; a call that outlived it by this much could
/// still be running when another worker begins the same stage.
const LEASE_MARGIN_MS: u64 = 5_000;

impl Config {
    /// Reads the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let config = Self::builder().env().load().map_err(|error| ConfigError(explain(&error)))?;
        config.check_across()?;
        Ok(config)
    }

    /// The defaults, for servers that are given in code: tests and benchmarks do not share an
    /// environment.
    pub fn for_servers(postgres_uri: &str, redis_url: &str, redis_prefix: &str) -> Result<Self, ConfigError> {
        let servers = serde_json::json!({
            "postgres": { "uri": postgres_uri },
            "redis": { "url": redis_url, "prefix": redis_prefix },
        });
        let servers = serde_json::from_value(servers).map_err(|error| ConfigError(error.to_string()))?;
        Self::builder().preloaded(servers).load().map_err(|error| ConfigError(explain(&error)))
    }

    /// What only a worker needs.
    pub fn check_worker(&self) -> Result<(), ConfigError> {
        let groq = self.providers.llm_base_url.host_str() == Some("api.groq.com");
        if groq && self.providers.groq_api_key.is_none() {
            return Err(ConfigError(
                "GROQ_API_KEY is not set: it takes a key from console.groq.com; \
                 or set COPYDESK_LLM_BASE_URL to another OpenAI-compatible API"
                    .into(),
            ));
        }
        Ok(())
    }

    /// The rules that span subsystems.
    fn check_across(&self) -> Result<(), ConfigError> {
        let least = self.providers.call_timeout_ms + LEASE_MARGIN_MS;
        if self.worker.lease_ms < least {
            return Err(ConfigError(format!(
                "COPYDESK_LEASE_MS takes at least {least} ms: the longest call (COPYDESK_CALL_TIMEOUT_MS, {} ms) and {LEASE_MARGIN_MS} ms",
                self.providers.call_timeout_ms
            )));
        }
        Ok(())
    }

    /// Names that look like ours in the environment but are none: likely typing errors.
    pub fn unknown_variables() -> Vec<String> {
        let mut known = Vec::new();
        variables(&Self::META, &mut |variable| known.push(variable.name));
        std::env::vars_os()
            .filter_map(|(name, _)| name.into_string().ok())
            .filter(|name| name.starts_with("COPYDESK_") && !known.contains(&name.as_str()))
            .collect()
    }

    /// Every variable with its default and meaning, a paragraph each: the end of `--help`.
    pub fn describe_variables() -> String {
        let mut text = String::from("Environment:\n");
        variables(&Self::META, &mut |variable| {
            let default = variable.default.map(|value| format!(" [default: {value}]")).unwrap_or_default();
            text.push_str(&format!("  {}{default}\n          {}\n", variable.name, variable.meaning));
        });
        text
    }
}

/// A variable as people read of it.
struct Variable {
    name: &'static str,
    default: Option<String>,
    meaning: String,
}

fn variables(meta: &'static Meta, visit: &mut impl FnMut(Variable)) {
    for field in meta.fields {
        match field.kind {
            FieldKind::Nested { meta } => variables(meta, visit),
            FieldKind::Leaf { env: Some(name), kind } => {
                let default = match kind {
                    LeafKind::Required { default: Some(Expr::Str(text)) } => Some(text.to_owned()),
                    LeafKind::Required { default: Some(value) } => serde_json::to_string(&value).ok(),
                    _ => None,
                };
                let meaning = field.doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
                visit(Variable { name, default, meaning });
            }
            FieldKind::Leaf { env: None, .. } => {}
        }
    }
}

/// One line that names the variable, from an error that names the field, or both.
fn explain(error: &confique::Error) -> String {
    let text = error.to_string();
    if text.contains("'redis.url'") {
        return "REDIS_URL is not set: it takes redis://:password@host:port/database".into();
    }
    // confique: "failed to deserialize value `worker.lease_ms` from environment variable `X`: why"
    // and "config validation of `Type` failed: why".
    let named = text.split_once("environment variable ").map(|(_, rest)| rest.replace('`', ""));
    named.or_else(|| text.split_once("failed: ").map(|(_, why)| why.to_owned())).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn every_variable_is_described() {
        let text = Config::describe_variables();
        for name in ["POSTGRES_URI", "REDIS_URL", "GROQ_API_KEY", "COPYDESK_LEASE_MS [default: 75000]"] {
            assert!(text.contains(name), "{name} is missing in\n{text}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let config = Config::for_servers("postgresql+asyncpg://u:hunter2@h/db", "redis://:hunter3@h/0", "p").unwrap();
        assert_eq!(config.postgres.connect_url(), "postgresql://u:hunter2@h/db");
        assert!(!format!("{config:?}").contains("hunter"));
        let wrong = Config::for_servers("mysql://u:hunter2@h/db", "redis://h/0", "p").unwrap_err();
        assert_eq!(wrong.to_string(), "POSTGRES_URI takes postgres://user:password@host:port/database");
    }

    #[test]
    fn limits_of_money_need_prices() {
        let config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap();
        let mut providers = ProvidersConfig { llm_usd_per_day: 5.0, ..config.providers };
        assert_eq!(providers.validate(), Ok(()));
        providers.llm_model = "mine".into();
        let wrong = providers.validate().unwrap_err();
        assert_eq!(wrong, "COPYDESK_LLM_USD_PER_DAY needs the price of mine: set COPYDESK_PRICES=mine=0.59/0.79");
        providers.prices = "mine=1/2".into();
        assert_eq!(providers.validate(), Ok(()));
        providers.prices = "mine:1".into();
        assert!(providers.validate().unwrap_err().starts_with("COPYDESK_PRICES: \"mine:1\" is no price"));
        let wrong = ProvidersConfig { prices: String::new(), business_usd_per_day: -1.0, ..providers }.validate();
        assert_eq!(wrong.unwrap_err(), "COPYDESK_BUSINESS_USD_PER_DAY takes an amount of US dollars from 0");
    }

    #[test]
    fn windows_that_cannot_be_read_stop_the_start() {
        let config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap();
        let with = |list: &str| ProvidersConfig {
            context_tokens: list.into(),
            llm_fallback_models: "mine, yours".into(),
            ..config.providers.clone()
        };
        assert_eq!((with("mine=4096").validate(), with("mine=4096").models_without_window()), (Ok(()), vec!["yours"]));
        let wrong = with("mine=4k").validate().unwrap_err();
        assert_eq!(wrong, "COPYDESK_CONTEXT_TOKENS: \"mine=4k\" is no window: it takes model=tokens, from 2048");
    }

    #[test]
    fn fallback_models_are_names_that_are_no_models_already() {
        let config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap();
        let with = |names: &str| ProvidersConfig { llm_fallback_models: names.into(), ..config.providers.clone() };
        assert_eq!(with("").fallback_models().count(), 0);
        let two = with(" one, openai/gpt-oss-20b ");
        assert_eq!(two.validate(), Ok(()), "the reviewer's may stand in for the writer's");
        assert_eq!(two.fallback_models().collect::<Vec<_>>(), ["one", "openai/gpt-oss-20b"]);
        assert_eq!(two.models_without_price(), ["one"]);
        let limited = ProvidersConfig { llm_usd_per_day: 5.0, ..two };
        assert!(limited.validate().unwrap_err().starts_with("COPYDESK_LLM_USD_PER_DAY needs the price of one"));
        let long = "x".repeat(129);
        let many = "a,b,c,d,e,f,g,h,i";
        for (names, why) in [
            ("one,,two", "one is empty"),
            ("one,", "one is empty"),
            ("one, one", "one is there twice"),
            ("llama-3.3-70b-versatile", "llama-3.3-70b-versatile is COPYDESK_LLM_MODEL already"),
            ("a model", "each at most 128 characters without spaces"),
            (&long, "each at most 128 characters without spaces"),
            (many, "8 at most"),
        ] {
            let error = with(names).validate().unwrap_err();
            assert!(error.starts_with("COPYDESK_LLM_FALLBACK_MODELS takes") && error.ends_with(why), "{error}");
        }
    }

    #[test]
    fn a_filter_of_logs_that_cannot_be_read_stops_the_start() {
        let config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap();
        let with = |filter: &str| TelemetryConfig { filter: filter.into(), ..config.telemetry.clone() }.validate();
        assert_eq!(with("info,copydesk_worker=debug"), Ok(()));
        assert!(with("copydesk_worker=loud").unwrap_err().starts_with("COPYDESK_LOG takes a level"));
    }

    #[test]
    fn embeddings_need_an_api_and_a_model() {
        let off = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap().providers.embeddings;
        assert_eq!((off.validate(), off.target()), (Ok(()), None));
        let url: Option<Url> = Some("http://localhost:11434/v1".parse().unwrap());
        let on = EmbeddingsConfig { base_url: url.clone(), model: Some("minilm".into()), ..off.clone() };
        assert_eq!((on.validate(), on.target().map(|(_, model)| model)), (Ok(()), Some("minilm")));
        let wrong = |config: EmbeddingsConfig| config.validate().unwrap_err();
        assert!(wrong(EmbeddingsConfig { base_url: url, ..off }).starts_with("COPYDESK_EMBEDDINGS_MODEL is not"));
        assert!(
            wrong(EmbeddingsConfig { base_url: None, ..on.clone() }).starts_with("COPYDESK_EMBEDDINGS_BASE_URL is")
        );
        let ftp = Some("ftp://localhost".parse().unwrap());
        assert!(wrong(EmbeddingsConfig { base_url: ftp, ..on.clone() }).contains("takes an http:// or https:// URL"));
        assert!(wrong(EmbeddingsConfig { requests_per_minute: 0, ..on }).contains("from 1 to 1000000"));
    }

    #[test]
    fn a_lease_outlives_the_longest_call() {
        let mut config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap();
        config.worker.lease_ms = config.providers.call_timeout_ms + LEASE_MARGIN_MS;
        assert_eq!(config.check_across(), Ok(()));
        config.worker.lease_ms -= 1;
        assert!(
            config.check_across().unwrap_err().to_string().starts_with("COPYDESK_LEASE_MS takes at least 65000 ms")
        );
    }
}
