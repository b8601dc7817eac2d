//! P8: how many polls of a job a second are answered, from a table of many jobs.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode, Uri};
use uuid::Uuid;

use super::Bench;
use crate::load::{Load, Served};
use crate::measure::{Findings, Mark};
use crate::system::System;

const ABOUT: &str =
    "GET /api/jobs/{id} on 50 connections: one job over and over (hot), and any job (cold); beside a bare axum handler";
const CONNECTIONS: u64 = 50;
const FEW: usize = 1_000;

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("P8 poll", ABOUT);
    let system = System::start(&bench.ground, folder, "bench_poll", Bench::setup(0)).await?;
    let (_process, bare) = bench.bare(folder).await?;
    let mut ids = fill(&system, FEW).await?;
    for jobs in [FEW, bench.jobs] {
        ids.extend(fill(&system, jobs.saturating_sub(ids.len())).await?);
        for _ in 0..bench.rounds {
            let hot = vec![ids[0]];
            for (name, address, ids) in
                [("hot", system.address(), &hot), ("cold", system.address(), &ids), ("bare", bare, &hot)]
            {
                let served = get(bench, address, ids).await?;
                findings.add(&format!("{name}, {jobs} jobs"), "/s", served.per_second);
                findings.add(&format!("{name}, {jobs} jobs, p99"), "ms", served.p99_ms);
            }
        }
    }
    let most = bench.jobs;
    let share = findings.median(&format!("hot, {most} jobs")) / findings.median(&format!("bare, {most} jobs"));
    findings.mark("hot of bare", share, Mark::AtLeast(0.5));
    let growth =
        findings.median(&format!("cold, {most} jobs, p99")) / findings.median(&format!("cold, {FEW} jobs, p99"));
    findings.mark(&format!("p99 of {most} jobs to that of {FEW}, cold"), growth, Mark::AtMost(1.5));
    Ok(findings)
}

/// Adds jobs that nobody runs; their ids.
async fn fill(system: &System, jobs: usize) -> anyhow::Result<Vec<Uuid>> {
    let ids: Vec<Uuid> = (0..jobs).map(|_| Uuid::now_v7()).collect();
    for some in ids.chunks(10_000) {
        sqlx::query(
            "insert into jobs (id, kind, business_id, priority, payload, max_attempts, traceparent, status, error, finished_at)
             select id, 'generate', 'bench', 'bulk', '{\"topic\": \"Many\"}', 3, '', 'failed', '{\"type\": \"/problems/x\", \"title\": \"\", \"status\": 500, \"detail\": \"\"}', now()
             from unnest($1::uuid[]) as t (id)",
        )
        .bind(some)
        .execute(&system.database.pool)
        .await?;
    }
    system.database.execute("analyze jobs").await?;
    Ok(ids)
}

async fn get(bench: &Bench, address: SocketAddr, ids: &[Uuid]) -> anyhow::Result<Served> {
    let load = Load { address, connections: CONNECTIONS, time: bench.time(), expects: StatusCode::OK };
    let ids: Arc<[Uuid]> = ids.into();
    load.put(move |number| {
        // A stride that shares no factor with most lengths: neighbours in time are none on disk.
        let index = usize::try_from(number).unwrap_or(0).wrapping_mul(7_919) % ids.len();
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = format!("/api/jobs/{}", ids[index]).parse().unwrap_or(Uri::from_static("/"));
        request.headers_mut().insert(hyper::header::HOST, hyper::header::HeaderValue::from_static("localhost"));
        request
    })
    .await
}
