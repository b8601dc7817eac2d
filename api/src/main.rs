//! `copydesk-api`: reads the configuration, then serves the API or applies the migrations.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use copydesk_api::keys::KeysCommand;
use copydesk_api::trim;
use copydesk_common::config::{AuthMode, Config};
use copydesk_common::store::{MIGRATOR, Store};
use copydesk_common::{files, telemetry};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The exit code for an invalid configuration, of `--check` and of a start.
const EXIT_CONFIGURATION: u8 = 2;

/// Serves Copydesk's HTTP API.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    /// Check the configuration and exit.
    #[arg(long)]
    check: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Apply the database migrations and exit.
    Migrate,
    /// Print the API reference (OpenAPI) and exit.
    Openapi,
    /// Make, list, revoke or rotate API keys, without the API.
    #[command(subcommand)]
    Keys(KeysCommand),
}

/// Prints the reference as it is served, in lines.
fn print_reference() -> ExitCode {
    match copydesk_api::openapi::pretty() {
        Ok(text) => {
            // Whoever reads it may stop in the middle.
            let _ = writeln!(std::io::stdout(), "{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the reference cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn main() -> ExitCode {
    copydesk_heap::use_small_pages();
    let arguments = arguments();
    // It takes no configuration: tools read it while nothing runs.
    if matches!(arguments.command, Some(Command::Openapi)) {
        return print_reference();
    }
    let config = match Config::from_env() {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{}", telemetry::one_line(&error.to_string()));
            return ExitCode::from(EXIT_CONFIGURATION);
        }
    };
    if arguments.check {
        for name in Config::unknown_variables() {
            eprintln!("warning: {name} is unknown and has no effect: --help lists the known ones");
        }
        println!("configuration ok{}", what_lets_in(&config));
        return ExitCode::SUCCESS;
    }
    let done = match arguments.command {
        Some(Command::Migrate) => run(migrate(&config)),
        Some(Command::Keys(command)) => run(keys(&config, command)),
        Some(Command::Openapi) | None => run(serve(&config)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", telemetry::one_line(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

/// What lets requests in, for those who come from a release without keys.
fn what_lets_in(config: &Config) -> &'static str {
    match config.api.auth {
        AuthMode::Required => "; requests need an API key: `copydesk-api keys create --name me` makes the first one",
        AuthMode::Open => "; COPYDESK_AUTH=open: requests need no API key",
    }
}

/// Parses the arguments. `--help` ends with a list of all variables.
fn arguments() -> Arguments {
    let command = Arguments::command().after_help(Config::describe_variables());
    Arguments::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

fn run(program: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().on_thread_park(trim::before_sleep).build();
    runtime.context("the runtime cannot be started")?.block_on(program)
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    let store = Store::new(&config.postgres).context("POSTGRES_URI cannot be used")?;
    store.migrate(&MIGRATOR).await.context("the migrations could not be applied")?;
    println!("migrations applied");
    Ok(())
}

async fn keys(config: &Config, command: KeysCommand) -> anyhow::Result<()> {
    let store = Store::new(&config.postgres).context("POSTGRES_URI cannot be used")?;
    command.run(&store).await
}

/// The system keeps connections that are not accepted yet. One that it has no place for is tried again
/// by its client a second later: that is too late for a probe.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    const NOT_ACCEPTED: u32 = 4_096;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(NOT_ACCEPTED)
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    telemetry::init(&config.telemetry)?;
    for name in Config::unknown_variables() {
        tracing::warn!(variable = name, "an unknown variable is set and has no effect: --help lists the known ones");
    }
    let address = config.api.listen;
    let listener = listen(address).with_context(|| format!("cannot listen at {address} (COPYDESK_API_LISTEN)"))?;
    if config.api.auth == AuthMode::Open {
        tracing::warn!(listen = %address, "COPYDESK_AUTH=open: everybody who reaches this address may do everything");
    }
    files::raise();
    let app = copydesk_api::build(config)?;
    app.check().await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tracing::info!(address = %listener.local_addr()?, max_connections = app.max_connections(), "serving");
    tokio::spawn(telemetry::upkeep());
    tokio::spawn(trim::keep());
    app.serve(listener, async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await?;
    Ok(())
}
