//! The benchmark: rows of figures, each beside what limits it and the mark that it should reach. A
//! figure counts only against others of the same run: machines differ, and so do their neighbours.

mod accept;
pub(crate) mod bare;
mod latency;
mod order;
mod poll;
mod queue;
mod quota;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::ValueEnum as _;
use copydesk_simulator::SimulatorConfig;

use crate::Ground;
use crate::measure::Findings;
use crate::process::Process;
use crate::redis_server;
use crate::system::Setup;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Row {
    /// P1: durable acceptance over HTTP, beside a handler that only answers
    Accept,
    /// P2: the queue alone, beside redis-benchmark
    Queue,
    /// P3: what Copydesk adds to the time of the providers
    Latency,
    /// P5: the shared quota, counted at the provider
    Quota,
    /// P6: jobs of several calls at a full quota, beside the ideal order and a racing pool
    Order,
    /// P8: polling over HTTP, beside a handler that only answers
    Poll,
}

/// Measure how fast Copydesk is, beside its limits.
///
/// Three rounds, medians; the figures of each round are in target/bench. Nothing else should run on
/// the machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    ground: Ground,
    /// What to measure [default: all]
    rows: Vec<Row>,
    /// Rounds of each measurement
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long load is put on, in seconds
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The largest backlog, in jobs; the largest table has ten times as many
    #[arg(long, default_value_t = 100_000)]
    jobs: usize,
}

impl Bench {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let rows = if self.rows.is_empty() { Row::value_variants().to_vec() } else { self.rows.clone() };
        let folder = self.ground.out("bench")?;
        let mut all = Vec::new();
        for row in rows {
            let began = Instant::now();
            let findings = self.measure(row, &folder).await.with_context(|| format!("{row:?}"))?;
            println!("{}  {:.0} s\n", findings.render(), began.elapsed().as_secs_f64());
            all.push(findings);
        }
        let path = folder.join(format!("{}.json", chrono::Utc::now().format("%Y%m%d-%H%M%S")));
        std::fs::write(&path, serde_json::to_vec_pretty(&all)?).with_context(|| path.display().to_string())?;
        println!("{}", path.display());
        Ok(ExitCode::SUCCESS)
    }

    async fn measure(&self, row: Row, folder: &Path) -> anyhow::Result<Findings> {
        let folder = folder.join(format!("{row:?}").to_lowercase());
        // What an earlier run left there would be found by this one's Redis.
        let _none_was_there = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        match row {
            Row::Accept => accept::measure(self, &folder).await,
            Row::Queue => queue::measure(self, &folder).await,
            Row::Latency => latency::measure(self, &folder).await,
            Row::Quota => quota::measure(self, &folder).await,
            Row::Order => order::measure(self, &folder).await,
            Row::Poll => poll::measure(self, &folder).await,
        }
    }

    fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// A Copydesk whose providers answer at once and refuse nothing.
    fn setup(workers: usize) -> Setup {
        Setup {
            workers,
            llm_requests_per_minute: 1_000_000,
            environment: vec![("COPYDESK_LOG", "error".into())],
            providers: SimulatorConfig::unlimited(),
            linked: false,
        }
    }

    /// The bare handler, as a process like the API.
    async fn bare(&self, folder: &Path) -> anyhow::Result<(Process, SocketAddr)> {
        let address = redis_server::free_address()?;
        let program: PathBuf = std::env::current_exe()?;
        let process = Process::start("bare", &program, folder, |command| {
            command.args(["bare", &address.to_string()]);
        })?;
        let began = Instant::now();
        while tokio::net::TcpStream::connect(address).await.is_err() {
            anyhow::ensure!(began.elapsed() < Duration::from_secs(10), "the bare handler did not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok((process, address))
    }
}
