//! What was called, and when: the provider's own account, which tests compare with what callers
//! believe that they spent; and, only where a test asks for it, the prompts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::faults::Endpoint;
use crate::ledger::{ModelCalls, Tokens};

/// Arrival times kept per endpoint and outcome: the newest. Bounds the memory of a long load test.
const ARRIVALS_KEPT: usize = 1_000_000;

/// The calls since the start, or since they were last cleared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calls {
    /// `POST /openai/v1/chat/completions`.
    pub chat: EndpointCalls,
    /// `POST /search`.
    pub search: EndpointCalls,
    /// `POST /v1/embeddings`.
    #[serde(default)]
    pub embeddings: EndpointCalls,
    /// The chat calls by model.
    #[serde(default)]
    pub models: BTreeMap<String, ModelCalls>,
}

/// The calls of one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointCalls {
    /// Within the limits, whatever a fault then made of them.
    pub accepted: u64,
    /// Refused with 429 because a limit was reached. A `rate_limited` fault does not count here.
    pub rejected_429: u64,
    /// Accepted calls that a fault rule spoiled.
    pub faulted: u64,
    /// Refused before any limit was looked at: no key, or a request that breaks the protocol.
    pub refused: u64,
    /// When the accepted calls arrived, in ms since the epoch, ascending. The newest million.
    pub accepted_at_ms: VecDeque<u64>,
    /// When the calls refused with 429 arrived, likewise.
    pub rejected_at_ms: VecDeque<u64>,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted { at_ms: u64 },
    Rejected { at_ms: u64 },
    Faulted,
    Refused,
}

/// The running account.
#[derive(Debug, Default)]
pub(crate) struct CallLog(Mutex<Calls>);

impl CallLog {
    pub(crate) fn record(&self, endpoint: Endpoint, outcome: Outcome) {
        let mut calls = self.lock();
        let calls = match endpoint {
            Endpoint::Search => &mut calls.search,
            Endpoint::Embeddings => &mut calls.embeddings,
            Endpoint::Chat | Endpoint::Any => &mut calls.chat,
        };
        match outcome {
            Outcome::Accepted { at_ms } => {
                calls.accepted += 1;
                keep(&mut calls.accepted_at_ms, at_ms);
            }
            Outcome::Rejected { at_ms } => {
                calls.rejected_429 += 1;
                keep(&mut calls.rejected_at_ms, at_ms);
            }
            Outcome::Faulted => calls.faulted += 1,
            Outcome::Refused => calls.refused += 1,
        }
    }

    pub(crate) fn snapshot(&self) -> Calls {
        self.lock().clone()
    }

    pub(crate) fn clear(&self) {
        *self.lock() = Calls::default();
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An accepted chat call as the provider saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompted {
    /// When it arrived, in ms since the epoch.
    pub at_ms: u64,
    /// The model that was asked.
    pub model: String,
    /// The system message.
    pub system: String,
    /// The user message.
    pub prompt: String,
    /// Tokens of the whole prompt; 0 until it is answered.
    pub prompt_tokens: u32,
    /// Of these the ones that were cached.
    pub cached_tokens: u32,
    /// Tokens of the answer; 0 until it is answered.
    pub completion_tokens: u32,
    /// Whether a fault spoilt the answer.
    pub is_spoilt: bool,
}

/// The newest prompts, as they came.
#[derive(Debug)]
pub(crate) struct PromptLog {
    kept: usize,
    prompts: Mutex<(u64, VecDeque<Prompted>)>,
}

impl PromptLog {
    /// Keeps so many prompts.
    pub(crate) fn keeping(kept: usize) -> Self {
        Self { kept, prompts: Mutex::default() }
    }

    /// Keeps a prompt; its place, if any are kept.
    pub(crate) fn record(&self, model: &str, system: &str, prompt: &str, at_ms: u64) -> Option<u64> {
        if self.kept == 0 {
            return None;
        }
        let mut log = self.lock();
        let (first, prompts) = &mut *log;
        if prompts.len() == self.kept {
            prompts.pop_front();
            *first += 1;
        }
        prompts.push_back(Prompted {
            at_ms,
            model: model.to_owned(),
            system: system.to_owned(),
            prompt: prompt.to_owned(),
            ..Prompted::default()
        });
        Some(*first + prompts.len() as u64 - 1)
    }

    /// What the prompt at a place used.
    pub(crate) fn settle(&self, place: Option<u64>, tokens: Tokens, is_spoilt: bool) {
        let Some(place) = place else { return };
        let mut log = self.lock();
        let (first, prompts) = &mut *log;
        let index = place.checked_sub(*first).and_then(|index| usize::try_from(index).ok());
        if let Some(prompted) = index.and_then(|index| prompts.get_mut(index)) {
            let Tokens { prompt, cached, completion } = tokens;
            (prompted.prompt_tokens, prompted.cached_tokens, prompted.completion_tokens) = (prompt, cached, completion);
            prompted.is_spoilt = is_spoilt;
        }
    }

    /// The oldest first.
    pub(crate) fn snapshot(&self) -> Vec<Prompted> {
        self.lock().1.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, (u64, VecDeque<Prompted>)> {
        self.prompts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep(arrivals: &mut VecDeque<u64>, at_ms: u64) {
    if arrivals.len() == ARRIVALS_KEPT {
        arrivals.pop_front();
    }
    arrivals.push_back(at_ms);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_per_endpoint_and_outcome() {
        let log = CallLog::default();
        log.record(Endpoint::Chat, Outcome::Accepted { at_ms: 5 });
        log.record(Endpoint::Chat, Outcome::Faulted);
        log.record(Endpoint::Search, Outcome::Rejected { at_ms: 6 });
        log.record(Endpoint::Search, Outcome::Refused);
        let calls = log.snapshot();
        assert_eq!((calls.chat.accepted, calls.chat.faulted, calls.chat.rejected_429), (1, 1, 0));
        assert_eq!((calls.search.accepted, calls.search.rejected_429, calls.search.refused), (0, 1, 1));
        assert_eq!(calls.chat.accepted_at_ms, [5]);
        log.clear();
        assert_eq!(log.snapshot(), Calls::default());
    }

    #[test]
    fn arrivals_are_bounded() {
        let mut arrivals = VecDeque::from(vec![0; ARRIVALS_KEPT]);
        keep(&mut arrivals, 9);
        assert_eq!((arrivals.len(), arrivals.back()), (ARRIVALS_KEPT, Some(&9)));
    }
}
