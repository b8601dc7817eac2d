//! A whole Copydesk: the real API and workers as processes, a simulator of the providers in this
//! process, and Postgres and Redis, optionally behind links that can be cut and slowed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use copydesk_simulator::link::Link;
use copydesk_simulator::{Simulator, SimulatorConfig};
use tokio::process::Command;
use url::Url;

use crate::Ground;
use crate::database::Database;
use crate::process::Process;
use crate::redis_server::{self, RedisServer};

const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long a worker may take to shut down: it lets its stages finish for 20 s, then gives its jobs
/// back.
const LEAVES_WITHIN: Duration = Duration::from_secs(30);

/// The setup of a Copydesk.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// The number of workers.
    pub(crate) workers: usize,
    /// The workers' limit of LLM calls a minute. The simulator counts calls but refuses none, so
    /// that a violated limit shows.
    pub(crate) llm_requests_per_minute: u32,
    /// Further environment variables of the programs.
    pub(crate) environment: Vec<(&'static str, String)>,
    /// How the providers behave.
    pub(crate) providers: SimulatorConfig,
    /// Whether Postgres and Redis are behind links. Measurements use none: the cost of a link would
    /// count against Copydesk.
    pub(crate) linked: bool,
    /// How far the workers' clocks are ahead, in seconds, in the order of their start.
    pub(crate) clocks_ahead: &'static [i64],
    /// The folder of an earlier release's programs, which every second worker uses.
    pub(crate) previous: Option<PathBuf>,
}

/// The ending of the names of an earlier release's processes.
pub(crate) const PREVIOUS: &str = "-previous";
/// The ending of the name of a process with many workers.
pub(crate) const FLEET: &str = "-fleet";

/// A running Copydesk. Its processes end when it is dropped.
#[derive(Debug)]
pub(crate) struct System {
    pub(crate) simulator: Simulator,
    pub(crate) database: Database,
    pub(crate) redis: RedisServer,
    pub(crate) redis_link: Link,
    pub(crate) postgres_link: Link,
    pub(crate) workers: Vec<Process>,
    api: Option<Process>,
    address: SocketAddr,
    programs: PathBuf,
    folder: PathBuf,
    setup: Setup,
    /// The number of processes started so far: each writes to Postgres under its own name.
    started: u32,
    workers_started: u32,
    wrong_clocks: Vec<String>,
}

impl System {
    /// Starts everything, with a new database `name` and an empty Redis. Returns once the API and
    /// the workers are ready.
    pub(crate) async fn start(ground: &Ground, folder: &Path, name: &str, setup: Setup) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let database = Database::make(&ground.postgres, name).await?;
        let redis = RedisServer::start(&ground.redis_server, folder).await?;
        let mut system = Self {
            simulator: Simulator::start(setup.providers.clone()).await?,
            redis_link: Link::to(redis.address()).await?,
            postgres_link: Link::to(address_of(&database.uri).await?).await?,
            database,
            redis,
            workers: Vec::new(),
            api: None,
            address: redis_server::free_address()?,
            programs: ground.programs()?,
            folder: folder.to_owned(),
            setup,
            started: 0,
            workers_started: 0,
            wrong_clocks: Vec::new(),
        };
        system.start_api().await?;
        for _ in 0..system.setup.workers {
            system.start_worker()?;
        }
        Ok(system)
    }

    /// The API's base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The API's address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts one more worker.
    pub(crate) fn start_worker(&mut self) -> anyhow::Result<()> {
        self.started += 1;
        let turn = usize::try_from(self.workers_started)?;
        self.workers_started += 1;
        let previous = self.setup.previous.clone().filter(|_| turn % 2 == 1);
        let name = format!("copydesk-worker-{}{}", self.started, previous.as_ref().map_or("", |_| PREVIOUS));
        let path = previous.unwrap_or_else(|| self.programs.clone()).join("copydesk-worker");
        let ahead = self.setup.clocks_ahead.get(turn).copied().unwrap_or(0);
        if ahead != 0 {
            self.wrong_clocks.push(name.clone());
        }
        let worker = Process::start(&name, &path, &self.folder, |command| {
            self.configure(command, &name);
            command.env("COPYDESK_CLOCK_AHEAD_SECONDS", ahead.to_string());
        })?;
        self.workers.push(worker);
        Ok(())
    }

    /// Starts this many more workers in one process, each with few connections and one job at a
    /// time.
    pub(crate) fn start_fleet(&mut self, workers: usize) -> anyhow::Result<()> {
        self.started += 1;
        let name = format!("copydesk-worker-{}{FLEET}", self.started);
        let program = std::env::current_exe().context("this program cannot be found")?;
        let fleet = Process::start(&name, &program, &self.folder, |command| {
            self.configure(command, &name);
            command.args(["fleet", &workers.to_string()]);
            command.env("COPYDESK_WORKER_CONCURRENCY", "1");
            command.env("COPYDESK_DATABASE_POOL_SIZE", "1").env("COPYDESK_DATABASE_POOL_OVERFLOW", "1");
        })?;
        self.workers.push(fleet);
        Ok(())
    }

    /// The names of the processes with wrong clocks.
    pub(crate) fn wrong_clocks(&self) -> &[String] {
        &self.wrong_clocks
    }

    /// Kills a worker with SIGKILL and starts another one.
    pub(crate) async fn kill_worker(&mut self, index: usize) -> anyhow::Result<()> {
        self.workers.remove(index).kill().await?;
        self.start_worker()
    }

    /// Ends every worker with SIGTERM, one after the other, and replaces each before the next one.
    pub(crate) async fn restart_workers(&mut self) -> anyhow::Result<()> {
        for _ in 0..self.workers.len() {
            self.start_worker()?;
            self.workers.remove(0).terminate(LEAVES_WITHIN).await?;
        }
        Ok(())
    }

    /// Kills the API with SIGKILL and starts another one at its address.
    pub(crate) async fn kill_api(&mut self) -> anyhow::Result<()> {
        if let Some(api) = self.api.take() {
            api.kill().await?;
        }
        self.start_api().await
    }

    /// Fails if a process that should run has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.workers.iter_mut().chain(&mut self.api).try_for_each(Process::check)
    }

    async fn start_api(&mut self) -> anyhow::Result<()> {
        self.started += 1;
        let name = format!("copydesk-api-{}", self.started);
        let path = self.programs.join("copydesk-api");
        let mut api = Process::start(&name, &path, &self.folder, |command| self.configure(command, &name))?;
        let (client, live) = (reqwest::Client::new(), format!("{}/health/live", self.url()));
        let began = Instant::now();
        while client.get(&live).send().await.is_err() {
            api.check()?;
            if began.elapsed() > READY_WITHIN {
                bail!("the API was not ready within {} s", READY_WITHIN.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.api = Some(api);
        Ok(())
    }

    fn configure(&self, command: &mut Command, writer: &str) {
        let (mut postgres, redis) = if self.setup.linked {
            (through(&self.database.uri, &self.postgres_link), self.redis_link.address())
        } else {
            (self.database.uri.clone(), self.redis.address())
        };
        // Triggers read it to record which process makes a write.
        postgres.query_pairs_mut().append_pair("options[copydesk.writer]", writer);
        command
            .env("POSTGRES_URI", postgres.as_str())
            .env("REDIS_URL", format!("redis://{redis}/0"))
            .env("GROQ_API_KEY", "gsk-chaos")
            .env("COPYDESK_LLM_NAME", "groq")
            .env("COPYDESK_REVIEW_MODEL", "openai/gpt-oss-20b")
            .env("TAVILY_API_KEY", "tvly-chaos")
            .env("COPYDESK_API_LISTEN", self.address.to_string())
            .env("COPYDESK_WORKER_LISTEN", "off")
            .env("COPYDESK_LLM_BASE_URL", self.simulator.llm_base_url())
            .env("COPYDESK_SEARCH_BASE_URL", self.simulator.base_url())
            .env("COPYDESK_LLM_REQUESTS_PER_MINUTE", self.setup.llm_requests_per_minute.to_string())
            .env("COPYDESK_SEARCH_REQUESTS_PER_MINUTE", "60000")
            .env("COPYDESK_SIMULATED", "true")
            .env("COPYDESK_LOG", "warn")
            .envs(self.setup.environment.iter().map(|(name, value)| (name, value)));
    }
}

/// The server's address, for a link.
async fn address_of(uri: &Url) -> anyhow::Result<SocketAddr> {
    let host = uri.host_str().unwrap_or("127.0.0.1").to_owned();
    let mut found = tokio::net::lookup_host((host, uri.port().unwrap_or(5432))).await?;
    found.next().context("the host of Postgres has no address")
}

/// The URI of the same database through a link.
fn through(uri: &Url, link: &Link) -> Url {
    let mut uri = uri.clone();
    // Both fail only for URLs without a host, and a server's URI has one.
    let _ = uri.set_host(Some("127.0.0.1"));
    let _ = uri.set_port(Some(link.address().port()));
    uri
}
