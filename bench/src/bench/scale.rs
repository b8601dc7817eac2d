//! P9: how the jobs a second grow with the workers, where jobs wait for providers and not for a core.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use copydesk_simulator::SimulatorConfig;

use super::Bench;
use super::submit::Submitted;
use crate::measure::{Findings, Mark};
use crate::system::{Setup, System};

const ABOUT: &str = "jobs of several calls, no revision, providers that take 200 ms a call, 16 jobs in hand a worker, no quota; from the first begin to the last end; sized so that 4 workers need about half of two cores: with more in hand the machine is the limit, not Copydesk; the limit is what the calls alone take";
const WORKERS: [usize; 3] = [1, 2, 4];
const CONCURRENCY: usize = 16;
const CALL: Duration = Duration::from_millis(200);
/// Jobs that each worker runs one after the other in each of its slots.
const TURNS: usize = 8;
const WITHIN: Duration = Duration::from_secs(120);

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("P9 scale", ABOUT);
    for round in 0..bench.rounds {
        for workers in WORKERS {
            let (per_second, limit) = run(bench, &folder.join(format!("{round}-{workers}")), workers).await?;
            findings.add(&jobs_of(workers), "/s", per_second);
            findings.add(&format!("{workers} workers: limit, the calls alone"), "/s", limit);
        }
    }
    let alone = findings.median(&jobs_of(1));
    for workers in &WORKERS[1..] {
        let share = findings.median(&jobs_of(*workers)) / (alone * *workers as f64);
        findings.mark(&format!("{workers} workers, of linear"), share, Mark::AtLeast(0.95));
    }
    Ok(findings)
}

fn jobs_of(workers: usize) -> String {
    format!("{workers} workers: jobs")
}

/// Jobs a second, and those that the calls alone would let through.
async fn run(bench: &Bench, folder: &Path, workers: usize) -> anyhow::Result<(f64, f64)> {
    let setup = Setup {
        environment: vec![("COPYDESK_LOG", "error".into()), ("COPYDESK_WORKER_CONCURRENCY", CONCURRENCY.to_string())],
        providers: SimulatorConfig { delay: CALL, ..SimulatorConfig::unlimited() },
        ..Bench::setup(workers)
    };
    let system = System::start(&bench.ground, folder, "bench_scale", setup).await?;
    // Connections, indexes and caches are made once; every worker gets some.
    let slots = workers * CONCURRENCY;
    Submitted::by(&system, slots).await?.ended(&system, WITHIN).await?;
    let before = calls(&system);
    let jobs = slots * TURNS;
    let began = Instant::now();
    let submitted = Submitted::by(&system, jobs).await?;
    submitted.ended(&system, WITHIN).await?;
    ensure!(began.elapsed() > CALL, "the jobs made no calls");
    let calls_per_job = (calls(&system) - before) as f64 / jobs as f64;
    let limit = slots as f64 / (calls_per_job * CALL.as_secs_f64());
    Ok((jobs as f64 / submitted.took(&system).await?, limit))
}

fn calls(system: &System) -> u64 {
    let calls = system.simulator.calls();
    calls.chat.accepted + calls.search.accepted
}
