//! P4: what a job in flight costs in memory, where providers take their time. Counted at the
//! simulator, which is in this process: its own memory is not the worker's.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use copydesk_simulator::{Fault, FaultKind, Simulator, SimulatorConfig};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use reqwest::Client;
use serde_json::json;

use super::Bench;
use super::submit::Submitted;
use crate::machine::memory_kib;
use crate::measure::{Findings, Mark};
use crate::process::Process;
use crate::system::{Setup, System};

const ABOUT: &str = "jobs in the hands of one worker whose providers take 5 s a call, a connection a call; memory is what the kernel counts of the worker's process, over the same worker when idle; the limit is a process that makes as many bare calls by the same HTTP client; one run";
const JOBS: usize = 10_000;
const QUICK_JOBS: usize = 500;
const CALL_MS: u64 = 5_000;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Four calls of 5 s, and ten thousand jobs between them on two cores.
const WITHIN: Duration = Duration::from_secs(240);

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("P4 flight", ABOUT);
    let jobs = if bench.quick { QUICK_JOBS } else { JOBS };
    raise_open_files(jobs)?;
    let worker = worker(bench, folder, jobs).await?;
    let bare = bare(folder, jobs).await?;
    findings.add("calls in flight at once, most", "", worker.most.calls as f64);
    findings.add("jobs in flight at once, most", "", jobs as f64);
    findings.add("idle", "MB", megabytes(worker.idle_kib));
    findings.add("with most calls in flight", "MB", megabytes(worker.most.memory_kib));
    findings.add("at most, until all jobs had ended", "MB", megabytes(worker.peak_kib));
    findings.add("over idle, for each call", "KiB", worker.each_kib());
    findings.add("limit: bare calls, over idle, for each", "KiB", bare.each_kib());
    findings.mark("in flight", worker.most.calls as f64, Mark::AtLeast(jobs as f64));
    findings.mark("over idle, KiB each", worker.each_kib(), Mark::AtMost(16.0));
    findings.mark("at most, MB", megabytes(worker.peak_kib), Mark::AtMost(250.0));
    Ok(findings)
}

fn megabytes(kib: u64) -> f64 {
    kib as f64 * 1_024.0 / 1e6
}

/// What a process took.
struct Taken {
    idle_kib: u64,
    most: Look,
    peak_kib: u64,
}

impl Taken {
    fn each_kib(&self) -> f64 {
        self.most.memory_kib.saturating_sub(self.idle_kib) as f64 / self.most.calls as f64
    }
}

/// Calls under way, and the memory of the process that makes them, at one moment.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    calls: usize,
    memory_kib: u64,
}

impl Look {
    fn at(simulator: &Simulator, pid: u32) -> anyhow::Result<Self> {
        Ok(Self { calls: simulator.under_way(), memory_kib: memory_kib(pid, "VmRSS")? })
    }
}

async fn worker(bench: &Bench, folder: &Path, jobs: usize) -> anyhow::Result<Taken> {
    let setup = Setup {
        environment: vec![
            ("COPYDESK_LOG", "error".into()),
            ("COPYDESK_WORKER_CONCURRENCY", jobs.to_string()),
            ("COPYDESK_SEARCH_REQUESTS_PER_MINUTE", "1000000".into()),
        ],
        ..Bench::setup(1)
    };
    let system = System::start(&bench.ground, folder, "bench_flight", setup).await?;
    // Connections to the databases, indexes and caches are made once.
    Submitted::by(&system, 20).await?.ended(&system, WITHIN).await?;
    let pid = system.workers.first().context("there is no worker")?.pid();
    let idle_kib = memory_kib(pid, "VmRSS")?;
    system.simulator.set_faults(vec![Fault::any(FaultKind::Delay { ms: CALL_MS })])?;
    let submitted = Submitted::by(&system, jobs).await?;
    let most = look(&system.simulator, pid).await?;
    submitted.ended(&system, WITHIN).await?;
    Ok(Taken { idle_kib, most, peak_kib: memory_kib(pid, "VmHWM")? })
}

/// The moment with the most calls under way, among those of the time that the first four calls take.
async fn look(simulator: &Simulator, pid: u32) -> anyhow::Result<Look> {
    let until = Instant::now() + Duration::from_millis(4 * CALL_MS);
    let mut most = Look::default();
    while Instant::now() < until {
        let now = Look::at(simulator, pid)?;
        if now.calls > most.calls {
            most = now;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(most)
}

/// The same for a process that makes bare calls.
async fn bare(folder: &Path, calls: usize) -> anyhow::Result<Taken> {
    let delay = Duration::from_millis(CALL_MS);
    let simulator = Simulator::start(SimulatorConfig { delay, ..SimulatorConfig::unlimited() }).await?;
    let program: PathBuf = std::env::current_exe()?;
    let process = Process::start("callers", &program, folder, |command| {
        command.args(["callers", &simulator.base_url(), &calls.to_string()]);
    })?;
    let began = Instant::now();
    while simulator.under_way() == 0 {
        ensure!(began.elapsed() < WITHIN, "nobody calls");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let idle_kib = memory_kib(process.pid(), "VmRSS")?;
    let most = look(&simulator, process.pid()).await?;
    let peak_kib = memory_kib(process.pid(), "VmHWM")?;
    Ok(Taken { idle_kib, most, peak_kib })
}

/// One call, then so many at once; then nothing, until it is ended.
pub(crate) async fn call(base_url: &str, calls: usize) -> anyhow::Result<()> {
    let (http, url) = (Client::new(), format!("{base_url}/search"));
    let call = || http.post(&url).bearer_auth("tvly-bench").json(&json!({ "query": "any" })).send();
    call().await?;
    let all: Vec<_> = (0..calls).map(|_| tokio::spawn(call())).collect();
    for call in all {
        call.await??;
    }
    std::future::pending().await
}

/// The simulator's ends of the connections are files of this process, the other ends the worker's,
/// which has this one's limits.
fn raise_open_files(connections: usize) -> anyhow::Result<()> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let least = u64::try_from(connections)? + 1_000;
    ensure!(most >= least, "the process may open {most} files at most (ulimit -Hn): {least} are needed");
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, most)?)
}
