//! What a provider takes, and how it is watched: the limits as they are configured, the window, and when a
//! breaker opens.

use std::time::Duration;

use super::limits::LimitsInForce;
use crate::config::model_limits::Figures;
use crate::money::MicroUsd;

/// The window of the limits.
const WINDOW: Duration = Duration::from_secs(60);
/// Grants are told apart here, but counted where the provider sees the calls: one may be faster on
/// its way than another. The window is longer by what that can differ.
const JITTER: Duration = Duration::from_millis(300);
/// More calls in a window than anybody makes: where a model's figures name none.
const UNLIMITED: u32 = 1_000_000;
/// Failures in a row that open a breaker.
const BREAKER_THRESHOLD: u32 = 5;
/// Enough for the failures that open a breaker, and for three probes.
const SETBACKS: u32 = 8;
/// How long a breaker stays open before a probe.
const BREAKER_OPEN: Duration = Duration::from_secs(60);

/// What calls a provider takes, and how it is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Calls in any window, by all workers together.
    pub limit: u32,
    /// Tokens in any window.
    pub tokens: Option<u32>,
    /// Calls on any day (UTC).
    pub per_day: Option<u32>,
    /// Tokens on any day (UTC).
    pub tokens_per_day: Option<u32>,
    /// Calls at once.
    pub at_once: Option<u32>,
    /// Money on any day (UTC).
    pub usd_per_day: Option<MicroUsd>,
    /// What each business may have of all providers.
    pub budget: Budget,
    /// The window.
    pub window: Duration,
    /// Failures in a row that open the breaker.
    pub breaker_threshold: u32,
    /// How long the breaker stays open before a probe.
    pub breaker_open: Duration,
    /// A job's failed calls in a row that are taken for the provider's, at most.
    pub setbacks: u32,
    /// The longest that a call may take: then a probe counts as vanished, and its place is free.
    pub longest_call: Duration,
}

/// What a business may have on any day (UTC), of all providers together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// Calls.
    pub calls_per_day: Option<u32>,
    /// Money.
    pub usd_per_day: Option<MicroUsd>,
}

impl Policy {
    /// So many calls a minute, each no longer than `longest_call`.
    pub fn per_minute(limit: u32, longest_call: Duration) -> Self {
        Self {
            limit,
            tokens: None,
            per_day: None,
            tokens_per_day: None,
            at_once: None,
            usd_per_day: None,
            budget: Budget::default(),
            window: WINDOW + JITTER,
            breaker_threshold: BREAKER_THRESHOLD,
            breaker_open: BREAKER_OPEN,
            setbacks: SETBACKS,
            longest_call: longest_call + Duration::from_secs(5),
        }
    }

    /// The same with a model's own figures. Those that it lacks are not limited.
    pub(super) fn with(self, figures: Figures) -> Self {
        Self {
            limit: figures.calls_per_minute.unwrap_or(UNLIMITED),
            tokens: figures.tokens_per_minute,
            per_day: figures.calls_per_day,
            tokens_per_day: figures.tokens_per_day,
            ..self
        }
    }

    /// Which setback of its job a failure is, by the failures in a row of the model and of the job; `None` where it
    /// speaks of the job: another call was answered since the job failed before, or it fails time after time.
    pub(super) fn setback(&self, of_model: u32, of_job: u32) -> Option<u32> {
        let was_answered = of_model == 1 && of_job > 1;
        (of_job > 0 && of_job <= self.setbacks && !was_answered).then_some(of_job)
    }

    /// The limits as they are configured.
    pub(super) fn limits(&self) -> LimitsInForce {
        let or_none = |limit: Option<u32>| u64::from(limit.unwrap_or(0));
        LimitsInForce {
            calls_per_minute: self.limit.into(),
            tokens_per_minute: or_none(self.tokens),
            calls_per_day: or_none(self.per_day),
            calls_at_once: or_none(self.at_once),
            micro_usd_per_day: self.usd_per_day.unwrap_or_default().0,
            tokens_per_day: or_none(self.tokens_per_day),
        }
    }
}
