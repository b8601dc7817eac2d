//! The way through which every call goes: a grant from the shared quota and breaker, the call, and
//! the word of how it ended. One call a grant; whether there is another is the caller's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use copydesk_common::clock;
use copydesk_common::money::MicroUsd;
use copydesk_common::quota::trouble::{Trouble, TroubleKind};
use copydesk_common::quota::{
    Admission, Ask, AskedFor, BreakerState, Grant, Health, ProviderName, Quota, Settled, Settlement, ToldLimits,
};
use futures_util::FutureExt;

use super::ProviderError;
use super::call::CallError;
use super::memory::Memory;
use super::refusal::reason::Reason;
use crate::metric;

/// Other limits than ours are worth a line in the log so often.
const HEARD_FOR: Duration = Duration::from_secs(3_600);

/// What an operator must mend is worth a line in the log so often.
const TOLD_FOR: Duration = Duration::from_secs(60);

/// How long a failed call waits for what the quota makes of it.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

/// What an answer really took.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Taken {
    /// Tokens, where it says so.
    pub(super) tokens: Option<u32>,
    /// What it cost, where that is known.
    pub(super) cost: Option<MicroUsd>,
    /// How long the provider takes no further calls, where that is what it said.
    pub(super) closed_for: Option<Duration>,
    /// What the provider said of its own limits.
    pub(super) told: ToldLimits,
}

/// One provider's (and model's) quota and breaker.
#[derive(Debug)]
pub(super) struct Gate {
    quota: Quota,
    variables: Variables,
    /// That its trouble is in the log already, and needs no other line for a while.
    told: Memory,
    /// That the provider was heard to tell other limits than ours, for so long that it is worth no further line.
    heard: Arc<Memory>,
}

/// What sets up what a provider may refuse, for the operator who must mend it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Variables {
    /// Sets the key.
    pub(super) key: &'static str,
    /// Sets the model, or what else is at the other end.
    pub(super) target: &'static str,
    /// Sets the URL.
    pub(super) address: &'static str,
}

impl Gate {
    pub(super) fn new(quota: Quota, variables: Variables) -> Self {
        Self { quota, variables, told: Memory::default(), heard: Arc::default() }
    }

    /// Makes `call` where the quota and the breaker let it through. `took` reads off an answer what
    /// it took.
    pub(super) async fn call<T>(
        &self,
        ask: impl Into<Ask>,
        call: impl Future<Output = Result<T, CallError>>,
        took: impl Fn(&T) -> Taken,
    ) -> Result<T, ProviderError> {
        let grant = self.admit(ask.into()).await?;
        let granted = Granted { gate: self, grant };
        let began = Instant::now();
        let result = call.await;
        let settlement = match &result {
            Ok(answer) => {
                let Taken { tokens, cost, closed_for, told } = took(answer);
                Settlement { closed_for, tokens, cost, told, ..Settlement::of(Health::Healthy) }
            }
            Err(error) => {
                let trouble = self.trouble(error).or_else(|| self.unexplained(error));
                Settlement { trouble, ..error.settlement() }
            }
        };
        metric::provider_called(
            self.provider(),
            result.as_ref().err().map_or("ok", CallError::outcome),
            began.elapsed(),
        );
        let setback = match settlement.health {
            Health::Unhealthy => self.heard(granted.settle_and_hear(settlement).await),
            _ => {
                granted.settle(settlement).await;
                None
            }
        };
        result.map_err(|error| self.explain(error, setback))
    }

    /// The provider's name.
    pub(super) fn provider(&self) -> &ProviderName {
        self.quota.provider()
    }

    /// Whether calls of both count in the same limits.
    pub(super) fn shares_account_with(&self, other: &Self) -> bool {
        self.quota.shares_account_with(&other.quota)
    }

    /// Calls at once, where they are bounded.
    pub(super) fn calls_at_once(&self) -> Option<u32> {
        self.quota.calls_at_once()
    }

    /// Takes the calls at once that the server told, once.
    pub(super) fn take_slots(&self, slots: u32) {
        self.quota.take_slots(slots);
    }

    /// Asks for a turn: whether the calls of the job would be granted now. It makes none.
    pub(super) async fn turn(&self, ask: Ask) -> Result<(), ProviderError> {
        self.admit(Ask { asked_for: AskedFor::Turn, ..ask }).await.map(drop)
    }

    /// The breaker's state.
    #[cfg(test)]
    pub(super) async fn breaker(&self) -> Option<BreakerState> {
        self.quota.status().await.ok().map(|status| status.breaker)
    }

    /// The grant; `None` for a turn.
    async fn admit(&self, ask: Ask) -> Result<Option<Grant>, ProviderError> {
        let provider = self.provider().clone();
        let (error, by) = match self.quota.admit(ask).await {
            Ok(Admission::Granted(grant)) => return Ok(Some(grant)),
            Ok(Admission::Turn) => return Ok(None),
            Ok(Admission::Throttled { until }) => (ProviderError::Throttled { provider, until }, "quota"),
            Ok(Admission::OverBudget { until }) => (ProviderError::OverBudget { provider, until }, "budget"),
            Ok(Admission::BreakerOpen { until }) => (ProviderError::BreakerOpen { provider, until }, "breaker"),
            Err(source) => (ProviderError::QuotaUnavailable { provider, source }, "redis"),
        };
        metric::provider_refused(self.provider(), by);
        Err(error)
    }

    /// What an operator must look at, where the refusal will not pass by itself.
    fn trouble(&self, error: &CallError) -> Option<Trouble> {
        let Variables { key, target, address } = self.variables;
        let (kind, look_at) = match error.reason()? {
            Reason::Key => (TroubleKind::Misconfigured, key),
            Reason::Model => (TroubleKind::Misconfigured, target),
            Reason::Address => (TroubleKind::Misconfigured, address),
            Reason::Account => (TroubleKind::Account, "the account's balance, plan and limits"),
            _ => return None,
        };
        let CallError::Status { status, .. } = *error else { return None };
        Some(Trouble { kind, status, look_at })
    }

    /// A refusal that nobody here understands. The job may be the reason, or what is set up: the next answer tells.
    fn unexplained(&self, error: &CallError) -> Option<Trouble> {
        let CallError::Status { status, reason: Reason::Other, .. } = *error else { return None };
        if !(400..=499).contains(&status) || status == 408 {
            return None;
        }
        let error = error as &dyn std::error::Error;
        tracing::warn!(error, provider.name = %self.provider(), "a provider refused a request for an unknown reason");
        let look_at = "the worker's log: it has the code of a refusal for an unknown reason";
        Some(Trouble { kind: TroubleKind::Misconfigured, status, look_at })
    }

    /// Which setback of its job a failure is. Where the quota does not answer, it is the first: nothing speaks of the
    /// job.
    fn heard(&self, settled: Option<Settled>) -> Option<u32> {
        settled.map_or(self.quota.has_setbacks().then_some(1), |settled| settled.setback)
    }

    fn explain(&self, error: CallError, setback: Option<u32>) -> ProviderError {
        let provider = self.provider().clone();
        let trouble = self.trouble(&error);
        let closed_for = error.closed_for();
        match (trouble, error) {
            (Some(trouble), source) => {
                let error = match trouble {
                    Trouble { kind: TroubleKind::Account, status, .. } => {
                        ProviderError::Account { provider, status, source }
                    }
                    Trouble { status, look_at: variable, .. } => {
                        ProviderError::Misconfigured { provider, status, variable, source }
                    }
                };
                self.tell(&error);
                error
            }
            (None, error) => match (error.reason(), error) {
                (Some(Reason::Busy), _) => {
                    let until = clock::now() + closed_for.unwrap_or_default();
                    ProviderError::Throttled { provider, until }
                }
                (Some(Reason::TooLong(_)), source) => {
                    let model = self.quota.model().to_owned();
                    ProviderError::TooLong { provider, model, most: 0, is_shorter: false, source }
                }
                (Some(Reason::Parameter(parameter)), CallError::Status { status, .. }) => {
                    ProviderError::ParameterRefused { provider, parameter, status }
                }
                (_, CallError::Status { status: status @ 400..=499, .. }) if status != 408 => {
                    ProviderError::Refused { provider, status }
                }
                (_, source) => ProviderError::Failed { provider, setback, source },
            },
        }
    }

    /// Says in the log what an operator must mend, with its causes: not once a job.
    fn tell(&self, error: &ProviderError) {
        if self.told.holds() {
            return;
        }
        self.told.keep(TOLD_FOR);
        tracing::error!(
            error = error as &dyn std::error::Error,
            provider.name = %self.provider(),
            model = self.quota.model(),
            "a provider refuses what an operator has set up: calls to it fail until that is mended"
        );
    }
}

/// A grant that is settled whatever becomes of its call: also where the call is dropped midway,
/// because its job was cancelled or its worker is leaving.
struct Granted<'a> {
    gate: &'a Gate,
    grant: Option<Grant>,
}

impl Granted<'_> {
    /// Sends the word of how the call ended. Nobody waits for Redis' answer: whatever this process
    /// asks next is sent after it on the same connection.
    async fn settle(mut self, settlement: Settlement) {
        let Some(grant) = self.grant.take() else { return };
        let (quota, heard) = (self.gate.quota.clone(), self.gate.heard.clone());
        let mut settling = async move { settle(&quota, &heard, grant, settlement).await }.boxed();
        if futures_util::poll!(&mut settling).is_pending() {
            tokio::spawn(settling.map(drop));
        }
    }

    /// The same, and what follows of it, where Redis says so soon.
    async fn settle_and_hear(mut self, settlement: Settlement) -> Option<Settled> {
        let grant = self.grant.take()?;
        let (quota, heard) = (self.gate.quota.clone(), self.gate.heard.clone());
        let settling = tokio::spawn(async move { settle(&quota, &heard, grant, settlement).await });
        tokio::time::timeout(HEARD_WITHIN, settling).await.ok()?.ok()?
    }
}

impl Drop for Granted<'_> {
    fn drop(&mut self) {
        let Some(grant) = self.grant.take() else { return };
        // Outside of a runtime there is no call under way either.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (quota, heard) = (self.gate.quota.clone(), self.gate.heard.clone());
            runtime.spawn(async move { settle(&quota, &heard, grant, Settlement::of(Health::Neutral)).await });
        }
    }
}

/// Says in the log that the provider's limits are others than ours: once an hour for each model.
fn hear(quota: &Quota, heard: &Memory, told: ToldLimits, ours: ToldLimits) {
    let is_other = |told: Option<u64>, ours: Option<u64>| told.is_some() && told != ours;
    let calls = is_other(told.calls_per_day, ours.calls_per_day);
    let tokens = is_other(told.tokens_per_minute, ours.tokens_per_minute);
    if !(calls || tokens) || heard.holds() {
        return;
    }
    heard.keep(HEARD_FOR);
    tracing::warn!(
        provider.name = %quota.provider(),
        model = quota.model(),
        told.calls_per_day = told.calls_per_day,
        told.tokens_per_minute = told.tokens_per_minute,
        ours.calls_per_day = ours.calls_per_day,
        ours.tokens_per_minute = ours.tokens_per_minute,
        "a provider tells other limits than ours (0: none): see COPYDESK_MODEL_LIMITS"
    );
}

/// A grant that cannot be settled runs out by itself: the call's answer is not lost over it.
async fn settle(quota: &Quota, heard: &Memory, grant: Grant, settlement: Settlement) -> Option<Settled> {
    let was_probe = grant.is_probe;
    match quota.settle(grant, settlement).await {
        Ok(settled) => {
            if settled.breaker == BreakerState::Open && settlement.health == Health::Unhealthy {
                tracing::warn!(provider.name = %quota.provider(), was_probe, "a provider's breaker opened");
            }
            hear(quota, heard, settlement.told, settled.in_force);
            Some(settled)
        }
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                error,
                provider.name = %quota.provider(),
                "the outcome of a call could not be told to the quota"
            );
            None
        }
    }
}
