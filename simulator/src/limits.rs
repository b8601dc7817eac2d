//! The limits that a provider enforces, per API key, and per model where a model has limits of its
//! own: an exact sliding minute of requests and of tokens, and requests and tokens per day. Knows
//! nothing of HTTP; the wording of a 429 is the endpoints'.

mod models;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::clock::Clock;
use crate::ledger::Over;

pub use self::models::parse as parse_models;

const MINUTE_MS: u64 = 60_000;
const DAY_MS: f64 = 86_400_000.0;
/// Less than a microsecond is rounding, not a request too many.
const ROUNDING_MS: f64 = 0.001;
/// Idle keys are dropped when more are known, so that random keys cannot fill the memory.
const KEYS_KEPT: usize = 1_024;

/// The limits of one endpoint, or of one model; `None` is unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests in any 60 s.
    pub requests_per_minute: Option<u32>,
    /// Tokens in any 60 s.
    pub tokens_per_minute: Option<u32>,
    /// Requests a day, refilled evenly.
    pub requests_per_day: Option<u32>,
    /// Tokens a day, refilled evenly.
    pub tokens_per_day: Option<u32>,
}

/// The limit that a call ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// Admissible again in `retry_ms`.
    RequestsPerMinute { limit: u32, retry_ms: u64 },
    /// Admissible again in `retry_ms`.
    RequestsPerDay { limit: u32, retry_ms: u64 },
    /// Admissible again in `retry_ms`.
    TokensPerMinute { limit: u32, used: u64, requested: u32, retry_ms: u64 },
    /// Admissible again in `retry_ms`.
    TokensPerDay { limit: u32, used: u64, requested: u32, retry_ms: u64 },
    /// Never admissible: one call asks for more than a minute holds.
    TooLarge { limit: u32, requested: u32 },
}

impl Rejection {
    /// Which limit it was.
    pub(crate) fn over(self) -> Over {
        match self {
            Self::RequestsPerMinute { .. } | Self::RequestsPerDay { .. } => Over::Requests,
            Self::TokensPerMinute { .. } | Self::TokensPerDay { .. } | Self::TooLarge { .. } => Over::Tokens,
        }
    }
}

/// What is left, as the `x-ratelimit-*` headers tell it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Requests of the day.
    pub(crate) requests: Option<Remaining>,
    /// Tokens of the minute.
    pub(crate) tokens: Option<Remaining>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Remaining {
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    /// Until all of it is there again.
    pub(crate) reset_ms: u64,
}

/// A call's answer from the limiter: when it arrived, whether it may go on, what is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Admission {
    pub(crate) at_ms: u64,
    pub(crate) outcome: Result<Ticket, Rejection>,
    pub(crate) allowance: Allowance,
}

/// An admitted call's reservation of tokens: its place, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    place: u64,
    tokens: u32,
}

/// The accounts of all keys of one endpoint.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    /// Models with limits of their own; all others share the key's.
    models: BTreeMap<String, Limits>,
    clock: Clock,
    accounts: Mutex<HashMap<String, Account>>,
}

impl Limiter {
    pub(crate) fn new(limits: Limits, models: BTreeMap<String, Limits>, clock: Clock) -> Self {
        Self { limits, models, clock, accounts: Mutex::default() }
    }

    /// Admits a call that reserves `tokens`, or says which limit it ran into. Only admitted calls count.
    pub(crate) fn admit(&self, key: &str, model: &str, tokens: u32) -> Admission {
        self.with_account(key, model, |account, limits, now| {
            let outcome = account.admit(limits, now, tokens);
            Admission { at_ms: now, outcome, allowance: account.allowance(limits, now) }
        })
    }

    /// Replaces a reservation by what the call really used.
    pub(crate) fn settle(&self, key: &str, model: &str, ticket: Ticket, tokens: u32) -> Allowance {
        self.with_account(key, model, |account, limits, now| {
            account.settle(limits, ticket, tokens);
            account.allowance(limits, now)
        })
    }

    fn with_account<T>(&self, key: &str, model: &str, act: impl FnOnce(&mut Account, Limits, u64) -> T) -> T {
        let (name, limits) = match self.models.get(model) {
            // No key holds a line break.
            Some(limits) => (format!("{key}\n{model}"), *limits),
            None => (key.to_owned(), self.limits),
        };
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: entries of a window must be in order.
        let now = self.clock.now_ms();
        if !accounts.contains_key(&name) && accounts.len() >= KEYS_KEPT {
            accounts.retain(|_, account| !account.is_idle(now));
        }
        let account = accounts.entry(name).or_default();
        account.expire(now);
        act(account, limits, now)
    }
}

/// One key's calls of the last minute, and its day.
#[derive(Debug, Default)]
struct Account {
    requests: VecDeque<u64>,
    tokens: VecDeque<Reservation>,
    tokens_used: u64,
    /// The ticket of the first reservation in `tokens`.
    first_ticket: u64,
    /// When the day's allowance of requests is whole again, in ms; fractional, as it refills evenly.
    day_whole_at_ms: f64,
    /// The same for its tokens.
    day_tokens_whole_at_ms: f64,
}

#[derive(Debug)]
struct Reservation {
    at_ms: u64,
    tokens: u32,
}

impl Account {
    fn is_idle(&self, now: u64) -> bool {
        let newest = self.requests.back().copied().max(self.tokens.back().map(|r| r.at_ms));
        let day_whole_at_ms = self.day_whole_at_ms.max(self.day_tokens_whole_at_ms);
        newest.is_none_or(|at| now >= at + MINUTE_MS) && day_whole_at_ms <= as_f64(now)
    }

    /// Forgets what lies a whole minute back: two calls 60,000 ms apart share no window.
    fn expire(&mut self, now: u64) {
        while self.requests.front().is_some_and(|at| now >= at + MINUTE_MS) {
            self.requests.pop_front();
        }
        while let Some(oldest) = self.tokens.pop_front_if(|r| now >= r.at_ms + MINUTE_MS) {
            self.tokens_used -= u64::from(oldest.tokens);
            self.first_ticket += 1;
        }
    }

    fn admit(&mut self, limits: Limits, now: u64, tokens: u32) -> Result<Ticket, Rejection> {
        self.check_requests(limits, now)?;
        self.check_day(limits, now)?;
        self.check_tokens(limits, now, tokens)?;
        self.check_day_tokens(limits, now, tokens)?;
        Ok(self.take(limits, now, tokens))
    }

    fn check_requests(&self, limits: Limits, now: u64) -> Result<(), Rejection> {
        let Some(limit) = limits.requests_per_minute else { return Ok(()) };
        let limit_len = usize::try_from(limit).unwrap_or(usize::MAX);
        if self.requests.len() < limit_len {
            return Ok(());
        }
        // The window is full: it has room when the oldest of its calls has left.
        let frees_at = self.requests[self.requests.len() - limit_len] + MINUTE_MS;
        Err(Rejection::RequestsPerMinute { limit, retry_ms: frees_at - now })
    }

    fn check_day(&self, limits: Limits, now: u64) -> Result<(), Rejection> {
        let Some(limit) = limits.requests_per_day else { return Ok(()) };
        let over_ms = over_the_day(self.day_whole_at_ms, now, ms_per_unit(limit));
        match over_ms > ROUNDING_MS {
            true => Err(Rejection::RequestsPerDay { limit, retry_ms: ceil_ms(over_ms) }),
            false => Ok(()),
        }
    }

    fn check_day_tokens(&self, limits: Limits, now: u64, requested: u32) -> Result<(), Rejection> {
        let Some(limit) = limits.tokens_per_day else { return Ok(()) };
        if requested > limit {
            return Err(Rejection::TooLarge { limit, requested });
        }
        let ms = ms_per_unit(limit);
        let over_ms = over_the_day(self.day_tokens_whole_at_ms, now, ms * f64::from(requested));
        if over_ms <= ROUNDING_MS {
            return Ok(());
        }
        let used = ceil_ms((self.day_tokens_whole_at_ms - as_f64(now)).max(0.0) / ms - 1e-6);
        Err(Rejection::TokensPerDay { limit, used, requested, retry_ms: ceil_ms(over_ms) })
    }

    fn check_tokens(&self, limits: Limits, now: u64, requested: u32) -> Result<(), Rejection> {
        let Some(limit) = limits.tokens_per_minute else { return Ok(()) };
        if requested > limit {
            return Err(Rejection::TooLarge { limit, requested });
        }
        let used = self.tokens_used;
        let mut over = (used + u64::from(requested)).saturating_sub(u64::from(limit));
        let mut frees_at = now;
        for reservation in &self.tokens {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(u64::from(reservation.tokens));
            frees_at = reservation.at_ms + MINUTE_MS;
        }
        if frees_at == now {
            return Ok(());
        }
        Err(Rejection::TokensPerMinute { limit, used, requested, retry_ms: frees_at - now })
    }

    fn take(&mut self, limits: Limits, now: u64, tokens: u32) -> Ticket {
        if limits.requests_per_minute.is_some() {
            self.requests.push_back(now);
        }
        if let Some(limit) = limits.requests_per_day {
            self.day_whole_at_ms = self.day_whole_at_ms.max(as_f64(now)) + ms_per_unit(limit);
        }
        if let Some(limit) = limits.tokens_per_day {
            let reserved_ms = ms_per_unit(limit) * f64::from(tokens);
            self.day_tokens_whole_at_ms = self.day_tokens_whole_at_ms.max(as_f64(now)) + reserved_ms;
        }
        if limits.tokens_per_minute.is_some() {
            self.tokens.push_back(Reservation { at_ms: now, tokens });
            self.tokens_used += u64::from(tokens);
        }
        Ticket { place: (self.first_ticket + self.tokens.len() as u64).saturating_sub(1), tokens }
    }

    fn settle(&mut self, limits: Limits, ticket: Ticket, tokens: u32) {
        if let Some(limit) = limits.tokens_per_day {
            self.day_tokens_whole_at_ms += ms_per_unit(limit) * (f64::from(tokens) - f64::from(ticket.tokens));
        }
        let index = ticket.place.checked_sub(self.first_ticket).and_then(|i| usize::try_from(i).ok());
        if let Some(reservation) = index.and_then(|i| self.tokens.get_mut(i)) {
            self.tokens_used = self.tokens_used - u64::from(reservation.tokens) + u64::from(tokens);
            reservation.tokens = tokens;
        }
    }

    fn allowance(&self, limits: Limits, now: u64) -> Allowance {
        let requests = limits.requests_per_day.map(|limit| {
            let reset_ms = (self.day_whole_at_ms - as_f64(now)).max(0.0);
            let used = ceil_ms(reset_ms / ms_per_unit(limit) - 1e-6);
            Remaining { limit, remaining: left(limit, used), reset_ms: ceil_ms(reset_ms) }
        });
        let tokens = limits.tokens_per_minute.map(|limit| {
            let reset_ms = self.tokens.back().map_or(0, |newest| newest.at_ms + MINUTE_MS - now);
            Remaining { limit, remaining: left(limit, self.tokens_used), reset_ms }
        });
        Allowance { requests, tokens }
    }
}

fn left(limit: u32, used: u64) -> u32 {
    u32::try_from(u64::from(limit).saturating_sub(used)).unwrap_or(0)
}

/// How long a day's limit takes to refill by one.
fn ms_per_unit(limit: u32) -> f64 {
    DAY_MS / f64::from(limit.max(1))
}

/// How long until a day's allowance has room for what refills in `more_ms`.
fn over_the_day(whole_at_ms: f64, now: u64, more_ms: f64) -> f64 {
    whole_at_ms.max(as_f64(now)) + more_ms - as_f64(now) - DAY_MS
}

/// Exact for any time before the year 287396.
fn as_f64(ms: u64) -> f64 {
    ms as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped at 0; a float saturates in the cast"
)]
fn ceil_ms(ms: f64) -> u64 {
    ms.max(0.0).ceil() as u64
}
