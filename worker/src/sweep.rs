//! The sweep: makes every open job known to Redis that it does not know. What was committed in
//! Postgres is thus never lost, whatever happens to Redis, or to an API process between its commit
//! and its push. On the way, idempotency keys that are a day old are freed, and Redis is told of the
//! limits and shares that operators set and of the queues that they hold back, which it forgets in a
//! flush.
//!
//! One worker sweeps at a time. Redis' own memory says when it was flushed: the mark that the last
//! whole pass left is gone. Then every open job is looked at; otherwise the latest ones, and a page
//! of the others a turn.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use copydesk_common::clock;
use copydesk_common::job::{JobId, JobKind};
use copydesk_common::queue::message::Message;
use copydesk_common::queue::{Entry, Queue, QueueError};
use copydesk_common::quota::{QuotaError, limits};
use copydesk_common::redis::{Mark, Redis, RedisError};
use copydesk_common::store::job::OpenJob;
use copydesk_common::store::{self, Store, StoreError};
use uuid::{NoContext, Timestamp, Uuid};

use crate::metric;

/// Open jobs that one query reads.
const PAGE: u16 = 1_000;
/// Jobs accepted within this time are looked at in every turn: their push may have failed.
const LATEST: Duration = Duration::from_secs(120);
/// A job that was just accepted is about to be pushed by the process that accepted it.
const PUSH_GRACE: Duration = Duration::from_millis(500);
/// After a flush the workers themselves take back what they run, within this time: it would be a
/// waste to hand it to others.
const READOPTION: Duration = Duration::from_secs(5);

/// How often idempotency keys that are a day old are freed.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// The sweep failed; it is tried again in the next turn.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Postgres.
    #[error("the sweep could not read the jobs")]
    Store(#[from] StoreError),
    /// Redis.
    #[error("the sweep could not reach the queue")]
    Queue(#[from] QueueError),
    /// Redis.
    #[error("the sweep could not reach the quota")]
    Quota(#[from] QuotaError),
    /// Redis.
    #[error("the sweep could not reach Redis")]
    Redis(#[from] RedisError),
}

/// Sweeps, in turns.
#[derive(Debug)]
pub struct Sweep {
    store: Store,
    redis: Redis,
    queues: BTreeMap<JobKind, Queue>,
    owner: String,
    every: Duration,
    /// Where the walk through the older jobs has come.
    walked: JobId,
    /// When this sweep found that Redis was flushed.
    flush_seen: Option<DateTime<Utc>>,
    /// When this sweep last freed old idempotency keys.
    keys_forgotten: Option<Instant>,
}

impl Sweep {
    /// A sweep that takes a turn `every` so often.
    pub fn new(store: Store, redis: Redis, owner: String, every: Duration) -> Self {
        let queues = JobKind::ALL.iter().map(|&kind| (kind, Queue::new(&redis, kind))).collect();
        Self { store, redis, queues, owner, every, walked: FIRST, flush_seen: None, keys_forgotten: None }
    }

    /// Takes turns for ever.
    pub async fn run(mut self) {
        let mut turn = tokio::time::interval(self.every);
        turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turn.tick().await;
            if let Err(error) = self.run_once().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "the sweep failed");
            }
        }
    }

    /// Takes one turn, where no other worker sweeps. Returns how many jobs it made known.
    pub async fn run_once(&mut self) -> Result<u64, SweepError> {
        if !self.redis.hold(&self.redis.keys().sweeper(), &self.owner, self.every * 3).await? {
            self.flush_seen = None;
            return Ok(0);
        }
        for (kind, queue) in &self.queues {
            metric::queue_depth(*kind, queue.depth().await?);
        }
        metric::database_connections(self.store.pool_status());
        // First, so that what is pushed again into a queue that is held back is not handed out.
        self.enforce_intake().await?;
        self.enforce_shares().await?;
        let pushed = if self.was_flushed().await? { self.look_at_all().await } else { self.look_at_some().await }?;
        self.forget_keys().await?;
        self.enforce_limits().await?;
        Ok(pushed)
    }

    async fn enforce_intake(&self) -> Result<(), SweepError> {
        for (kind, intake, version) in store::intake::all(&self.store).await? {
            if let Some(queue) = self.queues.get(&kind) {
                queue.set_intake(intake, version).await?;
            }
        }
        Ok(())
    }

    async fn enforce_shares(&self) -> Result<(), SweepError> {
        let shares = store::share::all(&self.store).await?;
        for queue in self.queues.values() {
            queue.set_shares(&shares).await?;
        }
        Ok(())
    }

    async fn enforce_limits(&self) -> Result<(), SweepError> {
        for set in store::limit::all(&self.store).await? {
            limits::enforce(&self.redis, &set.provider, &set.limits, set.version).await?;
        }
        Ok(())
    }

    /// Frees old idempotency keys, now and then.
    async fn forget_keys(&mut self) -> Result<(), StoreError> {
        if self.keys_forgotten.is_none_or(|forgotten| forgotten.elapsed() >= FORGET_EVERY) {
            let keys = store::idempotency::forget(&self.store).await?;
            tracing::debug!(keys, "old idempotency keys were freed");
            self.keys_forgotten = Some(Instant::now());
        }
        Ok(())
    }

    /// Whether a queue has lost the mark of the last whole pass: all of them, or those of one node of
    /// a cluster.
    async fn was_flushed(&self) -> Result<bool, RedisError> {
        for &kind in self.queues.keys() {
            if self.redis.mark(&self.redis.keys().swept(kind)).await? == Mark::Absent {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// After a flush: first all that nobody runs; then, once the workers have taken back what they
    /// run, the rest.
    async fn look_at_all(&mut self) -> Result<u64, SweepError> {
        let seen = *self.flush_seen.get_or_insert_with(clock::now);
        let readopted = clock::now() - seen > chrono::TimeDelta::from_std(READOPTION).unwrap_or_default();
        let mut pushed = 0;
        let mut after = FIRST;
        loop {
            let page = store::job::open_after(&self.store, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.id;
            pushed += self.push_unknown(page.into_iter().filter(|job| readopted || !job.running)).await?;
        }
        if readopted {
            for &kind in self.queues.keys() {
                self.redis.set_mark(&self.redis.keys().swept(kind)).await?;
            }
            self.flush_seen = None;
        }
        Ok(pushed)
    }

    async fn look_at_some(&mut self) -> Result<u64, SweepError> {
        let now = clock::now();
        let mut pushed = 0;
        let latest = store::job::open_after(&self.store, first_accepted_at(now - LATEST), PAGE).await?;
        let settled = first_accepted_at(now - PUSH_GRACE);
        pushed += self.push_unknown(latest.into_iter().filter(|job| job.id < settled)).await?;
        let page = store::job::open_after(&self.store, self.walked, PAGE).await?;
        self.walked = if page.len() < usize::from(PAGE) { FIRST } else { page.last().map_or(FIRST, |job| job.id) };
        pushed += self.push_unknown(page.into_iter().filter(|job| job.id < settled)).await?;
        Ok(pushed)
    }

    async fn push_unknown(&self, jobs: impl Iterator<Item = OpenJob>) -> Result<u64, SweepError> {
        let mut by_kind: BTreeMap<JobKind, Vec<OpenJob>> = BTreeMap::new();
        for job in jobs {
            by_kind.entry(job.kind).or_default().push(job);
        }
        let mut pushed = 0;
        for (kind, jobs) in by_kind {
            let Some(queue) = self.queues.get(&kind) else { continue };
            let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
            let unknown = queue.unknown(&ids).await?;
            if unknown.is_empty() {
                continue;
            }
            let entries: Vec<Entry> = jobs.iter().filter(|job| unknown.contains(&job.id)).map(entry).collect();
            let new = queue.push(&entries).await?;
            metric::jobs_swept(kind, new);
            tracing::info!(job.kind = %kind, jobs = new, "jobs that Redis did not know were made known to it");
            pushed += new;
        }
        Ok(pushed)
    }
}

fn entry(job: &OpenJob) -> Entry {
    Entry { message: Message::of_open(job), not_before: job.not_before }
}

/// Sorts before every job.
const FIRST: JobId = JobId(Uuid::nil());

/// The least id that a job accepted at `time` can have: ids of version 7 begin with their time.
fn first_accepted_at(time: DateTime<Utc>) -> JobId {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
    let id = Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, time.timestamp_subsec_nanos()));
    let mut bytes = id.into_bytes();
    bytes[6..].fill(0);
    JobId(Uuid::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_id_of_a_moment_splits_earlier_from_later_jobs() {
        let before = JobId::new();
        let border = first_accepted_at(clock::now() + chrono::TimeDelta::milliseconds(5));
        assert!(before < border);
        assert!(first_accepted_at(clock::now() - chrono::TimeDelta::milliseconds(5)) < before);
    }
}
