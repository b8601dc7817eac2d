//! The handler of erase jobs: removes everything of a business, from Postgres and from Redis. Needs no provider. It can
//! stop anywhere: what was removed stays removed and counted, and the next attempt goes on with what is there.

use std::time::{Duration, Instant};

use copydesk_common::clock;
use copydesk_common::draft;
use copydesk_common::notify::Notifier;
use copydesk_common::queue::{Queue, QueueError};
use copydesk_common::redis::{Redis, RedisError};
use copydesk_common::store::Store;
use copydesk_common::store::erase::{self, Erasable, JOBS};
use copydesk_domain::erasure::ErasePayload;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, Progress, StartedJob, WaitReason, Waiting};
use futures_util::future::join_all;
use uuid::Uuid;

use crate::context::Context;
use crate::outcome::{Interruption, STORE_AWAY};
use crate::problem;

/// Passes at most: who still uses the business after so many will not stop.
const MAX_PASSES: u16 = 10;
/// How often it is looked whether workers still hold jobs of the business.
const POLL: Duration = Duration::from_millis(100);
/// How much longer than a lease that is waited for: a lapsed one must be found, claimed and settled.
const MARGIN: Duration = Duration::from_secs(15);
/// An id before that of every job.
const FIRST: JobId = JobId(Uuid::nil());

/// Erases businesses.
#[derive(Debug, Clone)]
pub(crate) struct Erase {
    /// How long a worker is waited for that holds a cancelled job.
    patience: Duration,
}

impl Erase {
    /// For leases of this length.
    pub(crate) fn new(lease: Duration) -> Self {
        Self { patience: lease + MARGIN }
    }

    /// Removes everything of the job's business and ends the job.
    pub(crate) async fn run(
        &self,
        context: &Context,
        job: &StartedJob,
        payload: ErasePayload,
    ) -> Result<(), Interruption> {
        if payload.business_id != job.business_id {
            return Err(problem::unreadable(job).into());
        }
        let erasure = Erasure::of(context, job, self.patience);
        let mut passes = 0;
        let mut is_left = true;
        while is_left && passes < MAX_PASSES {
            passes += 1;
            erasure.pass().await?;
            is_left = erase::exists(&context.store, &job.business_id).await?;
        }
        erasure.forget_caches().await?;
        erase::settle(&context.store, job, passes, is_left).await?;
        tracing::info!(passes, used_meanwhile = is_left, "a business was erased");
        Ok(())
    }
}

/// One erasure under way.
struct Erasure<'a> {
    store: &'a Store,
    redis: &'a Redis,
    notifier: &'a Notifier,
    job: &'a StartedJob,
    queues: Vec<Queue>,
    patience: Duration,
}

impl<'a> Erasure<'a> {
    fn of(context: &'a Context, job: &'a StartedJob, patience: Duration) -> Self {
        Self {
            store: &context.store,
            redis: &context.redis,
            notifier: &context.notifier,
            job,
            queues: JobKind::ALL.iter().map(|&kind| Queue::new(&context.redis, kind)).collect(),
            patience,
        }
    }

    /// Removes what there is: first whatever could still write, then what it wrote. Jobs go last, since the rows of others
    /// refer to them.
    async fn pass(&self) -> Result<(), Interruption> {
        self.cancel().await?;
        self.wait_for_workers().await?;
        let total = u16::try_from(Erasable::ALL.len() + 1).unwrap_or(u16::MAX);
        for (completed, what) in (0..).zip(Erasable::ALL) {
            let progress = Progress { stage: what.as_str().to_owned(), completed, total };
            while erase::remove_some(self.store, self.job, *what, &progress).await? >= what.batch().into() {}
        }
        self.remove_jobs(total).await
    }

    /// Cancels all open jobs, and tells the workers that run them.
    async fn cancel(&self) -> Result<(), Interruption> {
        loop {
            let cancelled = erase::cancel_some(self.store, &self.job.business_id).await?;
            join_all(cancelled.iter().map(|id| self.notifier.cancelled(*id))).await;
            if cancelled.len() < usize::from(JOBS) {
                return Ok(());
            }
        }
    }

    /// Waits until no worker holds a job of the business. Whoever takes longer than a lease is fenced off all the same.
    async fn wait_for_workers(&self) -> Result<(), Interruption> {
        let mut held = Vec::new();
        let mut after = FIRST;
        loop {
            let jobs = erase::ended_after(self.store, &self.job.business_id, after).await?;
            held.extend(self.forget(&jobs).await?);
            match jobs.last() {
                Some((_, last)) => after = *last,
                None => break,
            }
        }
        let give_up = Instant::now() + self.patience;
        while !held.is_empty() && Instant::now() < give_up {
            tokio::time::sleep(POLL).await;
            held = self.forget(&held).await?;
        }
        if !held.is_empty() {
            tracing::warn!(
                jobs = held.len(),
                "workers still hold jobs of a business that is erased: they are fenced off"
            );
        }
        Ok(())
    }

    /// Makes the queues forget jobs. Returns those that workers hold.
    async fn forget(&self, jobs: &[(JobKind, JobId)]) -> Result<Vec<(JobKind, JobId)>, Interruption> {
        let mut held = Vec::new();
        for queue in &self.queues {
            let of_kind: Vec<_> = jobs.iter().filter(|(kind, _)| *kind == queue.kind()).map(|(_, id)| *id).collect();
            let of_kind = queue.forget(&self.job.business_id, &of_kind).await.map_err(redis_away)?;
            held.extend(of_kind.into_iter().map(|id| (queue.kind(), id)));
        }
        Ok(held)
    }

    /// Removes jobs, and what Redis knows of each.
    async fn remove_jobs(&self, total: u16) -> Result<(), Interruption> {
        let progress = Progress { stage: "jobs".to_owned(), completed: total - 1, total };
        let mut after = FIRST;
        loop {
            let jobs = erase::ended_after(self.store, &self.job.business_id, after).await?;
            let Some((_, last)) = jobs.last() else { return Ok(()) };
            after = *last;
            self.forget(&jobs).await?;
            let ids: Vec<_> = jobs.iter().map(|(_, id)| *id).collect();
            draft::forget(self.redis, &self.job.business_id, &ids).await.map_err(redis_away)?;
            erase::remove_jobs(self.store, self.job, &ids, &progress).await?;
        }
    }

    /// Removes what Redis keeps of the business beside its jobs.
    async fn forget_caches(&self) -> Result<(), Interruption> {
        for queue in &self.queues {
            queue.forget_business(&self.job.business_id).await.map_err(redis_away)?;
        }
        let (searches, is_whole) = self.redis.forget_searches(&self.job.business_id).await.map_err(redis_away)?;
        tracing::debug!(searches, "results of searches were removed");
        if !is_whole {
            tracing::warn!("not all keys in Redis were looked at: results of searches expire within an hour");
        }
        Ok(())
    }
}

/// Redis is unavailable. This is not a failure of the job: it goes on later with the same attempt.
fn redis_away(error: impl Into<Away>) -> Interruption {
    let error = error.into();
    tracing::warn!(error = &error as &dyn std::error::Error, "Redis is unavailable: the erasure goes on later");
    Interruption::Wait(Waiting { reason: WaitReason::Backoff, provider: None, until: clock::now() + STORE_AWAY })
}

/// Why Redis could not be told.
#[derive(Debug, thiserror::Error)]
enum Away {
    #[error("the queue could not be told")]
    Queue(#[from] QueueError),
    #[error("Redis could not be told")]
    Redis(#[from] RedisError),
}
