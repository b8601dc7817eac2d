//! P2: the queue alone. Jobs are pushed and drained by a worker whose handler does nothing.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, bail};
use apalis::prelude::{BoxDynError, Data, WorkerBuilder};
use copydesk_common::config::RedisConfig;
use copydesk_common::queue::message::{Message, MessageV1};
use copydesk_common::queue::{Depth, Entry, Intake, Next, Queue};
use copydesk_common::redis::Redis;
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, Priority};
use copydesk_domain::trace::TraceParent;
use copydesk_worker::queue::Claim;
use copydesk_worker::queue::backend::{BackendOptions, QueueBackend};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::Bench;
use crate::measure::{Findings, Mark};
use crate::redis_server::RedisServer;

const ABOUT: &str = "jobs pushed (500 a round trip) and drained (claimed, handled by nothing, settled) through apalis; Redis with AOF, nothing in Postgres; redis-benchmark in batches of 500, and one by one";
const SMALL: usize = 1_000;
/// Drained in all for one figure, so that small backlogs are timed as long as large ones.
const DRAINED: usize = 20_000;
const CONCURRENCY: usize = 1_000;

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("P2 queue", ABOUT);
    let server = RedisServer::start(&bench.ground.redis_server, folder).await?;
    for _ in 0..bench.rounds {
        for backlog in [SMALL, bench.jobs] {
            round(&server, backlog, &mut findings).await?;
        }
        for (name, pipeline) in [("batched", "500"), ("one by one", "1")] {
            let limit = redis_benchmark(bench, &server, pipeline).await?;
            findings.add(&format!("redis-benchmark LPUSH, {name}"), "/s", limit.0);
            findings.add(&format!("redis-benchmark RPOP, {name}"), "/s", limit.1);
        }
        bench.drain_peers(&server, &mut findings).await;
    }
    let drained = |backlog: usize| findings.median(&format!("drained, backlog of {backlog}"));
    let (small, large) = (drained(SMALL), drained(bench.jobs));
    findings.mark("drained a second", large, Mark::AtLeast(90_000.0));
    findings.mark(&format!("backlog of {} to that of {SMALL}", bench.jobs), large / small, Mark::AtLeast(0.9));
    Ok(findings)
}

async fn round(server: &RedisServer, backlog: usize, findings: &mut Findings) -> anyhow::Result<()> {
    let (mut pushing, mut draining) = (0.0, 0.0);
    let times = (DRAINED / backlog).max(1);
    for _ in 0..times {
        server.command(&["FLUSHALL"]).await?;
        let redis = Redis::new(&RedisConfig::new(&format!("redis://{}/0", server.address()), "bench"))?;
        let queue = Queue::new(&redis, JobKind::Generate);
        queue.set_intake(Intake::Open, 0).await?;
        let entries = entries(backlog)?;
        let began = Instant::now();
        queue.push(&entries).await?;
        pushing += began.elapsed().as_secs_f64();
        draining += drain(&queue, backlog).await?;
    }
    let jobs = (times * backlog) as f64;
    findings.add(&format!("pushed, backlog of {backlog}"), "/s", jobs / pushing);
    findings.add(&format!("drained, backlog of {backlog}"), "/s", jobs / draining);
    Ok(())
}

fn entries(count: usize) -> anyhow::Result<Vec<Entry>> {
    let business_id = BusinessId::parse("bench")?;
    let message = || MessageV1 {
        job_id: JobId::new(),
        kind: JobKind::Generate,
        business_id: business_id.clone(),
        priority: Priority::Interactive,
        trace: TraceParent::start(),
    };
    Ok((0..count).map(|_| Entry { message: Message::V1(message()), not_before: None, begun: None }).collect())
}

/// What the worker's handler counts down.
#[derive(Debug)]
struct Left {
    jobs: AtomicUsize,
    none: Notify,
}

/// Seconds from the start of a worker until the queue is empty and has nothing leased.
async fn drain(queue: &Queue, jobs: usize) -> anyhow::Result<f64> {
    let left = Arc::new(Left { jobs: AtomicUsize::new(jobs), none: Notify::new() });
    let stop = CancellationToken::new();
    let began = Instant::now();
    let options = BackendOptions {
        concurrency: CONCURRENCY,
        lease_ms: 60_000,
        business_jobs_at_once: 0,
        stop: stop.clone(),
        hold: watch::channel(false).1,
    };
    let backend = QueueBackend::start(queue, options);
    let worker = WorkerBuilder::new("bench").backend(backend).data(Arc::clone(&left)).build(handle);
    let leave = stop.clone();
    let signal = async move {
        leave.cancelled().await;
        Ok::<(), std::io::Error>(())
    };
    let worker = tokio::spawn(worker.run_until(signal));
    left.none.notified().await;
    // The last are settled when the worker has left.
    stop.cancel();
    worker.await?.context("the worker failed")?;
    let took = began.elapsed().as_secs_f64();
    match queue.depth().await? {
        depth if depth == Depth::default() => Ok(took),
        depth => bail!("the queue was not drained: {depth:?}"),
    }
}

async fn handle(_claim: Claim, left: Data<Arc<Left>>) -> Result<Next, BoxDynError> {
    if left.jobs.fetch_sub(1, Ordering::Relaxed) == 1 {
        left.none.notify_one();
    }
    Ok(Next::Done)
}

/// LPUSH and RPOP a second, by Redis' own program.
async fn redis_benchmark(bench: &Bench, server: &RedisServer, pipeline: &str) -> anyhow::Result<(f64, f64)> {
    let program = bench.ground.redis_server.with_file_name("redis-benchmark");
    let port = server.address().port().to_string();
    let requests = if pipeline == "1" { "50000" } else { "500000" };
    let mut command = tokio::process::Command::new(&program);
    command.args(["-p", &port, "-t", "lpush,rpop", "-n", requests, "-P", pipeline, "-d", "200", "--csv"]);
    let output = command.stdin(Stdio::null()).output().await.with_context(|| program.display().to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let of = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("\"{name}\"")))?;
        line.split(',').nth(1)?.trim_matches('"').parse().ok()
    };
    of("LPUSH").zip(of("RPOP")).context("redis-benchmark said nothing")
}
