//! The queue of one kind of job, on Redis: what the API pushes to and workers claim from.
//!
//! Redis can be lost at any moment: every job's row is in Postgres, and the sweep pushes it again.
//! Pushing twice is harmless. The scripts in `common/lua/queue` hold the rules; this and
//! [`backend`], the apalis `Backend` over it, are the only places that know them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, LeaseEpoch, LeaseRef};

use crate::redis::keys::QueueKeys;
use crate::redis::script::{QUEUE_CLAIM, QUEUE_PUSH, QUEUE_READOPT, QUEUE_RENEW, QUEUE_SETTLE};
use crate::redis::{BlockingConnection, Redis, RedisError};

pub mod backend;
mod claim;
mod intake;
mod lease;
pub mod message;
mod recover;
mod restore;
mod share;
pub mod single;
#[cfg(test)]
mod tests;

pub use intake::Intake;
use message::Message;
pub use recover::Recovery;
pub use restore::Likely;
pub use share::Share;

/// Jobs that one call of a script handles: bounds the time for which Redis serves nobody else, and
/// keeps below Lua's limit of arguments.
const BATCH: usize = 500;

/// How much later than a blocking command's time Redis is made to notice that it is up.
const WAKE_AFTER: Duration = Duration::from_millis(1);
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

/// What a lease of a job ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It has ended: the queue forgets it.
    Done,
    /// It goes back to the front of the queue.
    Back,
    /// It becomes ready at this time.
    Later(DateTime<Utc>),
}

/// A lease that ends, and with what.
#[derive(Debug, Clone, Copy)]
struct Settled {
    lease: LeaseRef,
    next: Next,
}

/// What became of a lease's renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Renewal {
    Extended,
    Lost,
    /// Redis was flushed: the job may be re-adopted.
    Unknown,
}

/// Who claims.
#[derive(Debug, Clone, Copy)]
struct Claimant<'a> {
    /// Its name, which nobody else has.
    name: &'a str,
    /// Whether its last claim found nothing.
    was_idle: bool,
}

/// What a claim brought.
#[derive(Debug)]
struct Claims {
    leased: Vec<Leased>,
    /// After this the claimer is to claim again.
    again_in: Duration,
}

/// A job under a lease, as the claim script hands it out.
#[derive(Debug)]
struct Leased {
    lease: LeaseRef,
    message: String,
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
            let mut call = QUEUE_PUSH.prepare_invoke();
            for key in [
                &keys.messages,
                &keys.ready_interactive,
                &keys.ready_bulk,
                &keys.delayed,
                &keys.clocks,
                &keys.state,
                &keys.bell,
                &keys.shares,
            ] {
                call.key(key);
            }
            for entry in batch {
                let Message::V1(message) = &entry.message;
                call.arg(message.job_id.to_string())
                    .arg(message.priority.as_str())
                    .arg(entry.not_before.map_or(0, |time| time.timestamp_millis()))
                    .arg(message.business_id.as_str())
                    .arg(record(entry));
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

    /// Leases up to `most` ready jobs, so that no business has more than `cap` under way where no
    /// operator gave it another number; 0 for any. With `most` 0 the claimer leaves. Also answers when
    /// the claimer is to claim again if the bell does not ring earlier. One round trip.
    async fn claim(&self, claimer: Claimant<'_>, most: usize, lease_ms: u64, cap: u32) -> Result<Claims, QueueError> {
        let keys = &self.keys;
        let mut call = QUEUE_CLAIM.prepare_invoke();
        for key in [
            &keys.messages,
            &keys.ready_interactive,
            &keys.ready_bulk,
            &keys.delayed,
            &keys.clocks,
            &keys.state,
            &keys.bell,
            &keys.epochs,
            &keys.leases,
            &keys.shares,
            &keys.capped,
            &keys.running,
            &keys.freed,
            &keys.places,
            &keys.roster,
        ] {
            call.key(key);
        }
        call.arg(most.min(BATCH)).arg(lease_ms).arg(cap).arg(claimer.name).arg(u8::from(claimer.was_idle));
        let answer: Vec<redis::Value> = call.invoke_async(&mut self.redis.commands()).await?;
        let mut fields = answer.into_iter();
        let again_in_ms: u64 =
            redis::from_redis_value(fields.next().unwrap_or(redis::Value::Nil)).map_err(malformed)?;
        let epoch: i64 = redis::from_redis_value(fields.next().unwrap_or(redis::Value::Nil)).map_err(malformed)?;
        let mut leased = Vec::new();
        while let (Some(id), Some(message)) = (fields.next(), fields.next()) {
            let id: String = redis::from_redis_value(id).map_err(malformed)?;
            let message: String = redis::from_redis_value(message).map_err(malformed)?;
            if let Ok(id) = id.parse() {
                leased.push(Leased { lease: LeaseRef { id, epoch: LeaseEpoch(epoch) }, message });
            }
        }
        Ok(Claims { leased, again_in: Duration::from_millis(again_in_ms) })
    }

    /// Waits for a note in the bell, at most `timeout`: whether there was one.
    async fn wait_for_bell(&self, connection: &mut BlockingConnection, timeout: Duration) -> Result<bool, QueueError> {
        let mut pop = redis::cmd("BLPOP");
        pop.arg(&self.keys.bell).arg(timeout.as_secs_f64());
        let note = pop.query_async::<Option<(String, String)>>(&mut **connection);
        tokio::pin!(note);
        tokio::select! {
            note = &mut note => return Ok(note?.is_some()),
            () = tokio::time::sleep(timeout + WAKE_AFTER) => {}
        }
        // An idle Redis notices that a blocking command's time is up at its next tick, up to 100 ms late;
        // any command makes it look at once.
        let _: bool = redis::cmd("EXISTS").arg(&self.keys.bell).query_async(&mut self.redis.commands()).await?;
        Ok(note.await?.is_some())
    }

    /// Extends leases: the answer is in the order of the question.
    async fn renew(&self, leases: &[LeaseRef], lease_ms: u64) -> Result<Vec<Renewal>, QueueError> {
        let mut renewals = Vec::with_capacity(leases.len());
        for batch in leases.chunks(BATCH) {
            let mut call = QUEUE_RENEW.key(&self.keys.messages);
            call.key(&self.keys.epochs).key(&self.keys.leases).arg(lease_ms);
            for LeaseRef { id, epoch } in batch {
                call.arg(id.to_string()).arg(epoch.0);
            }
            let answer: Vec<u8> = call.invoke_async(&mut self.redis.commands()).await?;
            renewals.extend(answer.into_iter().map(|code| match code {
                1 => Renewal::Extended,
                2 => Renewal::Unknown,
                _ => Renewal::Lost,
            }));
        }
        Ok(renewals)
    }

    /// Takes back jobs that a flush made Redis forget: true where nobody was faster.
    async fn readopt(&self, jobs: &[(LeaseRef, Entry)], lease_ms: u64) -> Result<Vec<bool>, QueueError> {
        let mut readopted = Vec::with_capacity(jobs.len());
        for batch in jobs.chunks(BATCH) {
            let mut call = QUEUE_READOPT.key(&self.keys.messages);
            call.key(&self.keys.epochs).key(&self.keys.leases).key(&self.keys.running).arg(lease_ms);
            for (lease, entry) in batch {
                call.arg(lease.id.to_string()).arg(lease.epoch.0).arg(record(entry));
            }
            readopted.extend(call.invoke_async::<Vec<bool>>(&mut self.redis.commands()).await?);
        }
        Ok(readopted)
    }

    /// Ends leases. One that was another worker's by now is left alone.
    async fn settle(&self, settled: &[Settled]) -> Result<(), QueueError> {
        let keys = &self.keys;
        for batch in settled.chunks(BATCH) {
            let mut call = QUEUE_SETTLE.prepare_invoke();
            for key in [
                &keys.messages,
                &keys.ready_interactive,
                &keys.ready_bulk,
                &keys.delayed,
                &keys.bell,
                &keys.epochs,
                &keys.leases,
                &keys.running,
                &keys.capped,
                &keys.freed,
            ] {
                call.key(key);
            }
            for Settled { lease, next } in batch {
                call.arg(lease.id.to_string()).arg(lease.epoch.0);
                match next {
                    Next::Done => call.arg("done"),
                    Next::Back => call.arg("back"),
                    Next::Later(due) => call.arg(due.timestamp_millis()),
                };
            }
            call.invoke_async::<Vec<u8>>(&mut self.redis.commands()).await?;
        }
        Ok(())
    }
}

/// A job's record: what the scripts need of it, then the message. Its first field was a weight.
fn record(entry: &Entry) -> String {
    let Message::V1(message) = &entry.message;
    format!("1|{}|{}|{}", message.priority, message.business_id, entry.message.encode())
}

fn malformed(error: redis::ParsingError) -> redis::RedisError {
    error.into()
}
