//! The limits that a provider enforces, per API key: an exact sliding minute of requests and of
//! tokens, and requests per day. Knows nothing of HTTP; the wording of a 429 is the endpoints'.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use crate::clock::Clock;

const MINUTE_MS: u64 = 60_000;
const DAY_MS: f64 = 86_400_000.0;
/// Idle keys are dropped when more are known, so that random keys cannot fill the memory.
const KEYS_KEPT: usize = 1_024;

/// The limits of one endpoint; `None` is unlimited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) requests_per_minute: Option<u32>,
    pub(crate) tokens_per_minute: Option<u32>,
    pub(crate) requests_per_day: Option<u32>,
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
    /// Never admissible: one call asks for more than a minute holds.
    TooLarge { limit: u32, requested: u32 },
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

/// An admitted call's reservation of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// The accounts of all keys of one endpoint.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    clock: Clock,
    accounts: Mutex<HashMap<String, Account>>,
}

impl Limiter {
    pub(crate) fn new(limits: Limits, clock: Clock) -> Self {
        Self { limits, clock, accounts: Mutex::default() }
    }

    /// Admits a call that reserves `tokens`, or says which limit it ran into. Only admitted calls count.
    pub(crate) fn admit(&self, key: &str, tokens: u32) -> Admission {
        self.with_account(key, |account, limits, now| {
            let outcome = account.admit(limits, now, tokens);
            Admission { at_ms: now, outcome, allowance: account.allowance(limits, now) }
        })
    }

    /// Replaces a reservation by what the call really used.
    pub(crate) fn settle(&self, key: &str, ticket: Ticket, tokens: u32) -> Allowance {
        self.with_account(key, |account, limits, now| {
            account.settle(ticket, tokens);
            account.allowance(limits, now)
        })
    }

    fn with_account<T>(&self, key: &str, act: impl FnOnce(&mut Account, Limits, u64) -> T) -> T {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock: entries of a window must be in order.
        let now = self.clock.now_ms();
        if !accounts.contains_key(key) {
            if accounts.len() >= KEYS_KEPT {
                accounts.retain(|_, account| !account.is_idle(now));
            }
            accounts.insert(key.to_owned(), Account::default());
        }
        let account = accounts.entry(key.to_owned()).or_default();
        account.expire(now);
        act(account, self.limits, now)
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
    /// When the day's allowance is whole again, in ms; fractional, as it refills evenly.
    day_whole_at_ms: f64,
}

#[derive(Debug)]
struct Reservation {
    at_ms: u64,
    tokens: u32,
}

impl Account {
    fn is_idle(&self, now: u64) -> bool {
        let newest = self.requests.back().copied().max(self.tokens.back().map(|r| r.at_ms));
        newest.is_none_or(|at| now >= at + MINUTE_MS) && self.day_whole_at_ms <= as_f64(now)
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
        let over_ms = (self.day_whole_at_ms.max(as_f64(now)) + ms_per_request(limit)) - as_f64(now) - DAY_MS;
        // Less than a microsecond is rounding, not a request too many.
        if over_ms < 0.001 {
            return Ok(());
        }
        Err(Rejection::RequestsPerDay { limit, retry_ms: ceil_ms(over_ms) })
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
            self.day_whole_at_ms = self.day_whole_at_ms.max(as_f64(now)) + ms_per_request(limit);
        }
        if limits.tokens_per_minute.is_some() {
            self.tokens.push_back(Reservation { at_ms: now, tokens });
            self.tokens_used += u64::from(tokens);
        }
        Ticket((self.first_ticket + self.tokens.len() as u64).saturating_sub(1))
    }

    fn settle(&mut self, ticket: Ticket, tokens: u32) {
        let index = ticket.0.checked_sub(self.first_ticket).and_then(|i| usize::try_from(i).ok());
        if let Some(reservation) = index.and_then(|i| self.tokens.get_mut(i)) {
            self.tokens_used = self.tokens_used - u64::from(reservation.tokens) + u64::from(tokens);
            reservation.tokens = tokens;
        }
    }

    fn allowance(&self, limits: Limits, now: u64) -> Allowance {
        let requests = limits.requests_per_day.map(|limit| {
            let reset_ms = (self.day_whole_at_ms - as_f64(now)).max(0.0);
            let used = ceil_ms(reset_ms / ms_per_request(limit) - 1e-6);
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

fn ms_per_request(limit: u32) -> f64 {
    DAY_MS / f64::from(limit.max(1))
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn limiter(limits: Limits) -> (Limiter, Clock) {
        let clock = Clock::manual(1_000_000);
        (Limiter::new(limits, clock.clone()), clock)
    }

    fn per_minute(limit: u32) -> Limits {
        Limits { requests_per_minute: Some(limit), ..Limits::default() }
    }

    #[test]
    fn the_minute_slides_and_tells_exactly_when_to_come_back() {
        let (limiter, clock) = limiter(per_minute(2));
        assert!(limiter.admit("k", 0).outcome.is_ok());
        clock.advance(Duration::from_millis(10_000));
        assert!(limiter.admit("k", 0).outcome.is_ok());
        let rejection = limiter.admit("k", 0).outcome.unwrap_err();
        assert_eq!(rejection, Rejection::RequestsPerMinute { limit: 2, retry_ms: 50_000 });
        clock.advance(Duration::from_millis(49_999));
        assert!(limiter.admit("k", 0).outcome.is_err());
        clock.advance(Duration::from_millis(1));
        assert!(limiter.admit("k", 0).outcome.is_ok());
        assert!(limiter.admit("k", 0).outcome.is_err());
    }

    #[test]
    fn keys_do_not_share_a_limit() {
        let (limiter, _) = limiter(per_minute(1));
        assert!(limiter.admit("a", 0).outcome.is_ok());
        assert!(limiter.admit("b", 0).outcome.is_ok());
        assert!(limiter.admit("a", 0).outcome.is_err());
    }

    #[test]
    fn tokens_are_reserved_then_settled() {
        let (limiter, clock) = limiter(Limits { tokens_per_minute: Some(100), ..Limits::default() });
        let ticket = limiter.admit("k", 80).outcome.unwrap();
        let rejection = limiter.admit("k", 30).outcome.unwrap_err();
        let expected = Rejection::TokensPerMinute { limit: 100, used: 80, requested: 30, retry_ms: 60_000 };
        assert_eq!(rejection, expected);
        let left = limiter.settle("k", ticket, 50).tokens.unwrap();
        assert_eq!((left.limit, left.remaining, left.reset_ms), (100, 50, 60_000));
        assert!(limiter.admit("k", 30).outcome.is_ok());
        assert_eq!(limiter.admit("k", 101).outcome, Err(Rejection::TooLarge { limit: 100, requested: 101 }));
        clock.advance(Duration::from_secs(60));
        assert_eq!(limiter.admit("k", 0).allowance.tokens.unwrap().remaining, 100);
        // A settlement that comes after its minute changes nothing.
        assert_eq!(limiter.settle("k", ticket, 99).tokens.unwrap().remaining, 100);
    }

    #[test]
    fn the_day_refills_evenly() {
        let (limiter, clock) = limiter(Limits { requests_per_day: Some(3), ..Limits::default() });
        for left in [2, 1, 0] {
            let admission = limiter.admit("k", 0);
            assert!(admission.outcome.is_ok());
            assert_eq!(admission.allowance.requests.unwrap().remaining, left);
        }
        let rejection = limiter.admit("k", 0).outcome.unwrap_err();
        assert_eq!(rejection, Rejection::RequestsPerDay { limit: 3, retry_ms: 28_800_000 });
        clock.advance(Duration::from_hours(8));
        assert!(limiter.admit("k", 0).outcome.is_ok());
        assert!(limiter.admit("k", 0).outcome.is_err());
    }

    #[test]
    fn idle_keys_are_forgotten() {
        let (limiter, clock) = limiter(per_minute(1));
        for key in 0..KEYS_KEPT {
            limiter.admit(&key.to_string(), 0).outcome.unwrap();
        }
        clock.advance(Duration::from_secs(60));
        limiter.admit("new", 0).outcome.unwrap();
        assert_eq!(limiter.accounts.lock().unwrap().len(), 1);
    }

    proptest! {
        #[test]
        fn no_window_of_a_minute_ever_holds_more_than_the_limit(
            limit in 1_u32..6,
            steps in prop::collection::vec(0_u64..30_000, 1..80),
        ) {
            let (limiter, clock) = limiter(per_minute(limit));
            let mut admitted: Vec<u64> = Vec::new();
            for step in steps {
                clock.advance(Duration::from_millis(step));
                let admission = limiter.admit("k", 0);
                let in_window = admitted.iter().filter(|at| admission.at_ms - **at < MINUTE_MS).count();
                // Neither over the limit nor under it: a model that counts all calls decides alike.
                prop_assert_eq!(admission.outcome.is_ok(), in_window < limit as usize);
                if admission.outcome.is_ok() { admitted.push(admission.at_ms); }
            }
        }
    }
}
