//! Whether learning works: businesses ask for texts, hidden raters judge them in their own words, and what the raters
//! want is counted in the texts that follow. Everything goes through the real API, queue, workers and prompts; the
//! model is the simulator's, which follows each lesson that it is told with a known probability.

mod calibration;
mod check;
mod client;
mod conditions;
mod course;
mod effort;
mod figures;
mod mend;
mod plot;
mod preference;
mod report;
mod wording;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use chrono::Utc;
use clap::ValueEnum as _;
use copydesk_simulator::{Behaviour, SimulatorConfig};
use rand::SeedableRng as _;

use crate::Ground;
use crate::machine::Machine;
use crate::system::{Setup, System};
use client::Api;
use report::{Found, Report};

/// A named algorithm, so that raters stay the same over releases of the library.
type Rng = rand::rngs::Xoshiro256PlusPlus;

/// Jobs that a worker writes at once.
const CONCURRENCY: &str = "32";
/// How likely a poorer model follows a lesson.
const POOR: f64 = 0.6;
/// How far the scores of an editor with strong opinions lie apart, in points up and down.
const OPINIONATED: f64 = 4.5;
/// Rounds of the conditions that need fewer, at most.
const FOREIGN: usize = 12;
const DECAY: usize = 16;
const FLATTERED: usize = 40;
/// Rounds of a poisoner, behind those of honest raters.
const POISON: usize = 20;
/// Businesses of the conditions that need fewer, at most.
const FEW: u64 = 10;
/// Prompts that are kept where they are looked into: more than a run makes.
const PROMPTS: usize = 20_000;

/// A condition that businesses learn under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Condition {
    /// Learning is off: what the others are compared with
    Off,
    /// Learning is on
    On,
    /// The model follows only six lessons in ten
    P06,
    /// Comments are another rater's, and scores another text's: nothing can be learned
    Shuffled,
    /// All preferences turn into their opposites half way
    Flipped,
    /// Two raters want the opposite of each other
    Contradictory,
    /// A third rater asks for the opposite of what holds, and for harm
    Poisoned,
    /// The rater publishes edited texts and says nothing
    Edits,
    /// Verdicts get old
    Decay,
    /// Another business gets the feedback
    Foreign,
    /// The editor's scores are better than people's
    Calibration,
}

/// Measure whether texts get better by feedback, and prove that it is the feedback that makes them so.
///
/// Prints each figure beside its mark, and exits with 1 where one is missed. Results are in target/learn, and the figure
/// of the documents is drawn with --plot.
#[derive(Debug, clap::Args)]
pub(crate) struct Learn {
    #[command(flatten)]
    ground: Ground,
    /// Businesses, each with a rater of its own
    #[arg(long, default_value_t = 20)]
    seeds: u64,
    /// Texts of each business
    #[arg(long, default_value_t = 60)]
    rounds: usize,
    /// Only these conditions; off is run with those that are compared with it
    #[arg(long, value_delimiter = ',', value_name = "CONDITIONS")]
    only: Vec<Condition>,
    /// Draw the figure of the documents to this file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

impl Learn {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let folder = self.ground.out("learn")?;
        let began = Instant::now();
        println!("{}", Machine::read().render());
        let found = self.measure(&folder).await?;
        let report = Report::of(found, self.seeds, self.rounds);
        println!("{}{:.0} s", report.render(), began.elapsed().as_secs_f64());
        let path = folder.join(format!("{}.json", Utc::now().format("%Y%m%d-%H%M%S")));
        std::fs::write(&path, serde_json::to_vec_pretty(&report)?).with_context(|| path.display().to_string())?;
        println!("{}", path.display());
        if let Some(plot) = &self.plot {
            std::fs::write(plot, report.plot()).with_context(|| plot.display().to_string())?;
        }
        Ok(if report.is_met() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn wants(&self, condition: Condition) -> bool {
        let compared = [Condition::On, Condition::P06, Condition::Shuffled, Condition::Flipped];
        let is_named = |condition: Condition| self.only.is_empty() || self.only.contains(&condition);
        is_named(condition) || (condition == Condition::Off && compared.into_iter().any(is_named))
    }

    /// Runs every condition that is wanted: each group on a Copydesk of its own.
    async fn measure(&self, folder: &Path) -> anyhow::Result<Found> {
        let mut found = Found::default();
        for condition in Condition::value_variants().iter().copied().filter(|condition| self.wants(*condition)) {
            let began = Instant::now();
            Box::pin(self.measure_one(condition, folder, &mut found))
                .await
                .with_context(|| format!("{condition:?}"))?;
            eprintln!("{condition:?}: {:.0} s", began.elapsed().as_secs_f64());
        }
        Ok(found)
    }

    async fn measure_one(&self, condition: Condition, folder: &Path, found: &mut Found) -> anyhow::Result<()> {
        let (seeds, rounds, few) = (self.seeds, self.rounds, self.seeds.min(FEW));
        let system = self.start(condition, folder).await?;
        let api = &Api::of(&system)?;
        match condition {
            Condition::Off => found.off = Some(conditions::plain(api, "course", seeds, rounds).await?),
            Condition::On => found.on = Some(conditions::plain(api, "course", seeds, rounds).await?),
            Condition::P06 => found.p06 = Some(conditions::plain(api, "course", seeds, rounds).await?),
            Condition::Shuffled => {
                let off = found.off.clone().unwrap_or_default();
                found.shuffled = Some(conditions::shuffled(api, seeds, rounds, &off).await?);
            }
            Condition::Flipped => found.flipped = Some(conditions::flipped(api, seeds, rounds, rounds / 2).await?),
            Condition::Contradictory => {
                let disagreed = conditions::contradictory(api, few, rounds).await?;
                found.contradictory = Some(disagreed);
            }
            Condition::Poisoned => {
                let poison = POISON.min(rounds / 3);
                found.poisoned = Some(conditions::poisoned(api, few, rounds - poison, poison).await?);
            }
            Condition::Edits => found.edits = Some(conditions::edits(api, seeds, rounds).await?),
            Condition::Decay => {
                found.decay = Some(conditions::decay(api, &system.database, few, rounds.min(DECAY)).await?);
            }
            Condition::Foreign => {
                let leaked = conditions::foreign(api, &system.simulator, seeds, rounds.min(FOREIGN)).await?;
                found.foreign = Some(leaked);
            }
            Condition::Calibration => {
                found.calibration = Some(calibration::errors());
                found.flattered = Some(conditions::flattered(api, seeds, rounds.min(FLATTERED)).await?);
            }
        }
        Ok(())
    }

    /// A Copydesk whose providers answer at once, with learning on for all texts or for none.
    async fn start(&self, condition: Condition, folder: &Path) -> anyhow::Result<System> {
        let control = if condition == Condition::Off { "100" } else { "0" };
        let usual = Behaviour::default();
        let behaviour = match condition {
            Condition::P06 => Behaviour { follow: POOR, ..usual },
            Condition::Calibration => Behaviour { taste: OPINIONATED, ..usual },
            _ => usual,
        };
        let prompts_kept = if condition == Condition::Foreign { PROMPTS } else { 0 };
        let setup = Setup {
            workers: 2,
            llm_requests_per_minute: 1_000_000,
            environment: vec![
                ("COPYDESK_LOG", "error".into()),
                ("COPYDESK_LEARNING_CONTROL_PERCENT", control.into()),
                ("COPYDESK_WORKER_CONCURRENCY", CONCURRENCY.into()),
            ],
            providers: SimulatorConfig { behaviour, prompts_kept, ..SimulatorConfig::unlimited() },
            linked: false,
            clocks_ahead: &[],
            previous: None,
        };
        let name = format!("{condition:?}").to_lowercase();
        let folder = folder.join(&name);
        // What an earlier run left there would be found by this one's Redis.
        let _none_was_there = std::fs::remove_dir_all(&folder);
        System::start(&self.ground, &folder, &format!("learn_{name}"), setup).await
    }
}

/// The random numbers of a seed for one purpose.
fn rng(seed: u64, purpose: &str) -> Rng {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = seed.to_le_bytes().into_iter().chain(purpose.bytes()).fold(0xcbf2_9ce4_8422_2325, mix);
    Rng::seed_from_u64(hash)
}
