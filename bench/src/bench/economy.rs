//! What a provider's quota is spent for: texts, tokens and money out of it, by this build, by the
//! release before and by what Copydesk replaces, all on the same simulator with the same limits.

pub(crate) mod briefs;
mod client;
mod crew;
mod kill;
mod outcome;
mod pacing;
mod prompted;
mod texts;
mod tokens;

use std::path::Path;
use std::time::{Duration, Instant};

use copydesk_simulator::SimulatorConfig;

use super::{Bench, Part};
use crate::Ground;
use crate::measure::Findings;
use crate::system::Setup;

const ABOUT: &str = "texts that are asked for at once at one simulated provider: 30 calls and 20 searches a minute, which it enforces, 1.5 s each, 3% of answers malformed; runs beside each other, each with servers of its own; in real time, one run";
/// The provider's limits a minute.
const CALLS: u32 = 30;
const SEARCHES: u32 = 20;
const CALL: Duration = Duration::from_millis(1_500);
const MALFORMED: f64 = 0.03;
/// Texts that are asked for at once.
const SIZES: [usize; 2] = [40, 100];
/// A full run: shorter ones are no test of what is finished.
const MINUTES: f64 = 6.0;
/// What a full run finishes of 100, by Copydesk's own mark.
const OF_100: f64 = 57.0;
/// Prompts that the simulator keeps of a run: more than any makes.
const PROMPTS: usize = 100_000;

/// The parts of this row.
pub(super) const PARTS: [Part; 5] = [Part::Texts, Part::ModelLimits, Part::Kill, Part::Pacing, Part::Tokens];

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let mut findings = Findings::new("economy", ABOUT);
    let parts = bench.parts_of(&PARTS);
    if parts.contains(&Part::Texts) {
        Box::pin(timed("texts", texts::measure(bench, folder, &mut findings))).await?;
    }
    // These wait for the quota nearly all of the time: they do not compete for the processor.
    let wanted = |part: Part| parts.contains(&part);
    let (limits, killed, paced) = tokio::try_join!(
        when(wanted(Part::ModelLimits), timed("model-limits", texts::under_model_limits(bench, folder))),
        when(wanted(Part::Kill), timed("kill", kill::measure(bench, folder))),
        when(wanted(Part::Pacing), timed("pacing", pacing::measure(bench, folder))),
    )?;
    for found in [limits, killed, paced].into_iter().flatten() {
        findings.merge(found);
    }
    if parts.contains(&Part::Tokens) {
        timed("tokens", tokens::measure(bench, folder, &mut findings)).await?;
    }
    Ok(findings)
}

async fn when<T>(wanted: bool, run: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<Option<T>> {
    if wanted { run.await.map(Some) } else { Ok(None) }
}

async fn timed<T>(what: &str, run: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let began = Instant::now();
    let found = run.await?;
    eprintln!("economy, {what}: {:.0} s", began.elapsed().as_secs_f64());
    Ok(found)
}

/// The provider that all share, which refuses what is over its limits.
fn provider() -> SimulatorConfig {
    SimulatorConfig {
        llm_requests_per_minute: Some(CALLS),
        llm_tokens_per_minute: None,
        search_requests_per_minute: Some(SEARCHES),
        delay: CALL,
        malformed: MALFORMED,
        prompts_kept: PROMPTS,
        ..SimulatorConfig::unlimited()
    }
}

/// A Copydesk with default settings but for the limits.
fn setup(workers: usize, providers: SimulatorConfig) -> Setup {
    Setup {
        workers,
        llm_requests_per_minute: CALLS,
        environment: vec![("COPYDESK_SEARCH_REQUESTS_PER_MINUTE", SEARCHES.to_string())],
        providers,
        linked: false,
        clocks_ahead: &[],
        previous: None,
    }
}

/// A build of Copydesk that is measured.
#[derive(Debug, Clone)]
struct Build {
    name: &'static str,
    ground: Ground,
}

impl Build {
    fn this(bench: &Bench) -> Self {
        Self { name: "Copydesk", ground: bench.ground.clone() }
    }

    /// The release before, where its programs are given.
    fn previous(bench: &Bench) -> Option<Self> {
        let programs = bench.previous.clone()?;
        Some(Self { name: "previous", ground: Ground { programs: Some(programs), ..bench.ground.clone() } })
    }
}

impl Bench {
    /// How long texts are waited for.
    fn run_time(&self) -> Duration {
        Duration::from_secs_f64(self.minutes * 60.0)
    }

    /// Whether the runs are long enough to be held against the marks of what is finished.
    fn is_full(&self) -> bool {
        self.minutes >= MINUTES && self.jobs >= SIZES[1]
    }

    /// How many texts are asked for at once.
    fn sizes(&self) -> Vec<usize> {
        let mut sizes: Vec<usize> = SIZES.iter().map(|size| *size.min(&self.jobs)).collect();
        sizes.dedup();
        sizes
    }
}
