//! P10: how many texts come out of one provider, and when: by this build, the release before, and CrewAI.

use std::path::Path;

use chrono::Utc;
use copydesk_simulator::{SimulatorConfig, parse_model_limits};
use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::crew::Crew;
use super::outcome::Outcome;
use super::{Build, CALLS, OF_100, briefs, client, provider, setup};
use crate::bench::Bench;
use crate::key;
use crate::measure::{Findings, Mark, Sheet};
use crate::system::{Setup, System};

/// Both models with the figures of a free plan; their days are far off.
const MODEL_LIMITS: &str = "llama-3.3-70b-versatile=30rpm/12000tpm,openai/gpt-oss-20b=30rpm/12000tpm";
const MODEL_TOKENS: f64 = 12_000.0;

/// Texts at once, by all of them.
pub(super) async fn measure(bench: &Bench, folder: &Path, findings: &mut Findings) -> anyhow::Result<()> {
    let mut outcomes = Vec::new();
    for size in bench.sizes() {
        let this = |workers| (Build::this(bench), setup(workers, provider()));
        let previous = Build::previous(bench).map(|build| (build, setup(2, provider())));
        let found = run(bench, folder, size, [this(2), this(4)].into_iter().chain(previous).collect()).await?;
        for outcome in found.iter().take(2) {
            mark(bench, findings, outcome);
        }
        outcomes.extend(found);
    }
    outcomes.extend(crews(bench, folder, findings).await?);
    findings.sheet(Sheet::of("texts asked for at once", &Outcome::HEAD, &outcomes, Outcome::cells)?);
    Ok(())
}

/// Once more with limits for each model.
pub(super) async fn under_model_limits(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let models = parse_model_limits(MODEL_LIMITS).map_err(anyhow::Error::msg)?;
    let limited = SimulatorConfig { model_limits: models, llm_requests_per_minute: None, ..provider() };
    let mut setup = setup(2, limited);
    setup.environment.push(("COPYDESK_MODEL_LIMITS", MODEL_LIMITS.to_owned()));
    let folder = folder.join("limits");
    let runs = bench.sizes().into_iter().map(|size| {
        let build = (Build { name: "Copydesk, limits by model", ..Build::this(bench) }, setup.clone());
        let folder = folder.clone();
        async move { run(bench, &folder, size, vec![build]).await }
    });
    let outcomes: Vec<Outcome> = try_join_all(runs).await?.into_iter().flatten().collect();
    let mut findings = Findings::new("economy", "");
    for outcome in &outcomes {
        let what = |what: &str| format!("{} of {}: {what}", outcome.name, outcome.asked);
        findings.mark(&what("calls over a limit"), outcome.over as f64, Mark::AtMost(0.0));
        findings.mark(&what("calls over a limit of tokens"), outcome.over_tokens as f64, Mark::AtMost(0.0));
        findings.mark(&what("most tokens/60 s"), outcome.most_tokens as f64, Mark::AtMost(MODEL_TOKENS));
    }
    let title = "30 calls and 12,000 tokens a minute for each model";
    findings.sheet(Sheet::of(title, &Outcome::HEAD, &outcomes, Outcome::cells)?);
    Ok(findings)
}

/// Runs of several builds beside each other. All are there before the first text is asked for.
async fn run(bench: &Bench, folder: &Path, size: usize, of: Vec<(Build, Setup)>) -> anyhow::Result<Vec<Outcome>> {
    let mut systems = Vec::new();
    for (build, setup) in of {
        let name = format!("{}, {} workers", build.name, setup.workers);
        let slug = format!("{}_{}_{size}", build.name.to_lowercase().replace([' ', ','], "_"), setup.workers);
        let database = format!("bench_economy_{slug}");
        systems.push((name, System::start(&build.ground, &folder.join(&slug), &database, setup).await?));
    }
    let runs = systems.into_iter().map(|(name, mut system)| async move {
        let (http, began, until) = (key::client().build()?, Utc::now(), Instant::now() + bench.run_time());
        client::ask_all(&http, &system, briefs::requests(size)).await?;
        tokio::time::sleep_until(until).await;
        system.check()?;
        client::outcome(&system, name, began).await
    });
    try_join_all(runs).await
}

/// The same texts by crews, where they can be had.
async fn crews(bench: &Bench, folder: &Path, findings: &mut Findings) -> anyhow::Result<Vec<Outcome>> {
    let mut crews = Vec::new();
    for size in bench.sizes() {
        for processes in [1, 4] {
            if bench.no_peers {
                continue;
            }
            match Crew::start(&bench.ground, folder, processes, size).await {
                Ok(crew) => crews.push(crew),
                Err(error) => findings.note(format!("CrewAI: {error:#}")),
            }
        }
    }
    try_join_all(crews.into_iter().map(|crew| crew.run(bench.run_time()))).await
}

fn mark(bench: &Bench, findings: &mut Findings, outcome: &Outcome) {
    let what = |what: &str| format!("{} of {}: {what}", outcome.name, outcome.asked);
    let finished = outcome.finished.len() as f64;
    let bought = 0.95 * outcome.granted as f64 / outcome.calls_a_text();
    findings.mark(&what("finished, of 0.95 x calls granted / calls a text"), finished, at_least_of(outcome, bought));
    if bench.is_full() {
        let asked = outcome.asked as f64;
        findings.mark(&what("finished"), finished, Mark::AtLeast(if asked > OF_100 { OF_100 } else { asked }));
    }
    findings.mark(&what("first text, s"), outcome.first_seconds(), Mark::AtMost(10.0));
    findings.mark(&what("mean to the ideal order's"), outcome.to_ideal(), Mark::AtMost(1.05));
    findings.mark(&what("most calls in any 60 s"), outcome.most_calls as f64, Mark::AtMost(f64::from(CALLS)));
    findings.mark(
        &what("calls and searches over a limit"),
        (outcome.over + outcome.over_tokens) as f64,
        Mark::AtMost(0.0),
    );
}

/// No more than was asked for can be finished.
fn at_least_of(outcome: &Outcome, bought: f64) -> Mark {
    Mark::AtLeast(bought.min(outcome.asked as f64))
}
