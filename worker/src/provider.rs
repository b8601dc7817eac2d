//! Providers: the models that write and review, and the web search. Each call goes through the
//! shared quota and breaker ([`gate`]); the clients are thin, since their headers drive the quota,
//! and never call twice by themselves. Knows nothing of the pipeline, its prompts or the store.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use copydesk_common::config::{ProvidersConfig, windows};
use copydesk_common::money::{MicroUsd, Price};
use copydesk_common::quota::{Ask, AskedFor, ProviderName, Quota, QuotaError, Quotas, Rank};
use copydesk_common::redis::Redis;
use reqwest::header::{ACCEPT_ENCODING, HeaderValue};

mod allowance;
mod body;
pub mod call;
pub mod chain;
pub mod chat;
pub mod embeddings;
mod gate;
mod learned;
mod memory;
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
use chat::{Answer, ChatClient, ChatRequest, Form, Sink, Spelling};
use embeddings::Embeddings;
use gate::{Gate, Taken, Variables};
use learned::Learned;
use memory::Memory;
use refusal::reason::{Parameter, Room};
use search::Search;
use usual::UsualTexts;
use window::Window;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a model is passed over that the provider said it does not know.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);
/// How long a model is not asked again for what it refused: its server may be upgraded meanwhile.
const REFUSED_FOR: Duration = Duration::from_secs(3_600);

/// A shorter answer than this is not worth asking for, in tokens.
const MIN_ANSWER_TOKENS: u32 = 256;

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
        /// What it said of that.
        room: Room,
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

impl Providers {
    /// Sets the clients up; calls nobody.
    pub fn new(config: &ProvidersConfig, redis: &Redis) -> Result<Self, ClientError> {
        // Whoever was first in this process has installed one; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // Nothing is asked to be packed: what comes packed all the same is unpacked.
            .default_headers([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))].into_iter().collect())
            .user_agent(concat!("copydesk/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ClientError::Client)?;
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
            Arc::new(Model {
                window: Window { model: name.to_owned(), tokens },
                told: OnceLock::new(),
                variable,
                client: chat.clone(),
                gate: Gate::new(quota.clone(), variables),
                learned: Learned::default(),
                price: prices.of(name),
                refuses_schemas: Memory::default(),
                refuses_objects: Memory::default(),
                refuses_streams: Memory::default(),
                takes_max_tokens: Memory::default(),
                refuses_temperature: Memory::default(),
                is_unknown: Memory::default(),
            })
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
}

impl Providers {
    /// Takes the windows of models that nobody knew at the start from their server, as soon as it answers.
    pub async fn learn(self, config: ProvidersConfig) {
        server::late(config, |name, tokens| {
            let models = self.writer.models().chain(self.reviewer.models()).filter(|model| model.name() == name);
            // Whoever reviews may be the writer.
            models.for_each(|model| _ = model.told.set(tokens));
        })
        .await;
    }
}

/// One model of the LLM provider.
#[derive(Debug)]
pub struct Model {
    /// The window as it is known at the start.
    window: Window,
    /// The window as its server told it later.
    told: OnceLock<u32>,
    /// What its provider's refusals said of the window since.
    learned: Learned,
    /// What sets the name.
    variable: &'static str,
    client: ChatClient,
    gate: Gate,
    price: Option<Price>,
    refuses_schemas: Memory,
    /// Whether it takes no `response_format` at all.
    refuses_objects: Memory,
    refuses_streams: Memory,
    /// Whether it calls `max_completion_tokens` by its older name.
    takes_max_tokens: Memory,
    refuses_temperature: Memory,
    /// Whether the provider said that it does not know it: it is not asked for it where another model
    /// can be.
    is_unknown: Memory,
}

impl Model {
    /// The model's own name.
    pub fn name(&self) -> &str {
        &self.window.model
    }

    /// One completion, at most `timeout` long and no longer than the model's window leaves, told to
    /// `sink` as it is written. Its form is the asked for one, or the nearest that the model is not known
    /// to refuse.
    pub async fn complete(
        &self,
        rank: Rank,
        timeout: Duration,
        request: &ChatRequest,
        sink: Option<Sink<'_>>,
    ) -> Result<Answer, ProviderError> {
        match self.complete_plainly(rank.clone(), timeout, request, sink).await {
            Err(error @ ProviderError::TooLong { .. }) => {
                let error = self.learned_from(error, request);
                let shorter = self.fit(request).max_completion_tokens;
                // The prompt may be short enough, and its answer too long.
                let is_worth_it = matches!(error, ProviderError::TooLong { is_shorter: true, .. })
                    && shorter >= MIN_ANSWER_TOKENS.min(request.max_completion_tokens);
                if !is_worth_it {
                    return Err(error);
                }
                let result = self.complete_plainly(rank, timeout, request, sink).await;
                result.map_err(|error| self.learned_from(error, request))
            }
            result => result,
        }
    }

    /// Learns from a refusal how much a request may have, and says it in the error.
    fn learned_from(&self, error: ProviderError, request: &ChatRequest) -> ProviderError {
        let ProviderError::TooLong { provider, model, room, source, .. } = error else { return error };
        let before = self.window().tokens;
        let asked = self.fit(request).into_owned();
        self.learned.take(room, asked.prompt_tokens, asked.max_completion_tokens);
        let most = self.window().tokens;
        tracing::warn!(
            provider.name = %provider,
            model,
            tokens = most,
            "a provider takes shorter requests than was believed"
        );
        ProviderError::TooLong { provider, model, room, most, is_shorter: most < before, source }
    }

    /// The same, again without each parameter that the model does not take.
    async fn complete_plainly(
        &self,
        rank: Rank,
        timeout: Duration,
        request: &ChatRequest,
        sink: Option<Sink<'_>>,
    ) -> Result<Answer, ProviderError> {
        loop {
            match self.complete_once(rank.clone(), timeout, request, sink).await {
                Err(ProviderError::ParameterRefused { parameter, .. }) if !self.does_without(parameter).holds() => {
                    self.does_without(parameter).keep(REFUSED_FOR);
                }
                result => return result,
            }
        }
    }

    /// Whether a parameter is left out, or goes by its older name.
    fn does_without(&self, parameter: Parameter) -> &Memory {
        match parameter {
            Parameter::MaxCompletionTokens => &self.takes_max_tokens,
            Parameter::Temperature => &self.refuses_temperature,
        }
    }

    async fn complete_once(
        &self,
        rank: Rank,
        timeout: Duration,
        request: &ChatRequest,
        sink: Option<Sink<'_>>,
    ) -> Result<Answer, ProviderError> {
        let request = self.fit(request);
        let (prompt, completion) = (request.prompt_tokens, request.max_completion_tokens);
        let most = self.price.map(|price| price.of(prompt.into(), 0, completion.into())).unwrap_or_default();
        let tokens = prompt.saturating_add(completion);
        let ask = Ask { rank, tokens, cost: most, asked_for: AskedFor::Call };
        let took = |answer: &Answer| Taken {
            tokens: u32::try_from(answer.counted_tokens()).ok(),
            cost: Some(self.cost(answer)),
            closed_for: answer.closed_for,
            told: answer.told,
        };
        let spelling = Spelling {
            takes_max_tokens: self.takes_max_tokens.holds(),
            has_temperature: !self.refuses_temperature.holds(),
        };
        let call = self.client.complete(self.name(), spelling, &request, timeout, sink);
        let result = self.gate.call(ask, call, took).await;
        result.map_err(|error| match error {
            ProviderError::Refused { status: status @ (400 | 422), .. } if !matches!(request.form, Form::Text) => {
                ProviderError::FormRefused { model: self.name().to_owned(), form: request.form.clone(), status }
            }
            error => error,
        })
    }

    /// Its provider's name.
    pub fn provider(&self) -> &ProviderName {
        self.gate.provider()
    }

    /// The window, as far as its provider let it be seen.
    pub(super) fn window(&self) -> Window {
        let known = self.told.get().copied().unwrap_or(self.window.tokens);
        let tokens = self.learned.most().map_or(known, |most| most.min(known));
        Window { tokens, ..self.window.clone() }
    }

    /// Whether calls of both count in the same limits.
    pub fn shares_account_with(&self, other: &Self) -> bool {
        self.gate.shares_account_with(&other.gate)
    }

    /// Asks for a turn: whether the calls of a job, of about so many tokens each, would be granted now.
    /// They are promised for a few seconds.
    pub async fn turn(&self, rank: Rank, tokens: u32) -> Result<(), ProviderError> {
        self.gate.turn(Ask { tokens, ..rank.into() }).await
    }

    /// The request in a form and of a length that the model takes, as far as is known.
    fn fit<'a>(&self, request: &'a ChatRequest) -> Cow<'a, ChatRequest> {
        let mut fitting = Cow::Borrowed(request);
        let most = self.window().behind(request.prompt_tokens);
        if request.max_completion_tokens > most {
            fitting.to_mut().max_completion_tokens = most;
        }
        while self.refuses(&fitting.form) {
            fitting.to_mut().form = fitting.form.simpler();
        }
        fitting
    }

    /// Whether it refused a form lately.
    pub fn refuses(&self, form: &Form) -> bool {
        match form {
            Form::JsonSchema { .. } => self.refuses_schemas.holds(),
            Form::JsonObject => self.refuses_objects.holds(),
            Form::Text => false,
        }
    }

    /// What an answer cost; nothing where no price is known.
    pub fn cost(&self, answer: &Answer) -> MicroUsd {
        let Answer { prompt_tokens, cached_tokens, completion_tokens, .. } = *answer;
        self.price.map(|price| price.of(prompt_tokens, cached_tokens, completion_tokens)).unwrap_or_default()
    }

    /// What so many tokens cost; nothing where no price is known.
    pub fn cost_of(&self, prompt_tokens: u64, completion_tokens: u64) -> MicroUsd {
        self.price.map(|price| price.of(prompt_tokens, 0, completion_tokens)).unwrap_or_default()
    }

    /// Remembers for a while that the provider does not know it.
    fn note_unknown(&self) {
        tracing::error!(
            model = self.name(),
            variable = self.variable,
            "the provider does not know a model: see the variable that names it"
        );
        self.is_unknown.keep(UNKNOWN_FOR);
    }

    /// Whether the provider said lately that it does not know it.
    fn is_unknown(&self) -> bool {
        self.is_unknown.holds()
    }

    /// Remembers that it refused a form, so that no further call is spent on finding out.
    fn note_refused(&self, form: &Form) {
        match form {
            Form::JsonSchema { .. } => self.refuses_schemas.keep(REFUSED_FOR),
            Form::JsonObject => self.refuses_objects.keep(REFUSED_FOR),
            Form::Text => {}
        }
    }

    /// Whether it streams its answers, as far as is known.
    pub fn streams(&self) -> bool {
        !self.refuses_streams.holds()
    }

    /// Remembers that it refused to.
    pub fn note_no_stream(&self) {
        self.refuses_streams.keep(REFUSED_FOR);
    }
}

#[cfg(test)]
pub(crate) mod tests;
