//! What an operator sets while Copydesk runs: limits in place of the configured ones, and breakers.
//! Keeping the limits is the store's (`provider_limits`): here they are told to Redis.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Quota, QuotaError, millis};
use crate::clock;
use crate::money::MicroUsd;
use crate::redis::Redis;
use crate::redis::script::{QUOTA_BREAKER, QUOTA_LIMITS, QUOTA_REOPEN};

/// A provider's limits. 0 stands for no limit, but for the calls a minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits<T> {
    /// Calls in any window.
    pub calls_per_minute: T,
    /// Tokens in any window.
    pub tokens_per_minute: T,
    /// Calls on any day (UTC).
    pub calls_per_day: T,
    /// Calls at once.
    pub calls_at_once: T,
    /// Money on any day (UTC).
    pub micro_usd_per_day: T,
    /// Tokens on any day (UTC).
    pub tokens_per_day: T,
}

impl<T: Copy> Limits<T> {
    /// In the order of the scripts.
    pub(super) fn in_order(&self) -> [T; 6] {
        let Self {
            calls_per_minute,
            tokens_per_minute,
            calls_per_day,
            calls_at_once,
            micro_usd_per_day,
            tokens_per_day,
        } = *self;
        [calls_per_minute, tokens_per_minute, calls_per_day, calls_at_once, micro_usd_per_day, tokens_per_day]
    }
}

/// Limits that are in force.
pub type LimitsInForce = Limits<u64>;

/// Limits that an operator set; the configured ones hold where there are none.
pub type SetLimits = Limits<Option<i64>>;

impl LimitsInForce {
    /// From the order of the scripts.
    pub(super) fn of_order(limits: [u64; 6]) -> Self {
        let [calls_per_minute, tokens_per_minute, calls_per_day, calls_at_once, micro_usd_per_day, tokens_per_day] =
            limits;
        Self { calls_per_minute, tokens_per_minute, calls_per_day, calls_at_once, micro_usd_per_day, tokens_per_day }
    }

    /// Money on any day; `None` for no limit.
    pub fn usd_per_day(&self) -> Option<f64> {
        (self.micro_usd_per_day > 0).then(|| MicroUsd(self.micro_usd_per_day).usd())
    }
}

/// Puts the limits of a provider, or of `provider/model`, in force for the whole fleet, from the next call on: false where a later
/// `version` of them is in force already.
pub async fn enforce(redis: &Redis, account: &str, limits: &SetLimits, version: i64) -> Result<bool, QuotaError> {
    let mut call = QUOTA_LIMITS.key(redis.keys().quota_state(account));
    call.arg(version);
    for limit in limits.in_order() {
        call.arg(limit.map(|limit| limit.to_string()).unwrap_or_default());
    }
    Ok(call.invoke_async(&mut redis.commands()).await?)
}

impl Quota {
    /// Opens the breaker for so long. Until when it is open. A flush of Redis forgets it.
    pub async fn open_breaker(&self, open_for: Duration) -> Result<DateTime<Utc>, QuotaError> {
        let mut call = QUOTA_BREAKER.key(&self.keys.breaker);
        call.arg(millis(open_for));
        Ok(clock::from_millis(call.invoke_async(&mut self.redis.commands()).await?))
    }

    /// Closes the breaker, and opens the provider where it closed itself. Until when it takes no calls all
    /// the same, since a flush of Redis made those of the last window forgotten; `None` where there was
    /// none.
    pub async fn reopen(&self) -> Result<Option<DateTime<Utc>>, QuotaError> {
        let mut call = QUOTA_REOPEN.key(&self.keys.breaker);
        call.key(&self.keys.state).key(&self.keys.memory).key(&self.keys.waiters).key(&self.keys.expected);
        call.arg(millis(self.policy.window));
        let closed_until: i64 = call.invoke_async(&mut self.redis.commands()).await?;
        Ok((closed_until > 0).then(|| clock::from_millis(closed_until)))
    }
}
