//! P1: how many generations a second are accepted, each committed to disk before its 202; one a
//! request, and many a request.

use std::path::Path;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use serde_json::{Value, json};

use super::Bench;
use crate::key;
use crate::load::{Load, Served};
use crate::measure::{Findings, Mark};
use crate::peer::Acceptor;
use crate::system::System;

const ABOUT: &str = "POST /api/generate, one job a request, committed (synchronous_commit on) before the 202, no workers; beside a bare axum handler, Fastify + BullMQ (Redis with AOF, no database) and FastAPI + Celery (row committed). Batched: POST /api/generate/batch, 100 jobs a request";
const CONNECTIONS: [u64; 2] = [50, 1_000];
const BATCH: usize = 100;
const BATCH_CONNECTIONS: u64 = 8;

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("P1 accept", ABOUT);
    let system = System::start(&bench.ground, folder, "bench_accept", Bench::setup(0)).await?;
    let (_process, bare) = bench.bare(folder).await?;
    let peers = bench.accepting_peers(folder, &mut findings).await;
    for _ in 0..bench.rounds {
        for connections in CONNECTIONS {
            for (name, address) in [("copydesk", system.address()), ("bare", bare)] {
                let load = Load { address, connections, time: bench.time(), expects: StatusCode::ACCEPTED };
                let served = post(load, "/api/generate", request()).await?;
                findings.add(&format!("{name}, {connections} connections"), "/s", served.per_second);
                findings.add(&format!("{name}, {connections} connections, p99"), "ms", served.p99_ms);
            }
            for peer in &peers {
                let (name, address) = (peer.acceptor().name(), peer.address());
                let load = Load { address, connections, time: bench.time(), expects: StatusCode::ACCEPTED };
                match post(load, "/api/generate", request()).await {
                    Ok(served) => {
                        findings.add(&format!("{name}, {connections} connections"), "/s", served.per_second);
                        findings.add(&format!("{name}, {connections} connections, p99"), "ms", served.p99_ms);
                    }
                    Err(error) => findings.note(format!("{name}, {connections} connections: {error:#}")),
                }
            }
        }
        let load = Load {
            address: system.address(),
            connections: BATCH_CONNECTIONS,
            time: bench.time(),
            expects: StatusCode::OK,
        };
        let served = post(load, "/api/generate/batch", json!({ "requests": vec![request(); BATCH] })).await?;
        findings.add("copydesk, batched", "jobs/s", served.per_second * BATCH as f64);
        findings.add("copydesk, batched, p99 of a batch", "ms", served.p99_ms);
    }
    for connections in CONNECTIONS {
        let median = |name: &str| findings.median(&format!("{name}, {connections} connections"));
        let (ours, bare) = (median("copydesk"), median("bare"));
        let peers = [Acceptor::FastifyBullmq, Acceptor::FastapiCelery].map(|peer| (peer.name(), median(peer.name())));
        findings.mark(&format!("of bare, {connections} connections"), ours / bare, Mark::AtLeast(0.4));
        for ((name, theirs), least) in peers.into_iter().zip([2.0, 10.0]) {
            // Not a number where the peer is not here.
            if theirs > 0.0 {
                findings.mark(&format!("of {name}, {connections} connections"), ours / theirs, Mark::AtLeast(least));
            }
        }
    }
    Ok(findings)
}

pub(super) fn request() -> Value {
    json!({ "business_id": "bench", "topic": "AI in Healthcare", "format": "linkedin" })
}

pub(super) async fn post(load: Load, path: &'static str, body: Value) -> anyhow::Result<Served> {
    let body = Bytes::from(body.to_string());
    let key = key::header();
    load.put(move |_| {
        let mut request = Request::new(Full::new(body.clone()));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = hyper::Uri::from_static(path);
        let headers = request.headers_mut();
        headers.insert(hyper::header::AUTHORIZATION, key.clone());
        headers.insert(hyper::header::HOST, hyper::header::HeaderValue::from_static("localhost"));
        headers.insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
        request
    })
    .await
}
