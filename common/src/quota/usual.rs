//! What texts of a kind usually take, learned from those that are done: then calls that a job is likely
//! to make can be kept for it. Until one is done, arithmetic stands in.

use std::collections::HashMap;

use copydesk_domain::format::Format;

use super::QuotaError;
use crate::redis::Redis;
use crate::redis::script::QUOTA_LEARN;

/// Calls that are counted on, at most: a job that needs more asks for them one by one.
const MOST_CALLS: f64 = 10.0;
/// More rounds than these are alike: few texts have them.
const MOST_ROUNDS: u16 = 2;
/// Second rounds of edits a text that may have one, until it is known: one text in four does.
const SECOND_ROUNDS: f64 = 0.25;

/// What decides how many calls a text takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextKind {
    /// The format.
    pub format: Format,
    /// Whether its outline is a call of its own.
    pub is_outlined: bool,
    /// Rounds of edits that it may have; all above [`MOST_ROUNDS`] are alike.
    pub rounds: u16,
}

impl TextKind {
    /// Its calls by arithmetic: one to write, one to plan and one to edit or somewhat more, where it is planned and
    /// edited.
    fn expected_calls(self) -> f64 {
        let edits = match self.rounds {
            0 => 0.0,
            1 => 1.0,
            _ => 1.0 + SECOND_ROUNDS,
        };
        1.0 + f64::from(u8::from(self.is_outlined)) + edits
    }

    fn name(self) -> String {
        let Self { format, is_outlined, rounds } = self;
        format!("{format}:{}:{}", u8::from(is_outlined), rounds.min(MOST_ROUNDS))
    }
}

/// What texts usually take, by their kinds, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usual(HashMap<String, f64>);

impl Usual {
    /// What was learned so far. One round trip.
    pub async fn read(redis: &Redis) -> Result<Self, QuotaError> {
        let mut all = redis::cmd("HGETALL");
        let means: HashMap<String, String> =
            all.arg(redis.keys().usual_texts()).query_async(&mut redis.commands()).await?;
        Ok(Self(means.into_iter().filter_map(|(field, mean)| Some((field, mean.parse().ok()?))).collect()))
    }

    /// Whole calls to the LLM to keep for a text, whose mean is that of the texts that are done, or what arithmetic
    /// says before the first. `share` is the text's own number from 0 to 1: if texts take 2.25 calls, a quarter of
    /// them keeps three. Were all rounded to two, the third calls would take what other texts had begun to rely on.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 1 and 10")]
    pub fn calls(&self, kind: TextKind, share: f64) -> u8 {
        let mean = self.0.get(&format!("{}:calls", kind.name())).copied().unwrap_or_else(|| kind.expected_calls());
        (mean + share).floor().clamp(1.0, MOST_CALLS) as u8
    }

    /// Tokens of the LLM that a text takes, those in a provider's cache not counted; `None` before the
    /// first is done.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
    pub fn tokens(&self, kind: TextKind) -> Option<u64> {
        self.0.get(&format!("{}:tokens", kind.name())).map(|mean| mean.round() as u64)
    }
}

/// Learns what a finished text took. One round trip.
pub async fn learn(redis: &Redis, kind: TextKind, calls: u32, tokens: u64) -> Result<(), QuotaError> {
    let mut call = QUOTA_LEARN.key(redis.keys().usual_texts());
    call.arg(kind.name()).arg(calls).arg(tokens).arg(kind.expected_calls());
    Ok(call.invoke_async(&mut redis.commands()).await?)
}
