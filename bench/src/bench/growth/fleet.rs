//! A fleet of claimers in this process: the real claim loop, one job in hand each, and a handler that
//! does nothing but note when a job came to it. Each has connections of its own, as a worker has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use apalis::prelude::{BoxDynError, Data, WorkerBuilder};
use chrono::{DateTime, Utc};
use copydesk_common::clock;
use copydesk_common::queue::{Intake, Next, Queue};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use copydesk_worker::queue::Claim;
use copydesk_worker::queue::backend::{BackendOptions, QueueBackend};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::fill;
use crate::redis_server::RedisServer;

/// Starts are looked for so often.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// When each job came to which claimers.
#[derive(Debug, Default)]
struct Noted {
    starts: Mutex<BTreeMap<JobId, Vec<Start>>>,
    /// Jobs that keep their handler for ever.
    endless: Mutex<BTreeSet<JobId>>,
}

/// A job came to a handler.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    pub(super) at: DateTime<Utc>,
    pub(super) claimer: usize,
}

/// Which claimer a handler is of.
#[derive(Debug, Clone, Copy)]
struct Me {
    claimer: usize,
}

/// Claimers of one queue. They end when this is dropped.
pub(super) struct Fleet {
    pub(super) queue: Queue,
    noted: Arc<Noted>,
    claimers: Vec<AbortHandle>,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.claimers.iter().for_each(AbortHandle::abort);
    }
}

impl Fleet {
    /// So many claimers of a queue of their own, `prefix`; leases are so long.
    pub(super) async fn start(server: &RedisServer, prefix: &str, size: usize, lease_ms: u64) -> anyhow::Result<Self> {
        let queue = Queue::new(&fill::redis(server, prefix)?, JobKind::Generate);
        queue.set_intake(Intake::Open, 0).await?;
        let noted = Arc::<Noted>::default();
        let claimers = (0..size).map(|number| claimer(server, prefix, number, lease_ms, &noted));
        let claimers = claimers.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(Self { queue, noted, claimers: claimers.iter().map(JoinHandle::abort_handle).collect() })
    }

    /// Ends a claimer as a crash would: what it holds is not given back.
    pub(super) fn kill(&self, claimer: usize) {
        self.claimers[claimer].abort();
    }

    /// Pushes jobs that become ready at these times. Their ids, in this order.
    pub(super) async fn push_due(&self, times: &[DateTime<Utc>]) -> anyhow::Result<Vec<JobId>> {
        let business_id = BusinessId::parse("bench")?;
        let entries: Vec<_> = times.iter().map(|&at| fill::entry(business_id.clone(), Some(at))).collect();
        self.queue.push(&entries).await?;
        Ok(entries.iter().map(|entry| entry.message.job_id()).collect())
    }

    /// Pushes a job that is ready, and whose handler never ends.
    pub(super) async fn push_endless(&self) -> anyhow::Result<JobId> {
        let entry = fill::entry(BusinessId::parse("bench")?, None);
        let id = entry.message.job_id();
        lock(&self.noted.endless).insert(id);
        self.queue.push(&[entry]).await?;
        Ok(id)
    }

    /// Lets the job end when it comes again.
    pub(super) fn let_end(&self, id: JobId) {
        lock(&self.noted.endless).remove(&id);
    }

    /// The job's start number `nth`, from 0, once it is there.
    pub(super) async fn start_of(&self, id: JobId, nth: usize, within: Duration) -> anyhow::Result<Start> {
        let there = async {
            loop {
                if let Some(start) = lock(&self.noted.starts).get(&id).and_then(|starts| starts.get(nth)) {
                    return *start;
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(within, there).await.with_context(|| format!("a job did not start within {within:?}"))
    }

    /// The first starts of these jobs, once all are there.
    pub(super) async fn starts(&self, ids: &[JobId], within: Duration) -> anyhow::Result<Vec<DateTime<Utc>>> {
        let until = tokio::time::Instant::now() + within;
        loop {
            let found: Vec<_> = {
                let starts = lock(&self.noted.starts);
                ids.iter().filter_map(|id| Some(starts.get(id)?.first()?.at)).collect()
            };
            if found.len() == ids.len() {
                return Ok(found);
            }
            ensure!(tokio::time::Instant::now() < until, "{} of {} jobs started in time", found.len(), ids.len());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn claimer(
    server: &RedisServer,
    prefix: &str,
    number: usize,
    lease_ms: u64,
    noted: &Arc<Noted>,
) -> anyhow::Result<JoinHandle<()>> {
    // One pool of blocking connections does not hold a fleet's.
    let queue = Queue::new(&fill::redis(server, prefix)?, JobKind::Generate);
    let noted = Arc::clone(noted);
    Ok(tokio::spawn(async move {
        let stop = CancellationToken::new();
        let options = BackendOptions {
            concurrency: 1,
            lease_ms,
            business_jobs_at_once: 0,
            stop: stop.clone(),
            hold: watch::channel(false).1,
        };
        let worker = WorkerBuilder::new(format!("claimer-{number}"))
            .backend(QueueBackend::start(&queue, options))
            .data(noted)
            .data(Me { claimer: number })
            .build(handle);
        let signal = async move {
            stop.cancelled_owned().await;
            Ok::<(), std::io::Error>(())
        };
        // It ends with its task only.
        let _ended = worker.run_until(signal).await;
    }))
}

async fn handle(claim: Claim, noted: Data<Arc<Noted>>, me: Data<Me>) -> Result<Next, BoxDynError> {
    let id = claim.message().job_id;
    lock(&noted.starts).entry(id).or_default().push(Start { at: clock::now(), claimer: me.claimer });
    if lock(&noted.endless).contains(&id) {
        std::future::pending::<()>().await;
    }
    Ok(Next::Done)
}
