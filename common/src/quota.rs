//! The shared quota and breakers: no call to a provider is made without a grant from here.
//!
//! One Lua round trip decides for the whole fleet, by Redis' own clock: whether the breaker lets a
//! call through, whether the window has room, and whose turn it is. How a call is made is the
//! worker's; `common/lua/quota` has the scripts and their contracts.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::named_enum;
use uuid::Uuid;

use crate::clock;
use crate::money::MicroUsd;
use crate::redis::script::{QUOTA_ADMIT, QUOTA_SETTLE, QUOTA_STATUS};
use crate::redis::{Redis, RedisError};

mod ask;
pub mod forecast;
pub mod limits;
pub mod memory;
mod policy;
mod provider_name;
mod quotas;
pub mod trouble;
pub mod usual;

pub use ask::{Ask, AskedFor, Rank};
use limits::LimitsInForce;
pub use policy::{Budget, Policy};
pub use provider_name::ProviderName;
pub use quotas::Quotas;
use trouble::{KnownTrouble, Trouble};

/// The right to make one call. Must be settled, whatever becomes of the call.
#[derive(Debug)]
#[must_use = "a grant must be settled"]
pub struct Grant {
    id: Uuid,
    ticket: JobId,
    business_id: BusinessId,
    began: Instant,
    /// The day on which its cost was reserved.
    day: i64,
    cost: MicroUsd,
    tokens: u32,
    /// Whether the outcome decides on the breaker.
    pub is_probe: bool,
}

/// What the quota says to a caller.
#[derive(Debug)]
pub enum Admission {
    /// Make the call now.
    Granted(Grant),
    /// The turn that was asked for: nothing is taken, and nothing to be settled.
    Turn,
    /// The window is used up, or the provider closed itself: ask again at this moment, at which the
    /// slot that is this caller's by rank comes free.
    Throttled {
        /// When to ask again.
        until: DateTime<Utc>,
    },
    /// The provider is down: ask again then.
    BreakerOpen {
        /// When to ask again.
        until: DateTime<Utc>,
    },
    /// The business has had what it may have on a day: ask again on the next one.
    OverBudget {
        /// When to ask again.
        until: DateTime<Utc>,
    },
}

named_enum! {
    /// What a call said of its provider's health.
    Health {
        /// It answered.
        Healthy = "healthy",
        /// It timed out, could not be reached, or failed with a 5xx.
        Unhealthy = "unhealthy",
        /// It refused, for a reason that lies with the caller: 4xx, also 429.
        Neutral = "neutral",
    }
}

named_enum! {
    /// A breaker's state.
    BreakerState {
        /// Calls go through.
        Closed = "closed",
        /// No calls.
        Open = "open",
        /// One probe goes through.
        HalfOpen = "half_open",
    }
}

/// How a granted call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settlement {
    /// What it said of the provider's health.
    pub health: Health,
    /// How long the provider said that it takes no calls.
    pub closed_for: Option<Duration>,
    /// Tokens that it took; what was reserved stays reserved where that is unknown.
    pub tokens: Option<u32>,
    /// What it cost; what was reserved stays reserved where that is unknown.
    pub cost: Option<MicroUsd>,
    /// What the provider said of its own limits.
    pub told: ToldLimits,
    /// Whether the provider refused it as one call too many: the longer it does so in a row, the longer it is left
    /// alone, whatever it says.
    pub is_refused: bool,
    /// What an operator must mend, where that is why it failed.
    pub trouble: Option<Trouble>,
}

/// What a provider says of its own limits, in the headers of an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ToldLimits {
    /// Calls on any day.
    pub calls_per_day: Option<u64>,
    /// Tokens in any 60 seconds.
    pub tokens_per_minute: Option<u64>,
}

impl ToldLimits {
    /// Those that are others than the limits in force.
    #[must_use]
    pub fn other_than(self, limits: &LimitsInForce) -> Self {
        Self {
            calls_per_day: self.calls_per_day.filter(|told| *told != limits.calls_per_day),
            tokens_per_minute: self.tokens_per_minute.filter(|told| *told != limits.tokens_per_minute),
        }
    }
}

/// What follows of a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// The breaker's state.
    pub breaker: BreakerState,
    /// Which of its job's failures in a row it is that are taken for the provider's; `None` where it is none, or
    /// speaks of the job.
    pub setback: Option<u32>,
    /// The limits in force of what the provider told limits of.
    pub in_force: ToldLimits,
}

impl Settlement {
    /// A call of which no more is known.
    pub fn of(health: Health) -> Self {
        Self {
            health,
            closed_for: None,
            tokens: None,
            cost: None,
            told: ToldLimits::default(),
            is_refused: false,
            trouble: None,
        }
    }
}

/// Where a provider stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The provider.
    pub provider: ProviderName,
    /// The model.
    pub model: String,
    /// Whether the model has limits of its own, and an account of them.
    pub is_own_account: bool,
    /// The limits in force.
    pub limits: LimitsInForce,
    /// Calls left in this window.
    pub remaining: u64,
    /// Jobs that wait for a grant.
    pub waiting: u64,
    /// Tokens in this window, reserved and taken.
    pub tokens_used: u64,
    /// Calls made today (UTC).
    pub calls_today: u64,
    /// Tokens taken today (UTC), and reserved.
    pub tokens_today: u64,
    /// What the provider says of its limits for this model, where it does.
    pub told: ToldLimits,
    /// Money spent today (UTC), as far as prices are known.
    pub spent_today: MicroUsd,
    /// The breaker.
    pub breaker: BreakerState,
    /// Until when the provider closed itself.
    pub closed_until: Option<DateTime<Utc>>,
    /// What an operator must mend.
    pub trouble: Option<KnownTrouble>,
}

impl Status {
    /// Whose limits these are: the provider, or `provider/model`.
    pub fn account(&self) -> String {
        account(&self.provider, &self.model, self.is_own_account)
    }
}

fn account(provider: &str, model: &str, is_own: bool) -> String {
    if is_own { format!("{provider}/{model}") } else { provider.to_owned() }
}

/// The quota could not be asked: no call may be made.
#[derive(Debug, thiserror::Error)]
#[error("the shared quota cannot be asked")]
pub struct QuotaError(#[from] RedisError);

impl From<redis::RedisError> for QuotaError {
    fn from(error: redis::RedisError) -> Self {
        Self(error.into())
    }
}

/// The quota of one provider and the breaker of one of its models.
#[derive(Debug, Clone)]
pub struct Quota {
    redis: Redis,
    keys: crate::redis::keys::QuotaKeys,
    provider: ProviderName,
    model: String,
    is_own_account: bool,
    policy: Policy,
    /// Calls at once that the provider's server takes, where it said so later than at the start.
    slots: Arc<OnceLock<u32>>,
}

impl Quota {
    /// Models of one provider share its limit; each has a breaker of its own.
    pub fn new(redis: &Redis, provider: &str, model: &str, policy: Policy) -> Self {
        let keys = redis.keys().quota(provider, provider, model);
        let (provider, model) = (provider.into(), model.to_owned());
        Self { redis: redis.clone(), keys, provider, model, is_own_account: false, policy, slots: Arc::default() }
    }

    /// The quota of a model that has limits of its own: a window, a line and a day for itself. Money is its
    /// provider's.
    pub fn of_model(redis: &Redis, provider: &str, model: &str, policy: Policy) -> Self {
        let keys = redis.keys().quota(&format!("{provider}/{model}"), provider, model);
        Self { keys, is_own_account: true, ..Self::new(redis, provider, model, policy) }
    }

    /// Whose limits these are: the provider, or `provider/model`.
    pub fn account(&self) -> String {
        account(&self.provider, &self.model, self.is_own_account)
    }

    /// Whether the model has limits of its own.
    pub fn has_own_account(&self) -> bool {
        self.is_own_account
    }

    /// Whether calls of both count in the same limits.
    pub fn shares_account_with(&self, other: &Self) -> bool {
        self.keys.state == other.keys.state
    }

    /// The provider.
    pub fn provider(&self) -> &ProviderName {
        &self.provider
    }

    /// The model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Calls at once, where they are bounded by the configuration or by what the server said.
    pub fn calls_at_once(&self) -> Option<u32> {
        self.policy.at_once.or_else(|| self.slots.get().copied())
    }

    /// Takes the calls at once that the server said it takes, once. What is configured stands.
    pub fn take_slots(&self, slots: u32) {
        let _ = self.slots.set(slots);
    }

    /// The limits as they are configured and told.
    fn limits(&self) -> LimitsInForce {
        Policy { at_once: self.calls_at_once(), ..self.policy }.limits()
    }

    /// Asks for one call. One round trip.
    pub async fn admit(&self, ask: impl Into<Ask>) -> Result<Admission, QuotaError> {
        let Ask { rank, tokens, cost, asked_for } = ask.into();
        let id = Uuid::now_v7();
        let policy = &self.policy;
        let (verdict, at, generation): (String, i64, String) = QUOTA_ADMIT
            .key(&self.keys.calls)
            .key(&self.keys.waiters)
            .key(&self.keys.expected)
            .key(&self.keys.state)
            .key(&self.keys.breaker)
            .key(&self.keys.granted)
            .key(&self.keys.amounts)
            .key(&self.keys.flying)
            .key(&self.keys.clocks)
            .key(&self.keys.absent)
            .key(&self.keys.line)
            .key(&self.keys.jobs)
            .key(self.keys.spent(&rank.business_id))
            .key(&self.keys.memory)
            .key(&self.keys.purse)
            .arg(rank.ticket.to_string())
            .arg(rank.business_id.as_str())
            .arg(rank.accepted_at.timestamp_millis())
            .arg(u8::from(rank.is_under_way))
            .arg(rank.further_calls)
            .arg(id.to_string())
            .arg(tokens)
            .arg(self.redis.generation.known())
            .arg(millis(policy.window))
            .arg(millis(policy.longest_call))
            .arg(&self.limits().in_order())
            .arg(policy.budget.calls_per_day.unwrap_or(0))
            .arg(policy.budget.usd_per_day.unwrap_or_default().0)
            .arg(cost.0)
            .arg(asked_for.as_str())
            .arg(rank.priority.as_str())
            .invoke_async(&mut self.redis.commands())
            .await?;
        self.redis.generation.remember(generation);
        let until = clock::from_millis(at);
        Ok(match verdict.as_str() {
            "granted" | "probe" => Admission::Granted(Grant {
                id,
                ticket: rank.ticket,
                business_id: rank.business_id,
                began: Instant::now(),
                day: at,
                cost,
                tokens,
                is_probe: verdict == "probe",
            }),
            "turn" => Admission::Turn,
            "open" => Admission::BreakerOpen { until },
            "over_budget" => Admission::OverBudget { until },
            _ => Admission::Throttled { until },
        })
    }

    /// Says how a granted call ended, and what follows. One round trip.
    pub async fn settle(&self, grant: Grant, settlement: Settlement) -> Result<Settled, QuotaError> {
        let limits = self.limits();
        let (state, per_day, tokens, failures, setbacks): (String, u64, u64, u32, u32) = QUOTA_SETTLE
            .key(&self.keys.state)
            .key(&self.keys.breaker)
            .key(&self.keys.amounts)
            .key(&self.keys.flying)
            .key(&self.keys.waiters)
            .key(&self.keys.expected)
            .key(&self.keys.line)
            .key(&self.keys.jobs)
            .key(self.keys.spent(&grant.business_id))
            .key(&self.keys.purse)
            .key(&self.keys.trouble)
            .key(self.keys.setbacks(grant.ticket))
            .arg(grant.id.to_string())
            .arg(settlement.health.as_str())
            .arg(settlement.closed_for.map_or(0, millis))
            .arg(self.policy.breaker_threshold)
            .arg(millis(self.policy.breaker_open))
            .arg(settlement.tokens.map_or(-1, i64::from))
            .arg(grant.ticket.to_string())
            .arg(millis(grant.began.elapsed()))
            .arg(grant.day)
            .arg(grant.cost.0)
            .arg(settlement.cost.map_or(-1, |cost| i64::try_from(cost.0).unwrap_or(i64::MAX)))
            .arg(grant.tokens)
            .arg(&self.model)
            .arg(settlement.told.calls_per_day.unwrap_or(0))
            .arg(settlement.told.tokens_per_minute.unwrap_or(0))
            .arg(limits.calls_per_day)
            .arg(limits.tokens_per_minute)
            .arg(u8::from(settlement.is_refused))
            .arg(settlement.trouble.map(Trouble::written).unwrap_or_default())
            .arg(millis(trouble::REMEMBERED_FOR))
            .invoke_async(&mut self.redis.commands())
            .await?;
        let in_force = ToldLimits { calls_per_day: Some(per_day), tokens_per_minute: Some(tokens) };
        let setback = self.policy.setback(failures, setbacks);
        Ok(Settled { breaker: state.parse().unwrap_or(BreakerState::Closed), setback, in_force })
    }

    /// Whether failures may be taken for the provider's at all.
    pub fn has_setbacks(&self) -> bool {
        self.policy.setbacks > 0
    }

    /// Where the provider stands now.
    pub async fn status(&self) -> Result<Status, QuotaError> {
        let (breaker, closed_until, figures, limits, trouble): (String, i64, [u64; 8], [u64; 6], String) = QUOTA_STATUS
            .key(&self.keys.calls)
            .key(&self.keys.waiters)
            .key(&self.keys.state)
            .key(&self.keys.breaker)
            .key(&self.keys.memory)
            .key(&self.keys.purse)
            .key(&self.keys.granted)
            .key(&self.keys.amounts)
            .key(&self.keys.trouble)
            .arg(millis(self.policy.window))
            .arg(&self.limits().in_order())
            .arg(&self.model)
            .invoke_async(&mut self.redis.commands())
            .await?;
        let [waiting, used, calls_today, spent, tokens_used, tokens_today, told_per_day, told_tokens] = figures;
        let told = |limit: u64| (limit > 0).then_some(limit);
        let limits = LimitsInForce::of_order(limits);
        Ok(Status {
            provider: self.provider.clone(),
            model: self.model.clone(),
            is_own_account: self.is_own_account,
            limits,
            remaining: limits.calls_per_minute.saturating_sub(used),
            waiting,
            tokens_used,
            calls_today,
            tokens_today,
            told: ToldLimits { calls_per_day: told(told_per_day), tokens_per_minute: told(told_tokens) },
            spent_today: MicroUsd(spent),
            breaker: breaker.parse().unwrap_or(BreakerState::Closed),
            closed_until: (closed_until > 0).then(|| clock::from_millis(closed_until)),
            trouble: KnownTrouble::read(&trouble),
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
