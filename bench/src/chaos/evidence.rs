//! The evidence of a run: what the client was told, what the database's triggers recorded, and what
//! reached the providers. It makes no judgement.

use std::time::Duration;

use anyhow::ensure;
use copydesk_simulator::Calls;

use super::audit::{self, ResultWrite, Row, StageWrite, Write};
use super::client::Told;
use super::strangers::Report;
use crate::system::System;

/// An LLM call as it arrived at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call {
    /// Its time, in ms since the epoch.
    pub(super) at_ms: u64,
    /// Its job's topic: topics are unique.
    pub(super) topic: String,
    pub(super) stage: String,
    pub(super) round: i16,
}

/// The history of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Evidence {
    pub(super) told: Vec<Told>,
    pub(super) rows: Vec<Row>,
    pub(super) writes: Vec<Write>,
    pub(super) stages: Vec<StageWrite>,
    pub(super) results: Vec<ResultWrite>,
    pub(super) calls: Vec<Call>,
    /// The limit of LLM calls in any minute.
    pub(super) limit: u32,
    /// Whether the jobs want more calls than that.
    pub(super) binds: bool,
    /// The processes with wrong clocks.
    pub(super) wrong_clocks: Vec<String>,
    /// How much the injected faults hit, if that is not in the history.
    pub(super) struck: u64,
    /// How long after its return Redis knew all open jobs, if that was measured.
    pub(super) known_after: Option<Duration>,
    /// What became of hostile files, if there were any.
    pub(super) strangers: Option<Report>,
}

/// What the runner knows of the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// The limit of LLM calls in any minute.
    pub(super) limit: u32,
    /// Whether the jobs want more calls than that.
    pub(super) binds: bool,
    /// How much the injected faults hit.
    pub(super) struck: u64,
    /// How long after its return Redis knew all open jobs.
    pub(super) known_after: Option<Duration>,
}

impl Evidence {
    /// Collects the evidence.
    pub(super) async fn collect(system: &System, told: Vec<Told>, run: &Run) -> anyhow::Result<Self> {
        let pool = &system.database.pool;
        Ok(Self {
            told,
            rows: audit::rows(pool).await?,
            writes: audit::writes(pool).await?,
            stages: audit::stages(pool).await?,
            results: audit::results(pool).await?,
            calls: calls(&system.simulator.calls(), &system.simulator.prompts())?,
            limit: run.limit,
            binds: run.binds,
            wrong_clocks: system.wrong_clocks().to_vec(),
            struck: run.struck,
            known_after: run.known_after,
            strangers: None,
        })
    }
}

/// The calls with their prompts: the provider keeps both in the order of arrival.
fn calls(account: &Calls, prompts: &[String]) -> anyhow::Result<Vec<Call>> {
    let arrivals = &account.chat.accepted_at_ms;
    ensure!(
        arrivals.len() == prompts.len(),
        "{} calls arrived, but {} prompts were kept",
        arrivals.len(),
        prompts.len()
    );
    Ok(arrivals.iter().zip(prompts).map(|(&at_ms, prompt)| call(at_ms, prompt)).collect())
}

fn call(at_ms: u64, prompt: &str) -> Call {
    Call {
        at_ms,
        topic: between(prompt, "<topic>", "</topic>").to_owned(),
        stage: between(prompt, "stage=\"", "\"").to_owned(),
        round: between(prompt, "round=\"", "\"").parse().unwrap_or_default(),
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split_once(after).map_or("", |(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_says_whose_call_it_is() {
        let prompt =
            "<task stage=\"revise\" format=\"ad\" words=\"80\" round=\"2\"/>\n<topic>Job 7, request 1</topic>\n<voice>";
        let expected = Call { at_ms: 5, topic: "Job 7, request 1".into(), stage: "revise".into(), round: 2 };
        assert_eq!(call(5, prompt), expected);
        assert_eq!(call(5, "nothing").topic, "");
    }
}
