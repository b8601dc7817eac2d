//! The shared quota and breakers: no call to a provider is made without a grant from here.
//!
//! One Lua round trip decides for the whole fleet, by Redis' own clock: whether the breaker lets a
//! call through, whether the window has room, and whose turn it is. How a call is made is the
//! worker's; `common/lua/quota` has the scripts and their contracts.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::clock;
use crate::job::{JobId, StartedJob, named_enum};
use crate::redis::script::{QUOTA_ADMIT, QUOTA_SETTLE, QUOTA_STATUS};
use crate::redis::{Redis, RedisError};

/// The window of the limits.
const WINDOW: Duration = Duration::from_secs(60);
/// Grants are told apart here, but counted where the provider sees the calls: one may be faster on
/// its way than another. The window is longer by what that can differ.
const JITTER: Duration = Duration::from_millis(300);
/// Failures in a row that open a breaker.
const BREAKER_THRESHOLD: u32 = 5;
/// How long a breaker stays open before a probe.
const BREAKER_OPEN: Duration = Duration::from_secs(60);

/// What calls a provider takes, and how it is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Calls in any window, by all workers together.
    pub limit: u32,
    /// The window.
    pub window: Duration,
    /// Failures in a row that open the breaker.
    pub breaker_threshold: u32,
    /// How long the breaker stays open before a probe.
    pub breaker_open: Duration,
    /// The longest that a probe may take: then another may be made.
    pub probe: Duration,
}

impl Policy {
    /// So many calls a minute, each no longer than `longest_call`.
    pub fn per_minute(limit: u32, longest_call: Duration) -> Self {
        Self {
            limit,
            window: WINDOW + JITTER,
            breaker_threshold: BREAKER_THRESHOLD,
            breaker_open: BREAKER_OPEN,
            probe: longest_call + Duration::from_secs(5),
        }
    }
}

/// Who asks for a call, and by what right it goes before others: a job under way before a new one,
/// an older one before a younger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rank {
    ticket: JobId,
    started: bool,
    accepted_at: DateTime<Utc>,
}

impl Rank {
    /// A job that may hold paid stages already.
    pub fn of(job: &StartedJob) -> Self {
        Self { ticket: job.id, started: job.stages_completed > 0, accepted_at: job.created_at }
    }

    /// A caller that is no pipeline, such as a test: `ticket` names it.
    pub fn new(ticket: JobId, started: bool, accepted_at: DateTime<Utc>) -> Self {
        Self { ticket, started, accepted_at }
    }

    /// The place in the line: lower goes first. Milliseconds, a new job's beyond all started ones.
    fn score(self) -> i64 {
        const NEW: i64 = 10_000_000_000_000;
        self.accepted_at.timestamp_millis() + if self.started { 0 } else { NEW }
    }
}

/// The right to make one call. Must be settled, whatever becomes of the call.
#[derive(Debug)]
#[must_use = "a grant must be settled"]
pub struct Grant {
    id: Uuid,
    /// Whether the outcome decides on the breaker.
    pub is_probe: bool,
}

/// What the quota says to a caller.
#[derive(Debug)]
pub enum Admission {
    /// Make the call now.
    Granted(Grant),
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
}

/// Where a provider stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The provider.
    pub provider: String,
    /// Calls in any window.
    pub limit: u32,
    /// Calls left in this one.
    pub remaining: u32,
    /// Jobs that wait for a grant.
    pub waiting: u32,
    /// The breaker.
    pub breaker: BreakerState,
    /// Until when the provider closed itself.
    pub closed_until: Option<DateTime<Utc>>,
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
    provider: String,
    policy: Policy,
}

impl Quota {
    /// Models of one provider share its limit; each has a breaker of its own.
    pub fn new(redis: &Redis, provider: &str, model: &str, policy: Policy) -> Self {
        let keys = redis.keys().quota(provider, model);
        Self { redis: redis.clone(), keys, provider: provider.to_owned(), policy }
    }

    /// The provider.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Asks for one call. One round trip.
    pub async fn admit(&self, rank: Rank) -> Result<Admission, QuotaError> {
        let id = Uuid::now_v7();
        let (verdict, until_ms): (String, i64) = QUOTA_ADMIT
            .key(&self.keys.calls)
            .key(&self.keys.waiters)
            .key(&self.keys.expected)
            .key(&self.keys.state)
            .key(&self.keys.breaker)
            .arg(rank.ticket.to_string())
            .arg(rank.score())
            .arg(self.policy.limit)
            .arg(millis(self.policy.window))
            .arg(id.to_string())
            .arg(millis(self.policy.probe))
            .invoke_async(&mut self.redis.commands())
            .await?;
        let until = clock::from_millis(until_ms);
        Ok(match verdict.as_str() {
            "granted" => Admission::Granted(Grant { id, is_probe: false }),
            "probe" => Admission::Granted(Grant { id, is_probe: true }),
            "open" => Admission::BreakerOpen { until },
            _ => Admission::Throttled { until },
        })
    }

    /// Says how a granted call ended. Answers the breaker's state after that. One round trip.
    pub async fn settle(&self, grant: Grant, settlement: Settlement) -> Result<BreakerState, QuotaError> {
        let state: String = QUOTA_SETTLE
            .key(&self.keys.state)
            .key(&self.keys.breaker)
            .arg(grant.id.to_string())
            .arg(settlement.health.as_str())
            .arg(settlement.closed_for.map_or(0, millis))
            .arg(self.policy.breaker_threshold)
            .arg(millis(self.policy.breaker_open))
            .invoke_async(&mut self.redis.commands())
            .await?;
        Ok(state.parse().unwrap_or(BreakerState::Closed))
    }

    /// Where the provider stands now.
    pub async fn status(&self) -> Result<Status, QuotaError> {
        let (limit, used, waiting, breaker, closed_until): (u32, u32, u32, String, i64) = QUOTA_STATUS
            .key(&self.keys.calls)
            .key(&self.keys.waiters)
            .key(&self.keys.state)
            .key(&self.keys.breaker)
            .arg(self.policy.limit)
            .arg(millis(self.policy.window))
            .invoke_async(&mut self.redis.commands())
            .await?;
        Ok(Status {
            provider: self.provider.clone(),
            limit,
            remaining: limit.saturating_sub(used),
            waiting,
            breaker: breaker.parse().unwrap_or(BreakerState::Closed),
            closed_until: (closed_until > 0).then(|| clock::from_millis(closed_until)),
        })
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
