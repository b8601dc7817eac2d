//! `copydesk-bench`: measures how fast Copydesk is (`bench`) and how well it finds passages (`retrieval`),
//! and breaks it on purpose and checks what it promised (`chaos`). The first and the last run the real
//! programs on servers that they may harm: `cargo xtask` starts such.

mod bench;
mod chaos;
mod database;
mod load;
mod machine;
mod measure;
mod peer;
mod process;
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

/// Measures how fast Copydesk is, and breaks it on purpose and checks what it promised.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure how fast Copydesk is, beside its limits
    Bench(bench::Bench),
    /// Run jobs while something breaks, then check that nothing was lost, doubled or paid twice
    Chaos(chaos::Chaos),
    /// Measure how well and how fast the search in documents finds what people judged relevant
    Retrieval(retrieval::Retrieval),
    /// Serve what answers and does nothing: the benchmark's limit
    #[command(hide = true)]
    Bare { listen: std::net::SocketAddr },
    /// Be many workers at once: what idle ones do to each other
    #[command(hide = true)]
    Fleet { workers: usize },
    /// Call a simulator so often at once, and do nothing else: the limit of calls in flight
    #[command(hide = true)]
    Callers { base_url: String, calls: usize },
}

/// The programs that runs start.
const PROGRAMS: [&str; 2] = ["copydesk-api", "copydesk-worker"];

/// What every run stands on.
#[derive(Debug, Clone, clap::Args)]
struct Ground {
    /// A Postgres that may be harmed; every run makes a database of its own in it
    #[arg(long, value_name = "URI")]
    postgres: Url,
    /// The server program of Redis or Valkey
    #[arg(long, value_name = "PROGRAM", default_value = "redis-server")]
    redis_server: PathBuf,
    /// The folder of copydesk-api and copydesk-worker [default: this program's own]
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Where logs and results are written [default: beside the folder of the programs]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Ground {
    /// Where the peers are kept once they are installed.
    fn peers(&self) -> anyhow::Result<PathBuf> {
        Ok(peers_beside(&self.out("bench")?))
    }

    fn programs(&self) -> anyhow::Result<PathBuf> {
        self.programs.clone().map_or_else(own_folder, Ok)
    }

    /// The same with copies of the programs in `folder`: a build meanwhile must not change what runs.
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

    /// A folder for what a command writes, made where it is missing.
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

/// A folder, made where it is missing.
fn made(folder: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    folder.canonicalize().with_context(|| folder.display().to_string())
}

/// Where other software is kept once it is installed: beside the benchmark's results.
fn peers_beside(results: &Path) -> PathBuf {
    results.with_file_name("peers")
}

#[tokio::main]
async fn main() -> ExitCode {
    // Clients need one even where they speak no TLS; whoever was first has installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let run = async {
        match Cli::parse().command {
            Command::Bench(bench) => bench.run().await,
            Command::Chaos(chaos) => chaos.run().await,
            Command::Retrieval(retrieval) => retrieval.run().await,
            Command::Bare { listen } => bench::bare::serve(listen).await.map(|()| ExitCode::SUCCESS),
            Command::Fleet { workers } => chaos::fleet::run(workers).await.map(|()| ExitCode::SUCCESS),
            Command::Callers { base_url, calls } => {
                bench::flight::call(&base_url, calls).await.map(|()| ExitCode::SUCCESS)
            }
        }
    };
    // Leaving drops the run, and with it every process that it started.
    let outcome = tokio::select! {
        outcome = run => outcome,
        outcome = interrupted() => outcome,
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("copydesk-bench: {error:#}");
        ExitCode::FAILURE
    })
}

/// What a shell reports for a command that ^C ended, once we were asked to end.
async fn interrupted() -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(ExitCode::from(130))
}
