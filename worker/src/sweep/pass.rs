//! The whole pass: checks every open job, page by page, after Redis was flushed or unavailable. It
//! continues from turn to turn, each time for a limited time, as long as its worker has the sweep's
//! lock.

use std::time::{Duration, Instant};

use copydesk_common::queue::Likely;
use copydesk_common::store;
use copydesk_common::store::job::OpenJob;
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use uuid::Uuid;

use super::{FIRST, Sweep, SweepError};

/// The most open jobs that one query reads. It is large, because the next page is read while one is
/// pushed.
pub(super) const PAGE: u16 = 4_000;
/// How long running jobs are left to their workers after a flush: the workers readopt them within
/// this time.
const READOPTION: Duration = Duration::from_secs(5);

/// A whole pass in progress.
#[derive(Debug)]
pub(super) struct Pass {
    /// Its name, which is stored in Redis until a flush.
    name: String,
    pub(super) began: Instant,
    /// The number of outages that this process had seen before it.
    outages: u64,
    /// The last job that was checked.
    after: JobId,
    /// Whether all jobs were checked, except for those that were left out.
    is_through: bool,
    /// Jobs that a worker may be running and may readopt.
    left_out: Vec<JobId>,
    /// Whether most jobs of the last page were missing from Redis.
    likely: Likely,
    /// The number of jobs that were pushed.
    pushed: u64,
}

/// The progress of a pass in a turn.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Advance {
    pub(super) pushed: u64,
    /// Whether there is more work to do now.
    pub(super) goes_on: bool,
}

impl Sweep {
    /// Whether a whole pass is needed: a queue has lost the mark of the last one. That can be all
    /// queues, or those on one node of a cluster. Begins a pass if none is in progress.
    pub(super) async fn needs_pass(&mut self) -> Result<bool, SweepError> {
        let (mut is_whole, mut goes_on) = (true, self.pass.is_some());
        for &kind in JobKind::ALL {
            let swept = self.redis.swept(kind).await?;
            is_whole &= swept.is_whole;
            goes_on &= self.pass.as_ref().is_some_and(|pass| swept.pass.as_ref() == Some(&pass.name));
        }
        if is_whole {
            self.pass = None;
        } else if !goes_on {
            self.pass = Some(self.begin_pass().await?);
        }
        Ok(!is_whole)
    }

    async fn begin_pass(&self) -> Result<Pass, SweepError> {
        let (name, outages) = (Uuid::now_v7().to_string(), self.redis.outages());
        for &kind in JobKind::ALL {
            self.redis.begin_pass(kind, &name).await?;
        }
        tracing::info!(pass = name, "Redis was flushed or unavailable: a whole pass over all open jobs begins");
        Ok(Pass {
            name,
            began: Instant::now(),
            outages,
            after: FIRST,
            is_through: false,
            left_out: Vec::new(),
            likely: Likely::Unknown,
            pushed: 0,
        })
    }

    /// Continues the pass until the deadline, and completes it if it reaches its end.
    pub(super) async fn advance_pass(&mut self, deadline: Instant) -> Result<Advance, SweepError> {
        let Some(mut pass) = self.pass.take() else { return Ok(Advance::default()) };
        let before = pass.pushed;
        let advanced = self.advance(&mut pass, deadline).await;
        let pushed = pass.pushed - before;
        let goes_on = match advanced {
            // Another worker has the lock and begins its own pass.
            Err(SweepError::LockLost) => return Err(SweepError::LockLost),
            Err(error) => {
                self.pass = Some(pass);
                return Err(error);
            }
            Ok(true) => !self.complete(pass).await?,
            Ok(false) => {
                let goes_on = !pass.is_through;
                self.pass = Some(pass);
                goes_on
            }
        };
        Ok(Advance { pushed, goes_on })
    }

    /// Continues the pass. Returns whether every open job was checked, or left to a worker that had
    /// the time to readopt it.
    async fn advance(&self, pass: &mut Pass, deadline: Instant) -> Result<bool, SweepError> {
        if !pass.is_through {
            self.walk(pass, deadline).await?;
        }
        if !pass.is_through || !(pass.left_out.is_empty() || pass.began.elapsed() >= READOPTION) {
            return Ok(false);
        }
        while !pass.left_out.is_empty() {
            let rest = pass.left_out.len().saturating_sub(usize::from(PAGE));
            let jobs = store::job::open_among(&self.store, &pass.left_out[rest..]).await?;
            pass.pushed += self.restore(jobs, Likely::Known).await?;
            pass.left_out.truncate(rest);
            self.keep_lock().await?;
        }
        Ok(true)
    }

    /// Checks page after page until the deadline; the next page is read meanwhile.
    async fn walk(&self, pass: &mut Pass, deadline: Instant) -> Result<(), SweepError> {
        let mut page = store::job::open_after(&self.store, pass.after, PAGE).await?;
        while let Some(last) = page.last().map(|job| job.id) {
            let is_last = page.len() < usize::from(PAGE);
            let goes_on = !is_last && Instant::now() < deadline;
            let looking = self.look_at(pass, page);
            let reading =
                async { if goes_on { store::job::open_after(&self.store, last, PAGE).await } else { Ok(Vec::new()) } };
            let (looked, next) = tokio::join!(looking, reading);
            looked?;
            pass.after = last;
            self.keep_lock().await?;
            if !goes_on {
                pass.is_through = is_last;
                return Ok(());
            }
            page = next?;
        }
        pass.is_through = true;
        Ok(())
    }

    async fn look_at(&self, pass: &mut Pass, page: Vec<OpenJob>) -> Result<(), SweepError> {
        let is_taken_back = pass.began.elapsed() >= READOPTION;
        let (looked_at, left_out): (Vec<_>, Vec<_>) = page.into_iter().partition(|job| is_taken_back || !job.running);
        pass.left_out.extend(left_out.into_iter().map(|job| job.id));
        let jobs = looked_at.len();
        let pushed = self.restore(looked_at, pass.likely).await?;
        pass.likely =
            if usize::try_from(pushed).is_ok_and(|pushed| 2 * pushed > jobs) { Likely::Unknown } else { Likely::Known };
        pass.pushed += pushed;
        Ok(())
    }

    /// Sets the mark. False if Redis was flushed or unavailable since the pass began, so that
    /// another pass is needed.
    async fn complete(&self, pass: Pass) -> Result<bool, SweepError> {
        let mut is_whole = self.redis.outages() == pass.outages;
        if is_whole {
            for &kind in JobKind::ALL {
                is_whole &= self.redis.complete_pass(kind, &pass.name).await?;
            }
        }
        let took_ms = u64::try_from(pass.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(pass = pass.name, jobs = pass.pushed, took_ms, is_whole, "a whole pass ended");
        Ok(is_whole)
    }
}
