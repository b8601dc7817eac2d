//! The sweep: pushes every open job that Redis does not know. So no committed job is lost, whatever
//! happens to Redis, or to an API process between its commit and its push. It also frees
//! idempotency keys that are a day old, and sets in Redis the limits, shares and intakes that
//! operators chose, because Redis forgets them in a flush.
//!
//! One worker sweeps at a time. A mark in Redis says that no job is missing. A flush removes it,
//! and so does every worker that found Redis unavailable. If it is gone, every open job is checked
//! ([`pass`]); otherwise each turn checks the latest jobs and a page of the others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use copydesk_common::clock;
use copydesk_common::config::RetentionConfig;
use copydesk_common::queue::message::Message;
use copydesk_common::queue::{Entry, Intake, Likely, Queue, QueueError};
use copydesk_common::quota::memory::{self, Seen};
use copydesk_common::quota::{QuotaError, limits};
use copydesk_common::redis::{Redis, RedisError};
use copydesk_common::store::job::OpenJob;
use copydesk_common::store::{self, Store, StoreError};
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use copydesk_editorial::document;
use futures_util::future::try_join_all;
use tokio_util::sync::CancellationToken;
use uuid::{NoContext, Timestamp, Uuid};

use crate::metric;

mod history;
mod pass;
mod retention;
#[cfg(test)]
mod tests;

use pass::{Advance, Pass};
use retention::Retention;

/// The most open jobs that one query of a usual turn reads.
const PAGE: u16 = 2_000;
/// Every turn checks all jobs accepted within this time: their push may have failed.
const RECENT: Duration = Duration::from_secs(10);
/// Every turn checks a page of the jobs accepted within this time: their rows may be committed
/// late.
const LATEST: Duration = Duration::from_secs(120);
/// Younger jobs are not checked: the accepting process is about to push them.
const PUSH_GRACE: Duration = Duration::from_millis(500);

/// How often idempotency keys that are a day old are freed.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);
/// The most keys that one statement frees.
const KEYS: u16 = 1_000;

/// Documents that one turn tells the kind of: each is read from its beginning.
const DOCUMENTS: u16 = 50;
/// How often documents without a kind are looked for, once there were none.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// A duty of the sweep failed. It is retried in the next turn.
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
    /// Another worker has the lock now.
    #[error("the sweep's lock was lost")]
    LockLost,
}

/// The result of a turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Turn {
    /// The number of jobs that were pushed.
    pub pushed: u64,
    /// Whether there is more work to do at once.
    pub goes_on: bool,
    /// The number of failed duties. The others were done.
    pub failed: u32,
}

impl Turn {
    /// Records the result of a duty. A failed one is retried in the next turn.
    fn note<T>(&mut self, duty: &'static str, result: Result<T, SweepError>) -> Option<T> {
        result
            .inspect_err(|error| {
                self.failed += 1;
                tracing::warn!(error = error as &dyn std::error::Error, duty, "a duty of the sweep failed");
            })
            .ok()
    }
}

/// The most jobs whose words one statement stores.
const WORDS: u16 = 500;

/// Runs the sweep, in turns.
#[derive(Debug)]
pub struct Sweep {
    store: Store,
    redis: Redis,
    queues: BTreeMap<JobKind, Queue>,
    owner: String,
    every: Duration,
    /// The current whole pass.
    pass: Option<Pass>,
    /// The position of the walk over the latest jobs.
    latest: JobId,
    /// The position of the walk over the older jobs.
    walked: JobId,
    /// The number of outages that have been recorded in Redis.
    outages_told: u64,
    /// When this sweep last freed old idempotency keys.
    keys_forgotten: Option<Instant>,
    /// When this sweep last found no document without a kind.
    kinds_told: Option<Instant>,
    /// The words of all jobs accepted before are stored, but of those whose rows were committed late. Begins anew in
    /// each process.
    words_to: JobId,
    /// The last minute before which this process noted how the queues were.
    noted: Option<DateTime<Utc>>,
    /// What is removed after its time.
    retention: Retention,
}

impl Sweep {
    /// A sweep that takes a turn every `every`.
    pub fn new(store: Store, redis: Redis, owner: String, every: Duration) -> Self {
        let queues = JobKind::ALL.iter().map(|&kind| (kind, Queue::new(&redis, kind))).collect();
        // Without patience: while Postgres is unavailable, the duties that need only Redis must
        // still be done.
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
            kinds_told: None,
            words_to: FIRST,
            noted: None,
            retention: Retention::new(RetentionConfig::for_ever()),
        }
    }

    /// The same that also removes what was kept long enough.
    #[must_use]
    pub fn keeping(self, config: RetentionConfig) -> Self {
        Self { retention: Retention::new(config), ..self }
    }

    /// Takes turns forever.
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

    /// Takes one turn: the duties of every worker, and, if no other worker sweeps, those that one
    /// worker does for all. Fails if Redis is unavailable.
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
        // The open breaker was logged once: the duties that need Postgres are skipped.
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
        turn.note("document kinds", self.tell_kinds().await);
        turn.note("words", self.fill_words().await);
        turn.note("history", self.note_history().await);
        turn.note("retention", self.remove_old().await);
        Ok(turn)
    }

    /// Takes or extends the sweep's lock for some turns. False if another worker has it.
    async fn hold_lock(&self) -> Result<bool, RedisError> {
        self.redis.hold(&self.redis.keys().sweeper(), &self.owner, self.every * 3).await
    }

    /// The same during the work; fails if the lock was lost.
    async fn keep_lock(&self) -> Result<(), SweepError> {
        if self.hold_lock().await? { Ok(()) } else { Err(SweepError::LockLost) }
    }

    /// A duty of every worker: the generation that it remembers distinguishes a flush from a new
    /// installation.
    async fn look_for_flush(&self) -> Result<(), SweepError> {
        if memory::look(&self.redis).await? == Seen::Flushed {
            tracing::warn!("Redis has lost its memory: no provider takes calls for a minute after that was first seen");
        }
        Ok(())
    }

    /// If this worker found Redis unavailable, other processes may have failed to push jobs. It
    /// requests a whole pass, and retries until Redis has recorded that. The sweeping worker then
    /// makes the pass.
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

    /// Sets the intake of each queue.
    async fn enforce_intake(&self) -> Result<(), SweepError> {
        let kept = store::intake::all(&self.store).await?;
        for (kind, queue) in &self.queues {
            let (intake, version) = kept.get(kind).copied().unwrap_or((Intake::Open, 0));
            queue.set_intake(intake, version).await?;
        }
        Ok(())
    }

    /// The same for workers that do not sweep, if a queue does not know its intake: until then it
    /// hands out nothing, and the sweeping worker may be of an earlier release, which sets no
    /// intake for a queue that was never paused.
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
            limits::enforce(&self.redis, &set.account, &set.limits, set.version).await?;
        }
        Ok(())
    }

    /// Frees old idempotency keys, sessions and tickets from time to time, for a part of the turn.
    async fn forget_keys(&mut self) -> Result<(), SweepError> {
        if self.keys_forgotten.is_some_and(|forgotten| forgotten.elapsed() < FORGET_EVERY) {
            return Ok(());
        }
        store::session::forget(&self.store, KEYS).await?;
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

    /// Tells what documents are for of which nobody has said so: from before there were kinds, or read by a worker of
    /// the release before. A batch a turn, until none is left; later ones are looked for from time to time.
    async fn tell_kinds(&mut self) -> Result<(), SweepError> {
        if self.kinds_told.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            return Ok(());
        }
        let untold = store::document::kind::untold(&self.store, DOCUMENTS).await?;
        let is_last = untold.len() < usize::from(DOCUMENTS);
        for document in &untold {
            let kind = document::kind(&document.title, &document.text);
            store::document::kind::tell(&self.store, document, kind).await?;
            self.keep_lock().await?;
        }
        if !untold.is_empty() {
            tracing::info!(documents = untold.len(), "documents were told what they are for");
        }
        self.kinds_told = is_last.then(Instant::now);
        Ok(())
    }

    /// Stores the words that jobs are found by, for a part of the turn: of those accepted since the last one, and once in
    /// each process of all.
    async fn fill_words(&mut self) -> Result<(), SweepError> {
        let deadline = Instant::now() + self.every / 8;
        let mut after = self.words_to.min(first_accepted_at(clock::now() - LATEST));
        loop {
            let filled = store::job::find::fill(&self.store, after, WORDS).await?;
            let Some(last) = filled.last else { return Ok(()) };
            after = last;
            self.words_to = self.words_to.max(last);
            if Instant::now() >= deadline {
                // From here on in the next turn, and not from where the latest begin.
                self.words_to = last;
                return Ok(());
            }
            self.keep_lock().await?;
        }
    }

    /// Checks for jobs that Redis does not know.
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

    /// Checks the jobs of one page that were accepted before `settled`.
    async fn look_at_page(&self, after: JobId, settled: JobId) -> Result<Page, SweepError> {
        let mut page = store::job::open_after(&self.store, after, PAGE).await?;
        let next = page.last().filter(|_| page.len() == usize::from(PAGE)).map(|job| job.id);
        page.retain(|job| job.id < settled);
        Ok(Page { next, pushed: self.restore(page, Likely::Known).await? })
    }

    /// Pushes the jobs that Redis does not know. Returns how many.
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

/// A page of open jobs that was checked.
#[derive(Debug, Clone, Copy)]
struct Page {
    /// Its last job, if more may follow.
    next: Option<JobId>,
    /// The number of jobs that were pushed.
    pushed: u64,
}

fn entry(job: &OpenJob) -> Entry {
    Entry { message: Message::of_open(job), not_before: job.not_before, begun: job.begun }
}

/// An id that sorts before every job.
const FIRST: JobId = JobId(Uuid::nil());

/// The smallest id of a job accepted at `time`: ids of version 7 begin with their time.
fn first_accepted_at(time: DateTime<Utc>) -> JobId {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
    let id = Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, time.timestamp_subsec_nanos()));
    let mut bytes = id.into_bytes();
    bytes[6..].fill(0);
    JobId(Uuid::from_bytes(bytes))
}
