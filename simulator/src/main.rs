//! `copydesk-simulator`: the simulator as a process. Reads the command line, starts it, and stops it
//! on SIGTERM or SIGINT.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind;
use copydesk_simulator::{Behaviour, Fault, Limits, Simulator, SimulatorConfig, parse_faults, parse_model_limits};
use tokio::signal::unix::{SignalKind, signal};

/// Bad usage, and an address that cannot be had.
const EXIT_USAGE: u8 = 2;
/// How long calls under way may take to end after a signal.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// Stands in for Groq and Tavily: their protocols, limits and failures, without any network.
#[derive(Debug, Parser)]
#[command(name = "copydesk-simulator", version)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Fill texts up to the length asked for with sentences that say nothing, and find invented pages on any
    /// topic: for load. Else texts say only what their prompt's passages and profile say, and searches find only
    /// the pages under samples/web.
    #[arg(long)]
    filler: bool,
    /// The same seed gives the same answers and the same faults.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Chat calls in any 60 s, per key.
    #[arg(long, default_value = "30", value_name = "N|off", value_parser = limit)]
    llm_rpm: Limit,
    /// Tokens in any 60 s, per key.
    #[arg(long, default_value = "250000", value_name = "N|off", value_parser = limit)]
    llm_tpm: Limit,
    /// Chat calls a day, per key.
    #[arg(long, default_value = "10000000", value_name = "N|off", value_parser = limit)]
    llm_rpd: Limit,
    /// Models with limits of their own, per key: requests and tokens in any 60 s and a day.
    #[arg(long, default_value = "", hide_default_value = true, value_name = "name=30rpm/12000tpm/1000rpd/100000tpd,…",
        value_parser = model_limits)]
    model_limits: ModelLimits,
    /// Cache no starts of prompts. Else blocks of 128 tokens are held for two hours after their last use.
    #[arg(long)]
    no_prefix_cache: bool,
    /// The share of chat answers that are malformed.
    #[arg(long, default_value_t = 0.0, value_name = "0 to 1", value_parser = share)]
    malformed: f64,
    /// How likely a text follows a lesson that it is told.
    #[arg(long, default_value_t = Behaviour::default().follow, value_name = "0 to 1", value_parser = share)]
    follow: f64,
    /// Searches in any 60 s, per key.
    #[arg(long, default_value = "20", value_name = "N|off", value_parser = limit)]
    search_rpm: Limit,
    /// Credits of the search plan, after which searches answer 432.
    #[arg(long, default_value = "off", value_name = "N|off", value_parser = limit)]
    search_credits: Limit,
    /// Milliseconds added to every call.
    #[arg(long, default_value_t = 0, value_name = "MS")]
    delay_ms: u64,
    /// How fast messages are written, as a real model would; at once where not given.
    #[arg(long, value_name = "N", value_parser = speed)]
    tokens_per_second: Option<f64>,
    /// Fault rules in force from the start, as JSON: what PUT /_faults takes.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy)]
struct Limit(Option<u32>);

fn limit(text: &str) -> Result<Limit, String> {
    match (text, text.parse()) {
        ("off", _) => Ok(Limit(None)),
        (_, Ok(n)) if n > 0 => Ok(Limit(Some(n))),
        _ => Err("takes a number from 1, or `off`".into()),
    }
}

#[derive(Debug, Clone)]
struct ModelLimits(BTreeMap<String, Limits>);

fn model_limits(text: &str) -> Result<ModelLimits, String> {
    parse_model_limits(text).map(ModelLimits)
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("takes a number from 0 to 1".into()),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() && n >= 0.1 => Ok(n),
        _ => Err("takes a number from 0.1".into()),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(message) => fail(message),
    }
}

async fn run() -> Result<ExitCode, String> {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return Ok(usage(&error)),
    };
    let (mut terminated, mut interrupted) = signals().map_err(|error| format!("cannot listen for signals: {error}"))?;
    let simulator = Simulator::start(arguments.into_config()?).await.map_err(|error| chain(&error))?;
    println!("simulating Groq at {} and Tavily at {}", simulator.llm_base_url(), simulator.base_url());
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    if tokio::time::timeout(STOP_TIMEOUT, simulator.stop()).await.is_err() {
        eprintln!("copydesk-simulator: some calls did not end within {} s", STOP_TIMEOUT.as_secs());
    }
    Ok(ExitCode::SUCCESS)
}

fn signals() -> std::io::Result<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

impl Arguments {
    fn into_config(self) -> Result<SimulatorConfig, String> {
        let usual = SimulatorConfig::default();
        Ok(SimulatorConfig {
            listen: self.listen,
            plain: !self.filler,
            seed: self.seed,
            llm_requests_per_minute: self.llm_rpm.0,
            llm_tokens_per_minute: self.llm_tpm.0,
            llm_requests_per_day: self.llm_rpd.0,
            model_limits: self.model_limits.0,
            prefix_cache: usual.prefix_cache.filter(|_| !self.no_prefix_cache),
            malformed: self.malformed,
            behaviour: Behaviour { follow: self.follow, ..Behaviour::default() },
            search_requests_per_minute: self.search_rpm.0,
            search_credits: self.search_credits.0.map(u64::from),
            delay: Duration::from_millis(self.delay_ms),
            tokens_per_second: self.tokens_per_second,
            faults: self.faults.as_deref().map_or(Ok(Vec::new()), read_faults)?,
            ..usual
        })
    }
}

fn read_faults(path: &Path) -> Result<Vec<Fault>, String> {
    let named = |error: &dyn Display| format!("--faults {}: {error}", path.display());
    let json = std::fs::read(path).map_err(|error| named(&error))?;
    parse_faults(&json).map_err(|error| named(&error))
}

/// Help and version as they are; an error in one line, as the rest of Copydesk tells it.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        print!("{error}");
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let first_line = text.lines().next().unwrap_or_default();
    fail(first_line.trim_start_matches("error: "))
}

fn fail(message: impl Display) -> ExitCode {
    eprintln!("copydesk-simulator: {message}");
    ExitCode::from(EXIT_USAGE)
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
