//! Floods of the API: for each, a new process of it, clients that want to bring it down, a probe of
//! its health and a good client beside them, and its memory before, during and after.

mod client;
mod flood;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::ValueEnum as _;
use tokio::process::Command;

use crate::database::Database;
use crate::machine::{Machine, memory_kib};
use crate::measure::quantile;
use crate::process::Process;
use crate::redis_server::{self, RedisServer};
use crate::{Ground, table};
use client::Answer;
use flood::Flood;

/// The longest that a probe may take, at the 99th percentile.
const PROBE_MS: f64 = 100.0;
/// The most memory that may be left after a flood, over that of the idle process.
const LEFT: f64 = 1.2;
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The pauses between two probes, and between two requests of the good client.
const BETWEEN_PROBES: Duration = Duration::from_millis(20);
const BETWEEN_REQUESTS: Duration = Duration::from_millis(50);
/// Requests before the memory of the idle process is read.
const WARMING: usize = 300;
const HEAD: [&str; 9] =
    ["flood", "probe worst ms", "p99 ms", "failed", "good p99 ms", "failed", "idle MiB", "peak MiB", "left MiB"];

/// Flood the API, and measure its health, its memory and what is left for a good client.
///
/// Exits with 1 if a probe failed or took longer than 100 ms at the 99th percentile, or if more than
/// 1.2 times the idle memory is left after the rest. Nothing else should run on the machine.
#[derive(Debug, clap::Args)]
pub(crate) struct Floods {
    #[command(flatten)]
    ground: Ground,
    /// The floods [default: all]
    floods: Vec<Flood>,
    /// How long each flood lasts, in seconds
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// How long its end is waited for before memory is read again, in seconds
    #[arg(long, default_value_t = 60)]
    rest: u64,
    /// The limit of open files of the API in the floods of connections
    #[arg(long, default_value_t = 1_024)]
    files: u32,
}

impl Floods {
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        copydesk_common::files::raise();
        let folder = self.ground.out("floods")?;
        println!("{}", Machine::read().render());
        let database = Database::make(&self.ground.postgres, "floods").await?;
        let redis = RedisServer::start(&self.ground.redis_server, &folder).await?;
        let floods = if self.floods.is_empty() { Flood::value_variants() } else { &self.floods };
        let mut figures = Vec::new();
        for flood in floods {
            let name = flood.name();
            let measured = self.measure(*flood, &database, &redis, &folder).await.with_context(|| name.clone())?;
            eprintln!("{} {name}: {}", if measured.is_met() { "✓" } else { "✗" }, measured.met().join(", "));
            figures.push((name, measured));
        }
        let rows: Vec<_> = figures.iter().map(|(name, measured)| measured.row(name)).collect();
        println!("{}", table::render(&HEAD, &rows));
        let is_met = figures.iter().all(|(_, measured)| measured.is_met());
        Ok(if is_met { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn measure(
        &self,
        flood: Flood,
        database: &Database,
        redis: &RedisServer,
        folder: &Path,
    ) -> anyhow::Result<Figures> {
        let address = redis_server::free_address()?;
        let mut api = self.start(flood, address, database, redis, folder)?;
        let began = Instant::now();
        while !client::get(address, "/health/ready").is_ok_and(|answer| answer.is_good()) {
            api.check()?;
            anyhow::ensure!(began.elapsed() < READY_WITHIN, "the API was not ready in time");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for _ in 0..WARMING {
            client::good(address)?;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let idle = mebibytes(&api, "VmRSS")?;

        let stop = Arc::new(AtomicBool::new(false));
        let held = flood.hold(database).await?;
        let clients = flood.start(address, &stop);
        let probe = repeated(&stop, BETWEEN_PROBES, move |turn| {
            client::get(address, if turn % 2 == 0 { "/health/live" } else { "/health/ready" })
        });
        let good = repeated(&stop, BETWEEN_REQUESTS, move |_| client::good(address));
        tokio::time::sleep(Duration::from_secs(self.seconds)).await;
        stop.store(true, Ordering::Release);
        let (probe, good) = tokio::task::spawn_blocking(move || {
            let timed = (joined(probe), joined(good));
            clients.into_iter().for_each(|client| drop(client.join()));
            timed
        })
        .await?;
        drop(held);
        tokio::time::sleep(Duration::from_secs(self.rest)).await;
        api.check()?;
        let (peak, left) = (mebibytes(&api, "VmHWM")?, mebibytes(&api, "VmRSS")?);
        api.terminate(Duration::from_secs(30)).await?;
        Ok(Figures { probe, good, idle, peak, left })
    }

    /// Starts the API, with a low limit of files where the flood is one of connections.
    fn start(
        &self,
        flood: Flood,
        address: SocketAddr,
        database: &Database,
        redis: &RedisServer,
        folder: &Path,
    ) -> anyhow::Result<Process> {
        let program = self.ground.programs()?.join("copydesk-api");
        let limit = if flood.is_of_connections() { format!("ulimit -n {}; ", self.files) } else { String::new() };
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{limit}exec \"$0\"")])
            .arg(program)
            .env("POSTGRES_URI", database.uri.as_str())
            .env("REDIS_URL", format!("redis://{}/0", redis.address()))
            .env("COPYDESK_API_LISTEN", address.to_string())
            .env("COPYDESK_LOG", "error");
        Process::spawn(&flood.name(), command, folder)
    }
}

fn mebibytes(process: &Process, what: &str) -> anyhow::Result<f64> {
    Ok(memory_kib(process.pid(), what)? as f64 / 1024.0)
}

/// The times of requests in ms, and how many of them failed.
#[derive(Debug, Default)]
struct Timed {
    times_ms: Vec<f64>,
    failed: usize,
}

/// Asks again and again on a thread of its own, until `stop`.
fn repeated(
    stop: &Arc<AtomicBool>,
    pause: Duration,
    ask: impl Fn(u64) -> anyhow::Result<Answer> + Send + 'static,
) -> JoinHandle<Timed> {
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        let mut timed = Timed::default();
        for turn in 0.. {
            if stop.load(Ordering::Acquire) {
                break;
            }
            let began = Instant::now();
            if !ask(turn).is_ok_and(|answer| answer.is_good()) {
                timed.failed += 1;
            }
            timed.times_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
            std::thread::sleep(pause);
        }
        timed
    })
}

fn joined(thread: JoinHandle<Timed>) -> Timed {
    thread.join().unwrap_or_default()
}

/// What one flood came to.
#[derive(Debug)]
struct Figures {
    probe: Timed,
    good: Timed,
    idle: f64,
    peak: f64,
    left: f64,
}

impl Figures {
    fn probe_p99(&self) -> f64 {
        quantile(&mut self.probe.times_ms.clone(), 0.99)
    }

    fn is_met(&self) -> bool {
        self.probe.failed == 0 && self.probe_p99() <= PROBE_MS && self.left <= self.idle * LEFT
    }

    /// The figures with marks, in words.
    fn met(&self) -> Vec<String> {
        vec![
            format!(
                "{} of {} probes failed, p99 {:.1} ms",
                self.probe.failed,
                self.probe.times_ms.len(),
                self.probe_p99()
            ),
            format!("{:.0} MiB at the peak, {:.0} left of {:.0}", self.peak, self.left, self.idle),
        ]
    }

    fn row(&self, name: &str) -> Vec<String> {
        let worst = self.probe.times_ms.iter().copied().fold(0.0, f64::max);
        let good_p99 = quantile(&mut self.good.times_ms.clone(), 0.99);
        let failed = |timed: &Timed| format!("{} of {}", timed.failed, timed.times_ms.len());
        vec![
            name.to_owned(),
            format!("{worst:.1}"),
            format!("{:.1}", self.probe_p99()),
            failed(&self.probe),
            format!("{good_p99:.1}"),
            failed(&self.good),
            format!("{:.0}", self.idle),
            format!("{:.0}", self.peak),
            format!("{:.0}", self.left),
        ]
    }
}
