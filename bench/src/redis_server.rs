//! A private Redis that can be killed and restarted at the same address. Its data is in an
//! append-only file, as in production.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use redis::aio::MultiplexedConnection;

use crate::process::Process;

const READY_WITHIN: Duration = Duration::from_secs(30);

/// A Redis that runs, or that was killed and can be restarted.
#[derive(Debug)]
pub(crate) struct RedisServer {
    program: PathBuf,
    folder: PathBuf,
    address: SocketAddr,
    process: Option<Process>,
}

impl RedisServer {
    /// Starts one with its data and its log in `folder`.
    pub(crate) async fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut server = Self { program: program.to_owned(), folder: folder.to_owned(), address, process: None };
        server.start_again().await?;
        Ok(server)
    }

    /// Its address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills it.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        match self.process.take() {
            Some(process) => process.kill().await,
            None => Ok(()),
        }
    }

    /// Restarts it with its data. Returns once it answers.
    pub(crate) async fn start_again(&mut self) -> anyhow::Result<()> {
        let (address, folder) = (self.address, self.folder.clone());
        self.process = Some(Process::start("redis", &self.program, &self.folder, |command| {
            command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]);
            command.args(["--maxmemory-policy", "noeviction", "--port", &address.port().to_string(), "--dir"]);
            command.arg(folder);
        })?);
        let began = Instant::now();
        while !self.answers().await {
            if let Some(process) = &mut self.process {
                process.check()?;
            }
            if began.elapsed() > READY_WITHIN {
                bail!("Redis was not ready within {} s", READY_WITHIN.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn answers(&self) -> bool {
        let Ok(mut connection) = self.connect().await else { return false };
        redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok()
    }

    /// Sends a command without a link, such as `["CLIENT", "PAUSE", "2000"]`.
    pub(crate) async fn command(&self, words: &[&str]) -> anyhow::Result<()> {
        self.query::<redis::Value>(words).await?;
        Ok(())
    }

    /// Sends a command whose answer is a number.
    pub(crate) async fn ask(&self, words: &[&str]) -> anyhow::Result<u64> {
        self.query(words).await
    }

    /// The number of commands that it has refused since its start because its memory was full.
    pub(crate) async fn out_of_memory_errors(&self) -> anyhow::Result<u64> {
        let text: String = self.query(&["INFO", "errorstats"]).await?;
        let count = text.lines().find_map(|line| line.trim().strip_prefix("errorstat_OOM:count="));
        Ok(count.map_or(Ok(0), str::parse)?)
    }

    async fn query<T: redis::FromRedisValue>(&self, words: &[&str]) -> anyhow::Result<T> {
        let (name, arguments) = words.split_first().context("no command")?;
        let mut connection = self.connect().await?;
        Ok(redis::cmd(name).arg(arguments).query_async(&mut connection).await?)
    }

    /// A connection without a link.
    pub(crate) async fn connect(&self) -> anyhow::Result<MultiplexedConnection> {
        let client = redis::Client::open(format!("redis://{}/0", self.address))?;
        // Long, because a flush of a million jobs or a runaway script blocks Redis for a while.
        let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
        Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
    }
}

/// A free address on this machine.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free TCP port on 127.0.0.1")?;
    Ok(listener.local_addr()?)
}
