//! An apalis worker over the queue, whose handler waits until the test lets it end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use apalis::prelude::{BoxDynError, Data, WorkerBuilder};
use copydesk_common::queue::message::{Message, MessageV1};
use copydesk_common::queue::{Entry, Intake, Next, Queue};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, Priority};
use copydesk_domain::trace::TraceParent;
use copydesk_worker::queue::Claim;
use copydesk_worker::queue::backend::{BackendOptions, QueueBackend};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Fails the test rather than hanging it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn entries(count: usize) -> Vec<Entry> {
    let message = || MessageV1 {
        job_id: JobId::new(),
        kind: JobKind::Generate,
        business_id: BusinessId::parse("company_123").unwrap(),
        priority: Priority::Interactive,
        trace: TraceParent::start(),
    };
    (0..count).map(|_| Entry { message: Message::V1(message()), not_before: None, begun: None }).collect()
}

/// The handler of these tests, and what it reports.
#[derive(Clone)]
pub(crate) struct Handler {
    started: mpsc::UnboundedSender<(JobId, Instant)>,
    /// A handler ends when it gets one of these.
    pub(crate) may_end: Arc<Semaphore>,
    pub(crate) running: Arc<AtomicUsize>,
    pub(crate) most_running: Arc<AtomicUsize>,
    pub(crate) handled: Arc<Mutex<BTreeMap<JobId, u32>>>,
}

pub(crate) struct RunningWorker {
    pub(crate) handler: Handler,
    started: mpsc::UnboundedReceiver<(JobId, Instant)>,
    pub(crate) stop: CancellationToken,
    ended: JoinHandle<()>,
    _sweep: AbortOnDropHandle<()>,
}

impl RunningWorker {
    pub(crate) fn start(queue: &Queue, concurrency: usize) -> Self {
        Self::start_leasing(queue, concurrency, 60_000)
    }

    pub(crate) fn start_leasing(queue: &Queue, concurrency: usize, lease_ms: u64) -> Self {
        let (sender, started) = mpsc::unbounded_channel();
        let handler = Handler {
            started: sender,
            may_end: Arc::new(Semaphore::new(0)),
            running: Arc::default(),
            most_running: Arc::default(),
            handled: Arc::default(),
        };
        let stop = CancellationToken::new();
        let backend = QueueBackend::start(
            queue,
            BackendOptions {
                concurrency,
                lease_ms,
                business_jobs_at_once: 0,
                stop: stop.clone(),
                hold: watch::channel(false).1,
            },
        );
        let worker = WorkerBuilder::new("test").backend(backend).data(handler.clone()).build(handle);
        let leave = stop.clone();
        let signal = async move {
            leave.cancelled().await;
            Ok::<(), std::io::Error>(())
        };
        let ended = tokio::spawn(async move { worker.run_until(signal).await.unwrap() });
        let _sweep = AbortOnDropHandle::new(tokio::spawn(keep_open(queue.clone())));
        Self { handler, started, stop, ended, _sweep }
    }

    pub(crate) async fn next_started(&mut self) -> (JobId, Instant) {
        tokio::time::timeout(PATIENCE, self.started.recv()).await.expect("a job starts").unwrap()
    }

    /// The next job that has begun already.
    pub(crate) fn try_next_started(&mut self) -> Option<(JobId, Instant)> {
        self.started.try_recv().ok()
    }

    pub(crate) async fn leave(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.ended).await.expect("the worker leaves").unwrap();
    }
}

/// Sets the intake again like the sweep, since Redis forgets it in a flush.
async fn keep_open(queue: Queue) {
    loop {
        if let Ok(None) = queue.intake().await {
            let _ = queue.set_intake(Intake::Open, 0).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn handle(claim: Claim, handler: Data<Handler>) -> Result<Next, BoxDynError> {
    let running = handler.running.fetch_add(1, Ordering::SeqCst) + 1;
    handler.most_running.fetch_max(running, Ordering::SeqCst);
    let id = claim.message().job_id;
    let _ = handler.started.send((id, Instant::now()));
    handler.may_end.acquire().await?.forget();
    *handler.handled.lock().unwrap().entry(id).or_default() += 1;
    handler.running.fetch_sub(1, Ordering::SeqCst);
    Ok(Next::Done)
}

pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < give_up, "it never came true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
