//! P2: the queue with results in Postgres. Jobs that do nothing are claimed, begun and settled with a
//! text each, by the worker's own code with a handler that writes nothing worth reading.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use copydesk_common::clock;
use copydesk_common::config::Config;
use copydesk_common::queue::message::{Message, MessageV1};
use copydesk_common::queue::{Depth, Entry, Intake, Queue};
use copydesk_common::redis::{Mark as Swept, Redis};
use copydesk_common::store::Store;
use copydesk_common::store::generation::{self, Ending};
use copydesk_common::store::job;
use copydesk_domain::business::BusinessId;
use copydesk_domain::format::Format;
use copydesk_domain::generation::{Generation, Models};
use copydesk_domain::id::{GenerationId, JobId};
use copydesk_domain::job::{JobKind, LeaseEpoch, LeaseRef, Priority, Progress, StartedJob};
use copydesk_domain::stage::Stage;
use copydesk_domain::trace::TraceParent;
use copydesk_worker::context::Context;
use copydesk_worker::handler::Handler;
use copydesk_worker::outcome::Interruption;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, try_join_all};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Bench;
use crate::database::Database;
use crate::measure::{Findings, Mark};
use crate::redis_server::RedisServer;

const ABOUT: &str = "jobs claimed, begun, and settled with a text each by one worker, 1,000 in hand; rows in Postgres committed to disk, Redis with AOF; the backlog's rows and messages are there before; the limit is the worker's two statements alone, 256 jobs each on 4 connections";
const SMALL: usize = 1_000;
const MEDIUM: usize = 100_000;
/// Drained in all for one figure, so that small backlogs are timed as long as large ones.
const LEAST: usize = 20_000;
/// Drained of one backlog at most: what is left stays, and is made up for the next round.
const MOST: usize = 100_000;
const CONCURRENCY: u16 = 1_000;
/// As the worker's journal writes them.
const BATCH: usize = 256;
const LANES: usize = 4;
/// Rows that one statement inserts.
const ROWS: usize = 20_000;
/// The first look at everything, and the one after the workers took back what they ran.
const SWEPT_WITHIN: Duration = Duration::from_secs(60);

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("P2 drain", ABOUT);
    let server = RedisServer::start(&bench.ground.redis_server, folder).await?;
    let mut sizes = vec![SMALL, MEDIUM, bench.jobs];
    sizes.retain(|&size| size <= bench.jobs);
    sizes.dedup();
    let mut backlogs = try_join_all(sizes.into_iter().map(|size| Backlog::make(bench, &server, size))).await?;
    for _ in 0..bench.rounds {
        for backlog in &mut backlogs {
            let per_second = backlog.round().await?;
            findings.add(&format!("drained, backlog of {}", backlog.size), "/s", per_second);
        }
        findings.add("limit: the statements alone", "/s", backlogs[0].statements_alone().await?);
    }
    let drained = |backlog: usize| findings.median(&format!("drained, backlog of {backlog}"));
    let (small, large) = (drained(SMALL), drained(bench.jobs));
    findings.mark("drained a second", large, Mark::AtLeast(10_000.0));
    findings.mark(&format!("backlog of {} to that of {SMALL}", bench.jobs), large / small, Mark::AtLeast(0.9));
    Ok(findings)
}

/// Jobs that wait for a worker: a database and a queue of their own, so that the table of one does not
/// grow with the jobs of another.
struct Backlog {
    size: usize,
    database: Database,
    config: Config,
    redis: Redis,
    queue: Queue,
    /// Of the queue's state; it grows.
    version: i64,
    drained: usize,
}

impl Backlog {
    /// Without jobs, in a system that has run for a while.
    async fn make(bench: &Bench, server: &RedisServer, size: usize) -> anyhow::Result<Self> {
        let database = Database::make(&bench.ground.postgres, &format!("bench_drain_{size}")).await?;
        let url = format!("redis://{}/0", server.address());
        let mut config = Config::for_servers(database.uri.as_str(), &url, &format!("drain{size}"))?;
        config.worker.concurrency = CONCURRENCY;
        "off".clone_into(&mut config.worker.listen);
        let redis = Redis::new(&config.redis)?;
        let queue = Queue::new(&redis, JobKind::Generate);
        let mut backlog = Self { size, database, config, redis, queue, version: 0, drained: 0 };
        backlog.let_sweep().await?;
        Ok(backlog)
    }

    /// A worker's sweep looks at every job once after Redis has lost its memory, which a new one has.
    async fn let_sweep(&mut self) -> anyhow::Result<()> {
        let worker = Worker::start(&self.config)?;
        let key = self.redis.keys().swept(JobKind::Generate);
        let began = Instant::now();
        while self.redis.mark(&key).await? == Swept::Absent {
            ensure!(began.elapsed() < SWEPT_WITHIN, "the sweep did not look at everything");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        worker.leave().await
    }

    /// Jobs a second of this backlog, by a worker that is there before.
    async fn round(&mut self) -> anyhow::Result<f64> {
        let jobs = self.size.min(MOST);
        let times = (LEAST / jobs).max(1);
        self.let_in(Intake::Paused).await?;
        let worker = Worker::start(&self.config)?;
        worker.can_receive().await?;
        let mut took = 0.0;
        for time in 1..=times {
            self.fill().await?;
            let began = Instant::now();
            self.let_in(Intake::Open).await?;
            worker.has_ended(time * jobs).await;
            took += began.elapsed().as_secs_f64();
            self.let_in(Intake::Paused).await?;
        }
        let ended = Arc::clone(&worker.ended);
        worker.leave().await?;
        self.drained += ended.jobs.load(Ordering::Relaxed);
        self.check().await?;
        Ok((times * jobs) as f64 / took)
    }

    async fn let_in(&mut self, intake: Intake) -> anyhow::Result<()> {
        self.version += 1;
        self.queue.set_intake(intake, self.version).await?;
        Ok(())
    }

    /// Makes the backlog whole: rows first, then their messages.
    async fn fill(&self) -> anyhow::Result<()> {
        let there = usize::try_from(self.queue.depth().await?.ready)?;
        let ids: Vec<JobId> = (there..self.size).map(|_| JobId::new()).collect();
        for ids in ids.chunks(ROWS) {
            self.insert(ids).await?;
            self.queue.push(&entries(ids)?).await?;
        }
        // A table that filled up slowly would have been looked after meanwhile.
        self.database.execute("vacuum (analyze) jobs").await
    }

    async fn insert(&self, ids: &[JobId]) -> anyhow::Result<()> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let generation_ids: Vec<Uuid> = ids.iter().map(|_| GenerationId::new().0).collect();
        sqlx::query(
            "insert into jobs (id, kind, business_id, generation_id, priority, payload, max_attempts, traceparent)
             select id, 'generate', 'bench', generation_id, 'interactive',
                    '{\"topic\": \"AI in Healthcare\", \"format\": \"linkedin\", \"voice\": \"professional\"}', 3, ''
             from unnest($1::uuid[], $2::uuid[]) as t (id, generation_id)",
        )
        .bind(ids)
        .bind(generation_ids)
        .execute(&self.database.pool)
        .await?;
        Ok(())
    }

    /// Every job that was drained has ended with its text, and the queue has forgotten it.
    async fn check(&self) -> anyhow::Result<()> {
        let sql = "select (select count(*) from jobs where status = 'succeeded'), (select count(*) from generations)";
        let (ended, texts): (i64, i64) = sqlx::query_as(sql).fetch_one(&self.database.pool).await?;
        let drained = i64::try_from(self.drained)?;
        ensure!((ended, texts) == (drained, drained), "{drained} jobs were drained: {ended} ended, {texts} have texts");
        match self.queue.depth().await? {
            Depth { delayed: 0, leased: 0, .. } => Ok(()),
            depth => bail!("the queue has jobs that nobody drains: {depth:?}"),
        }
    }

    /// Jobs a second of the statements that begin and settle: no queue, no lease, no task a job.
    async fn statements_alone(&mut self) -> anyhow::Result<f64> {
        let store = Store::new(&self.config.postgres)?;
        let ids: Vec<JobId> = (0..LEAST).map(|_| JobId::new()).collect();
        self.insert(&ids).await?;
        let began = Instant::now();
        try_join_all(ids.chunks(LEAST / LANES).map(|ids| {
            let (store, ids) = (store.clone(), ids.to_vec());
            async move { tokio::spawn(async move { begin_and_settle(&store, &ids).await }).await? }
        }))
        .await?;
        let took = began.elapsed().as_secs_f64();
        self.drained += LEAST;
        Ok(LEAST as f64 / took)
    }
}

async fn begin_and_settle(store: &Store, ids: &[JobId]) -> anyhow::Result<()> {
    for ids in ids.chunks(BATCH) {
        let epoch = LeaseEpoch(1);
        let leases: Vec<_> = ids.iter().map(|&id| LeaseRef { id, epoch }).collect();
        let begun = job::begin_all(store, &leases, "bench").await?;
        let endings = begun.iter().flatten().map(ending).collect::<Option<Vec<_>>>().context("a job has no text")?;
        generation::settle_all(store, &endings).await?;
    }
    Ok(())
}

fn entries(ids: &[JobId]) -> anyhow::Result<Vec<Entry>> {
    let business_id = BusinessId::parse("bench")?;
    let message = |job_id| MessageV1 {
        job_id,
        kind: JobKind::Generate,
        business_id: business_id.clone(),
        priority: Priority::Interactive,
        trace: TraceParent::start(),
    };
    Ok(ids.iter().map(|&id| Entry { message: Message::V1(message(id)), not_before: None, begun: None }).collect())
}

/// A worker in this process.
struct Worker {
    ended: Arc<Ended>,
    receiving: copydesk_worker::consume::Receiving,
    leave: CancellationToken,
    run: JoinHandle<Result<(), copydesk_worker::WorkerError>>,
}

impl Worker {
    fn start(config: &Config) -> anyhow::Result<Self> {
        let (ended, leave) = (Arc::<Ended>::default(), CancellationToken::new());
        let worker = copydesk_worker::build_with(config.clone(), Arc::clone(&ended) as Arc<dyn Handler>)?;
        let (receiving, run) = (worker.receiving(), worker.run(leave.clone().cancelled_owned()));
        Ok(Self { ended, receiving, leave, run: tokio::spawn(run) })
    }

    /// Returns once it has asked its queue.
    async fn can_receive(&self) -> anyhow::Result<()> {
        while !self.receiving.can_receive() {
            ensure!(!self.run.is_finished(), "the worker has ended");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Returns once so many jobs have ended.
    async fn has_ended(&self, jobs: usize) {
        while self.ended.jobs.load(Ordering::Relaxed) < jobs {
            self.ended.some.notified().await;
        }
    }

    async fn leave(self) -> anyhow::Result<()> {
        self.leave.cancel();
        self.run.await?.context("the worker failed")
    }
}

/// The handler: ends each job with a text that says nothing, and counts them.
#[derive(Debug, Default)]
struct Ended {
    jobs: AtomicUsize,
    some: Notify,
}

impl Handler for Ended {
    fn handle<'a>(&'a self, context: &'a Context, job: &'a StartedJob) -> BoxFuture<'a, Result<(), Interruption>> {
        async move {
            let ending = ending(job).ok_or_else(|| Interruption::Retry("the job has no text".into()))?;
            context.journal.settle(ending).await?;
            self.jobs.fetch_add(1, Ordering::Relaxed);
            self.some.notify_one();
            Ok(())
        }
        .boxed()
    }
}

fn ending(job: &StartedJob) -> Option<Ending> {
    let total = 1;
    Some(Ending {
        lease: job.lease(),
        results: Vec::new(),
        progress: Progress { stage: Stage::Finish.as_str().to_owned(), completed: total, total },
        generation: text(job, job.generation_id?),
    })
}

fn text(job: &StartedJob, generation_id: GenerationId) -> Generation {
    Generation {
        generation_id,
        job_id: Some(job.id),
        business_id: job.business_id.clone(),
        topic: "AI in Healthcare".into(),
        format: Format::LinkedIn.name().to_owned(),
        content_type: Format::LinkedIn,
        voice: "professional".into(),
        language: "en".into(),
        title: "Nothing".into(),
        content: "Nothing.".into(),
        sources: Vec::new(),
        review: None,
        lessons_applied: Vec::new(),
        learning: None,
        degraded: Vec::new(),
        models: Models::default(),
        usage: job.usage.clone(),
        feedback: None,
        created_at: clock::now(),
    }
}
