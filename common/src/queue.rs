//! The queue of one kind of job, on Redis: what the API pushes to and workers claim from.
//!
//! Redis can be lost at any moment: every job's row is in Postgres, and the sweep pushes it again.
//! Pushing twice is harmless. The rules are in the scripts in `common/lua/queue`, and only this
//! module calls them. The worker decides when to claim, renew and settle (`worker/src/queue`).

use chrono::{DateTime, Utc};
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, LeaseEpoch};

use crate::redis::keys::QueueKeys;
use crate::redis::script::{QUEUE_PUSH, on_keys};
use crate::redis::{Redis, RedisError};

mod bell;
mod forget;
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

/// The most jobs in one call of a script: bounds the time during which Redis is blocked, and stays
/// below Lua's limit of arguments.
pub const BATCH: usize = 500;

/// The most notes in the bell, as in the scripts.
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

/// A job to push to its queue.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The message.
    pub message: Message,
    /// When it becomes ready; `None` means now.
    pub not_before: Option<DateTime<Utc>>,
    /// Its last lease, if it was under way before Redis forgot it. Such jobs go before new ones.
    pub begun: Option<LeaseEpoch>,
}

/// The number of jobs of a queue in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Can run now.
    pub ready: u64,
    /// Become ready later.
    pub delayed: u64,
    /// Leased to a worker.
    pub leased: u64,
    /// Could run, but their businesses have reached their concurrency caps.
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

    /// Pushes jobs; known ones stay as they are. Returns how many were new. One round trip for
    /// every 500 jobs.
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

    /// Makes delayed jobs due now, because what they wait for may be available earlier, and wakes
    /// an idle worker. Returns how many. One round trip for every 500 jobs.
    pub async fn hasten(&self, ids: &[JobId]) -> Result<u64, QueueError> {
        let mut hastened = 0;
        for batch in ids.chunks(BATCH) {
            let mut pipeline = redis::pipe();
            let due = pipeline.cmd("ZADD").arg(&self.keys.delayed).arg("XX").arg("CH");
            for id in batch {
                due.arg(1).arg(id.to_string());
            }
            // The next claim clears this note, so the list stays short.
            pipeline.rpush(&self.keys.bell, 1).ignore().ltrim(&self.keys.bell, 0, MAX_NOTES - 1).ignore();
            let (count,): (u64,) = pipeline.query_async(&mut self.redis.commands()).await?;
            hastened += count;
        }
        Ok(hastened)
    }

    /// The leased jobs, if there are at most `most`. One round trip.
    pub async fn leased(&self, most: u16) -> Result<Option<Vec<JobId>>, QueueError> {
        let mut leases = redis::cmd("ZRANGE");
        leases.arg(&self.keys.leases).arg(0).arg(most);
        let ids: Vec<String> = leases.query_async(&mut self.redis.commands()).await?;
        let ids: Vec<_> = ids.iter().filter_map(|id| id.parse().ok()).collect();
        Ok((ids.len() <= usize::from(most)).then_some(ids))
    }

    /// The number of jobs in each state. One round trip.
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

    /// About how many jobs are claimed before this one; `None` if it is not ready. One round trip.
    pub async fn ahead_of(&self, id: JobId) -> Result<Option<u64>, QueueError> {
        let (keys, id) = (&self.keys, id.to_string());
        let mut ranks = redis::pipe();
        ranks.cmd("ZRANK").arg(&keys.ready_interactive).arg(&id);
        ranks.cmd("ZRANK").arg(&keys.ready_bulk).arg(&id).zcard(&keys.ready_interactive);
        let (interactive, bulk, urgent): (Option<u64>, Option<u64>, u64) =
            ranks.query_async(&mut self.redis.commands()).await?;
        // Up to nine interactive jobs go before each bulk job.
        let behind = bulk.map(|bulk| bulk + urgent.min(9 * (bulk + 1)));
        Ok(interactive.or(behind))
    }
}

/// A job's record: the fields that the scripts need, then the message. The first field was a weight
/// once.
fn record(entry: &Entry) -> String {
    let Message::V1(message) = &entry.message;
    format!("1|{}|{}|{}", message.priority, message.business_id, entry.message.encode())
}
