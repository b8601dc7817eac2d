//! The benchmark: rows of figures, each beside what limits it and the mark that it should reach. A
//! figure counts only against others of the same run: machines differ, and so do their neighbours.

mod accept;
mod access;
pub(crate) mod bare;
mod drain;
pub(crate) mod economy;
pub(crate) mod flight;
mod growth;
mod latency;
mod order;
mod poll;
mod queue;
mod quota;
mod scale;
mod submit;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::ValueEnum as _;
use copydesk_simulator::SimulatorConfig;
use serde::Serialize;

use crate::database::Database;
use crate::machine::Machine;
use crate::measure::Findings;
use crate::peer::{Acceptor, Drainer, Peer};
use crate::process::Process;
use crate::redis_server::{self, RedisServer};
use crate::system::Setup;
use crate::{Ground, machine, table};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Row {
    /// P1: durable acceptance over HTTP, beside a handler that only answers, and other software
    Accept,
    /// What keys cost: accepting and polling with keys, beside the same with open access
    Access,
    /// P2: the queue alone, beside redis-benchmark and other software
    Queue,
    /// P2: the queue with results in Postgres
    Drain,
    /// P3: what Copydesk adds to the time of the providers
    Latency,
    /// P4: the memory of jobs in flight, where providers take 5 s
    Flight,
    /// P5: the shared quota, counted at the provider
    Quota,
    /// P6: jobs of several calls at a full quota, beside the ideal order and a racing pool
    Order,
    /// P8: polling over HTTP, beside a handler that only answers
    Poll,
    /// P9: more workers, where jobs wait for providers
    Scale,
    /// What grows with the jobs: calls of Redis, idle claimers, requests, the sweep
    Growth,
    /// P10 to P12: texts and tokens out of one provider's quota, beside the release before and CrewAI
    Economy,
}

/// A part of a row, to be measured alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Of growth: Redis' time for each call
    Scripts,
    /// Of growth: idle claimers
    Idle,
    /// Of growth: each request
    Requests,
    /// Of growth: the search in documents
    Search,
    /// Of growth: the sweep
    Sweep,
    /// Of economy: 40 and 100 texts at once
    Texts,
    /// Of economy: the same with limits of tokens for each model
    ModelLimits,
    /// Of economy: a worker is killed
    Kill,
    /// Of economy: interactive jobs among bulk jobs
    Pacing,
    /// Of economy: tokens and money by format
    Tokens,
}

/// Measure how fast Copydesk is, beside its limits and other software.
///
/// Three rounds, medians; the figures of each round are in target/bench. Nothing else should run on
/// the machine.
#[derive(Debug, clap::Args)]
#[command(after_help = include_str!("../rows.txt"))]
pub(crate) struct Bench {
    #[command(flatten)]
    ground: Ground,
    /// What to measure [default: all but economy]
    rows: Vec<Row>,
    /// Rounds of each measurement
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long load is put on, in seconds
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// The largest backlog and table, in jobs; of economy, the most texts at once
    #[arg(long, default_value_t = 1_000_000)]
    jobs: usize,
    /// One short round, to see that it runs: its figures say little
    #[arg(long, conflicts_with_all = ["rounds", "seconds", "jobs", "minutes"])]
    quick: bool,
    /// Leave other software out, and install none
    #[arg(long)]
    no_peers: bool,
    /// Of growth and economy, these parts [default: all]
    #[arg(long, value_delimiter = ',', value_name = "PARTS")]
    parts: Vec<Part>,
    /// Of economy, how long texts are waited for, in minutes
    #[arg(long, default_value_t = 6.0, value_name = "MINUTES", value_parser = minutes)]
    minutes: f64,
    /// Of economy, the folder of an earlier release's copydesk-api and copydesk-worker to compare with
    #[arg(long, value_name = "DIR")]
    previous: Option<PathBuf>,
}

/// All that is known of a run.
#[derive(Debug, Serialize)]
struct Report {
    began_at: DateTime<Utc>,
    machine: Machine,
    versions: BTreeMap<String, String>,
    rounds: usize,
    seconds: u64,
    jobs: usize,
    minutes: f64,
    previous: Option<PathBuf>,
    /// Processes that wanted to run, on average over the minute before the run.
    load_before: f64,
    load_after: f64,
    findings: Vec<Findings>,
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(minutes) if (0.1..=600.0).contains(&minutes) => Ok(minutes),
        _ => Err("takes minutes, from 0.1".into()),
    }
}

impl Bench {
    pub(crate) async fn run(mut self) -> anyhow::Result<ExitCode> {
        if self.quick {
            (self.rounds, self.seconds, self.jobs, self.minutes) = (1, 1, 20_000, 1.0);
        }
        if let Some(previous) = &mut self.previous {
            *previous = previous.canonicalize().with_context(|| format!("--previous {}", previous.display()))?;
        }
        let rows = if self.rows.is_empty() { Row::by_default() } else { self.rows.clone() };
        let folder = self.ground.out("bench")?;
        let mut report = self.begin().await?;
        for row in rows {
            let began = Instant::now();
            let findings = self.measure(row, &folder).await.with_context(|| format!("{row:?}"))?;
            println!("{}  {:.0} s\n", findings.render(), began.elapsed().as_secs_f64());
            report.findings.push(findings);
            report.load_after = machine::load_average();
            // What was measured is not lost with a row that fails.
            report.write(&folder)?;
        }
        println!("{}{}", report.summary(), report.write(&folder)?.display());
        Ok(ExitCode::SUCCESS)
    }

    async fn begin(&self) -> anyhow::Result<Report> {
        let database = Database::make_empty(&self.ground.postgres, "bench_version").await?;
        let report = Report {
            began_at: Utc::now(),
            machine: Machine::read(),
            versions: machine::versions(&database, &self.ground.redis_server).await,
            rounds: self.rounds,
            seconds: self.seconds,
            jobs: self.jobs,
            minutes: self.minutes,
            previous: self.previous.clone(),
            load_before: machine::load_average(),
            load_after: f64::NAN,
            findings: Vec::new(),
        };
        println!("{}\n{}", report.machine.render(), report.warning());
        Ok(report)
    }

    /// The peers that can be had here; the findings say why others are missing.
    async fn accepting_peers(&self, folder: &Path, findings: &mut Findings) -> Vec<Peer> {
        let mut peers = Vec::new();
        for acceptor in Acceptor::ALL {
            if self.no_peers {
                continue;
            }
            match Peer::start(&self.ground, folder, acceptor).await {
                Ok(peer) => peers.push(peer),
                Err(error) => findings.note(format!("{}: {error:#}", acceptor.name())),
            }
        }
        peers
    }

    /// A round of each peer that drains; the findings say why others are missing.
    async fn drain_peers(&self, server: &RedisServer, findings: &mut Findings) {
        for drainer in Drainer::ALL {
            if self.no_peers {
                continue;
            }
            match drainer.drain(&self.ground, server).await {
                Ok(drained) => {
                    findings.add(&format!("{}, pushed", drainer.name()), "/s", drained.pushed_per_second);
                    findings.add(&format!("{}, drained", drainer.name()), "/s", drained.drained_per_second);
                }
                Err(error) => findings.note(format!("{}: {error:#}", drainer.name())),
            }
        }
    }

    async fn measure(&self, row: Row, folder: &Path) -> anyhow::Result<Findings> {
        let folder = folder.join(format!("{row:?}").to_lowercase());
        // What an earlier run left there would be found by this one's Redis.
        let _none_was_there = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        match row {
            Row::Accept => accept::measure(self, &folder).await,
            Row::Access => access::measure(self, &folder).await,
            Row::Queue => queue::measure(self, &folder).await,
            Row::Drain => drain::measure(self, &folder).await,
            Row::Latency => latency::measure(self, &folder).await,
            Row::Flight => flight::measure(self, &folder).await,
            Row::Quota => quota::measure(self, &folder).await,
            Row::Order => order::measure(self, &folder).await,
            Row::Poll => poll::measure(self, &folder).await,
            Row::Scale => scale::measure(self, &folder).await,
            Row::Growth => growth::measure(self, &folder).await,
            // Its runs go beside each other: large on a stack.
            Row::Economy => Box::pin(economy::measure(self, &folder)).await,
        }
    }

    /// The parts of a row that are wanted.
    fn parts_of(&self, row: &[Part]) -> Vec<Part> {
        row.iter().copied().filter(|part| self.parts.is_empty() || self.parts.contains(part)).collect()
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
            clocks_ahead: &[],
            previous: None,
        }
    }

    /// The bare handler, as a process like the API.
    async fn bare(&self, folder: &Path) -> anyhow::Result<(Process, SocketAddr)> {
        let address = redis_server::free_address()?;
        let program: PathBuf = std::env::current_exe()?;
        let mut process = Process::start("bare", &program, folder, |command| {
            command.args(["bare", &address.to_string()]);
        })?;
        process.listening(address, Duration::from_secs(10)).await?;
        Ok((process, address))
    }
}

impl Row {
    /// All but the one that waits for quotas for half an hour.
    fn by_default() -> Vec<Self> {
        Self::value_variants().iter().copied().filter(|row| *row != Self::Economy).collect()
    }
}

impl Report {
    /// The file of this run, written anew.
    fn write(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let path = folder.join(format!("{}.json", self.began_at.format("%Y%m%d-%H%M%S")));
        std::fs::write(&path, serde_json::to_vec_pretty(self)?).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    /// Every figure that has a mark, in one table.
    fn summary(&self) -> String {
        let rows: Vec<Vec<String>> = self.findings.iter().flat_map(Findings::summary).collect();
        let table = table::render(&["", "is", "mark", ""], &rows);
        let Self { rounds, load_before, load_after, .. } = self;
        let load = format!("load average {load_before:.1} before and {load_after:.1} after");
        format!("── summary\n\n{table}\n{}; median of {rounds}; {load}\n{}", self.machine.render(), self.warning())
    }

    /// Where others kept the machine busy before the run: during it, that cannot be told from the run.
    fn warning(&self) -> String {
        // A quarter of a core, on two: less is what an idle machine shows.
        if self.load_before <= self.machine.cores as f64 * 0.125 {
            return String::new();
        }
        let load = self.load_before;
        format!("warning: the machine was busy (load average {load:.1}); compare figures of this run only\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_listed_with_its_mark() {
        for row in Row::value_variants() {
            let name = format!("\n  {} ", format!("{row:?}").to_lowercase());
            assert!(include_str!("../rows.txt").contains(&name), "rows.txt does not list{name}");
        }
    }
}
