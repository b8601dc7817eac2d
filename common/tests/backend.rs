//! The apalis backend's promises, through apalis, on a real Redis.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use apalis::prelude::{BoxDynError, Data, WorkerBuilder};
use copydesk_common::business::BusinessId;
use copydesk_common::config::RedisConfig;
use copydesk_common::job::{JobId, JobKind, Priority};
use copydesk_common::queue::backend::{BackendOptions, Claim, QueueBackend};
use copydesk_common::queue::message::{Message, MessageV1};
use copydesk_common::queue::{Depth, Entry, Next, Queue};
use copydesk_common::redis::Redis;
use copydesk_common::trace::TraceParent;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Fails the test rather than hanging it.
const PATIENCE: Duration = Duration::from_secs(20);

fn queue() -> Queue {
    let url = std::env::var("REDIS_URL").expect("REDIS_URL names the Redis for tests: use `cargo xtask test`");
    let prefix = format!("test-{}", uuid::Uuid::now_v7().simple());
    let redis = Redis::new(&RedisConfig::new(&url, &prefix)).unwrap();
    Queue::new(&redis, JobKind::Generate)
}

fn entries(count: usize) -> Vec<Entry> {
    let message = || MessageV1 {
        job_id: JobId::new(),
        kind: JobKind::Generate,
        business_id: BusinessId::parse("company_123").unwrap(),
        priority: Priority::Interactive,
        trace: TraceParent::start(),
    };
    (0..count).map(|_| Entry { message: Message::V1(message()), not_before: None, weight: 1 }).collect()
}

/// What the handler of these tests does and tells.
#[derive(Clone)]
struct Handler {
    started: mpsc::UnboundedSender<(JobId, Instant)>,
    /// A handler ends when it gets one of these.
    may_end: Arc<Semaphore>,
    running: Arc<AtomicUsize>,
    most_running: Arc<AtomicUsize>,
    handled: Arc<Mutex<BTreeMap<JobId, u32>>>,
}

struct RunningWorker {
    handler: Handler,
    started: mpsc::UnboundedReceiver<(JobId, Instant)>,
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

impl RunningWorker {
    fn start(queue: &Queue, concurrency: usize) -> Self {
        let (sender, started) = mpsc::unbounded_channel();
        let handler = Handler {
            started: sender,
            may_end: Arc::new(Semaphore::new(0)),
            running: Arc::default(),
            most_running: Arc::default(),
            handled: Arc::default(),
        };
        let stop = CancellationToken::new();
        let backend = QueueBackend::start(queue, BackendOptions { concurrency, lease_ms: 60_000, stop: stop.clone() });
        let worker = WorkerBuilder::new("test").backend(backend).data(handler.clone()).build(handle);
        let leave = stop.clone();
        let signal = async move {
            leave.cancelled().await;
            Ok::<(), std::io::Error>(())
        };
        let ended = tokio::spawn(async move { worker.run_until(signal).await.unwrap() });
        Self { handler, started, stop, ended }
    }

    async fn next_started(&mut self) -> (JobId, Instant) {
        tokio::time::timeout(PATIENCE, self.started.recv()).await.expect("a job starts").unwrap()
    }

    async fn leave(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.ended).await.expect("the worker leaves").unwrap();
    }
}

async fn handle(claim: Claim, handler: Data<Handler>) -> Result<Option<Next>, BoxDynError> {
    let running = handler.running.fetch_add(1, Ordering::SeqCst) + 1;
    handler.most_running.fetch_max(running, Ordering::SeqCst);
    let id = claim.message().job_id;
    let _ = handler.started.send((id, Instant::now()));
    handler.may_end.acquire().await?.forget();
    *handler.handled.lock().unwrap().entry(id).or_default() += 1;
    handler.running.fetch_sub(1, Ordering::SeqCst);
    Ok(Some(Next::Done))
}

async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < give_up, "it never came true");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_worker_is_woken_by_a_push_and_does_not_wait_for_its_poll() {
    let queue = queue();
    let mut worker = RunningWorker::start(&queue, 4);
    worker.handler.may_end.add_permits(1_000);
    let mut waits = Vec::new();
    for job in entries(21) {
        until(async || queue.depth().await.unwrap() == Depth::default()).await;
        let pushed = Instant::now();
        queue.push(std::slice::from_ref(&job)).await.unwrap();
        let (id, started) = worker.next_started().await;
        assert_eq!(id, job.message.job_id());
        waits.push(started - pushed);
    }
    waits.sort_unstable();
    // The poll under the bell comes once a second.
    assert!(waits[10] < Duration::from_millis(100), "the median job waited {:?}", waits[10]);
    println!("pushed to started: median {:?}, most {:?}", waits[10], waits[20]);
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_claims_no_more_than_it_has_slots_and_handles_each_job_once() {
    let queue = queue();
    let worker = RunningWorker::start(&queue, 8);
    queue.push(&entries(200)).await.unwrap();
    until(async || worker.handler.running.load(Ordering::SeqCst) == 8).await;
    assert_eq!(queue.depth().await.unwrap(), Depth { ready: 192, delayed: 0, leased: 8 });
    worker.handler.may_end.add_permits(1_000);
    until(async || queue.depth().await.unwrap() == Depth::default()).await;
    assert_eq!(worker.handler.most_running.load(Ordering::SeqCst), 8);
    let handled = worker.handler.handled.lock().unwrap().clone();
    assert_eq!((handled.len(), handled.values().max()), (200, Some(&1)));
    worker.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leaving_worker_ends_what_it_runs_and_takes_nothing_more() {
    let queue = queue();
    let mut worker = RunningWorker::start(&queue, 2);
    queue.push(&entries(10)).await.unwrap();
    worker.next_started().await;
    worker.next_started().await;
    worker.stop.cancel();
    worker.handler.may_end.add_permits(1_000);
    let handled = Arc::clone(&worker.handler.handled);
    worker.leave().await;
    assert_eq!(handled.lock().unwrap().len(), 2);
    assert_eq!(queue.depth().await.unwrap(), Depth { ready: 8, delayed: 0, leased: 0 }, "nothing is left leased");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_workers_share_a_queue_without_handling_a_job_twice() {
    let queue = queue();
    let workers: Vec<_> = (0..3).map(|_| RunningWorker::start(&queue, 16)).collect();
    for worker in &workers {
        worker.handler.may_end.add_permits(10_000);
    }
    queue.push(&entries(3_000)).await.unwrap();
    until(async || queue.depth().await.unwrap() == Depth::default()).await;
    let mut handled = BTreeMap::new();
    for worker in &workers {
        for (id, times) in worker.handler.handled.lock().unwrap().iter() {
            *handled.entry(*id).or_insert(0) += times;
        }
    }
    assert_eq!((handled.len(), handled.values().max()), (3_000, Some(&1)));
    for worker in workers {
        worker.leave().await;
    }
}
