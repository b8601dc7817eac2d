//! The sweep: makes every open job known to Redis that it does not know. What was committed in
//! Postgres is thus never lost, whatever happens to Redis, or to an API process between its commit
//! and its push. On the way, idempotency keys that are a day old are freed, and Redis is told of the
//! limits and shares that operators set and of the queues that they hold back, which it forgets in a
//! flush.
//!
//! One worker sweeps at a time. A mark in Redis says that it lacks no job: a flush removes it, and so
//! does every worker that found Redis away. Where it is gone, every open job is looked at ([`pass`]);
//! otherwise the latest ones, and a page of the others a turn.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use copydesk_common::clock;
use copydesk_common::queue::message::Message;
use copydesk_common::queue::{Entry, Intake, Likely, Queue, QueueError};
use copydesk_common::quota::memory::{self, Seen};
use copydesk_common::quota::{QuotaError, limits};
use copydesk_common::redis::{Redis, RedisError};
use copydesk_common::store::job::OpenJob;
use copydesk_common::store::{self, Store, StoreError};
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use futures_util::future::try_join_all;
use tokio_util::sync::CancellationToken;
use uuid::{NoContext, Timestamp, Uuid};

use crate::metric;

mod pass;
#[cfg(test)]
mod tests;

use pass::{Advance, Pass};

/// Open jobs that one query of a usual turn reads.
const PAGE: u16 = 2_000;
/// Jobs accepted within this time are all looked at in every turn: their push may have failed.
const RECENT: Duration = Duration::from_secs(10);
/// Jobs accepted within this time are looked at by a page a turn: their rows may be committed late.
const LATEST: Duration = Duration::from_secs(120);
/// A job that was just accepted is about to be pushed by the process that accepted it.
const PUSH_GRACE: Duration = Duration::from_millis(500);

/// How often idempotency keys that are a day old are freed.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);
/// Keys that one statement frees.
const KEYS: u16 = 1_000;

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
    /// Another worker sweeps by now.
    #[error("the sweep's lock was lost")]
    LockLost,
}

/// What a turn did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turn {
    /// Jobs that it made known.
    pub pushed: u64,
    /// Whether there is more to do at once.
    pub goes_on: bool,
    /// Duties that failed. The others were done.
    pub failed: u32,
}

impl Turn {
    /// What a duty came to; where it failed, it is tried again in the next turn.
    fn note<T>(&mut self, duty: &'static str, result: Result<T, SweepError>) -> Option<T> {
        result
            .inspect_err(|error| {
                self.failed += 1;
                tracing::warn!(error = error as &dyn std::error::Error, duty, "a duty of the sweep failed");
            })
            .ok()
    }
}

/// Sweeps, in turns.
#[derive(Debug)]
pub struct Sweep {
    store: Store,
    redis: Redis,
    queues: BTreeMap<JobKind, Queue>,
    owner: String,
    every: Duration,
    /// The whole pass that is under way.
    pass: Option<Pass>,
    /// Where the walk through the latest jobs has come.
    latest: JobId,
    /// Where the walk through the older jobs has come.
    walked: JobId,
    /// The outages that Redis was told of.
    outages_told: u64,
    /// When this sweep last freed old idempotency keys.
    keys_forgotten: Option<Instant>,
}

impl Sweep {
    /// A sweep that takes a turn `every` so often.
    pub fn new(store: Store, redis: Redis, owner: String, every: Duration) -> Self {
        let queues = JobKind::ALL.iter().map(|&kind| (kind, Queue::new(&redis, kind))).collect();
        // Not patient: while Postgres is away, what needs Redis alone is still to be done.
        let store = store.patient(Duration::ZERO, CancellationToken::new());
        Self {
            store,
            redis,
            queues,
            owner,
            every,
            pass: None,
            latest: FIRST,
            walked: FIRST,
            outages_told: 0,
            keys_forgotten: None,
        }
    }

    /// Takes turns for ever.
    pub async fn run(mut self) {
        let mut turn = tokio::time::interval(self.every);
        turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            turn.tick().await;
            loop {
                match self.run_once().await {
                    Ok(turn) if turn.goes_on && turn.failed == 0 => {}
                    Ok(_) => break,
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "the sweep failed");
                        break;
                    }
                }
            }
        }
    }

    /// Takes one turn: what each worker does, and, where no other worker sweeps, what one does for all.
    /// Fails where Redis is away.
    pub async fn run_once(&mut self) -> Result<Turn, SweepError> {
        let mut turn = Turn::default();
        turn.note("flush", self.look_for_flush().await);
        turn.note("outages", self.tell_of_outages().await);
        if !self.hold_lock().await? {
            turn.note("intake", self.enforce_forgotten_intake().await);
            self.pass = None;
            return Ok(turn);
        }
        turn.note("depths", self.tell_depths().await);
        // Postgres' breaker says so, once: five duties need not.
        if self.store.is_breaker_open() {
            return Ok(turn);
        }
        turn.note("intake", self.enforce_intake().await);
        turn.note("shares", self.enforce_shares().await);
        turn.note("limits", self.enforce_limits().await);
        match self.look().await {
            Err(SweepError::LockLost) => return Ok(turn),
            looked => {
                let Advance { pushed, goes_on } = turn.note("jobs", looked).unwrap_or_default();
                (turn.pushed, turn.goes_on) = (pushed, goes_on);
            }
        }
        turn.note("idempotency keys", self.forget_keys().await);
        Ok(turn)
    }

    /// Holds the sweep's lock for some turns from now: false where another worker does.
    async fn hold_lock(&self) -> Result<bool, RedisError> {
        self.redis.hold(&self.redis.keys().sweeper(), &self.owner, self.every * 3).await
    }

    /// The same, in the midst of the work.
    async fn keep_lock(&self) -> Result<(), SweepError> {
        if self.hold_lock().await? { Ok(()) } else { Err(SweepError::LockLost) }
    }

    /// Every worker does: what it remembers tells a flush from a new installation.
    async fn look_for_flush(&self) -> Result<(), SweepError> {
        if memory::look(&self.redis).await? == Seen::Flushed {
            tracing::warn!("Redis has lost its memory: no provider takes calls for a minute after that was first seen");
        }
        Ok(())
    }

    /// Where this worker found Redis away, others may have failed to push: it says so, and remembers
    /// until it could. Whoever sweeps, then or later, makes a whole pass.
    async fn tell_of_outages(&mut self) -> Result<(), SweepError> {
        let outages = self.redis.outages();
        if outages != self.outages_told {
            for &kind in self.queues.keys() {
                self.redis.want_pass(kind).await?;
            }
            self.outages_told = outages;
        }
        Ok(())
    }

    async fn tell_depths(&self) -> Result<(), SweepError> {
        metric::database_connections(self.store.pool_status());
        for (kind, queue) in &self.queues {
            metric::queue_depth(*kind, queue.depth().await?);
        }
        Ok(())
    }

    /// Tells each queue which of its jobs it hands out.
    async fn enforce_intake(&self) -> Result<(), SweepError> {
        let kept = store::intake::all(&self.store).await?;
        for (kind, queue) in &self.queues {
            let (intake, version) = kept.get(kind).copied().unwrap_or((Intake::Open, 0));
            queue.set_intake(intake, version).await?;
        }
        Ok(())
    }

    /// Workers that do not sweep do, where a queue does not know: until then it hands out nothing, and
    /// whoever sweeps may be of an earlier release, which tells nothing of a queue that was never paused.
    async fn enforce_forgotten_intake(&self) -> Result<(), SweepError> {
        let known = try_join_all(self.queues.values().map(Queue::intake)).await?;
        if known.iter().any(Option::is_none) && !self.store.is_breaker_open() {
            self.enforce_intake().await?;
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

    /// Frees old idempotency keys, now and then, as many as a part of the turn allows.
    async fn forget_keys(&mut self) -> Result<(), SweepError> {
        if self.keys_forgotten.is_some_and(|forgotten| forgotten.elapsed() < FORGET_EVERY) {
            return Ok(());
        }
        let deadline = Instant::now() + self.every / 8;
        while store::idempotency::forget(&self.store, KEYS).await? >= KEYS.into() {
            if Instant::now() >= deadline {
                return Ok(());
            }
            self.keep_lock().await?;
        }
        self.keys_forgotten = Some(Instant::now());
        Ok(())
    }

    /// Looks for jobs that Redis does not know.
    async fn look(&mut self) -> Result<Advance, SweepError> {
        let deadline = Instant::now() + self.every / 2;
        if self.needs_pass().await? {
            return self.advance_pass(deadline).await;
        }
        Ok(Advance { pushed: self.look_at_some(deadline).await?, goes_on: false })
    }

    async fn look_at_some(&mut self, deadline: Instant) -> Result<u64, SweepError> {
        let now = clock::now();
        let settled = first_accepted_at(now - PUSH_GRACE);
        let page = self.look_at_page(self.walked, settled).await?;
        let mut pushed = page.pushed;
        let was_all = self.walked == FIRST && page.next.is_none();
        self.walked = page.next.unwrap_or(FIRST);
        if was_all {
            return Ok(pushed);
        }
        let mut recent = Some(first_accepted_at(now - RECENT));
        while let Some(after) = recent.filter(|_| Instant::now() < deadline) {
            let page = self.look_at_page(after, settled).await?;
            pushed += page.pushed;
            recent = page.next;
            self.keep_lock().await?;
        }
        let page = self.look_at_page(self.latest.max(first_accepted_at(now - LATEST)), settled).await?;
        self.latest = page.next.unwrap_or(FIRST);
        Ok(pushed + page.pushed)
    }

    /// Looks at the jobs of one page that were accepted before `settled`.
    async fn look_at_page(&self, after: JobId, settled: JobId) -> Result<Page, SweepError> {
        let mut page = store::job::open_after(&self.store, after, PAGE).await?;
        let next = page.last().filter(|_| page.len() == usize::from(PAGE)).map(|job| job.id);
        page.retain(|job| job.id < settled);
        Ok(Page { next, pushed: self.restore(page, Likely::Known).await? })
    }

    /// Makes those jobs known that Redis does not know. Returns how many these were.
    async fn restore(&self, jobs: Vec<OpenJob>, likely: Likely) -> Result<u64, SweepError> {
        let mut by_kind: BTreeMap<JobKind, Vec<Entry>> = BTreeMap::new();
        for job in jobs {
            by_kind.entry(job.kind).or_default().push(entry(&job));
        }
        let mut pushed = 0;
        for (kind, entries) in by_kind {
            let Some(queue) = self.queues.get(&kind) else { continue };
            let new = queue.restore(entries, likely).await?;
            if new > 0 {
                metric::jobs_swept(kind, new);
                tracing::info!(job.kind = %kind, jobs = new, "jobs that Redis did not know were made known to it");
                pushed += new;
            }
        }
        Ok(pushed)
    }
}

/// A page of open jobs that was looked at.
#[derive(Debug, Clone, Copy)]
struct Page {
    /// Its last job, where others may follow.
    next: Option<JobId>,
    /// Jobs that it made known.
    pushed: u64,
}

fn entry(job: &OpenJob) -> Entry {
    Entry { message: Message::of_open(job), not_before: job.not_before, begun: job.begun }
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
