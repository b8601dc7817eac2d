//! Redis: fast coordination that can be lost and rebuilt. The connections, every key as a function
//! ([`keys`]), and the scripts ([`script`]). What the keys mean is the queue's and the quota's.

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

pub(crate) use blocking::BlockingConnection;
use blocking::{BLOCKING_TIMEOUT, Pool};
use connection::Connection;
pub(crate) use generation::Generation;
use keys::Keys;
use outage::{Outages, Watched};
pub use pass::Swept;
use script::SWEEP_HOLD;
use sentinel::Primary;

/// A command that has no answer by then has failed.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// A lost connection is opened anew after a wait that grows up to this; for ever.
const MAX_RECONNECT_DELAY: Duration = Duration::from_millis(500);

/// Redis did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[error("Redis is not available")]
pub struct RedisError(#[from] redis::RedisError);

/// `REDIS_URL` names something else than what is there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongMode {
    /// A node of a cluster was named as something else.
    #[error(
        "REDIS_URL names a node of a Redis Cluster: use redis-cluster://host:port,host:port (rediss-cluster:// for TLS)"
    )]
    IsCluster,
    /// A server that is in no cluster was named as a node of one, or as a sentinel.
    #[error(
        "REDIS_URL names a Redis Cluster or sentinels, but the server is neither: use redis://host:port/database \
         (rediss:// for TLS)"
    )]
    IsServer,
    /// A sentinel was named as something else.
    #[error(
        "REDIS_URL names a sentinel: use redis-sentinel://host:port,host:port/service (rediss-sentinel:// for TLS)"
    )]
    IsSentinel,
    /// The sentinels know no such service.
    #[error("REDIS_URL names the service {0}, which its sentinels do not know: `SENTINEL MASTERS` lists theirs")]
    UnknownService(String),
}

/// A handle on Redis: one server, a cluster, or the primary that Sentinel names. Cheap to clone.
///
/// Commands share one multiplexed connection (one a node) that reconnects by itself: one round trip
/// each, none to test the connection. Commands that block have a pool of connections of their own,
/// where they hold up nobody.
#[derive(Clone)]
pub struct Redis {
    /// The server, or the nodes of the cluster, or the sentinels that were named.
    nodes: Vec<ConnectionInfo>,
    commands: Watched<Connection>,
    blocking: Pool,
    keys: Keys,
    /// What this process remembers of Redis' memory; clones share it.
    pub(crate) generation: Generation,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Redis {
    /// Makes the connections without opening them: a process starts, and says that it is not
    /// ready, while Redis is away. Needs a tokio runtime.
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

    /// Whether `REDIS_URL` names what is there, where Redis answers: a cluster takes other commands
    /// than one server, and would refuse most of them later.
    pub async fn check_mode(&self) -> Result<(), WrongMode> {
        let asked = tokio::time::timeout(RESPONSE_TIMEOUT, self.info()).await;
        match asked.unwrap_or_else(|elapsed| Err(redis::RedisError::from(std::io::Error::from(elapsed)).into())) {
            Ok(info) => self.commands.connection.check(&info),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "Redis is away at the start");
                Ok(())
            }
        }
    }

    /// What the first of the named nodes that answers says of itself.
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

    /// A connection for commands that block, 5 s at most; back in the pool when dropped.
    pub(crate) async fn blocking(&self) -> Result<BlockingConnection, RedisError> {
        self.blocking.get().await
    }

    /// A connection that receives published messages. In a cluster every node hears of all that is
    /// published at any.
    pub(crate) async fn subscriber(&self) -> Result<PubSub, RedisError> {
        if let Connection::Primary(primary) = &self.commands.connection {
            return Ok(subscribe_at(primary.sentinels().primary().await?).await?);
        }
        self.first_node_that(|client| subscribe_at(client).boxed()).await
    }

    /// Notices that a replica has taken the place of Sentinel's primary. That is so at each new
    /// connection; this is for the flush that makes Redis forget whose memory it has. One round trip.
    pub(crate) async fn notice_failover(&self) -> Result<(), RedisError> {
        if let Connection::Primary(_) = &self.commands.connection {
            sentinel::notice(&self.keys).invoke_async::<()>(&mut self.commands()).await?;
        }
        Ok(())
    }

    /// What the first of the named nodes answers that does.
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

    /// Every key.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// One round trip: an error where Redis does not answer.
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

    /// Holds a key in the name of `owner` for `time` from now: false where somebody else holds it. For
    /// work that is better done by one, and harmless when done by two. One round trip.
    pub async fn hold(&self, key: &str, owner: &str, time: Duration) -> Result<bool, RedisError> {
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Ok(SWEEP_HOLD.key(key).arg(owner).arg(millis).invoke_async(&mut self.commands()).await?)
    }

    /// Tells whoever listens on a channel.
    pub(crate) async fn publish(&self, channel: &str, message: &str) -> Result<(), RedisError> {
        let () = self.commands().publish(channel, message).await?;
        Ok(())
    }

    /// What [`Self::remember`] keeps under a key, while it does.
    pub async fn remembered(&self, key: &str) -> Result<Option<Vec<u8>>, RedisError> {
        Ok(self.commands().get(key).await?)
    }

    /// Keeps a value under a key for `time`, in place of an earlier one.
    pub async fn remember(&self, key: &str, value: &[u8], time: Duration) -> Result<(), RedisError> {
        let () = self.commands().set_ex(key, value, time.as_secs()).await?;
        Ok(())
    }

    /// Whether the mark that [`Self::set_mark`] left is there: it is gone after a flush.
    pub async fn mark(&self, key: &str) -> Result<Mark, RedisError> {
        let present: bool = self.commands().exists(key).await?;
        Ok(if present { Mark::Present } else { Mark::Absent })
    }

    /// Leaves a mark that only a flush removes.
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
    // It follows redirections, and tries again while a node is replaced, within the response's time.
    Ok(ClusterClientBuilder::new(nodes.to_vec())
        .connection_timeout(CONNECTION_TIMEOUT)
        .response_timeout(response_timeout)
        .build()?)
}

/// Whether Redis still has a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It has.
    Present,
    /// It never had, or was flushed.
    Absent,
}

#[cfg(test)]
impl Redis {
    /// The Redis that `REDIS_URL` names, with keys of the test's own.
    #[expect(clippy::expect_used, reason = "a test without its server cannot go on")]
    pub(crate) fn of_test() -> Self {
        let config = RedisConfig::new(&copydesk_testkit::redis_url(), &copydesk_testkit::prefix());
        Self::new(&config).expect("REDIS_URL is a URL")
    }

    /// The same, as a process knows it that has seen nothing yet.
    pub(crate) fn of_another_process(&self) -> Self {
        Self { generation: Generation::default(), ..self.clone() }
    }

    /// What each new connection with Sentinel notices: whether the server is another one.
    pub(crate) async fn notice_server(&self) -> Result<bool, RedisError> {
        Ok(sentinel::notice(&self.keys).invoke_async(&mut self.commands()).await?)
    }
}
