//! A job's way to the providers: by its rank in the line, within its deadline, with its usage
//! counted. Also whether a job whose call failed has another chance.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use copydesk_common::clock;
use copydesk_common::quota::usual::TextKind;
use copydesk_common::quota::{AskedFor, ProviderName, Rank};
use copydesk_domain::generation::Degradation;
use copydesk_domain::job::StartedJob;
use copydesk_domain::stage::Stage;
use copydesk_domain::usage::{ModelTokens, Usage};

use super::error::StageError;
use crate::broadcast::{Audience, Broadcast};
use crate::metric;
use crate::provider::chain::{AnsweredBy, Chain, Shortfall};
use crate::provider::chat::{Answer, ChatRequest, Sink};
use crate::provider::embeddings::Embedded;
use crate::provider::search::Search;
use crate::provider::web_page::WebPage;
use crate::provider::{Model, ProviderError, Providers};

/// A shorter wait is slept through: giving the slot back and taking it again would cost more.
const INLINE_WAIT: Duration = Duration::from_millis(250);
/// Waits that are slept through for one call, at most.
const MAX_INLINE_WAITS: u32 = 8;
/// With less time than this before the deadline, no call is begun.
const MIN_CALL: Duration = Duration::from_millis(500);

/// Who hears an answer as it is written.
pub(super) trait Listener: Sync {
    /// A call begins: what it answers is a text of its own.
    fn begin(&self);
    /// A piece of the answer.
    fn push(&self, piece: &str);
}

/// A call to a model that may be dropped midway.
struct Owed<'a> {
    calls: &'a Calls,
    model: &'a Model,
    request: &'a ChatRequest,
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if let Some(written) = self.request.meter.take() {
            self.calls.cut_off(self.model, self.request.prompt_tokens.into(), written);
        }
    }
}

/// Calls on behalf of one job. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Calls {
    providers: Providers,
    job: Arc<StartedJob>,
    /// Whether the LLM has answered it before: then it goes before new jobs.
    under_way: Arc<AtomicBool>,
    /// Calls to the LLM that are sure to follow the next one.
    certain: Arc<AtomicU8>,
    /// Calls to the LLM that the text usually takes; 0 where nobody said what it is.
    expected: Arc<AtomicU8>,
    /// Tokens that each of them takes, about; 0 where nobody knows.
    tokens: Arc<AtomicU32>,
    /// Calls to the LLM that were made, by earlier attempts too.
    made: Arc<AtomicU32>,
    usage: Arc<Mutex<Usage>>,
    /// Where texts are shown while they are written.
    broadcast: Option<Broadcast>,
    /// Whether a text by template may take the place of a model's.
    allows_fallback: bool,
}

impl Calls {
    /// Calls on behalf of `job`.
    pub fn new(providers: Providers, job: &StartedJob) -> Self {
        Self {
            providers,
            job: Arc::new(job.clone()),
            under_way: Arc::default(),
            certain: Arc::default(),
            expected: Arc::default(),
            tokens: Arc::default(),
            made: Arc::default(),
            usage: Arc::default(),
            broadcast: None,
            allows_fallback: true,
        }
    }

    /// The same, for a text that may or may not be composed by template where no model writes it.
    #[must_use]
    pub fn falling_back(self, allows_fallback: bool) -> Self {
        Self { allows_fallback, ..self }
    }

    /// Whether a text by template may take the place of a model's.
    pub fn allows_fallback(&self) -> bool {
        self.allows_fallback
    }

    /// The same, with texts shown to those who follow the job.
    #[must_use]
    pub fn shown_by(self, broadcast: Broadcast) -> Self {
        Self { broadcast: Some(broadcast), ..self }
    }

    /// Who sees a text while it is written; `None` where nobody follows the job.
    pub fn audience(&self) -> Option<Audience> {
        self.broadcast.as_ref()?.audience(&self.job)
    }

    /// What earlier attempts used says whether the job is under way.
    pub fn resume(&self, used: &Usage) {
        if let Some(made) = used.calls.get(&**self.llm()) {
            self.under_way.store(true, Ordering::Relaxed);
            self.made.store(*made, Ordering::Relaxed);
        }
    }

    /// The calls are for a text of this kind: as many as such a text usually takes keep their places in the
    /// line.
    pub fn expect(&self, kind: TextKind) {
        // The last bits of an id are random, and the same in every attempt.
        let [.., a, b] = self.job.id.0.into_bytes();
        let share = f64::from(u16::from_be_bytes([a, b])) / 65_536.0;
        let calls = self.providers.usual.calls(kind, share);
        let tokens = self.providers.usual.tokens(kind).unwrap_or(0) / u64::from(calls);
        self.expected.store(calls, Ordering::Relaxed);
        self.tokens.store(u32::try_from(tokens).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// Calls made from now on are this stage's. An outline is written out: that call keeps its place even where the
    /// job has made more than texts usually take.
    pub fn begin(&self, stage: Stage) {
        let certain = u8::from(stage == Stage::Outline);
        self.certain.store(certain, Ordering::Relaxed);
    }

    /// Calls that are likely to follow the next one of a model in the same account: drafts are the writer's, edits
    /// the reviewer's.
    fn further(&self, model: &Model) -> u8 {
        let (writer, reviewer) = (self.writer().primary(), self.reviewer().primary());
        if model.shares_account_with(writer) && !model.shares_account_with(reviewer) {
            return self.certain.load(Ordering::Relaxed);
        }
        let made = u8::try_from(self.made.load(Ordering::Relaxed)).unwrap_or(u8::MAX);
        let left = self.expected.load(Ordering::Relaxed).saturating_sub(made.saturating_add(1));
        left.max(self.certain.load(Ordering::Relaxed))
    }

    /// A job searches but once, so that there all are new.
    fn rank(&self) -> Rank {
        let job = &self.job;
        Rank::new_job(job.id, job.business_id.clone(), job.created_at).of_priority(job.priority)
    }

    /// A job under way goes before new ones at the LLM.
    pub(super) fn rank_at(&self, model: &Model) -> Rank {
        let job = &self.job;
        let rank = if self.under_way.load(Ordering::Relaxed) { Rank::under_way } else { Rank::new_job };
        let rank = rank(job.id, job.business_id.clone(), job.created_at).of_priority(job.priority);
        rank.before(self.further(model))
    }

    /// Whether a simulator replaces the providers.
    pub fn is_simulated(&self) -> bool {
        self.providers.simulated
    }

    /// The models that plan and write.
    pub fn writer(&self) -> &Chain {
        &self.providers.writer
    }

    /// The models that edit.
    pub fn reviewer(&self) -> &Chain {
        &self.providers.reviewer
    }

    /// The LLM provider's name.
    pub fn llm(&self) -> &ProviderName {
        self.writer().primary().provider()
    }

    /// Whether the same model writes and edits: then it has read the beginning of an edit's prompt before.
    pub fn edits_with_the_writer(&self) -> bool {
        self.writer().primary().name() == self.reviewer().primary().name()
    }

    /// Whether there is a web search.
    pub fn can_search(&self) -> bool {
        self.providers.search.is_some()
    }

    /// One answer of a chain's first model that can be called, and which one that was. `listener`
    /// hears it as it is written.
    pub(super) async fn complete(
        &self,
        chain: &Chain,
        request: &ChatRequest,
        listener: Option<&dyn Listener>,
    ) -> Result<(Answer, AnsweredBy), StageError> {
        let mut shortfall = Shortfall::default();
        let push = listener.map(|listener| |piece: &str| listener.push(piece));
        let sink = push.as_ref().map(|push| push as Sink<'_>);
        for model in chain.candidates() {
            listener.inspect(|listener| listener.begin());
            match self.ask(model, request, sink).await {
                Ok(answer) => {
                    let by = chain.answered_by(model);
                    self.answered(model, &answer, &by);
                    return Ok((answer, by));
                }
                Err(StageError::Provider(error)) => {
                    let is_last = if error.passes() { self.is_near_deadline() } else { self.has_no_other_chance() };
                    shortfall.pass_over(model, error, is_last)?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(shortfall.into_error().map_or(StageError::OutOfTime, StageError::from))
    }

    /// One answer of a model: streamed to `sink`, or told it whole where the model refuses to stream. Where slots are
    /// few it is streamed also if nobody listens: only then can a loop be ended.
    pub(super) async fn ask(
        &self,
        model: &Model,
        request: &ChatRequest,
        sink: Option<Sink<'_>>,
    ) -> Result<Answer, StageError> {
        let _owed = Owed { calls: self, model, request };
        let call = |sink| {
            self.patiently(self.llm(), move |timeout| model.complete(self.rank_at(model), timeout, request, sink))
        };
        let unheard: Option<Sink<'_>> = if model.has_few_slots() { Some(&|_: &str| {}) } else { None };
        let Some(sink) = sink.or(unheard) else { return call(None).await };
        let is_tried = model.streams();
        if is_tried {
            match call(Some(sink)).await {
                Err(StageError::Provider(ProviderError::Refused { status: 400 | 422, .. })) => {}
                result => return result,
            }
        }
        let answer = call(None).await?;
        if is_tried {
            model.note_no_stream();
        }
        sink(&answer.text);
        Ok(answer)
    }

    /// Counts what a call took whose answer did not come whole: the prompt, and as much of the answer as was seen.
    fn cut_off(&self, model: &Model, prompt_tokens: u64, completion_tokens: u64) {
        metric::tokens(model.provider(), prompt_tokens, completion_tokens);
        let mut usage = self.usage();
        usage.prompt_tokens += prompt_tokens;
        usage.completion_tokens += completion_tokens;
        usage.cost_usd += model.cost_of(prompt_tokens, completion_tokens).usd();
    }

    /// Counts what an answer took.
    fn answered(&self, model: &Model, answer: &Answer, by: &AnsweredBy) {
        self.under_way.store(true, Ordering::Relaxed);
        let Answer { prompt_tokens, cached_tokens, completion_tokens, .. } = *answer;
        metric::tokens(self.llm(), prompt_tokens, completion_tokens);
        metric::cached_tokens(self.llm(), &by.model, cached_tokens);
        if by.is_fallback {
            metric::fallback_model_answered(&by.model);
        }
        let mut usage = self.usage();
        usage.add_answer(&by.model, ModelTokens { prompt_tokens, cached_tokens, completion_tokens });
        usage.cost_usd += model.cost(answer).usd();
    }

    /// The pages that fit a query; none where there is no search. What the business asked within the hour is
    /// there at no cost. What must be bought is bought when the text is about to be written: a search is worth
    /// less the longer it lies, and nothing where its text is never written.
    pub async fn search(&self, query: &str, language: &str) -> Result<Vec<WebPage>, StageError> {
        let Some(search) = &self.providers.search else { return Ok(Vec::new()) };
        let wanted = search.wanted(&self.job.business_id, query, language);
        if let Some(pages) = wanted.found().await {
            return Ok(pages);
        }
        self.turn().await?;
        if let Some(pages) = wanted.of_another_buyer().await {
            return Ok(pages);
        }
        let bought = self.buy(search, AskedFor::Call, query, language).await;
        match &bought {
            Ok(pages) => wanted.keep(pages),
            Err(_) => wanted.leave(),
        }
        bought
    }

    /// The pages that fit a further query, which the text can do without: searched for only where no other
    /// text needs it.
    pub async fn search_further(&self, query: &str, language: &str) -> Result<Vec<WebPage>, StageError> {
        let Some(search) = &self.providers.search else { return Ok(Vec::new()) };
        let wanted = search.wanted(&self.job.business_id, query, language);
        if let Some(pages) = wanted.found().await {
            return Ok(pages);
        }
        let pages = self.buy(search, AskedFor::Spare, query, language).await?;
        wanted.keep(&pages);
        Ok(pages)
    }

    async fn buy(
        &self,
        search: &Search,
        asked_for: AskedFor,
        query: &str,
        language: &str,
    ) -> Result<Vec<WebPage>, StageError> {
        let provider = search.provider();
        let call = |timeout| search.search(self.rank(), asked_for, timeout, query, language);
        let found = match asked_for {
            // A moment later it would be somebody else's again.
            AskedFor::Spare => Box::pin(self.counted(provider, call(self.time_for_a_call()?))).await?,
            _ => self.patiently(provider, call).await?,
        };
        self.usage().cost_usd += search.cost().usd();
        Ok(found)
    }

    /// Waits until the writer would be granted this job's calls now: as for a call, by the same rank. A job
    /// under way has had its turn. Where the deadline leaves no time to wait, it goes without.
    async fn turn(&self) -> Result<(), StageError> {
        if self.under_way.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut shortfall = Shortfall::default();
        for model in self.writer().candidates() {
            let tokens = self.tokens.load(Ordering::Relaxed);
            match self.with_patience(|_| model.turn(self.rank_at(model), tokens)).await {
                Ok(()) => return Ok(()),
                Err(error) if self.must_fall_back(&error) => return Ok(()),
                Err(StageError::Provider(error)) => shortfall.pass_over(model, error, false)?,
                Err(error) => return Err(error),
            }
        }
        Err(shortfall.into_error().map_or(StageError::OutOfTime, StageError::from))
    }

    /// The vectors of texts, where there is a model for that.
    pub async fn embed(&self, texts: &[String]) -> Result<Option<Embedded>, StageError> {
        let Some(model) = &self.providers.embeddings else { return Ok(None) };
        let call = |timeout| model.embed(self.rank(), timeout, texts);
        let embedded = self.patiently(model.provider(), call).await?;
        let tokens = embedded.tokens.unwrap_or(0);
        metric::tokens(model.provider(), tokens, 0);
        self.usage().cost_usd += model.cost(tokens).usd();
        Ok(Some(embedded))
    }

    /// Makes a call, after waits that are too short to give the slot back for.
    async fn patiently<T, F>(&self, provider: &ProviderName, call: impl Fn(Duration) -> F) -> Result<T, StageError>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        self.with_patience(|timeout| self.counted(provider, call(timeout))).await
    }

    /// Makes a call, and counts it.
    async fn counted<T>(
        &self,
        provider: &ProviderName,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let result = call.await;
        self.count(provider, result.as_ref().err());
        result
    }

    /// Asks again after waits that are too short to give the slot back for.
    async fn with_patience<T, F>(&self, ask: impl Fn(Duration) -> F) -> Result<T, StageError>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        for attempt in 0.. {
            // On the heap: a call's way would else be part of each stage's state.
            match Box::pin(ask(self.time_for_a_call()?)).await {
                Err(ProviderError::Throttled { until, .. })
                    if attempt < MAX_INLINE_WAITS && self.waits_inline(until) =>
                {
                    tokio::time::sleep((until - clock::now()).to_std().unwrap_or_default()).await;
                }
                result => return Ok(result?),
            }
        }
        Err(StageError::OutOfTime)
    }

    /// Short waits, and any wait that a job must sit out before its deadline because it would be
    /// woken no later anyway.
    fn waits_inline(&self, until: DateTime<Utc>) -> bool {
        let wait = until - clock::now();
        let patience = match self.time_left() {
            Some(left) if self.is_near_deadline() => left / 4,
            _ => TimeDelta::from_std(INLINE_WAIT).unwrap_or_default(),
        };
        wait <= patience
    }

    /// How long the next call may take: never more than half of what the deadline leaves, since
    /// other stages follow.
    fn time_for_a_call(&self) -> Result<Duration, StageError> {
        let Some(left) = self.time_left() else { return Ok(self.providers.call_timeout) };
        let half = (left / 2).to_std().unwrap_or_default();
        if half < MIN_CALL { Err(StageError::OutOfTime) } else { Ok(half.min(self.providers.call_timeout)) }
    }

    fn time_left(&self) -> Option<TimeDelta> {
        Some(self.job.deadline_at? - clock::now())
    }

    /// Counts what reached the provider: neither a refusal of the quota's nor a provider's own 429
    /// cost anything.
    fn count(&self, provider: &ProviderName, error: Option<&ProviderError>) {
        let reached = error.is_none_or(|error| {
            matches!(
                error,
                ProviderError::Failed { .. }
                    | ProviderError::Refused { .. }
                    | ProviderError::FormRefused { .. }
                    | ProviderError::ParameterRefused { .. }
                    | ProviderError::Misconfigured { .. }
                    | ProviderError::Account { .. }
                    | ProviderError::TooLong { .. }
            )
        });
        if reached {
            *self.usage().calls.entry(provider.to_string()).or_default() += 1;
            if provider == self.llm() {
                self.made.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn usage(&self) -> std::sync::MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was used since this was last asked.
    pub fn take_usage(&self) -> Usage {
        std::mem::take(&mut *self.usage())
    }

    /// Whether a stage must do without what failed, because the job has no other chance: its last
    /// attempt, a deadline within the length of one call, or one that no wait can meet.
    pub fn must_fall_back(&self, error: &StageError) -> bool {
        match error {
            StageError::OutOfTime => true,
            StageError::Provider(
                ProviderError::Misconfigured { .. } | ProviderError::Account { .. } | ProviderError::TooLong { .. },
            )
            | StageError::Prompt(_) => false,
            // Waiting spends no attempt: only the deadline ends it.
            StageError::Provider(error) if error.passes() => self.is_near_deadline(),
            _ => self.has_no_other_chance(),
        }
    }

    /// Whether what fails now is not tried again.
    fn has_no_other_chance(&self) -> bool {
        self.job.attempt >= self.job.max_attempts || self.is_near_deadline()
    }

    fn is_near_deadline(&self) -> bool {
        let call = TimeDelta::from_std(self.providers.call_timeout).unwrap_or(TimeDelta::MAX);
        // A job that was woken for its last chance is woken a call's length before the deadline.
        self.time_left().is_some_and(|left| left <= call + TimeDelta::milliseconds(100))
    }

    /// Says in the log and the metrics that a stage does without its provider.
    pub fn note_fallback(stage: Stage, degradation: Option<Degradation>, error: Option<&StageError>) {
        metric::stage_fell_back(stage);
        let error = error.map(|error| error as &dyn std::error::Error);
        tracing::warn!(
            stage = stage.as_str(),
            degraded = degradation.map(Degradation::as_str),
            error,
            "a stage fell back"
        );
    }
}
