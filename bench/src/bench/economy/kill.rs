//! A worker is killed in the middle of a run: no text is lost, and no more calls are made again than
//! were in flight.

use std::collections::HashMap;
use std::path::Path;

use chrono::Utc;
use copydesk_simulator::Prompted;
use serde::Serialize;
use tokio::time::Instant;

use super::outcome::Outcome;
use super::{Build, CALL, SIZES, briefs, client, prompted, provider, setup};
use crate::bench::Bench;
use crate::key;
use crate::measure::{Findings, Mark, Sheet};
use crate::system::System;

/// A call that arrived so long before the kill may still be in flight: its time, and that of its way.
const IN_FLIGHT_MS: u64 = 250;

#[derive(Debug, Serialize)]
struct Killed {
    outcome: Outcome,
    /// Calls of all workers that were under way when one was killed.
    in_flight: usize,
    /// Calls that were made again though their answer was sound.
    repeated: usize,
    /// Texts that are neither finished nor still on their way.
    lost: usize,
}

pub(super) async fn measure(bench: &Bench, folder: &Path) -> anyhow::Result<Findings> {
    let killed = run(bench, folder).await?;
    let mut findings = Findings::new("economy", "");
    let asked = killed.outcome.asked as f64;
    findings.mark("a killed worker: texts lost", killed.lost as f64, Mark::AtMost(0.0));
    if bench.is_full() {
        findings.mark("a killed worker: texts finished", killed.outcome.finished.len() as f64, Mark::AtLeast(asked));
    }
    let (repeated, in_flight) = (killed.repeated as f64, killed.in_flight as f64);
    findings.mark("a killed worker: calls repeated, of those in flight", repeated, Mark::AtMost(in_flight));
    let over = killed.outcome.over + killed.outcome.over_tokens;
    findings.mark("a killed worker: calls and searches over a limit", over as f64, Mark::AtMost(0.0));
    let head = [&["in flight", "repeated", "lost"][..], &Outcome::HEAD[1..]].concat();
    let head: Vec<&str> = std::iter::once("").chain(head).collect();
    let cells = |killed: &Killed| {
        let counts = [killed.in_flight, killed.repeated, killed.lost].map(|count| count.to_string());
        let mut cells = killed.outcome.cells();
        cells.splice(1..1, counts);
        cells
    };
    findings.sheet(Sheet::of("one of two workers is killed after a third of the time", &head, &[killed], cells)?);
    Ok(findings)
}

async fn run(bench: &Bench, folder: &Path) -> anyhow::Result<Killed> {
    let (build, size) = (Build::this(bench), SIZES[0].min(bench.jobs));
    let folder = folder.join("kill");
    let mut system = System::start(&build.ground, &folder, "bench_economy_kill", setup(2, provider())).await?;
    let (http, began, start) = (key::client().build()?, Utc::now(), Instant::now());
    client::ask_all(&http, &system, briefs::requests(size)).await?;
    tokio::time::sleep_until(start + bench.run_time() / 3).await;
    system.check()?;
    system.workers.remove(0).kill().await?;
    let killed_at_ms = u64::try_from(Utc::now().timestamp_millis())?;
    tokio::time::sleep_until(start + bench.run_time()).await;
    system.check()?;
    let outcome = client::outcome(&system, format!("{}, 2 workers, then 1", build.name), began).await?;
    let open: i64 = sqlx::query_scalar("select count(*) from jobs where kind = 'generate' and finished_at is null")
        .fetch_one(&system.database.pool)
        .await?;
    let prompts = system.simulator.prompted();
    let since = killed_at_ms.saturating_sub(u64::try_from(CALL.as_millis())? + IN_FLIGHT_MS);
    let in_flight = prompts.iter().filter(|prompt| (since..=killed_at_ms).contains(&prompt.at_ms)).count();
    let lost = size - outcome.finished.len() - usize::try_from(open)?;
    Ok(Killed { outcome, in_flight, repeated: repeated(&prompts), lost })
}

/// Calls for the same stage and round of a text as an earlier one that was answered soundly.
fn repeated(prompts: &[Prompted]) -> usize {
    let mut asked: HashMap<_, bool> = HashMap::new();
    let mut repeated = 0;
    for prompt in prompts {
        let key = (prompted::topic(prompt), prompted::stage(prompt), prompted::round(prompt));
        let was_sound = asked.insert(key, !prompt.is_spoilt);
        repeated += usize::from(was_sound == Some(true));
    }
    repeated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_repeated_where_its_answer_was_sound() {
        let call = |topic: &str, stage: &str, is_spoilt: bool| Prompted {
            prompt: format!(r#"<topic>{topic}</topic><task stage="{stage}" round="0"/>"#),
            is_spoilt,
            ..Prompted::default()
        };
        let prompts = [
            call("a", "draft", true),
            call("a", "draft", false),
            call("b", "draft", false),
            call("a", "edit", false),
            call("b", "draft", false),
            call("b", "edit", false),
        ];
        assert_eq!(repeated(&prompts), 1);
    }
}
