//! P12: an interactive job comes into a fleet that bulk jobs saturate: when is its first call made?

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::{RngExt as _, SeedableRng as _};
use reqwest::Client;
use serde::Serialize;
use serde_json::json;
use tokio::time::Instant;

use super::outcome::decimal;
use super::{Build, CALLS, briefs, client, prompted, provider, setup};
use crate::bench::Bench;
use crate::bench::quota::used;
use crate::key;
use crate::measure::{Findings, Mark, Sheet, quantile};
use crate::system::System;

/// Bulk jobs for a minute: more than its calls can finish, whatever a text costs.
const BULK_A_MINUTE: f64 = 20.0;
/// When the first interactive job comes: the fleet is saturated by then.
const FIRST: Duration = Duration::from_secs(30);
/// An interactive job comes so long after the one before, in ms.
const APART_MS: std::ops::Range<u64> = 20_000..30_000;

#[derive(Debug, Serialize)]
struct Paced {
    name: String,
    bulk: usize,
    /// Seconds from the acceptance of each interactive job to its first call.
    first_call_seconds: Vec<f64>,
    /// Jobs whose first call did not come: their seconds are until the end.
    never: usize,
    share_used: f64,
    granted: u64,
    over: u64,
}

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let paced = run(bench, folder).await?;
    let mut findings = Findings::new("economy", "");
    let p95 = quantile(&mut paced.first_call_seconds.clone(), 0.95);
    findings.mark("pacing: an interactive job's first call, p95, s", p95, Mark::AtMost(6.0));
    findings.mark("pacing: quota used, %", 100.0 * paced.share_used, Mark::AtLeast(99.0));
    findings.mark("pacing: calls and searches over a limit", paced.over as f64, Mark::AtMost(0.0));
    let head =
        ["", "bulk", "interactive", "never", "p50 s", "p95 s", "most s", "quota used %", "calls granted", "over"];
    findings.sheet(Sheet::of("interactive jobs among bulk jobs", &head, &[paced], cells)?);
    Ok(findings)
}

fn cells(paced: &Paced) -> Vec<String> {
    let at = |share| decimal(quantile(&mut paced.first_call_seconds.clone(), share));
    vec![
        paced.name.clone(),
        paced.bulk.to_string(),
        paced.first_call_seconds.len().to_string(),
        paced.never.to_string(),
        at(0.5),
        at(0.95),
        at(1.0),
        decimal(100.0 * paced.share_used),
        paced.granted.to_string(),
        paced.over.to_string(),
    ]
}

async fn run(bench: &Bench, folder: &Path) -> anyhow::Result<Paced> {
    let build = Build::this(bench);
    let folder = folder.join("pacing");
    let mut system = System::start(&build.ground, &folder, "bench_economy_pacing", setup(2, provider())).await?;
    let (http, until) = (key::client().build()?, Instant::now() + bench.run_time());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    let bulk = (BULK_A_MINUTE * bench.minutes.max(1.0)) as usize;
    let mut bodies = briefs::requests(bulk);
    bodies.iter_mut().for_each(|body| body["priority"] = json!("bulk"));
    client::ask_all(&http, &system, bodies).await?;
    let asked = interactive(&http, &system, bulk, until).await?;
    tokio::time::sleep_until(until).await;
    system.check()?;
    Ok(paced(build.name, bulk, &asked, &system))
}

/// Asks for one text after the other; their topics, and when each was asked for.
async fn interactive(
    http: &Client,
    system: &System,
    after: usize,
    until: Instant,
) -> anyhow::Result<Vec<(String, DateTime<Utc>)>> {
    let mut rng = rand::rngs::Xoshiro256PlusPlus::seed_from_u64(12);
    let (mut asked, mut at) = (Vec::new(), Instant::now() + FIRST);
    // Who comes at the very end could not be called for in time.
    while at + FIRST / 3 < until {
        tokio::time::sleep_until(at).await;
        let topic = briefs::topic(after + asked.len());
        let body = json!({ "business_id": "visitor", "topic": topic, "format": "linkedin" });
        asked.push((topic, client::ask(http, system, body).await?));
        at += Duration::from_millis(rng.random_range(APART_MS));
    }
    Ok(asked)
}

fn paced(name: &str, bulk: usize, asked: &[(String, DateTime<Utc>)], system: &System) -> Paced {
    let (prompts, end_ms) = (system.simulator.prompted(), Utc::now().timestamp_millis());
    let first_call_ms = |topic: &str| {
        prompts
            .iter()
            .find(|prompt| prompted::topic(prompt) == topic)
            .and_then(|prompt| i64::try_from(prompt.at_ms).ok())
    };
    let found: Vec<_> = asked.iter().map(|(topic, at)| (at.timestamp_millis(), first_call_ms(topic))).collect();
    let calls = system.simulator.calls();
    let arrivals: Vec<u64> = calls.chat.accepted_at_ms.iter().copied().collect();
    Paced {
        name: format!("{name}, 2 workers"),
        bulk,
        first_call_seconds: found.iter().map(|(at, first)| (first.unwrap_or(end_ms) - at) as f64 / 1_000.0).collect(),
        never: found.iter().filter(|(_, first)| first.is_none()).count(),
        share_used: used(&arrivals, CALLS as usize),
        granted: calls.chat.accepted,
        over: calls.chat.rejected_429 + calls.search.rejected_429,
    }
}
