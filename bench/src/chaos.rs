//! Chaos: for each fault a whole Copydesk, jobs, a client that follows every one of them, and
//! blows; then a checker that reads the history of it all and holds it against the promises.

mod audit;
mod client;
mod evidence;
mod fault;
pub(crate) mod fleet;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use copydesk_simulator::SimulatorConfig;
use futures_util::{StreamExt, stream};
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use crate::Ground;
use crate::system::{Setup, System};
use crate::table;
use client::Client;
use evidence::{Evidence, Run};
use fault::Fault;
use fault::blow::Scene;
use verdict::Verdict;

/// Everything random comes from one of these. A named algorithm: a seed means the same in every release.
type Rng = rand::rngs::Xoshiro256PlusPlus;

/// How long jobs may take to end once all is well again: an open breaker takes 60 s, a full quota
/// as long, and a job may meet both.
const PATIENCE: Duration = Duration::from_secs(240);
/// More for so many jobs at the end of a long backlog.
const PATIENCE_JOBS: u32 = 25;
/// A worker's jobs are taken over so long after its last word: the shortest that a call of a second allows.
const LEASE: Duration = Duration::from_secs(6);
/// Calls to the LLM that a job makes at least: a limit of so many a job binds, since most make more.
const CALLS_PER_JOB: u32 = 3;
/// More than the jobs can use.
const AMPLE_QUOTA: u32 = 60_000;
/// The file that keeps them.
const VERDICTS: &str = "verdicts.json";
/// The columns of a verdict.
const HEAD: [&str; 14] = [
    "fault",
    "accepted",
    "failed",
    "lost",
    "double",
    "paid twice",
    "cut off",
    "over quota",
    "zombie",
    "backwards",
    "late",
    "known s",
    "what bit",
    "s",
];

/// Run jobs while something breaks, then check that nothing was lost, doubled or paid twice.
///
/// For each fault the real programs run on a Postgres and a Redis behind links that can be cut, with a
/// simulator in the place of the providers. Ends with 1 where a promise was broken. The same seed
/// makes the same jobs and the same blows; when exactly a blow falls is the machine's.
#[derive(Debug, clap::Args)]
pub(crate) struct Chaos {
    #[command(flatten)]
    ground: Ground,
    /// What every random choice comes from [default: a new one, which is printed]
    #[arg(long)]
    seed: Option<u64>,
    /// The faults [default: all]
    #[arg(long, visible_alias = "fault", value_delimiter = ',', value_name = "FAULTS")]
    faults: Vec<Fault>,
    /// Jobs for each fault
    #[arg(long, default_value_t = 2_000)]
    jobs: u32,
    /// For how long jobs are submitted, in seconds; blows fall meanwhile
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How long Redis or Postgres is gone, where it is, in seconds
    #[arg(long, default_value_t = 30)]
    outage: u64,
    /// Workers
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    workers: u8,
    /// Calls to the LLM a minute [default: fewer than the jobs want where what breaks touches the quota, else more]
    #[arg(long)]
    quota: Option<u32>,
    /// Faults at once; most of their time is waiting. One that hits all of Postgres runs alone
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=4))]
    at_once: u8,
    #[command(flatten)]
    crowds: Crowds,
    /// The folder of copydesk-worker of an earlier release, for two-versions, which is left out without it
    #[arg(long, value_name = "DIR")]
    previous: Option<PathBuf>,
}

/// How large the crowds are, for the faults that take one.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Crowds {
    /// Jobs of one business, in caps-changed
    #[arg(long, default_value_t = 10_000)]
    backlog: u32,
    /// Jobs that stand open all the while, in redis-gone-backlog
    #[arg(long, default_value_t = 100_000)]
    standing: usize,
    /// Idle workers beside the others, in one process, in idle-fleet
    #[arg(long, default_value_t = 197)]
    idle: usize,
}

/// What is kept of a run.
#[derive(Debug, Serialize)]
struct Report<'a> {
    seed: u64,
    jobs: u32,
    seconds: u64,
    outage_seconds: u64,
    workers: u8,
    verdicts: &'a [Verdict],
}

impl Chaos {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let seed = self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        let all = || Fault::all(self.previous.is_some());
        let faults = if self.faults.is_empty() { all() } else { self.faults.clone() };
        ensure!(
            !faults.contains(&Fault::TwoVersions) || self.previous.is_some(),
            "two-versions takes an earlier release's programs, --previous DIR (cargo xtask chaos --faults two-versions -- --previous DIR): see docs/chaos.md"
        );
        // Two runs with one seed must not share a folder either.
        let run = format!("seed-{seed}-{}", std::process::id());
        let out = fresh_folder(&self.ground.out("chaos")?.join(run))?;
        let ground = self.ground.with_copies(&out)?;
        eprintln!("seed {seed}; {} jobs a fault; logs in {}", self.jobs, out.display());
        let verdicts = self.trials(&faults, &ground, seed, &out).await?;
        println!("{}", table::render(&HEAD, &verdicts.iter().map(Verdict::cells).collect::<Vec<_>>()));
        // They are large, and say nothing.
        ground.remove_copies()?;
        println!("{}", out.join(VERDICTS).display());
        let broken = verdicts.iter().filter(|verdict| !verdict.broken().is_empty()).count();
        println!(
            "seed {seed}: {}",
            if broken == 0 { "every promise was kept".into() } else { format!("{broken} faults broke a promise") }
        );
        Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// All faults, some at once, in the order of their names.
    async fn trials(&self, faults: &[Fault], ground: &Ground, seed: u64, out: &Path) -> anyhow::Result<Vec<Verdict>> {
        let (alone, others): (Vec<Fault>, Vec<Fault>) = faults.iter().partition(|fault| fault.needs_the_server());
        let mut verdicts: Vec<Verdict> = Vec::new();
        for (faults, at_once) in [(others, usize::from(self.at_once)), (alone, 1)] {
            let trials = faults.into_iter().map(|fault| self.reported_trial(fault, ground, seed, out));
            let mut trials = stream::iter(trials).buffer_unordered(at_once);
            while let Some(verdict) = trials.next().await {
                verdicts.push(verdict?);
                verdicts.sort_by_key(|verdict| verdict.fault as u64);
                // After each: a run that is broken off has its results so far.
                self.report(out, seed, &verdicts)?;
            }
        }
        Ok(verdicts)
    }

    /// One fault; its broken promises are named at once.
    async fn reported_trial(&self, fault: Fault, ground: &Ground, seed: u64, out: &Path) -> anyhow::Result<Verdict> {
        let folder = fresh_folder(&out.join(fault.to_string()))?;
        let began = Instant::now();
        // Others go on: a run of all takes long.
        let verdict = match self.trial(fault, ground, seed, &folder).await {
            Ok(verdict) => verdict,
            Err(error) => Verdict::unknown(fault, &error, began.elapsed()),
        };
        eprintln!("{} {fault}: {}", if verdict.broken().is_empty() { "✓" } else { "✗" }, fault.what());
        for broken in verdict.broken() {
            eprintln!("      ✗ {broken}");
        }
        Ok(verdict)
    }

    /// One fault, from an empty system to the verdict.
    async fn trial(&self, fault: Fault, ground: &Ground, seed: u64, folder: &Path) -> anyhow::Result<Verdict> {
        let began = Instant::now();
        // A fault's randomness is its own: it does not depend on which others are run.
        let mut rng = Rng::seed_from_u64(seed.wrapping_mul(1_000).wrapping_add(fault as u64));
        let setup = self.setup(fault, rng.random());
        let name = format!("chaos_{}", fault.to_string().replace('-', "_"));
        let mut system = System::start(ground, folder, &name, setup).await?;
        audit::install(&system.database).await?;

        let client = Client::start(system.url())?;
        system.simulator.set_faults(fault.of_providers())?;
        let requests = self.requests(fault, &mut rng);
        let mut scene = Scene {
            system: &mut system,
            client: &client,
            outage: Duration::from_secs(self.outage),
            rng: &mut rng,
            deck: Vec::new(),
            backlog: self.crowds.backlog,
            known_after: Vec::new(),
        };
        scene.set(fault, &self.crowds).await?;
        let submitting = client.submit(requests);
        let mut struck = 0;
        while !submitting.is_finished() {
            let pause = fault.rhythm().mul_f64(scene.rng.random_range(0.7..1.3));
            tokio::time::sleep(pause).await;
            struck += scene.strike(fault).await?;
        }
        submitting.await.context("the client failed")?;
        struck += scene.close(fault, &self.crowds).await?;
        let known_after = scene.known_after.iter().max().copied();
        struck += system.simulator.faults().iter().map(|rule| rule.fired).sum::<u64>();
        system.simulator.set_faults(Vec::new())?;
        client.ends(self.patience(fault)).await;
        let told = client.last_look().await;
        system.check()?;
        let run =
            Run { limit: self.limit(fault), binds: self.quota.is_none() && fault.binds_quota(), struck, known_after };
        let evidence = Evidence::collect(&system, told, &run).await?;
        Ok(Verdict::of(fault, &evidence, began.elapsed()))
    }

    /// What the client asks for.
    fn requests(&self, fault: Fault, rng: &mut Rng) -> Vec<client::Request> {
        let over = Duration::from_secs(self.seconds);
        match fault {
            Fault::CapsChanged => client::crowded(self.crowds.backlog, over),
            Fault::IdleFleet => client::scheduled(rng, self.jobs.div_ceil(2), over),
            _ => client::requests(rng, self.jobs, over),
        }
    }

    fn patience(&self, fault: Fault) -> Duration {
        match fault {
            Fault::CapsChanged => PATIENCE + Duration::from_secs((self.crowds.backlog / PATIENCE_JOBS).into()),
            _ => PATIENCE,
        }
    }

    fn setup(&self, fault: Fault, seed: u64) -> Setup {
        let lease_ms = LEASE.as_millis().to_string();
        let environment = [
            ("COPYDESK_CALL_TIMEOUT_MS", "1000"),
            ("COPYDESK_LEASE_MS", &lease_ms),
            ("COPYDESK_FIRST_BACKOFF_MS", "200"),
            ("COPYDESK_SWEEP_MS", "500"),
            // All processes together stay below what Postgres takes.
            ("COPYDESK_DATABASE_POOL_SIZE", "6"),
            ("COPYDESK_DATABASE_POOL_OVERFLOW", "2"),
        ];
        let prompts_kept = self.jobs.max(self.crowds.backlog) as usize * 40;
        Setup {
            workers: usize::from(self.workers),
            llm_requests_per_minute: self.limit(fault),
            environment: environment.map(|(name, value)| (name, value.to_owned())).to_vec(),
            providers: SimulatorConfig {
                seed,
                prompts_kept,
                delay: fault.call_takes(),
                ..SimulatorConfig::unlimited()
            },
            linked: true,
            clocks_ahead: fault.clocks_ahead(),
            previous: self.previous.clone().filter(|_| fault == Fault::TwoVersions),
        }
    }

    fn limit(&self, fault: Fault) -> u32 {
        self.quota.unwrap_or(if fault.binds_quota() { self.jobs * CALLS_PER_JOB } else { AMPLE_QUOTA })
    }

    fn report(&self, out: &Path, seed: u64, verdicts: &[Verdict]) -> anyhow::Result<()> {
        let report = Report {
            seed,
            jobs: self.jobs,
            seconds: self.seconds,
            outage_seconds: self.outage,
            workers: self.workers,
            verdicts,
        };
        let path = out.join(VERDICTS);
        std::fs::write(&path, serde_json::to_vec_pretty(&report)?).with_context(|| path.display().to_string())
    }
}

/// An empty folder: what an earlier run left in it would be found by this one's Redis.
fn fresh_folder(path: &Path) -> anyhow::Result<PathBuf> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| path.display().to_string());
        }
        _ => {}
    }
    std::fs::create_dir_all(path).with_context(|| path.display().to_string())?;
    Ok(path.to_owned())
}
