//! What texts usually take, as this process last heard of it. Nobody waits for that: who asks is told what
//! is known, and what is old is asked for behind it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use copydesk_common::quota::usual::{self, TextKind, Usual};
use copydesk_common::quota::{ProviderName, QuotaError};
use copydesk_common::redis::Redis;
use copydesk_domain::usage::Usage;

/// How long what was heard is good enough: means move slowly.
const FRESH_FOR: Duration = Duration::from_secs(10);

/// What texts usually take. Cheap to clone.
#[derive(Debug, Clone)]
pub struct UsualTexts {
    redis: Redis,
    /// The LLM provider's name.
    llm: ProviderName,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug, Default)]
struct Known {
    usual: Usual,
    /// When it was last asked for.
    asked_at: Option<Instant>,
}

impl UsualTexts {
    pub(super) fn new(redis: &Redis, llm: ProviderName) -> Self {
        Self { redis: redis.clone(), llm, known: Arc::default() }
    }

    /// Calls to the LLM to keep for a text, of which [`Usual::calls`] says more.
    pub fn calls(&self, kind: TextKind, share: f64) -> u8 {
        self.refresh();
        self.known().usual.calls(kind, share)
    }

    /// Tokens of the LLM that a text takes, where that is known.
    pub fn tokens(&self, kind: TextKind) -> Option<u64> {
        self.known().usual.tokens(kind)
    }

    /// Learns what a finished text took.
    pub fn learn(&self, kind: TextKind, used: &Usage) {
        let calls = used.calls.get(&*self.llm).copied().unwrap_or(0);
        // Without an answer there is a text by template: it says nothing of what texts take.
        if used.models.is_empty() || calls == 0 {
            return;
        }
        let tokens = used.prompt_tokens.saturating_sub(used.cached_tokens) + used.completion_tokens;
        let this = self.clone();
        tokio::spawn(async move { note(usual::learn(&this.redis, kind, calls, tokens).await) });
    }

    fn refresh(&self) {
        let mut known = self.known();
        if known.asked_at.is_some_and(|at| at.elapsed() < FRESH_FOR) {
            return;
        }
        known.asked_at = Some(Instant::now());
        drop(known);
        let this = self.clone();
        tokio::spawn(async move {
            if let Some(usual) = note(Usual::read(&this.redis).await) {
                this.known().usual = usual;
            }
        });
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without Redis no call is made either: arithmetic does meanwhile.
fn note<T>(result: Result<T, QuotaError>) -> Option<T> {
    let told = |error: &QuotaError| {
        tracing::debug!(error = error as &dyn std::error::Error, "what texts usually take could not be asked or told");
    };
    result.inspect_err(told).ok()
}
