//! What texts of a kind usually take, learned from those that are done: then calls that a job is likely
//! to make can be kept for it. Until one is done, arithmetic stands in.

use std::collections::HashMap;

use copydesk_domain::format::Format;

use super::QuotaError;
use crate::redis::Redis;
use crate::redis::script::QUOTA_LEARN;

/// Calls that are counted on, at most: a job that needs more asks for them one by one.
const MOST_CALLS: f64 = 10.0;

/// What decides how many calls a text takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextKind {
    /// The format.
    pub format: Format,
    /// Whether its outline is a call of its own.
    pub is_outlined: bool,
    /// Whether it is edited, in one round or more.
    pub is_edited: bool,
}

impl TextKind {
    /// Its calls by arithmetic: one to write, one to plan and one to edit, where it is planned and edited.
    pub fn least_calls(self) -> u8 {
        1 + u8::from(self.is_outlined) + u8::from(self.is_edited)
    }

    fn name(self) -> String {
        let Self { format, is_outlined, is_edited } = self;
        format!("{format}:{}:{}", u8::from(is_outlined), u8::from(is_edited))
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

    /// Calls to the LLM that a text takes: the mean of those that are done, in whole calls, and what
    /// arithmetic says before the first.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 1 and 10")]
    pub fn calls(&self, kind: TextKind) -> u8 {
        let mean = self.0.get(&format!("{}:calls", kind.name()));
        mean.map_or(kind.least_calls(), |mean| mean.round().clamp(1.0, MOST_CALLS) as u8)
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
    call.arg(kind.name()).arg(calls).arg(tokens);
    Ok(call.invoke_async(&mut redis.commands()).await?)
}
