//! One model of the LLM provider: what it takes and refuses, as far as is known, and its calls in that form.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::Duration;

use copydesk_common::money::{MicroUsd, Price};
use copydesk_common::quota::{Ask, AskedFor, ProviderName, Rank};

use super::chat::{Answer, ChatClient, ChatRequest, Form, Sink, Spelling};
use super::gate::{Gate, Taken};
use super::learned::Learned;
use super::memory::Memory;
use super::refusal::reason::{Parameter, Reason, Room};
use super::window::Window;
use super::{ProviderError, REFUSED_FOR};

/// How long a model is passed over that the provider said it does not know.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);
/// A shorter answer than this is not worth asking for, in tokens.
const MIN_ANSWER_TOKENS: u32 = 256;
/// A server that answers no more calls at once is one of the operator's own, and each of them is dear.
const FEW_SLOTS: u32 = 8;

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
    refuses_frequency_penalty: Memory,
    refuses_stream_options: Memory,
    /// Whether the provider said that it does not know it: it is not asked for it where another model
    /// can be.
    is_unknown: Memory,
}

impl Model {
    pub(super) fn new(
        window: Window,
        variable: &'static str,
        client: ChatClient,
        gate: Gate,
        price: Option<Price>,
    ) -> Self {
        Self {
            window,
            told: OnceLock::new(),
            learned: Learned::default(),
            variable,
            client,
            gate,
            price,
            refuses_schemas: Memory::default(),
            refuses_objects: Memory::default(),
            refuses_streams: Memory::default(),
            takes_max_tokens: Memory::default(),
            refuses_temperature: Memory::default(),
            refuses_frequency_penalty: Memory::default(),
            refuses_stream_options: Memory::default(),
            is_unknown: Memory::default(),
        }
    }

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
        let mut is_shorter = false;
        loop {
            match self.complete_once(rank.clone(), timeout, request, sink).await {
                // Again without a parameter that the model does not take.
                Err(ProviderError::ParameterRefused { parameter, .. }) if !self.does_without(parameter).holds() => {
                    self.does_without(parameter).keep(REFUSED_FOR);
                }
                // Once more where the prompt may be short enough, and its answer was too long.
                Err(error @ ProviderError::TooLong { .. }) => {
                    let error = self.learned_from(error, request);
                    if is_shorter || !self.may_be_shorter(&error, request) {
                        return Err(error);
                    }
                    is_shorter = true;
                }
                result => return result,
            }
        }
    }

    /// Whether a request that was refused for its length leaves room for an answer, as is known now.
    fn may_be_shorter(&self, error: &ProviderError, request: &ChatRequest) -> bool {
        matches!(error, ProviderError::TooLong { is_shorter: true, .. })
            && self.fit(request).max_completion_tokens >= MIN_ANSWER_TOKENS.min(request.max_completion_tokens)
    }

    /// Learns from a refusal how much a request may have, and says it in the error.
    fn learned_from(&self, error: ProviderError, request: &ChatRequest) -> ProviderError {
        let ProviderError::TooLong { provider, model, source, .. } = error else { return error };
        let room = match source.reason() {
            Some(Reason::TooLong(room)) => room,
            _ => Room::default(),
        };
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
        ProviderError::TooLong { provider, model, most, is_shorter: most < before, source }
    }

    /// Whether a parameter is left out, or goes by its older name.
    fn does_without(&self, parameter: Parameter) -> &Memory {
        match parameter {
            Parameter::MaxCompletionTokens => &self.takes_max_tokens,
            Parameter::Temperature => &self.refuses_temperature,
            Parameter::FrequencyPenalty => &self.refuses_frequency_penalty,
            Parameter::StreamOptions => &self.refuses_stream_options,
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
            has_frequency_penalty: !self.refuses_frequency_penalty.holds(),
            has_stream_options: !self.refuses_stream_options.holds(),
        };
        let call = self.client.complete(self.name(), spelling, &request, timeout, sink);
        let result = self.gate.call(ask, call, took).await;
        result.map_err(|error| match error {
            ProviderError::Refused { status: status @ (400 | 404 | 422), .. }
                if !matches!(request.form, Form::Text) =>
            {
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

    /// Takes the window that its server told, once.
    pub(super) fn take_window(&self, tokens: u32) {
        let _ = self.told.set(tokens);
    }

    /// Takes the calls at once that its server told, once.
    pub(super) fn take_slots(&self, slots: u32) {
        self.gate.take_slots(slots);
    }

    /// The variable that sets its name.
    pub(super) fn variable(&self) -> &'static str {
        self.variable
    }

    /// Whether calls of both count in the same limits.
    pub fn shares_account_with(&self, other: &Self) -> bool {
        self.gate.shares_account_with(&other.gate)
    }

    /// The breaker's state.
    #[cfg(test)]
    pub(super) async fn breaker(&self) -> Option<copydesk_common::quota::BreakerState> {
        self.gate.breaker().await
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
    pub(super) fn note_unknown(&self) {
        tracing::error!(
            model = self.name(),
            variable = self.variable,
            "the provider does not know a model: see the variable that names it"
        );
        self.is_unknown.keep(UNKNOWN_FOR);
    }

    /// Whether the provider said lately that it does not know it.
    pub(super) fn is_unknown(&self) -> bool {
        self.is_unknown.holds()
    }

    /// Remembers that it refused a form, so that no further call is spent on finding out.
    pub(super) fn note_refused(&self, form: &Form) {
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

    /// Calls at once, where they are bounded.
    pub(super) fn calls_at_once(&self) -> Option<u32> {
        self.gate.calls_at_once()
    }

    /// Whether its server answers few calls at once: then one is ended as soon as it is known to be of no use.
    pub fn has_few_slots(&self) -> bool {
        self.calls_at_once().is_some_and(|slots| slots <= FEW_SLOTS)
    }

    /// Remembers that it refused to.
    pub fn note_no_stream(&self) {
        self.refuses_streams.keep(REFUSED_FOR);
    }
}
