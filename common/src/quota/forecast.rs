//! What a job may expect of a provider: how many go before it, and when its calls will be granted.
//! A guess from the line as it stands; nothing is promised by it, and nothing taken.

use std::time::Duration;

use chrono::{DateTime, Utc};
use copydesk_domain::id::JobId;

use super::{Quota, QuotaError, millis};
use crate::clock;
use crate::redis::script::QUOTA_FORESEE;

/// What a job may expect of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forecast {
    /// Jobs that wait for a grant and go before it.
    pub jobs_before: u64,
    /// Whether it waits in the line itself.
    pub waits: bool,
    /// When its last call is granted; `None` while the provider is down.
    pub last_call_at: Option<DateTime<Utc>>,
    /// How long a call takes; `None` before the first one.
    pub call: Option<Duration>,
}

impl Quota {
    /// The jobs that wait for a grant, those first that go first: up to `most`. One round trip.
    pub async fn waiting_jobs(&self, most: u16) -> Result<Vec<JobId>, QuotaError> {
        let mut waiters = redis::cmd("ZRANGE");
        waiters.arg(&self.keys.waiters).arg(0).arg(i64::from(most) - 1);
        let tickets: Vec<String> = waiters.query_async(&mut self.redis.commands()).await?;
        Ok(tickets.iter().filter_map(|ticket| ticket.parse().ok()).collect())
    }

    /// The forecast for a job that will make `calls` calls. Where it does not stand in the line yet,
    /// `calls_before` others will come before it. One round trip.
    pub async fn forecast(&self, ticket: JobId, calls: u64, calls_before: u64) -> Result<Forecast, QuotaError> {
        let (jobs_before, waits, last_at, call_ms): (u64, bool, i64, i64) = QUOTA_FORESEE
            .key(&self.keys.calls)
            .key(&self.keys.waiters)
            .key(&self.keys.line)
            .key(&self.keys.state)
            .key(&self.keys.breaker)
            .key(&self.keys.memory)
            .arg(ticket.to_string())
            .arg(millis(self.policy.window))
            .arg(self.policy.limit)
            .arg(calls_before)
            .arg(calls.saturating_sub(1))
            .arg(self.policy.tokens.unwrap_or(0))
            .arg(self.policy.tokens_per_day.unwrap_or(0))
            .invoke_async(&mut self.redis.commands())
            .await?;
        Ok(Forecast {
            jobs_before,
            waits,
            last_call_at: (last_at >= 0).then(|| clock::from_millis(last_at)),
            call: u64::try_from(call_ms).ok().map(Duration::from_millis),
        })
    }
}
