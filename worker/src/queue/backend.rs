//! The apalis `Backend` over Copydesk's queue.
//!
//! Two spawned tasks do the work: one claims jobs (never more than there are free slots), one
//! renews and settles leases. Both continue while Redis is unavailable. `poll_next` only receives
//! from a channel, and a small tower layer reports each handler's [`Next`]. So an error of Redis
//! never ends a worker and never drops a running handler.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::worker::context::WorkerContext;
use copydesk_common::queue::{Next, Queue, Settled};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower::{Layer, Service};

use super::claim::Claim;
use super::claimer::{Claimer, LastAnswer};
use super::lease::{Keeper, Leases};

/// How a worker takes jobs from a queue.
#[derive(Debug, Clone)]
pub struct BackendOptions {
    /// The most concurrent jobs.
    pub concurrency: usize,
    /// The length of a lease, in milliseconds. It is renewed every 2 s, or after a third of its
    /// length if that is shorter.
    pub lease_ms: u64,
    /// The concurrency cap of businesses without one of their own; 0 for none.
    pub business_jobs_at_once: u32,
    /// Cancelled when the worker should claim no more jobs.
    pub stop: CancellationToken,
    /// While true, the worker claims no jobs, because a service that all of them need is
    /// unavailable.
    pub hold: watch::Receiver<bool>,
}

/// Whether the queue is reachable, for a worker's readiness.
#[derive(Debug, Clone)]
pub struct Reachability {
    answered: LastAnswer,
    slots: Arc<Semaphore>,
    hold: watch::Receiver<bool>,
}

impl Reachability {
    /// An idle worker gets an answer at least every four seconds. Without an answer for this long,
    /// a worker cannot receive work.
    const STALE: Duration = Duration::from_secs(10);

    /// Whether the queue can hand jobs to this worker: it answered recently, or the worker had no
    /// reason to ask, because every slot is taken or it should claim no jobs.
    pub fn can_receive(&self) -> bool {
        self.slots.available_permits() == 0 || *self.hold.borrow() || self.answered.age() < Self::STALE
    }
}

/// The apalis backend over a [`Queue`]. One for each worker.
#[derive(Debug)]
pub struct QueueBackend {
    options: BackendOptions,
    tasks: mpsc::Receiver<Task<Claim>>,
    settled: mpsc::UnboundedSender<Settled>,
    close_keeper: CancellationToken,
    reachability: Reachability,
    // A backend that is dropped without being closed counts as dead: its leases expire.
    claimer: Option<AbortOnDropHandle<()>>,
    keeper: Option<AbortOnDropHandle<()>>,
}

impl QueueBackend {
    /// Starts claiming at once.
    pub fn start(queue: &Queue, options: BackendOptions) -> Self {
        let slots = Arc::new(Semaphore::new(options.concurrency));
        let leases = Leases::default();
        let answered = LastAnswer::default();
        let (task_sender, tasks) = mpsc::channel(options.concurrency);
        let (settled_sender, settled) = mpsc::unbounded_channel();
        let claimer = Claimer {
            queue: queue.clone(),
            name: uuid::Uuid::now_v7().simple().to_string(),
            slots: Arc::clone(&slots),
            leases: leases.clone(),
            lease_ms: options.lease_ms,
            cap: options.business_jobs_at_once,
            tasks: task_sender,
            settled: settled_sender.clone(),
            answered: answered.clone(),
            stop: options.stop.clone(),
            hold: options.hold.clone(),
        };
        let hold = options.hold.clone();
        let close_keeper = CancellationToken::new();
        let keeper =
            Keeper { queue: queue.clone(), leases, lease_ms: options.lease_ms, settled, close: close_keeper.clone() };
        Self {
            options,
            tasks,
            settled: settled_sender,
            close_keeper,
            reachability: Reachability { answered, slots, hold },
            claimer: Some(AbortOnDropHandle::new(tokio::spawn(claimer.run()))),
            keeper: Some(AbortOnDropHandle::new(tokio::spawn(keeper.run()))),
        }
    }

    /// Whether this worker can receive jobs.
    pub fn reachability(&self) -> Reachability {
        self.reachability.clone()
    }

    /// Gives back jobs that were claimed but not begun.
    fn give_back(&mut self) {
        while let Ok(task) = self.tasks.try_recv() {
            let _ = self.settled.send(Settled { lease: task.args.lease(), next: Next::Back });
        }
    }
}

/// The backend never fails: see the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Never {}

impl Backend for QueueBackend {
    type Task = Task<Claim>;
    type Error = Never;

    fn poll_ready(&mut self, _: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Never>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Option<Result<Task<Claim>, Never>>> {
        self.tasks.poll_recv(cx).map(|task| task.map(Ok))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, _: &WorkerContext) -> Poll<Result<(), Never>> {
        self.options.stop.cancel();
        if let Some(claimer) = &mut self.claimer {
            // An aborted or panicked claimer does not claim any more either.
            let _ = ready!(claimer.poll_unpin(cx));
            self.claimer = None;
        }
        self.give_back();
        self.close_keeper.cancel();
        if let Some(keeper) = &mut self.keeper {
            let _ = ready!(keeper.poll_unpin(cx));
            self.keeper = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for QueueBackend {
    type Args = Claim;
    type Id = copydesk_domain::id::JobId;
    // Claims are decoded by the claimer: with apalis' own decoding, one unreadable message would
    // end the worker.
    type Kind = Ephemeral;
    type Config = BackendOptions;
    type Layer = Report;

    fn config(&self) -> &BackendOptions {
        &self.options
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Report {
        Report { settled: self.settled.clone() }
    }
}

/// The layer that reports what follows for each handled job.
#[derive(Debug, Clone)]
pub struct Report {
    settled: mpsc::UnboundedSender<Settled>,
}

impl<S> Layer<S> for Report {
    type Service = ReportService<S>;

    fn layer(&self, inner: S) -> ReportService<S> {
        ReportService { inner, settled: self.settled.clone() }
    }
}

/// Calls the handler, then reports.
#[derive(Debug, Clone)]
pub struct ReportService<S> {
    inner: S,
    settled: mpsc::UnboundedSender<Settled>,
}

impl<S> Service<Task<Claim>> for ReportService<S>
where
    S: Service<Task<Claim>, Response = Next>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = ();
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<(), S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, task: Task<Claim>) -> Self::Future {
        let lease = task.args.lease();
        let settled = self.settled.clone();
        let handled = self.inner.call(task);
        async move {
            // On an error, the handler could not return what follows: the lease expires, and the
            // job is claimed again.
            if let Ok(next) = handled.await {
                let _ = settled.send(Settled { lease, next });
            }
            Ok(())
        }
        .boxed()
    }
}
