//! Providers: the models that write and review, and the web search. Each call goes through the
//! shared quota and breaker ([`gate`]); the clients are thin, since their headers drive the quota,
//! and never call twice by themselves. Knows nothing of the pipeline, its prompts or the store.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use copydesk_common::config::{ProvidersConfig, windows};
use copydesk_common::quota::{ProviderName, Quota, QuotaError, Quotas};
use copydesk_common::redis::Redis;
use reqwest::header::{ACCEPT_ENCODING, HeaderValue};

mod allowance;
pub(crate) mod body;
pub mod call;
pub mod chain;
pub mod chat;
pub mod embeddings;
mod gate;
mod learned;
mod memory;
pub mod model;
pub mod refusal;
mod retry_after;
pub mod search;
mod searxng;
pub mod server;
mod tavily;
pub mod usual;
pub mod web_page;
pub mod window;

use call::CallError;
use chain::Chain;
use chat::{ChatClient, Form};
use embeddings::Embeddings;
use gate::{Gate, Variables};
pub use model::Model;
use refusal::reason::Parameter;
use search::Search;
use usual::UsualTexts;
use window::Window;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a model is not asked again for what it refused: its server may be upgraded meanwhile.
const REFUSED_FOR: Duration = Duration::from_secs(3_600);

/// Why a provider gave no answer, in the words of what can be done.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// It takes no calls before this moment.
    #[error("{provider} takes no calls before {until}")]
    Throttled {
        /// The provider.
        provider: ProviderName,
        /// When to ask again.
        until: DateTime<Utc>,
    },
    /// The business has used up what it may have on a day, until then.
    #[error("the business has used up its budget of the day: no call to {provider} before {until}")]
    OverBudget {
        /// The provider.
        provider: ProviderName,
        /// When to ask again.
        until: DateTime<Utc>,
    },
    /// It is down: its breaker is open until this moment.
    #[error("{provider} is down: its breaker is open until {until}")]
    BreakerOpen {
        /// The provider.
        provider: ProviderName,
        /// When to ask again.
        until: DateTime<Utc>,
    },
    /// The shared quota did not answer, so that no call could be made.
    #[error("the quota of {provider} cannot be asked")]
    QuotaUnavailable {
        /// The provider.
        provider: ProviderName,
        /// Why.
        #[source]
        source: QuotaError,
    },
    /// The call failed; another one, later, may not.
    #[error("the call to {provider} failed")]
    Failed {
        /// The provider.
        provider: ProviderName,
        /// Which of the job's failures in a row it is that are taken for the provider's; `None` where it speaks of
        /// the job.
        setback: Option<u32>,
        /// How.
        #[source]
        source: CallError,
    },
    /// It does not take the request, and would not take it again.
    #[error("{provider} refused the request with status {status}")]
    Refused {
        /// The provider.
        provider: ProviderName,
        /// What it answered.
        status: u16,
    },
    /// The model does not take the form that the answer was to have. It may take the request in a
    /// simpler one.
    #[error("{model} refused a request for an answer as {}, with status {status}", .form.as_str())]
    FormRefused {
        /// The model.
        model: String,
        /// The form.
        form: Form,
        /// What the provider answered.
        status: u16,
    },
    /// It does not take a parameter that the request can do without.
    #[error("{provider} refused the parameter {} with status {status}", .parameter.as_str())]
    ParameterRefused {
        /// The provider.
        provider: ProviderName,
        /// The parameter.
        parameter: Parameter,
        /// What it answered.
        status: u16,
    },
    /// It does not know our key, our URL or our model: an operator must look.
    #[error("{provider} answered with status {status}: see {variable}")]
    Misconfigured {
        /// The provider.
        provider: ProviderName,
        /// What it answered.
        status: u16,
        /// The variable that is likely wrong.
        variable: &'static str,
        /// How.
        #[source]
        source: CallError,
    },
    /// Our account there is empty, closed, or has used up what its plan holds: an operator must look.
    #[error("{provider} refused our account with status {status}: see its balance, plan and limits")]
    Account {
        /// The provider.
        provider: ProviderName,
        /// What it answered.
        status: u16,
        /// How.
        #[source]
        source: CallError,
    },
    /// The prompt, or the prompt and its longest answer, are more than one request may have.
    #[error("{provider} refused a request for its length")]
    TooLong {
        /// The provider.
        provider: ProviderName,
        /// The model.
        model: String,
        /// The most that a request to it may have, as is known now, in tokens; 0 where nothing is.
        most: u32,
        /// Whether that is less than was known before: a prompt that is made anew will be shorter.
        is_shorter: bool,
        /// How.
        #[source]
        source: CallError,
    },
}

impl ProviderError {
    /// Whether it passes by itself: then the job waits, and only its deadline ends that.
    pub fn passes(&self) -> bool {
        matches!(
            self,
            Self::Throttled { .. }
                | Self::OverBudget { .. }
                | Self::BreakerOpen { .. }
                | Self::QuotaUnavailable { .. }
                | Self::Failed { setback: Some(_), .. }
        )
    }
}

/// The providers cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
    /// A key holds what no HTTP header can.
    #[error("{variable} holds characters that no HTTP header takes")]
    Key {
        /// The variable.
        variable: &'static str,
    },
}

/// Everything outside that a generation is made with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Providers {
    /// Plans, writes and revises.
    pub writer: Chain,
    /// Reviews.
    pub reviewer: Chain,
    /// Searches the web; `None` where no key was given.
    pub search: Option<Arc<Search>>,
    /// Makes vectors of passages and queries; `None` where that is off.
    pub embeddings: Option<Arc<Embeddings>>,
    /// What texts usually take of them.
    pub usual: UsualTexts,
    /// Whether a simulator stands in for them.
    pub simulated: bool,
    /// The longest that a call may take.
    pub call_timeout: Duration,
}

/// The HTTP client of all providers.
fn http_client() -> Result<reqwest::Client, reqwest::Error> {
    // Whoever was first in this process has installed one; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        // Nothing is asked to be packed: what comes packed all the same is unpacked.
        .default_headers([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))].into_iter().collect())
        .user_agent(concat!("copydesk/", env!("CARGO_PKG_VERSION")))
        .build()
}

impl Providers {
    /// Sets the clients up; calls nobody.
    pub fn new(config: &ProvidersConfig, redis: &Redis) -> Result<Self, ClientError> {
        let http = http_client().map_err(ClientError::Client)?;
        let chat = ChatClient::new(http.clone(), &config.llm_base_url, config.groq_api_key.as_ref())?;
        let quotas = Quotas::new(redis, config);
        let prices = config.prices();
        for model in config.models_without_price() {
            tracing::warn!(model, "no price is known: its calls count as free; see COPYDESK_PRICES");
        }
        let windows = config.windows();
        let model = |name: &str, variable, quota: &Quota| {
            let variables = Variables { key: "GROQ_API_KEY", target: variable, address: "COPYDESK_LLM_BASE_URL" };
            let tokens = windows.of(name).unwrap_or(windows::UNKNOWN_TOKENS);
            let window = Window { model: name.to_owned(), tokens };
            let gate = Gate::new(quota.clone(), variables);
            Arc::new(Model::new(window, variable, chat.clone(), gate, prices.of(name)))
        };
        let fallbacks: Vec<_> =
            quotas.fallbacks.iter().map(|(name, quota)| model(name, "COPYDESK_LLM_FALLBACK_MODELS", quota)).collect();
        let writer = model(&config.llm_model, "COPYDESK_LLM_MODEL", &quotas.writer);
        let reviewer = model(config.review_model(), "COPYDESK_REVIEW_MODEL", &quotas.reviewer);
        Ok(Self {
            writer: Chain::new(writer, &fallbacks),
            reviewer: Chain::new(reviewer, &fallbacks),
            embeddings: Embeddings::new(config, http.clone(), quotas.embeddings)?.map(Arc::new),
            search: Search::new(config, http, quotas.search, redis)?.map(Arc::new),
            usual: UsualTexts::new(redis, config.llm_name()),
            simulated: config.simulated,
            call_timeout: config.call_timeout(),
        })
    }

    /// Takes what nobody knew at the start, windows of models and calls at once, from their server, as soon as it
    /// answers.
    pub async fn learn(self, config: ProvidersConfig) {
        let told = server::late(&config).await;
        for model in self.writer.models().chain(self.reviewer.models()) {
            let window = told.windows.iter().find(|(name, _)| name == model.name());
            window.inspect(|(_, tokens)| model.take_window(*tokens));
            told.slots.inspect(|slots| model.take_slots(*slots));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
