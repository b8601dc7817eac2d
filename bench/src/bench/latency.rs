//! P3: the time that Copydesk adds: from the acceptance to the result in the hands of a client that
//! waits for it, on an idle system whose providers answer at once.

use std::path::Path;
use std::time::Instant;

use anyhow::ensure;
use reqwest::Client;
use serde_json::{Value, json};

use super::Bench;
use crate::measure::{Findings, Mark, quantile};
use crate::system::System;

const ABOUT: &str = "from the 202 to the answer of ?wait=, one job at a time, one worker, no revision, every stage committed; the simulator's own work is in it";
const JOBS: usize = 100;

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("P3 latency", ABOUT);
    let system = System::start(&bench.ground, folder, "bench_latency", Bench::setup(1)).await?;
    let http = Client::new();
    // Connections, indexes and caches are made once.
    for _ in 0..10 {
        one(&http, &system).await?;
    }
    for _ in 0..bench.rounds {
        let mut times_ms = Vec::with_capacity(JOBS);
        for _ in 0..JOBS {
            times_ms.push(one(&http, &system).await?);
        }
        findings.add("p50", "ms", quantile(&mut times_ms, 0.5));
        findings.add("p99", "ms", quantile(&mut times_ms, 0.99));
        findings.add("one commit", "ms", commit(&system).await?);
        findings.add("one round trip to Redis", "ms", ping(&system).await?);
    }
    findings.mark("p50, ms", findings.median("p50"), Mark::AtMost(5.0));
    findings.mark("p99, ms", findings.median("p99"), Mark::AtMost(20.0));
    Ok(findings)
}

/// A job's added time, in ms.
async fn one(http: &Client, system: &System) -> anyhow::Result<f64> {
    let body = json!({ "business_id": "bench", "topic": "AI in Healthcare", "format": "ad", "max_rounds": 0 });
    let job: Value = http.post(format!("{}/api/generate", system.url())).json(&body).send().await?.json().await?;
    let began = Instant::now();
    let path = job["links"]["self"].as_str().unwrap_or_default();
    let job: Value = http.get(format!("{}{path}?wait=30", system.url())).send().await?.json().await?;
    let took = began.elapsed();
    ensure!(job["status"] == "succeeded", "the job did not succeed: {job}");
    Ok(took.as_secs_f64() * 1_000.0)
}

/// The median time of a small committed write, in ms.
async fn commit(system: &System) -> anyhow::Result<f64> {
    let pool = &system.database.pool;
    sqlx::query("create table if not exists commits (n int)").execute(pool).await?;
    let mut times_ms = Vec::with_capacity(JOBS);
    for _ in 0..JOBS {
        let began = Instant::now();
        sqlx::query("insert into commits values (1)").execute(pool).await?;
        times_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
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
        times_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(quantile(&mut times_ms, 0.5))
}
