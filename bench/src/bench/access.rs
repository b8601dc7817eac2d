//! What keys cost: accepting and polling with a key that is checked and limited, beside the same build with open
//! access, in alternating rounds.

use std::path::Path;

use hyper::StatusCode;

use super::{Bench, accept, poll};
use crate::load::Load;
use crate::measure::{Findings, Mark};
use crate::system::System;

const ABOUT: &str =
    "POST /api/generate and GET /api/jobs/{id} on 50 connections, with COPYDESK_AUTH=required and =open";
const CONNECTIONS: u64 = 50;
const MODES: [&str; 2] = ["required", "open"];

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("Keys", ABOUT);
    let mut systems = Vec::new();
    for mode in MODES {
        let mut setup = Bench::setup(0);
        setup.environment.push(("COPYDESK_AUTH", mode.to_owned()));
        let system = System::start(&bench.ground, &folder.join(mode), &format!("bench_access_{mode}"), setup).await?;
        poll::fill(&system, 0..poll::FEW).await?;
        systems.push((mode, system));
    }
    for round in 0..bench.rounds {
        // Each mode comes first as often as the other.
        let first = round % MODES.len();
        for (mode, system) in systems[first..].iter().chain(&systems[..first]) {
            let address = system.address();
            let load = Load { address, connections: CONNECTIONS, time: bench.time(), expects: StatusCode::ACCEPTED };
            let accepted = accept::post(load, "/api/generate", accept::request()).await?;
            findings.add(&format!("accept, {mode}"), "/s", accepted.per_second);
            findings.add(&format!("accept, {mode}, p99"), "ms", accepted.p99_ms);
            let polled = poll::get(bench, address, 1).await?;
            findings.add(&format!("poll, {mode}"), "/s", polled.per_second);
            findings.add(&format!("poll, {mode}, p99"), "ms", polled.p99_ms);
        }
    }
    for what in ["accept", "poll"] {
        let median = |mode: &str| findings.median(&format!("{what}, {mode}"));
        let share = median("required") / median("open");
        findings.mark(&format!("{what} with keys, of open"), share, Mark::AtLeast(0.95));
    }
    Ok(findings)
}
