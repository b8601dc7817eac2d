//! `copydesk-worker`: runs jobs until it is told to shut down.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use copydesk_common::config::Config;
use copydesk_common::store::Store;
use copydesk_common::store::learning::undistilled;
use copydesk_common::{clock, files, telemetry};
use copydesk_domain::business::BusinessId;
use copydesk_worker::feedback;
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
    /// What was learned from people's feedback.
    #[command(subcommand)]
    Learn(Learn),
}

#[derive(Subcommand)]
enum Learn {
    /// Make it anew from the verdicts, while workers run.
    Rebuild {
        /// The business; all, if missing.
        #[arg(long, value_parser = business)]
        business: Option<BusinessId>,
    },
}

fn business(id: &str) -> Result<BusinessId, String> {
    BusinessId::parse(id).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(Task::Read { seconds }) = &arguments.command {
        return read(*seconds);
    }
    // What was learned is made anew without any provider.
    let is_learning = matches!(arguments.command, Some(Task::Learn(_)));
    let checked = |config: Config| if is_learning { Ok(config) } else { config.check_worker().map(|()| config) };
    let config = match Config::from_env().and_then(checked) {
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
    let done = match arguments.command {
        Some(Task::Learn(Learn::Rebuild { business })) => rebuild(&config, business),
        _ => run(config),
    };
    match done {
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
async fn rebuild(config: &Config, business: Option<BusinessId>) -> anyhow::Result<()> {
    let store = Store::new(&config.postgres).context("POSTGRES_URI cannot be used")?;
    match business {
        Some(business) => {
            let is_judged = undistilled::is_judged(&store, &business).await?;
            anyhow::ensure!(is_judged, "nobody has judged a text of {business}: nothing can be rebuilt");
            let read = feedback::rebuild(&store, &business).await?;
            println!("{business}: rebuilt; {read} verdicts were read for the first time");
        }
        None => println!("{} businesses rebuilt", feedback::rebuild_all(&store).await?),
    }
    Ok(())
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
