//! `copydesk-worker`: runs jobs until it is told to shut down.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use copydesk_common::config::Config;
use copydesk_common::{clock, files, telemetry};
use tokio::signal::unix::{SignalKind, signal};

/// Runs Copydesk's jobs: generations, feedback and documents. Start as many workers as you need.
#[derive(Parser)]
#[command(version, after_long_help = Config::describe_variables())]
struct Arguments {
    /// Check the configuration and exit, with 0 if it is valid.
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    command: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Read documents for a worker, over pipes: workers start this themselves.
    #[command(hide = true)]
    Read {
        /// The most processor time for one, in seconds.
        seconds: u16,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Task::Read { seconds }) = arguments.command {
        return read(seconds);
    }
    let config = match Config::from_env().and_then(|config| config.check_worker().map(|()| config)) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("copydesk-worker: {}", telemetry::one_line(&error.to_string()));
            return ExitCode::from(2);
        }
    };
    if arguments.check {
        for name in Config::unknown_variables() {
            eprintln!("warning: {name} is unknown and has no effect: --help lists the known ones");
        }
        println!("configuration ok");
        return ExitCode::SUCCESS;
    }
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("copydesk-worker: {}", telemetry::one_line(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

/// Reads documents for the worker that started this process.
fn read(seconds: u16) -> ExitCode {
    match copydesk_reader::child::run(seconds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("copydesk-worker read: {}", telemetry::one_line(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(config: Config) -> anyhow::Result<()> {
    telemetry::init(&config.telemetry)?;
    let _ = telemetry::metrics();
    clock::pretend_ahead(config.worker.clock_ahead_seconds);
    for name in Config::unknown_variables() {
        tracing::warn!(variable = name, "an unknown variable is set and has no effect: --help lists the known ones");
    }
    files::raise();
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be handled")?;
    let told_to_leave = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    let config = Config { providers: copydesk_worker::provider::server::learn(config.providers).await, ..config };
    copydesk_worker::build(config)?.run(told_to_leave).await?;
    Ok(())
}
