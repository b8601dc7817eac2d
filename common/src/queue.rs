//! The queue of one kind of job, on Redis: what the API pushes to and workers claim from.
//!
//! Redis can be lost at any moment: every job's row is in Postgres, and the sweep pushes it again.
//! Pushing twice is harmless. The scripts in `common/lua/queue` hold the rules; this is the only place
//! that calls them. When a worker claims, renews and settles is the worker's own (`worker/src/queue`).

use chrono::{DateTime, Utc};
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, LeaseEpoch};

use crate::redis::keys::QueueKeys;
use crate::redis::script::{QUEUE_PUSH, on_keys};
use crate::redis::{Redis, RedisError};

mod bell;
mod intake;
mod lease;
pub mod message;
mod recover;
mod restore;
mod share;
#[cfg(test)]
mod tests;

pub use bell::BellConnection;
pub use intake::Intake;
pub use lease::{Claimant, Claims, Leased, Next, Renewal, Settled};
use message::Message;
pub use recover::Recovery;
pub use restore::Likely;
pub use share::Share;

/// Jobs that one call of a script handles: bounds the time for which Redis serves nobody else, and
/// keeps below Lua's limit of arguments.
pub const BATCH: usize = 500;

/// Notes that the bell holds at most, as in the scripts.
const MAX_NOTES: isize = 32;

/// The queue could not be reached.
#[derive(Debug, thiserror::Error)]
#[error("the queue is not available")]
pub struct QueueError(#[from] RedisError);

impl From<redis::RedisError> for QueueError {
    fn from(error: redis::RedisError) -> Self {
        Self(error.into())
    }
}

/// A job to be made known to its queue.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What travels.
    pub message: Message,
    /// Not before this; now where `None`.
    pub not_before: Option<DateTime<Utc>>,
    /// Its last lease, where it was under way before Redis forgot it: it goes before new jobs.
    pub begun: Option<LeaseEpoch>,
}

/// Jobs of a queue, by where they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Could run now.
    pub ready: u64,
    /// Come later.
    pub delayed: u64,
    /// In some worker's hands.
    pub leased: u64,
    /// Could run, but their businesses have as many under way as they may.
    pub capped: u64,
}

/// The queue of one kind of job.
#[derive(Debug, Clone)]
pub struct Queue {
    redis: Redis,
    kind: JobKind,
    keys: QueueKeys,
}

impl Queue {
    /// The queue of `kind`.
    pub fn new(redis: &Redis, kind: JobKind) -> Self {
        Self { redis: redis.clone(), kind, keys: redis.keys().queue(kind) }
    }

    /// The kind of its jobs.
    pub fn kind(&self) -> JobKind {
        self.kind
    }

    /// Makes jobs known; those that are known already stay as they are. Returns how many were new.
    /// One round trip for every 500 of them.
    pub async fn push(&self, entries: &[Entry]) -> Result<u64, QueueError> {
        let mut new = 0;
        for batch in entries.chunks(BATCH) {
            let keys = &self.keys;
            let mut call = on_keys(
                &QUEUE_PUSH,
                [
                    &keys.messages,
                    &keys.ready_interactive,
                    &keys.ready_bulk,
                    &keys.delayed,
                    &keys.clocks,
                    &keys.state,
                    &keys.bell,
                    &keys.shares,
                    &keys.epochs,
                ],
            );
            for entry in batch {
                let Message::V1(message) = &entry.message;
                call.arg(message.job_id.to_string())
                    .arg(message.priority.as_str())
                    .arg(entry.not_before.map_or(0, |time| time.timestamp_millis()))
                    .arg(message.business_id.as_str())
                    .arg(record(entry))
                    .arg(entry.begun.map_or(0, |epoch| epoch.0));
            }
            new += call.invoke_async::<u64>(&mut self.redis.commands()).await?;
        }
        Ok(new)
    }

    /// Makes delayed jobs due now: what they wait for may have come earlier. Returns how many; an
    /// idle worker looks at once. One round trip for every 500 of them.
    pub async fn hasten(&self, ids: &[JobId]) -> Result<u64, QueueError> {
        let mut hastened = 0;
        for batch in ids.chunks(BATCH) {
            let mut pipeline = redis::pipe();
            let due = pipeline.cmd("ZADD").arg(&self.keys.delayed).arg("XX").arg("CH");
            for id in batch {
                due.arg(1).arg(id.to_string());
            }
            // One note, which the next claim takes away: the list stays short.
            pipeline.rpush(&self.keys.bell, 1).ignore().ltrim(&self.keys.bell, 0, MAX_NOTES - 1).ignore();
            let (count,): (u64,) = pipeline.query_async(&mut self.redis.commands()).await?;
            hastened += count;
        }
        Ok(hastened)
    }

    /// The jobs under some worker's lease, where there are no more than `most`. One round trip.
    pub async fn leased(&self, most: u16) -> Result<Option<Vec<JobId>>, QueueError> {
        let mut leases = redis::cmd("ZRANGE");
        leases.arg(&self.keys.leases).arg(0).arg(most);
        let ids: Vec<String> = leases.query_async(&mut self.redis.commands()).await?;
        let ids: Vec<_> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        Ok((ids.len() <= usize::from(most)).then_some(ids))
    }

    /// How many jobs stand where. One round trip.
    pub async fn depth(&self) -> Result<Depth, QueueError> {
        let keys = &self.keys;
        let (interactive, bulk, delayed, leased, capped): (u64, u64, u64, u64, u64) = redis::pipe()
            .zcard(&keys.ready_interactive)
            .zcard(&keys.ready_bulk)
            .zcard(&keys.delayed)
            .zcard(&keys.leases)
            .zcard(&keys.capped)
            .query_async(&mut self.redis.commands())
            .await?;
        Ok(Depth { ready: interactive + bulk, delayed, leased, capped })
    }

    /// How many jobs are claimed before this one, roughly: where it is ready. One round trip.
    pub async fn ahead_of(&self, id: JobId) -> Result<Option<u64>, QueueError> {
        let (keys, id) = (&self.keys, id.to_string());
        let mut ranks = redis::pipe();
        ranks.cmd("ZRANK").arg(&keys.ready_interactive).arg(&id);
        ranks.cmd("ZRANK").arg(&keys.ready_bulk).arg(&id).zcard(&keys.ready_interactive);
        let (interactive, bulk, urgent): (Option<u64>, Option<u64>, u64) =
            ranks.query_async(&mut self.redis.commands()).await?;
        // Nine interactive jobs go before each bulk one, as long as there are some.
        let behind = bulk.map(|bulk| bulk + urgent.min(9 * (bulk + 1)));
        Ok(interactive.or(behind))
    }
}

/// A job's record: what the scripts need of it, then the message. Its first field was a weight.
fn record(entry: &Entry) -> String {
    let Message::V1(message) = &entry.message;
    format!("1|{}|{}|{}", message.priority, message.business_id, entry.message.encode())
}
