//! Redis: fast coordination that can be lost and rebuilt. This module has the connections, every
//! key as a function ([`keys`]), and the scripts ([`script`]). The queue and the quota define what
//! the keys mean.

use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::cluster::{ClusterClient, ClusterClientBuilder, ClusterConfig};
use redis::{AsyncCommands, AsyncConnectionConfig, Client, ConnectionInfo};

use crate::config::{Address, RedisConfig};

mod blocking;
mod connection;
mod generation;
pub mod keys;
mod outage;
mod pass;
pub(crate) mod script;
mod sentinel;
mod walk;

pub(crate) use blocking::BlockingConnection;
use blocking::{BLOCKING_TIMEOUT, Pool};
use connection::Connection;
pub(crate) use generation::Generation;
use keys::Keys;
use outage::{Outages, Watched};
pub use pass::Swept;
use script::SWEEP_HOLD;
use sentinel::Primary;

/// The time-out of a command.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest wait between attempts to reconnect, which never stop.
const MAX_RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// A command of Redis failed.
#[derive(Debug, thiserror::Error)]
#[error("Redis is not available")]
pub struct RedisError(#[from] redis::RedisError);

/// `REDIS_URL` does not match the kind of server at its address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongMode {
    /// The server is a node of a cluster, but the URL does not say so.
    #[error(
        "REDIS_URL names a node of a Redis Cluster: use redis-cluster://host:port,host:port (rediss-cluster:// for TLS)"
    )]
    IsCluster,
    /// The server is neither in a cluster nor a sentinel, but the URL says so.
    #[error(
        "REDIS_URL names a Redis Cluster or sentinels, but the server is neither: use redis://host:port/database \
         (rediss:// for TLS)"
    )]
    IsServer,
    /// The server is a sentinel, but the URL does not say so.
    #[error(
        "REDIS_URL names a sentinel: use redis-sentinel://host:port,host:port/service (rediss-sentinel:// for TLS)"
    )]
    IsSentinel,
    /// The sentinels do not know the service.
    #[error("REDIS_URL names the service {0}, which its sentinels do not know: `SENTINEL MASTERS` lists theirs")]
    UnknownService(String),
}

/// A handle on Redis: one server, a cluster, or the primary of Sentinel. Cheap to clone.
///
/// Commands share one multiplexed connection (in a cluster, one for each node), which reconnects
/// automatically. Each takes one round trip; there is no extra one to test the connection. Blocking
/// commands have their own pool of connections, so that they do not delay others.
#[derive(Clone)]
pub struct Redis {
    /// The server, the nodes or the sentinels in `REDIS_URL`.
    nodes: Vec<ConnectionInfo>,
    commands: Watched<Connection>,
    blocking: Pool,
    keys: Keys,
    /// The generation of Redis' memory that this process has seen; clones share it.
    pub(crate) generation: Generation,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Redis {
    /// Creates the connections without opening them: a process starts while Redis is unavailable,
    /// and reports that it is not ready. Needs a tokio runtime.
    pub fn new(config: &RedisConfig) -> Result<Self, RedisError> {
        let address = config.address().map_err(|error| redis::RedisError::from(std::io::Error::other(error)))?;
        let keys = Keys::new(&config.prefix);
        let (nodes, commands, blocking) = match address {
            Address::Server(server) => {
                let client = Client::open(*server.clone())?;
                let commands = ConnectionManager::new_lazy_with_config(client, server_config())?;
                (vec![*server.clone()], Connection::Server(commands), Pool::of_server(*server)?)
            }
            Address::Sentinel(sentinels) => {
                let commands = Primary::new(sentinels.clone(), connection_config(), keys.clone());
                (sentinels.nodes.clone(), Connection::Primary(commands), Pool::of_primary(sentinels)?)
            }
            Address::Cluster(nodes) => {
                let commands = cluster_client(&nodes, RESPONSE_TIMEOUT)?
                    .get_pending_async_connection_with_config(ClusterConfig::new());
                let blocking = Pool::of_cluster(cluster_client(&nodes, BLOCKING_TIMEOUT)?)?;
                (nodes, Connection::Cluster(commands), blocking)
            }
        };
        let commands = Watched { connection: commands, outages: Outages::default() };
        Ok(Self { nodes, commands, blocking, keys, generation: Generation::default() })
    }

    /// Checks that `REDIS_URL` matches the kind of server, if Redis answers: a cluster would refuse
    /// most commands that one server accepts.
    pub async fn check_mode(&self) -> Result<(), WrongMode> {
        let asked = tokio::time::timeout(RESPONSE_TIMEOUT, self.info()).await;
        match asked.unwrap_or_else(|elapsed| Err(redis::RedisError::from(std::io::Error::from(elapsed)).into())) {
            Ok(info) => self.commands.connection.check(&info),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "Redis is unavailable at the start: REDIS_URL was not checked against the server"
                );
                Ok(())
            }
        }
    }

    /// The `INFO` of the first node that answers.
    async fn info(&self) -> Result<String, RedisError> {
        self.first_node_that(|client| {
            async move {
                let mut connection = client.get_multiplexed_async_connection_with_config(&connection_config()).await?;
                redis::cmd("INFO").query_async(&mut connection).await
            }
            .boxed()
        })
        .await
    }

    /// The connection for commands that do not block.
    pub(crate) fn commands(&self) -> Watched<Connection> {
        self.commands.clone()
    }

    /// A connection for commands that block for at most 5 s. It returns to the pool when it is
    /// dropped.
    pub(crate) async fn blocking(&self) -> Result<BlockingConnection, RedisError> {
        self.blocking.get().await
    }

    /// A connection that receives published messages. In a cluster, every node receives the
    /// messages that are published at any node.
    pub(crate) async fn subscriber(&self) -> Result<PubSub, RedisError> {
        if let Connection::Primary(primary) = &self.commands.connection {
            return Ok(subscribe_at(primary.sentinels().primary().await?).await?);
        }
        self.first_node_that(|client| subscribe_at(client).boxed()).await
    }

    /// Detects that a replica has become Sentinel's primary. Each new connection does this by
    /// itself; this call is for after a flush, when Redis has forgotten which server's memory it
    /// has. One round trip.
    pub(crate) async fn notice_failover(&self) -> Result<(), RedisError> {
        if let Connection::Primary(_) = &self.commands.connection {
            sentinel::notice(&self.keys).invoke_async::<()>(&mut self.commands()).await?;
        }
        Ok(())
    }

    /// The answer of the first node that answers.
    async fn first_node_that<T>(
        &self,
        asked: impl Fn(Client) -> BoxFuture<'static, Result<T, redis::RedisError>>,
    ) -> Result<T, RedisError> {
        let mut last = redis::RedisError::from(std::io::Error::other("no node is named"));
        for node in &self.nodes {
            match asked(Client::open(node.clone())?).await {
                Ok(answer) => return Ok(answer),
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    /// All keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Fails if Redis does not answer. One round trip.
    pub async fn ping(&self) -> Result<(), RedisError> {
        let mut connection = self.commands();
        redis::cmd("PING").query_async::<()>(&mut connection).await?;
        Ok(())
    }

    /// The time by Redis' clock.
    pub async fn time(&self) -> Result<DateTime<Utc>, RedisError> {
        let (seconds, micros): (i64, u32) = redis::cmd("TIME").query_async(&mut self.commands()).await?;
        Ok(DateTime::from_timestamp(seconds, micros.saturating_mul(1_000)).unwrap_or_default())
    }

    /// Takes or extends the lock `key` for `owner`. False if another owner holds it. For work that
    /// one process should do, but that is harmless if two do it. One round trip.
    pub async fn hold(&self, key: &str, owner: &str, time: Duration) -> Result<bool, RedisError> {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Ok(SWEEP_HOLD.key(key).arg(owner).arg(millis).invoke_async(&mut self.commands()).await?)
    }

    /// Publishes a message on a channel.
    pub(crate) async fn publish(&self, channel: &str, message: &str) -> Result<(), RedisError> {
        let () = self.commands().publish(channel, message).await?;
        Ok(())
    }

    /// The value that [`Self::remember`] stored under a key, until it expires.
    pub async fn remembered(&self, key: &str) -> Result<Option<Vec<u8>>, RedisError> {
        Ok(self.commands().get(key).await?)
    }

    /// Stores a value under a key for `time`, replacing an earlier one.
    pub async fn remember(&self, key: &str, value: &[u8], time: Duration) -> Result<(), RedisError> {
        let () = self.commands().set_ex(key, value, time.as_secs()).await?;
        Ok(())
    }

    /// Takes a key for `time`: false where somebody else has it.
    pub async fn take(&self, key: &str, time: Duration) -> Result<bool, RedisError> {
        let mut set = redis::cmd("SET");
        set.arg(key).arg(1).arg("NX").arg("PX").arg(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        Ok(set.query_async::<Option<String>>(&mut self.commands()).await?.is_some())
    }

    /// Gives a key back that [`Self::take`] took.
    pub async fn give_back(&self, key: &str) -> Result<(), RedisError> {
        let () = self.commands().del(key).await?;
        Ok(())
    }

    /// Whether the mark that [`Self::set_mark`] left is there: it is gone after a flush.
    pub async fn mark(&self, key: &str) -> Result<Mark, RedisError> {
        let present: bool = self.commands().exists(key).await?;
        Ok(if present { Mark::Present } else { Mark::Absent })
    }

    /// Sets a mark that only a flush removes.
    pub async fn set_mark(&self, key: &str) -> Result<(), RedisError> {
        let () = self.commands().set(key, 1).await?;
        Ok(())
    }
}

async fn subscribe_at(client: Client) -> Result<PubSub, redis::RedisError> {
    let opened = tokio::time::timeout(CONNECTION_TIMEOUT, client.get_async_pubsub()).await;
    opened.map_err(|elapsed| redis::RedisError::from(std::io::Error::from(elapsed)))?
}

fn connection_config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_connection_timeout(Some(CONNECTION_TIMEOUT))
}

fn server_config() -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_connection_timeout(Some(CONNECTION_TIMEOUT))
        .set_max_delay(MAX_RECONNECT_DELAY)
        .set_number_of_retries(1)
}

fn cluster_client(nodes: &[ConnectionInfo], response_timeout: Duration) -> Result<ClusterClient, RedisError> {
    // The client follows redirections and retries while a node is replaced, within the response
    // time-out.
    Ok(ClusterClientBuilder::new(nodes.to_vec())
        .connection_timeout(CONNECTION_TIMEOUT)
        .response_timeout(response_timeout)
        .build()?)
}

/// Whether Redis still has a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Redis has it.
    Present,
    /// It was never set, or Redis was flushed.
    Absent,
}

#[cfg(test)]
impl Redis {
    /// The Redis of `REDIS_URL`, with a key prefix for one test.
    #[expect(clippy::expect_used, reason = "a test without its server cannot go on")]
    pub(crate) fn of_test() -> Self {
        let config = RedisConfig::new(&copydesk_testkit::redis_url(), &copydesk_testkit::prefix());
        Self::new(&config).expect("REDIS_URL is a URL")
    }

    /// The same Redis, as seen by a process that has seen no generation yet.
    pub(crate) fn of_another_process(&self) -> Self {
        Self { generation: Generation::default(), ..self.clone() }
    }

    /// What each new connection of Sentinel checks: whether the server is another one.
    pub(crate) async fn notice_server(&self) -> Result<bool, RedisError> {
        Ok(sentinel::notice(&self.keys).invoke_async(&mut self.commands()).await?)
    }
}
