//! The providers of models and of searches: which, what they may cost, and how much they take. What they
//! take for granted of Groq and Tavily is the defaults'.

use std::time::Duration;

use secrecy::SecretString;

use super::SecretUrl;
use super::api_key::check_key;
use super::embeddings::EmbeddingsConfig;
use super::model_limits::ModelLimits;
use super::prices::Prices;
use super::windows::Windows;
use crate::money::MicroUsd;
use crate::quota::{ProviderName, Quotas};

/// Models that may stand in: a job asks Redis once for each that is down.
const MAX_FALLBACK_MODELS: usize = 8;
/// The longest name of a model, in bytes: it is part of keys and metrics.
const MAX_MODEL_BYTES: usize = 128;

/// The defaults' hosts.
const GROQ_HOST: &str = "api.groq.com";
const TAVILY_HOST: &str = "api.tavily.com";
/// The reviewer at Groq's address.
const GROQ_REVIEW_MODEL: &str = "openai/gpt-oss-20b";
/// Calls a minute that Groq's free plan takes; a plan of that size is assumed of every provider on the internet.
const GROQ_PER_MINUTE: u32 = 30;
/// Calls a minute to a server of one's own: more than any answers.
const PRIVATE_PER_MINUTE: u32 = 6_000;
/// The longest name of a provider, in bytes: it is part of keys and metrics.
const MAX_NAME_BYTES: usize = 64;
/// The names of the providers that are no LLM.
pub const OTHER_NAMES: [&str; 3] =
    [SearchProvider::Tavily.as_str(), SearchProvider::Searxng.as_str(), Quotas::EMBEDDINGS];

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
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tavily => "tavily",
            Self::Searxng => "searxng",
        }
    }
}

/// LLM and search providers.
#[derive(Debug, Clone, confique::Config)]
pub struct ProvidersConfig {
    /// The key of the LLM provider.
    #[config(env = "GROQ_API_KEY")]
    pub groq_api_key: Option<SecretString>,
    /// The key of the search provider. Without it nothing is researched on the web.
    #[config(env = "TAVILY_API_KEY")]
    pub tavily_api_key: Option<SecretString>,
    /// Any OpenAI-compatible API, up to and with its version.
    #[config(env = "COPYDESK_LLM_BASE_URL", default = "https://api.groq.com/openai/v1")]
    pub llm_base_url: SecretUrl,
    /// The LLM provider's name in quotas, usage, logs and metrics: up to 64 of `A-Za-z0-9._-`. By default
    /// `groq` at Groq's address, elsewhere the host.
    #[config(env = "COPYDESK_LLM_NAME")]
    pub llm_name: Option<String>,
    /// The model that writes.
    #[config(env = "COPYDESK_LLM_MODEL", default = "llama-3.3-70b-versatile")]
    pub llm_model: String,
    /// The model that reviews: another one than the writer's sees more. By default `openai/gpt-oss-20b` at Groq's
    /// address, elsewhere the writer's.
    #[config(env = "COPYDESK_REVIEW_MODEL")]
    pub review_model: Option<String>,
    /// The models that stand in, in this order, while the one that writes or reviews is down or
    /// unknown to the provider: up to 8 names, separated by commas.
    #[config(env = "COPYDESK_LLM_FALLBACK_MODELS", default = "")]
    pub llm_fallback_models: String,
    /// Who searches the web: `tavily`, or `searxng`, which needs COPYDESK_SEARCH_BASE_URL and no key.
    #[config(env = "COPYDESK_SEARCH_PROVIDER", default = "tavily")]
    pub search_provider: SearchProvider,
    /// The search provider's API.
    #[config(env = "COPYDESK_SEARCH_BASE_URL", default = "https://api.tavily.com")]
    pub search_base_url: SecretUrl,
    /// Calls to the LLM provider in any 60 seconds, by all workers together. By default 30, as Groq's free plan
    /// takes; 6000 at an address of this machine or of a private network, which has no plan.
    #[config(env = "COPYDESK_LLM_REQUESTS_PER_MINUTE")]
    pub llm_requests_per_minute: Option<u32>,
    /// Calls to the search provider in any 60 seconds, by all workers together.
    #[config(env = "COPYDESK_SEARCH_REQUESTS_PER_MINUTE", default = 20)]
    pub search_requests_per_minute: u32,
    /// Tokens in any 60 seconds, by all workers together; 0 for no limit.
    #[config(env = "COPYDESK_LLM_TOKENS_PER_MINUTE", default = 0)]
    pub llm_tokens_per_minute: u32,
    /// Calls to the LLM provider on any day (UTC), by all workers together; 0 for no limit.
    #[config(env = "COPYDESK_LLM_REQUESTS_PER_DAY", default = 0)]
    pub llm_requests_per_day: u32,
    /// Tokens on any day (UTC), by all workers together; 0 for no limit.
    #[config(env = "COPYDESK_LLM_TOKENS_PER_DAY", default = 0)]
    pub llm_tokens_per_day: u32,
    /// What the LLM provider takes of each model, where its vendor says so: calls and tokens, a minute and a
    /// day. `model=30rpm/12000tpm/1000rpd/100000tpd, other=60rpm`: any of the four; those that an entry lacks
    /// are not limited. Other models share the limits above.
    #[config(env = "COPYDESK_MODEL_LIMITS", default = "")]
    pub model_limits: String,
    /// Calls to the LLM provider at once, by all workers together; 0 for no limit, or for as many as the server
    /// says that it answers at once (llama.cpp's slots).
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
    /// `model=0.59/0.79, other=0.59/0.79/0.295`, where the third is what one costs that the provider has in
    /// its cache: without it the full price, half for the known ones. Groq's for the models used by default are known; a model
    /// without a price counts as free.
    #[config(env = "COPYDESK_PRICES", default = "")]
    pub prices: String,
    /// How much models can read and write at once, in tokens: `model=32768, other=8192`. The windows of
    /// Groq's and OpenAI's models are known; the server is asked for any other's, and 8192
    /// are assumed where it does not say.
    #[config(env = "COPYDESK_CONTEXT_TOKENS", default = "")]
    pub context_tokens: String,
    /// What a search of Tavily's costs, in US dollars.
    #[config(env = "COPYDESK_SEARCH_USD_PER_CALL", default = 0.008)]
    pub search_usd_per_call: f64,
    /// The longest that a call to a provider may take, in milliseconds.
    #[config(env = "COPYDESK_CALL_TIMEOUT_MS", default = 60_000)]
    pub call_timeout_ms: u64,
    /// A job's failed calls in a row that are taken for the provider's, and cost it no attempt: time-outs, broken
    /// connections, 408 and 5xx; 0 for none.
    #[config(env = "COPYDESK_MAX_SETBACKS", default = 8)]
    pub max_setbacks: u16,
    /// The providers are a simulator: results say so.
    #[config(env = "COPYDESK_SIMULATED", default = false)]
    pub simulated: bool,
    /// The search in documents by meaning.
    #[config(nested)]
    pub embeddings: EmbeddingsConfig,
}

impl ProvidersConfig {
    pub(super) fn validate(&self) -> Result<(), String> {
        for (name, limit) in [
            ("COPYDESK_LLM_REQUESTS_PER_MINUTE", self.llm_requests_per_minute()),
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
        check_key("GROQ_API_KEY", self.groq_api_key.as_ref())?;
        check_key("TAVILY_API_KEY", self.tavily_api_key.as_ref())?;
        if let Some(name) = &self.llm_name
            && (!is_name(name) || OTHER_NAMES.contains(&name.as_str()))
        {
            return Err(format!(
                "COPYDESK_LLM_NAME takes up to {MAX_NAME_BYTES} of A-Z a-z 0-9 . _ -, but none of {}",
                OTHER_NAMES.join(", ")
            ));
        }
        if self.search_provider == SearchProvider::Searxng && self.search_base_url.host_str() == Some(TAVILY_HOST) {
            return Err("COPYDESK_SEARCH_PROVIDER=searxng needs the address of yours: COPYDESK_SEARCH_BASE_URL".into());
        }
        if self.call_timeout_ms == 0 {
            return Err("COPYDESK_CALL_TIMEOUT_MS takes a number of milliseconds from 1".into());
        }
        Windows::parse(&self.context_tokens).map_err(|error| format!("COPYDESK_CONTEXT_TOKENS: {error}"))?;
        ModelLimits::parse(&self.model_limits).map_err(|error| format!("COPYDESK_MODEL_LIMITS: {error}"))?;
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

    /// Whether the LLM provider is Groq itself.
    pub fn is_groq(&self) -> bool {
        self.llm_base_url.host_str() == Some(GROQ_HOST)
    }

    /// Whether the LLM provider is on this machine or in a private network.
    pub fn is_private(&self) -> bool {
        match self.llm_base_url.expose().host() {
            Some(url::Host::Ipv4(ip)) => {
                ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
            }
            Some(url::Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unique_local() || ip.is_unspecified(),
            // A name without a domain is a container's or a neighbour's.
            Some(url::Host::Domain(name)) => {
                !name.contains('.')
                    || [".local", ".localhost", ".internal", ".lan"].iter().any(|end| name.ends_with(end))
            }
            None => false,
        }
    }

    /// The model that reviews.
    pub fn review_model(&self) -> &str {
        match &self.review_model {
            Some(model) => model,
            None if self.is_groq() => GROQ_REVIEW_MODEL,
            None => &self.llm_model,
        }
    }

    /// Calls to the LLM provider in any 60 seconds.
    pub fn llm_requests_per_minute(&self) -> u32 {
        let default = if self.is_private() { PRIVATE_PER_MINUTE } else { GROQ_PER_MINUTE };
        self.llm_requests_per_minute.unwrap_or(default)
    }

    /// The LLM provider's name in quotas, usage, logs and metrics.
    pub fn llm_name(&self) -> ProviderName {
        match &self.llm_name {
            Some(name) => name.as_str().into(),
            None if self.is_groq() => "groq".into(),
            None => host_name(self.llm_base_url.host_str().unwrap_or_default()).as_str().into(),
        }
    }

    /// Who searches the web; `None` where the provider needs a key and has none.
    pub fn search(&self) -> Option<SearchProvider> {
        let lacks_key = self.tavily_api_key.is_none() && !self.simulated;
        Some(self.search_provider).filter(|provider| !(*provider == SearchProvider::Tavily && lacks_key))
    }

    /// What is taken of models with figures of their own.
    pub fn model_limits(&self) -> ModelLimits {
        // A list that cannot be read has stopped the start.
        ModelLimits::parse(&self.model_limits).unwrap_or_default()
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
        let reviewer = Some(self.review_model()).filter(|model| *model != self.llm_model);
        std::iter::once(self.llm_model.as_str()).chain(reviewer).chain(self.fallback_models())
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

/// Whether it can be a part of keys, paths and metrics.
fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(is_of_name)
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

/// A host as a name: an IPv6 address has characters that no name takes.
fn host_name(host: &str) -> String {
    let host = host.trim_matches(['[', ']']);
    let name: String =
        host.bytes().take(MAX_NAME_BYTES).map(|byte| if is_of_name(byte) { byte.into() } else { '-' }).collect();
    if name.is_empty() || OTHER_NAMES.contains(&name.as_str()) { format!("llm-{name}") } else { name }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_server_of_ones_own_is_not_taken_for_groq() {
        let mut providers = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap().providers;
        assert_eq!((providers.review_model(), providers.llm_requests_per_minute()), ("openai/gpt-oss-20b", 30));
        providers.llm_model = "qwen3:8b".into();
        for (url, per_minute) in [
            ("http://localhost:11434/v1", 6_000),
            ("http://127.0.0.1:8080/v1", 6_000),
            ("http://[::1]:8080/v1", 6_000),
            ("http://192.168.1.9:8000/v1", 6_000),
            ("http://ollama:11434/v1", 6_000),
            ("http://host.docker.internal:11434/v1", 6_000),
            ("https://openrouter.ai/api/v1", 30),
            ("http://8.8.8.8/v1", 30),
        ] {
            providers.llm_base_url = url.parse().unwrap();
            assert_eq!(
                (providers.review_model(), providers.llm_requests_per_minute()),
                ("qwen3:8b", per_minute),
                "{url}"
            );
        }
        assert_eq!(providers.models_without_window(), ["qwen3:8b"], "it is named once");
        providers.review_model = Some("judge".into());
        providers.llm_requests_per_minute = Some(7);
        assert_eq!((providers.review_model(), providers.llm_requests_per_minute()), ("judge", 7));
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
    fn the_llm_is_called_groq_at_groqs_address_and_by_its_host_elsewhere() {
        let config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap().providers;
        assert_eq!(config.llm_name(), "groq");
        let at = |url: &str| ProvidersConfig { llm_base_url: url.parse().unwrap(), ..config.clone() };
        for (url, name) in [
            ("https://api.openai.com/v1", "api.openai.com"),
            ("http://127.0.0.1:11434/v1", "127.0.0.1"),
            ("http://[fe80::1]:8000/v1", "fe80--1"),
            ("http://tavily:8000/v1", "llm-tavily"),
        ] {
            assert_eq!(at(url).llm_name(), name, "{url}");
        }
        let named = |name: &str| ProvidersConfig { llm_name: Some(name.into()), ..at("http://h/v1") };
        assert_eq!((named("my-llm.2").validate(), named("my-llm.2").llm_name()), (Ok(()), "my-llm.2".into()));
        for wrong in ["", "my llm", "a/b", "ä", "tavily", "embeddings", &"x".repeat(65)] {
            assert!(named(wrong).validate().unwrap_err().starts_with("COPYDESK_LLM_NAME takes"), "{wrong}");
        }
    }

    #[test]
    fn a_search_without_the_key_that_it_needs_is_off() {
        let config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap().providers;
        let with = |search_provider, key: bool, simulated| {
            let tavily_api_key = key.then(|| "tvly-test".into());
            ProvidersConfig { search_provider, tavily_api_key, simulated, ..config.clone() }.search()
        };
        assert_eq!(with(SearchProvider::Tavily, false, false), None);
        assert_eq!(with(SearchProvider::Tavily, true, false), Some(SearchProvider::Tavily));
        assert_eq!(with(SearchProvider::Tavily, false, true), Some(SearchProvider::Tavily));
        assert_eq!(with(SearchProvider::Searxng, false, false), Some(SearchProvider::Searxng));
    }

    #[test]
    fn figures_of_models_that_cannot_be_read_stop_the_start() {
        let config = Config::for_servers("postgres://u@h/db", "redis://h/0", "p").unwrap();
        let with = |list: &str| ProvidersConfig { model_limits: list.into(), ..config.providers.clone() };
        assert_eq!(with("a/b=30rpm/12000tpm").validate(), Ok(()));
        let wrong = with("a=30rpm, b=12ktpm").validate().unwrap_err();
        let why = "any of the four once, from 1";
        let takes = "it takes model=30rpm/12000tpm/1000rpd/100000tpd";
        assert_eq!(wrong, format!("COPYDESK_MODEL_LIMITS: \"b=12ktpm\" is no limit: {takes}, {why}"));
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
}
