//! Peers: other software that does the same work, as short programs in `bench/peers` with the
//! settings that its docs advise. This module starts them. The rows of the benchmark decide what
//! they do, and skip peers that cannot be installed on this machine.

mod install;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use tokio::process::Command;

use crate::Ground;
use crate::database::Database;
use crate::process::{Group, Process};
use crate::redis_server::{self, RedisServer};

pub(crate) use install::{Installed, versions};

const READY_WITHIN: Duration = Duration::from_secs(60);
/// Celery's own program gives up after 120 s.
const DRAINED_WITHIN: Duration = Duration::from_secs(180);

/// Software that accepts jobs over HTTP, at `POST /api/generate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acceptor {
    /// Answers 202 once the job is in Redis; two processes on two cores.
    FastifyBullmq,
    /// Answers 202 once the job's row is committed and the job is in Redis; one process for each
    /// core.
    FastapiCelery,
}

impl Acceptor {
    pub(crate) const ALL: [Self; 2] = [Self::FastifyBullmq, Self::FastapiCelery];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FastifyBullmq => "Fastify + BullMQ",
            Self::FastapiCelery => "FastAPI + Celery",
        }
    }
}

/// A peer that accepts jobs. Dropping it ends it and everything that it started.
#[derive(Debug)]
pub(crate) struct Peer {
    acceptor: Acceptor,
    address: SocketAddr,
    _group: Group,
    _process: Process,
    _redis: RedisServer,
}

impl Peer {
    /// Starts a peer with its own Redis and, if it uses one, its own database. Installs it first if
    /// necessary.
    pub(crate) async fn start(ground: &Ground, folder: &Path, acceptor: Acceptor) -> anyhow::Result<Self> {
        let folder = folder.join(format!("{acceptor:?}").to_lowercase());
        std::fs::create_dir_all(&folder)?;
        let installed = Installed::in_folder(ground.peers()?);
        let command = match acceptor {
            Acceptor::FastifyBullmq => installed.node("accept.js").await?,
            Acceptor::FastapiCelery => installed.python("venv/bin/uvicorn").await?,
        };
        let redis = RedisServer::start(&ground.redis_server, &folder).await?;
        let address = redis_server::free_address()?;
        let mut command = match acceptor {
            Acceptor::FastifyBullmq => fastify(command, address, redis.address()),
            Acceptor::FastapiCelery => fastapi(command, address, redis.address(), ground).await?,
        };
        command.process_group(0);
        let mut process = Process::spawn("peer", command, &folder)?;
        let group = Group(process.pid());
        let listening = process.listening(address, READY_WITHIN).await;
        listening.with_context(|| format!("see {}", folder.join("peer.log").display()))?;
        Ok(Self { acceptor, address, _group: group, _process: process, _redis: redis })
    }

    pub(crate) fn acceptor(&self) -> Acceptor {
        self.acceptor
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn fastify(mut command: Command, address: SocketAddr, redis: SocketAddr) -> Command {
    command.args([address.port().to_string(), redis.port().to_string()]);
    command
}

async fn fastapi(
    mut command: Command,
    address: SocketAddr,
    redis: SocketAddr,
    ground: &Ground,
) -> anyhow::Result<Command> {
    let database = Database::make_empty(&ground.postgres, "bench_peer").await?;
    sqlx::raw_sql(include_str!("../peers/python/schema.sql")).execute(&database.pool).await?;
    let workers = std::thread::available_parallelism()?.to_string();
    command
        .args(["accept:app", "--host", "127.0.0.1", "--port", &address.port().to_string(), "--workers", &workers])
        // As uvicorn's docs advise. There is no access log: a line for each request would cost more
        // than the request.
        .args(["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"])
        .env("POSTGRES_URI", database.uri.as_str())
        .env("REDIS_URL", format!("redis://{redis}/0"));
    Ok(command)
}

/// Software that queues jobs and runs them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drainer {
    /// A worker of 1,000 at a time; batches of 500; locks, no results.
    ApalisRedis,
    /// A worker of 200 at a time, in one process; added in batches of 500.
    Bullmq,
    /// A worker with one process for each core; jobs are added one by one and acknowledged before
    /// they run.
    Celery,
}

impl Drainer {
    pub(crate) const ALL: [Self; 3] = [Self::ApalisRedis, Self::Bullmq, Self::Celery];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ApalisRedis => "apalis-redis",
            Self::Bullmq => "BullMQ",
            Self::Celery => "Celery",
        }
    }

    /// The number of jobs that it adds and runs in a few seconds.
    fn jobs(self) -> u32 {
        match self {
            Self::ApalisRedis | Self::Bullmq => 20_000,
            Self::Celery => 4_000,
        }
    }

    /// Adds no-op jobs to an empty Redis, then runs them all.
    pub(crate) async fn drain(self, ground: &Ground, redis: &RedisServer) -> anyhow::Result<Drained> {
        let (installed, port) = (Installed::in_folder(ground.peers()?), redis.address().port().to_string());
        let url = format!("redis://{}/0", redis.address());
        let mut command = match self {
            Self::ApalisRedis => installed.apalis_redis().await?,
            Self::Bullmq => installed.node("drain.js").await?,
            Self::Celery => installed.python("venv/bin/python").await?,
        };
        match self {
            Self::ApalisRedis => command.arg(&url),
            Self::Bullmq => command.arg(&port),
            Self::Celery => command.arg("drain.py").env("REDIS_URL", &url),
        };
        command.arg(self.jobs().to_string());
        redis.command(&["FLUSHALL"]).await?;
        let took: Took = serde_json::from_str(&said(command).await?).context("it said no times")?;
        let jobs = f64::from(self.jobs());
        Ok(Drained { pushed_per_second: jobs / took.pushing, drained_per_second: jobs / took.draining })
    }
}

/// How fast a peer was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drained {
    pub(crate) pushed_per_second: f64,
    pub(crate) drained_per_second: f64,
}

/// What a peer's program prints, in seconds.
#[derive(Debug, Deserialize)]
struct Took {
    pushing: f64,
    draining: f64,
}

/// A program's standard output until it ends.
async fn said(mut command: Command) -> anyhow::Result<String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.process_group(0).kill_on_drop(true).spawn()?;
    let _group = child.id().map(Group);
    let output = tokio::time::timeout(DRAINED_WITHIN, child.wait_with_output());
    let output = output.await.with_context(|| format!("not done within {} s", DRAINED_WITHIN.as_secs()))??;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {}", output.status, errors.trim().lines().last().unwrap_or_default());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
