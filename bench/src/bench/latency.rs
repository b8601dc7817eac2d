//! P3: the time that Copydesk adds: from the acceptance to the result in the hands of a client that
//! waits for it, on an idle system whose providers answer at once.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use reqwest::Client;
use serde_json::{Value, json};

use super::Bench;
use crate::key;
use crate::measure::{Findings, Mark, quantile};
use crate::system::System;

const ABOUT: &str = "from the 202 to the answer of ?wait=, one job at a time, one worker, no revision, every paid stage committed; less the time within the simulator's handlers; the limit is what its round trips take alone";
const JOBS: usize = 100;
/// Writes of one job that wait for the disk: after the search, after the text, at the end.
const COMMITS: f64 = 3.0;
/// How late Postgres tells its counters.
const COUNTERS_LATE: Duration = Duration::from_millis(1_500);

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("P3 latency", ABOUT);
    let system = System::start(&bench.ground, folder, "bench_latency", Bench::setup(1)).await?;
    let http = key::client().build()?;
    // Connections, indexes and caches are made once.
    for _ in 0..10 {
        one(&http, &system).await?;
    }
    for _ in 0..bench.rounds {
        let before = Trips::count(&system).await?;
        let (mut added_ms, mut providers_ms) = (Vec::with_capacity(JOBS), Vec::with_capacity(JOBS));
        for _ in 0..JOBS {
            let (added, providers) = one(&http, &system).await?;
            added_ms.push(added);
            providers_ms.push(providers);
        }
        let trips = Trips::count(&system).await?.since(before);
        let (commit_ms, read_ms) =
            (statement(&system, "insert into commits values (1)").await?, statement(&system, "select 1").await?);
        let ping_ms = ping(&system).await?;
        findings.add("p50", "ms", quantile(&mut added_ms, 0.5));
        findings.add("p99", "ms", quantile(&mut added_ms, 0.99));
        findings.add("within the simulator, p50", "ms", quantile(&mut providers_ms, 0.5));
        findings.add("transactions a job, its API's and the idle system's too", "", trips.postgres);
        findings.add("commands to Redis a job, likewise", "", trips.redis);
        findings.add("one commit", "ms", commit_ms);
        findings.add("one read from Postgres", "ms", read_ms);
        findings.add("one round trip to Redis", "ms", ping_ms);
        let limit = COMMITS * commit_ms + (trips.postgres - COMMITS) * read_ms + trips.redis * ping_ms;
        findings.add("limit: the sum of these", "ms", limit);
    }
    findings.mark("p50, ms", findings.median("p50"), Mark::AtMost(5.0));
    findings.mark("p99, ms", findings.median("p99"), Mark::AtMost(20.0));
    Ok(findings)
}

/// A job's added time, and the time within the simulator, in ms.
async fn one(http: &Client, system: &System) -> anyhow::Result<(f64, f64)> {
    let body = json!({ "business_id": "bench", "topic": "AI in Healthcare", "format": "ad", "max_rounds": 0 });
    let busy = system.simulator.busy();
    let job: Value = http.post(format!("{}/api/generate", system.url())).json(&body).send().await?.json().await?;
    let began = Instant::now();
    let path = job["links"]["self"].as_str().unwrap_or_default();
    let job: Value = http.get(format!("{}{path}?wait=30", system.url())).send().await?.json().await?;
    let took = began.elapsed();
    ensure!(job["status"] == "succeeded", "the job did not succeed: {job}");
    let busy = system.simulator.busy() - busy;
    Ok((millis(took.saturating_sub(busy)), millis(busy)))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Round trips that the servers have counted: in all, or a job.
#[derive(Debug, Clone, Copy)]
struct Trips {
    postgres: f64,
    redis: f64,
}

impl Trips {
    async fn count(system: &System) -> anyhow::Result<Self> {
        tokio::time::sleep(COUNTERS_LATE).await;
        let sql = "select xact_commit::float8 from pg_stat_database where datname = current_database()";
        let postgres = sqlx::query_scalar(sql).fetch_one(&system.database.pool).await?;
        let mut connection = system.redis.connect().await?;
        let stats: String = redis::cmd("INFO").arg("commandstats").query_async(&mut connection).await?;
        Ok(Self { postgres, redis: calls(&stats) })
    }

    /// What one of the jobs between two counts took.
    fn since(self, before: Self) -> Self {
        let jobs = JOBS as f64;
        Self { postgres: (self.postgres - before.postgres) / jobs, redis: (self.redis - before.redis) / jobs }
    }
}

/// The commands that clients sent, by Redis' `INFO commandstats`: scripts count once, whatever they call.
fn calls(stats: &str) -> f64 {
    const SENT: [&str; 4] = ["evalsha", "eval", "publish", "blpop"];
    let of = |name: &str| {
        let line = stats.lines().find(|line| line.starts_with(&format!("cmdstat_{name}:")))?;
        line.split_once("calls=")?.1.split(',').next()?.parse::<f64>().ok()
    };
    SENT.iter().filter_map(|name| of(name)).sum()
}

/// The median time of a small statement, in ms.
async fn statement(system: &System, sql: &'static str) -> anyhow::Result<f64> {
    let pool = &system.database.pool;
    sqlx::query("create table if not exists commits (n int)").execute(pool).await?;
    let mut times_ms = Vec::with_capacity(JOBS);
    for _ in 0..JOBS {
        let began = Instant::now();
        sqlx::query(sql).execute(pool).await?;
        times_ms.push(millis(began.elapsed()));
    }
    Ok(quantile(&mut times_ms, 0.5))
}

/// The median time of a PING, in ms.
async fn ping(system: &System) -> anyhow::Result<f64> {
    let mut connection = system.redis.connect().await?;
    let mut times_ms = Vec::with_capacity(JOBS);
    for _ in 0..JOBS {
        let began = Instant::now();
        redis::cmd("PING").query_async::<String>(&mut connection).await?;
        times_ms.push(millis(began.elapsed()));
    }
    Ok(quantile(&mut times_ms, 0.5))
}
