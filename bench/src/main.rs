//! `copydesk-bench`: measures Copydesk's speed (`bench`), the quality of its search (`retrieval`) and what its
//! texts gain by feedback (`learn`), injects faults and checks the guarantees (`chaos`), and floods the API
//! (`floods`). `bench`, `chaos`, `floods` and `learn` run the real programs on servers that they may damage; `cargo xtask`
//! starts such servers.

mod bench;
mod chaos;
mod database;
mod floods;
mod key;
mod learn;
mod load;
mod machine;
mod measure;
mod peer;
mod process;
mod reader_eval;
mod redis_server;
mod retrieval;
mod system;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

/// Measures Copydesk's speed, and injects faults and checks its guarantees.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure Copydesk's speed and compare it with its limits
    Bench(bench::Bench),
    /// Run jobs while faults are injected, then check that nothing was lost, duplicated or paid
    /// twice
    Chaos(chaos::Chaos),
    /// Flood the API, and measure its health, its memory and what is left for a good client
    Floods(floods::Floods),
    /// Measure the quality and speed of the search in documents, by human relevance judgements
    Retrieval(retrieval::Retrieval),
    /// Measure whether texts get better by feedback, and prove that it is the feedback
    Learn(learn::Learn),
    /// Measure how well documents are read: F1 of words by file, median and worst by type
    Reader(reader_eval::ReaderEval),
    /// Serve a no-op server: the benchmark's limit
    #[command(hide = true)]
    Bare { listen: std::net::SocketAddr },
    /// Run many workers in one process, to measure how idle ones affect each other
    #[command(hide = true)]
    Fleet { workers: usize },
    /// Only make this many concurrent calls to a simulator: the limit of calls in flight
    #[command(hide = true)]
    Callers { base_url: String, calls: usize },
}

/// The programs that runs start.
const PROGRAMS: [&str; 2] = ["copydesk-api", "copydesk-worker"];

/// The options of every run.
#[derive(Debug, Clone, clap::Args)]
struct Ground {
    /// A Postgres server that may be damaged; every run makes its own database there
    #[arg(long, value_name = "URI")]
    postgres: Url,
    /// The server program of Redis or Valkey
    #[arg(long, value_name = "PROGRAM", default_value = "redis-server")]
    redis_server: PathBuf,
    /// The folder of copydesk-api and copydesk-worker [default: this program's own]
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Where logs and results are written [default: next to the folder of the programs]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Ground {
    /// The folder of the installed peers.
    fn peers(&self) -> anyhow::Result<PathBuf> {
        Ok(peers_beside(&self.out("bench")?))
    }

    fn programs(&self) -> anyhow::Result<PathBuf> {
        self.programs.clone().map_or_else(own_folder, Ok)
    }

    /// The same with copies of the programs in `folder`, so that a build during the run does not
    /// change them.
    fn with_copies(&self, folder: &Path) -> anyhow::Result<Self> {
        let programs = self.programs()?;
        for name in PROGRAMS {
            let from = programs.join(name);
            std::fs::copy(&from, folder.join(name)).with_context(|| from.display().to_string())?;
        }
        Ok(Self { programs: Some(folder.to_owned()), ..self.clone() })
    }

    /// Removes the copies again.
    fn remove_copies(&self) -> anyhow::Result<()> {
        let folder = self.programs()?;
        Ok(PROGRAMS.iter().try_for_each(|name| std::fs::remove_file(folder.join(name)))?)
    }

    /// The folder for a command's output, created if missing.
    fn out(&self, name: &str) -> anyhow::Result<PathBuf> {
        let out = match &self.out {
            Some(out) => out.clone(),
            None => self.programs()?.join("..").join(name),
        };
        made(&out)
    }
}

/// The folder of this program.
fn own_folder() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("the folder of this program is not known")?;
    Ok(own.parent().context("this program is in no folder")?.to_owned())
}

/// A folder, created if missing.
fn made(folder: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    folder.canonicalize().with_context(|| folder.display().to_string())
}

/// The folder of the installed other software: next to the benchmark's results.
fn peers_beside(results: &Path) -> PathBuf {
    results.with_file_name("peers")
}

#[tokio::main]
async fn main() -> ExitCode {
    // Clients need a TLS provider even if they use no TLS; it fails if one is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let run = async {
        match Cli::parse().command {
            Command::Bench(bench) => bench.run().await,
            Command::Chaos(chaos) => chaos.run().await,
            Command::Floods(floods) => floods.run().await,
            Command::Retrieval(retrieval) => retrieval.run().await,
            Command::Learn(learn) => learn.run().await,
            Command::Reader(eval) => eval.run().map(|()| ExitCode::SUCCESS),
            Command::Bare { listen } => bench::bare::serve(listen).await.map(|()| ExitCode::SUCCESS),
            Command::Fleet { workers } => chaos::fleet::run(workers).await.map(|()| ExitCode::SUCCESS),
            Command::Callers { base_url, calls } => {
                bench::flight::call(&base_url, calls).await.map(|()| ExitCode::SUCCESS)
            }
        }
    };
    // Leaving the select drops the run, and with it every process that it started.
    let outcome = tokio::select! {
        outcome = run => outcome,
        outcome = interrupted() => outcome,
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("copydesk-bench: {error:#}");
        ExitCode::FAILURE
    })
}

/// Waits for a request to end, and returns the exit code of a command that ^C ended.
async fn interrupted() -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(ExitCode::from(130))
}
