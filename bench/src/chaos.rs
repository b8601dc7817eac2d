//! Chaos: for each fault, runs a whole Copydesk with jobs, a client that follows every job, and
//! injected faults. Then a checker reads the recorded history and verifies the guarantees.

mod audit;
mod client;
mod evidence;
mod fault;
pub(crate) mod fleet;
mod strangers;
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
use strangers::Strangers;
use verdict::Verdict;

/// The source of all randomness. The algorithm is named, so that a seed means the same in every
/// release.
type Rng = rand::rngs::Xoshiro256PlusPlus;

/// How long jobs may take to end after the last fault: an open breaker takes 60 s, a full quota as
/// long, and a job may meet both.
const PATIENCE: Duration = Duration::from_secs(240);
/// An extra second of patience for this many jobs of a long backlog.
const PATIENCE_JOBS: u32 = 25;
/// The length of a lease: the shortest that a call of one second allows.
const LEASE: Duration = Duration::from_secs(6);
/// The fewest LLM calls of a job. A limit of this many calls for each job binds, since most make
/// more.
const CALLS_PER_JOB: u32 = 3;
/// A limit that the jobs cannot reach.
const AMPLE_QUOTA: u32 = 60_000;
/// The file with the verdicts.
const VERDICTS: &str = "verdicts.json";
/// The columns of a verdict.
const HEAD: [&str; 14] = [
    "fault",
    "accepted",
    "failed",
    "lost",
    "duplicate",
    "paid twice",
    "cut off",
    "over quota",
    "zombie",
    "regressed",
    "late",
    "resync s",
    "effect seen",
    "took s",
];

/// Run jobs while faults are injected, then check that nothing was lost, duplicated or paid twice.
///
/// For each fault, the real programs run on a Postgres and a Redis behind links that can be cut,
/// with a simulator in place of the providers. Exits with 1 if a guarantee was violated. The same
/// seed gives the same jobs and the same injected faults; their exact timing depends on the
/// machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Chaos {
    #[command(flatten)]
    ground: Ground,
    /// The seed of all random choices [default: a new one, which is printed]
    #[arg(long)]
    seed: Option<u64>,
    /// The faults [default: all]
    #[arg(long, visible_alias = "fault", value_delimiter = ',', value_name = "FAULTS")]
    faults: Vec<Fault>,
    /// Jobs for each fault
    #[arg(long, default_value_t = 2_000)]
    jobs: u32,
    /// How long jobs are submitted and faults injected, in seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// The length of an outage of Redis or Postgres, in the faults with one, in seconds
    #[arg(long, default_value_t = 30)]
    outage: u64,
    /// The number of workers
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=16))]
    workers: u8,
    /// LLM calls a minute [default: fewer than the jobs want if the fault affects the quota, else
    /// more]
    #[arg(long)]
    quota: Option<u32>,
    /// Faults that run at the same time; most of their time is waiting. One that hits all of
    /// Postgres runs alone
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=4))]
    at_once: u8,
    #[command(flatten)]
    crowds: Crowds,
    /// The folder of an earlier release's copydesk-worker, for two-versions, which is skipped
    /// without it
    #[arg(long, value_name = "DIR")]
    previous: Option<PathBuf>,
}

/// The sizes of backlogs and fleets, for the faults that need one.
#[derive(Debug, Clone, Copy, clap::Args)]
struct Crowds {
    /// Jobs of one business, in caps-changed
    #[arg(long, default_value_t = 10_000)]
    backlog: u32,
    /// Jobs that stay open during the whole run, in redis-gone-backlog
    #[arg(long, default_value_t = 100_000)]
    standing: usize,
    /// Additional idle workers, in one process, in idle-fleet
    #[arg(long, default_value_t = 197)]
    idle: usize,
}

/// The stored result of a run.
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
            "two-versions needs an earlier release's programs, --previous DIR (cargo xtask chaos --faults two-versions -- --previous DIR): see docs/chaos.md"
        );
        // Two runs with one seed must not share a folder either.
        let run = format!("seed-{seed}-{}", std::process::id());
        let out = fresh_folder(&self.ground.out("chaos")?.join(run))?;
        let ground = self.ground.with_copies(&out)?;
        eprintln!("seed {seed}; {} jobs for each fault; logs in {}", self.jobs, out.display());
        let verdicts = self.trials(&faults, &ground, seed, &out).await?;
        println!("{}", table::render(&HEAD, &verdicts.iter().map(Verdict::cells).collect::<Vec<_>>()));
        verdicts.iter().filter_map(Verdict::strangers).for_each(|table| println!("{table}"));
        // The copies are large and not needed any more.
        ground.remove_copies()?;
        println!("{}", out.join(VERDICTS).display());
        let broken = verdicts.iter().filter(|verdict| !verdict.broken().is_empty()).count();
        println!(
            "seed {seed}: {}",
            if broken == 0 { "every guarantee held".into() } else { format!("{broken} faults violated a guarantee") }
        );
        Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Runs all faults, several at once. The verdicts are in the order of the faults' names.
    async fn trials(&self, faults: &[Fault], ground: &Ground, seed: u64, out: &Path) -> anyhow::Result<Vec<Verdict>> {
        let (alone, others): (Vec<Fault>, Vec<Fault>) = faults.iter().partition(|fault| fault.needs_the_server());
        let mut verdicts: Vec<Verdict> = Vec::new();
        for (faults, at_once) in [(others, usize::from(self.at_once)), (alone, 1)] {
            let trials = faults.into_iter().map(|fault| self.reported_trial(fault, ground, seed, out));
            let mut trials = stream::iter(trials).buffer_unordered(at_once);
            while let Some(verdict) = trials.next().await {
                verdicts.push(verdict?);
                verdicts.sort_by_key(|verdict| verdict.fault as u64);
                // Written after each fault, so that an interrupted run has its results so far.
                self.report(out, seed, &verdicts)?;
            }
        }
        Ok(verdicts)
    }

    /// Runs one fault and prints its violated guarantees at once.
    async fn reported_trial(&self, fault: Fault, ground: &Ground, seed: u64, out: &Path) -> anyhow::Result<Verdict> {
        let folder = fresh_folder(&out.join(fault.to_string()))?;
        let began = Instant::now();
        // After an error the other faults continue: a run of all takes long.
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

    /// Runs one fault, from an empty system to the verdict.
    async fn trial(&self, fault: Fault, ground: &Ground, seed: u64, folder: &Path) -> anyhow::Result<Verdict> {
        let began = Instant::now();
        // Each fault has its own random numbers, which do not depend on the other faults that run.
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
        let strangers = match fault {
            Fault::HostileFiles => Some(Strangers::start(scene.system, seed, self.over(fault)).await?),
            _ => None,
        };
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
        let give_up = tokio::time::Instant::now() + self.patience(fault);
        client.ends(give_up).await;
        audit::ended(&system.database.pool, give_up).await?;
        let strangers = match strangers {
            Some(strangers) => Some(strangers.end(&system).await?),
            None => None,
        };
        struck += strangers.as_ref().map_or(0, strangers::Report::failed);
        let told = client.last_look().await;
        system.check()?;
        let run =
            Run { limit: self.limit(fault), binds: self.quota.is_none() && fault.binds_quota(), struck, known_after };
        let evidence = Evidence { strangers, ..Evidence::collect(&system, told, &run).await? };
        Ok(Verdict::of(fault, &evidence, began.elapsed()))
    }

    /// The client's requests.
    fn requests(&self, fault: Fault, rng: &mut Rng) -> Vec<client::Request> {
        let over = self.over(fault);
        match fault {
            Fault::CapsChanged => client::crowded(self.crowds.backlog, over),
            Fault::IdleFleet => client::scheduled(rng, self.jobs.div_ceil(2), over),
            Fault::HostileFiles => client::beside_strangers(rng, self.jobs.div_ceil(4), over),
            _ => client::requests(rng, self.jobs, over),
        }
    }

    /// How long jobs are submitted. Hostile files take their time.
    fn over(&self, fault: Fault) -> Duration {
        Duration::from_secs(self.seconds) * if fault == Fault::HostileFiles { 4 } else { 1 }
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
            // All processes together must stay below Postgres' limit of connections.
            ("COPYDESK_DATABASE_POOL_SIZE", "6"),
            ("COPYDESK_DATABASE_POOL_OVERFLOW", "2"),
            ("COPYDESK_READING_SECONDS", strangers::READING_SECONDS),
        ];
        // Readers take all processors for a while: no call or lease may be short because of that.
        let is_kept = |name: &str| {
            fault != Fault::HostileFiles || !["COPYDESK_CALL_TIMEOUT_MS", "COPYDESK_LEASE_MS"].contains(&name)
        };
        let environment = environment.into_iter().filter(|(name, _)| is_kept(name));
        let prompts_kept = self.jobs.max(self.crowds.backlog) as usize * 40;
        Setup {
            workers: if fault == Fault::HostileFiles { strangers::WORKERS } else { self.workers.into() },
            llm_requests_per_minute: self.limit(fault),
            environment: environment.map(|(name, value)| (name, value.to_owned())).collect(),
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

/// Makes an empty folder: this run's Redis would read the data of an earlier run in it.
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
