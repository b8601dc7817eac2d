//! P8: how many polls of a job a second are answered, from a table of many jobs.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode, Uri};
use uuid::Uuid;

use super::Bench;
use crate::key;
use crate::load::{Load, Served};
use crate::measure::{Findings, Mark};
use crate::system::System;

const ABOUT: &str =
    "GET /api/jobs/{id} on 50 connections: one job over and over (hot), and any job (cold); beside a bare axum handler";
const CONNECTIONS: u64 = 50;
pub(super) const FEW: u64 = 10_000;

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("P8 poll", ABOUT);
    let system = System::start(&bench.ground, folder, "bench_poll", Bench::setup(0)).await?;
    let (_process, bare) = bench.bare(folder).await?;
    let most = u64::try_from(bench.jobs)?.max(FEW);
    let mut there = 0;
    for jobs in [FEW, most] {
        fill(&system, there..jobs).await?;
        there = jobs;
        for _ in 0..bench.rounds {
            for (name, address, of) in
                [("hot", system.address(), 1), ("cold", system.address(), jobs), ("bare", bare, 1)]
            {
                let served = get(bench, address, of).await?;
                findings.add(&format!("{name}, {jobs} jobs"), "/s", served.per_second);
                findings.add(&format!("{name}, {jobs} jobs, p99"), "ms", served.p99_ms);
            }
        }
    }
    let share = findings.median(&format!("hot, {most} jobs")) / findings.median(&format!("bare, {most} jobs"));
    findings.mark("hot of bare", share, Mark::AtLeast(0.5));
    let growth =
        findings.median(&format!("cold, {most} jobs, p99")) / findings.median(&format!("cold, {FEW} jobs, p99"));
    findings.mark(&format!("p99 of {most} jobs to that of {FEW}, cold"), growth, Mark::AtMost(1.5));
    Ok(findings)
}

/// Adds jobs that nobody runs. Their ids look like those of jobs that came one a millisecond.
pub(super) async fn fill(system: &System, jobs: Range<u64>) -> anyhow::Result<()> {
    sqlx::query(
        "insert into jobs (id, kind, business_id, priority, payload, max_attempts, traceparent, status, error, finished_at)
         select (lpad(to_hex(n), 12, '0') || '70008000000000000000')::uuid, 'generate', 'bench', 'bulk',
                '{\"topic\": \"Many\"}', 3, '', 'failed',
                '{\"type\": \"/problems/x\", \"title\": \"\", \"status\": 500, \"detail\": \"\"}', now()
         from generate_series($1::bigint, $2::bigint - 1) as n",
    )
    .bind(i64::try_from(jobs.start)?)
    .bind(i64::try_from(jobs.end)?)
    .execute(&system.database.pool)
    .await?;
    system.database.execute("vacuum analyze jobs").await
}

/// The id of the job with this number.
fn id(number: u64) -> Uuid {
    Uuid::from_u128((u128::from(number) << 80) | 0x7000_8000_0000_0000_0000)
}

/// Polls the first `of` jobs.
pub(super) async fn get(bench: &Bench, address: SocketAddr, of: u64) -> anyhow::Result<Served> {
    let load = Load { address, connections: CONNECTIONS, time: bench.time(), expects: StatusCode::OK };
    let key = key::header();
    load.put(move |number| {
        // A stride that shares no factor with most lengths: neighbours in time are none on disk.
        let job = id(number.wrapping_mul(7_919_017) % of);
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = format!("/api/jobs/{job}").parse().unwrap_or(Uri::from_static("/"));
        request.headers_mut().insert(hyper::header::HOST, hyper::header::HeaderValue::from_static("localhost"));
        request.headers_mut().insert(hyper::header::AUTHORIZATION, key.clone());
        request
    })
    .await
}
