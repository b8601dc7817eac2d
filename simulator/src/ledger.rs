//! What each model was asked: calls, tokens, and the most of both in any 60 seconds, which a
//! benchmark holds against the limits. Counts what happened; the limits are enforced elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

const MINUTE_MS: u64 = 60_000;
/// Calls whose time is kept, of each model: the newest.
const CALLS_KEPT: usize = 200_000;
/// Models that are told apart: names come from callers.
const MODELS_KEPT: usize = 64;
/// What all further models are counted as.
const OTHERS: &str = "others";

/// The chat calls of one model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCalls {
    /// Within the limits, whatever a fault then made of them.
    pub accepted: u64,
    /// Refused because a limit of requests was reached.
    pub over_requests: u64,
    /// Refused because a limit of tokens was reached, or is less than the one call asks for.
    pub over_tokens: u64,
    /// Tokens of the prompts of answered calls, with the cached ones.
    pub prompt_tokens: u64,
    /// Of these the ones that were read from the cache.
    pub cached_tokens: u64,
    /// Tokens of the answers.
    pub completion_tokens: u64,
    /// The most accepted calls in any 60 s.
    pub most_calls: u64,
    /// The most tokens in any 60 s that count: those of prompts without the cached ones, and of answers.
    pub most_tokens: u64,
}

/// The tokens of one answered call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) prompt: u32,
    pub(crate) cached: u32,
    pub(crate) completion: u32,
}

impl Tokens {
    /// What counts against a limit.
    pub(crate) fn counted(self) -> u32 {
        self.prompt.saturating_sub(self.cached).saturating_add(self.completion)
    }
}

/// Which limit refused a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Requests,
    Tokens,
}

/// An accepted call's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry(u64);

/// The running account.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<BTreeMap<String, Account>>);

#[derive(Debug, Default)]
struct Account {
    calls: ModelCalls,
    /// When each call arrived, with the tokens that count.
    window: VecDeque<(u64, u32)>,
    /// The place of the first call in `window`.
    first: u64,
}

impl Ledger {
    /// An accepted call; its tokens follow with its answer.
    pub(crate) fn accept(&self, model: &str, at_ms: u64) -> Entry {
        self.with(model, |account| {
            account.calls.accepted += 1;
            if account.window.len() == CALLS_KEPT {
                account.window.pop_front();
                account.first += 1;
            }
            account.window.push_back((at_ms, 0));
            Entry(account.first + account.window.len() as u64 - 1)
        })
    }

    pub(crate) fn refuse(&self, model: &str, over: Over) {
        self.with(model, |account| match over {
            Over::Requests => account.calls.over_requests += 1,
            Over::Tokens => account.calls.over_tokens += 1,
        });
    }

    /// What an accepted call used.
    pub(crate) fn settle(&self, model: &str, entry: Entry, tokens: Tokens) {
        self.with(model, |account| {
            account.calls.prompt_tokens += u64::from(tokens.prompt);
            account.calls.cached_tokens += u64::from(tokens.cached);
            account.calls.completion_tokens += u64::from(tokens.completion);
            let index = entry.0.checked_sub(account.first).and_then(|index| usize::try_from(index).ok());
            if let Some(call) = index.and_then(|index| account.window.get_mut(index)) {
                call.1 = tokens.counted();
            }
        });
    }

    pub(crate) fn snapshot(&self) -> BTreeMap<String, ModelCalls> {
        self.lock().iter().map(|(model, account)| (model.clone(), account.summed())).collect()
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn with<T>(&self, model: &str, act: impl FnOnce(&mut Account) -> T) -> T {
        let mut accounts = self.lock();
        let is_known = accounts.contains_key(model) || accounts.len() < MODELS_KEPT;
        act(accounts.entry(if is_known { model } else { OTHERS }.to_owned()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn summed(&self) -> ModelCalls {
        let (mut most_calls, mut most_tokens, mut tokens, mut first) = (0, 0, 0, 0);
        for (last, (at_ms, counted)) in self.window.iter().enumerate() {
            tokens += u64::from(*counted);
            // Two calls 60,000 ms apart share no window.
            while self.window[first].0 + MINUTE_MS <= *at_ms {
                tokens -= u64::from(self.window[first].1);
                first += 1;
            }
            most_calls = most_calls.max(last + 1 - first);
            most_tokens = most_tokens.max(tokens);
        }
        ModelCalls { most_calls: most_calls as u64, most_tokens, ..self.calls.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(ledger: &Ledger, model: &str, at_ms: u64, counted: u32) {
        let entry = ledger.accept(model, at_ms);
        ledger.settle(model, entry, Tokens { prompt: counted + 128, cached: 128, completion: 0 });
    }

    #[test]
    fn the_most_in_any_minute_is_found_by_model() {
        let ledger = Ledger::default();
        for (at_ms, counted) in [(0, 100), (59_999, 10), (60_000, 40), (119_998, 70), (119_999, 5)] {
            call(&ledger, "a", at_ms, counted);
        }
        call(&ledger, "b", 60_000, 900);
        ledger.accept("b", 60_001);
        ledger.refuse("b", Over::Tokens);
        ledger.refuse("b", Over::Requests);
        let models = ledger.snapshot();
        assert_eq!((models["a"].accepted, models["a"].most_calls, models["a"].most_tokens), (5, 3, 120));
        assert_eq!((models["a"].prompt_tokens, models["a"].cached_tokens), (225 + 640, 640));
        assert_eq!((models["b"].most_calls, models["b"].most_tokens), (2, 900));
        assert_eq!((models["b"].over_requests, models["b"].over_tokens), (1, 1));
        ledger.clear();
        assert!(ledger.snapshot().is_empty());
    }

    #[test]
    fn names_of_models_are_bounded() {
        let ledger = Ledger::default();
        for model in 0..MODELS_KEPT * 2 {
            call(&ledger, &model.to_string(), 0, 1);
        }
        let models = ledger.snapshot();
        assert_eq!((models.len(), models[OTHERS].accepted), (MODELS_KEPT + 1, MODELS_KEPT as u64));
    }
}
