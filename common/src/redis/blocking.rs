//! The pool of connections for blocking commands, so that they do not delay others.

use std::time::Duration;

use deadpool::managed::{self, BuildError, Metrics, PoolError, RecycleError, RecycleResult};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Cmd, ConnectionInfo, FromRedisValue, RedisError, RedisResult};

use super::CONNECTION_TIMEOUT;
use super::connection::leave_replica;
use crate::config::Sentinels;

/// The connections of a process. A worker uses one for each queue.
const CONNECTIONS: usize = 16;
/// The time-out of a blocking command: longer than any of them blocks.
pub(super) const BLOCKING_TIMEOUT: Duration = Duration::from_secs(5);

/// The managers for a cluster and for Sentinel are our own: those of deadpool-redis have no setting
/// for time-outs, and the default of the crate `redis` is shorter than a command blocks.
#[derive(Clone)]
pub(super) enum Pool {
    Server(deadpool_redis::Pool),
    Primary(managed::Pool<OfPrimary>),
    Cluster(managed::Pool<OfCluster>),
}

impl Pool {
    pub(super) fn of_server(server: ConnectionInfo) -> Result<Self, super::RedisError> {
        let manager = deadpool_redis::Manager::new_with_config(server, config())?;
        Ok(Self::Server(deadpool_redis::Pool::builder(manager).max_size(CONNECTIONS).build()?))
    }

    pub(super) fn of_primary(sentinels: Sentinels) -> Result<Self, super::RedisError> {
        Ok(Self::Primary(managed::Pool::builder(OfPrimary(sentinels)).max_size(CONNECTIONS).build()?))
    }

    /// `client` must have [`BLOCKING_TIMEOUT`] as its response time-out.
    pub(super) fn of_cluster(client: ClusterClient) -> Result<Self, super::RedisError> {
        Ok(Self::Cluster(managed::Pool::builder(OfCluster(client)).max_size(CONNECTIONS).build()?))
    }

    pub(super) async fn get(&self) -> Result<BlockingConnection, super::RedisError> {
        Ok(match self {
            // Boxed, since every claimer's future would otherwise contain the large one that opens
            // a connection.
            Self::Server(pool) => BlockingConnection::Server(Box::pin(pool.get()).await?),
            Self::Primary(pool) => BlockingConnection::Primary(Box::pin(pool.get()).await?),
            Self::Cluster(pool) => BlockingConnection::Cluster(Box::pin(pool.get()).await?),
        })
    }
}

fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_response_timeout(Some(BLOCKING_TIMEOUT))
        .set_connection_timeout(Some(CONNECTION_TIMEOUT))
}

/// A connection for one command at a time. It returns to the pool when it is dropped.
pub(crate) enum BlockingConnection {
    Server(deadpool_redis::Connection),
    Primary(managed::Object<OfPrimary>),
    Cluster(managed::Object<OfCluster>),
}

impl BlockingConnection {
    pub(crate) async fn query<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        match self {
            Self::Server(server) => query(server, command).await,
            Self::Primary(primary) => query(&mut **primary, command).await,
            Self::Cluster(cluster) => command.query_async(&mut **cluster).await,
        }
    }
}

async fn query<T: FromRedisValue>(server: &mut impl ConnectionLike, command: &Cmd) -> RedisResult<T> {
    let answer = server.req_packed_command(command).await;
    leave_replica(server, &answer).await;
    Ok(T::from_redis_value(answer?.extract_error()?)?)
}

/// Opens connections to the primary of the sentinels.
pub(crate) struct OfPrimary(Sentinels);

impl managed::Manager for OfPrimary {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> RedisResult<MultiplexedConnection> {
        self.0.connect(&config()).await
    }

    async fn recycle(&self, primary: &mut MultiplexedConnection, _: &Metrics) -> RecycleResult<RedisError> {
        redis::cmd("PING").query_async::<()>(primary).await.map_err(RecycleError::Backend)
    }
}

/// Opens connections to a cluster.
pub(crate) struct OfCluster(ClusterClient);

impl managed::Manager for OfCluster {
    type Type = ClusterConnection;
    type Error = RedisError;

    async fn create(&self) -> RedisResult<ClusterConnection> {
        self.0.get_async_connection().await
    }

    /// The connection repairs itself node by node; a test would have to ask every node.
    async fn recycle(&self, _: &mut ClusterConnection, _: &Metrics) -> RecycleResult<RedisError> {
        Ok(())
    }
}

impl From<PoolError<RedisError>> for super::RedisError {
    fn from(error: PoolError<RedisError>) -> Self {
        match error {
            PoolError::Backend(error) => Self(error),
            error => Self(RedisError::from(std::io::Error::other(error))),
        }
    }
}

impl From<BuildError> for super::RedisError {
    fn from(error: BuildError) -> Self {
        Self(RedisError::from(std::io::Error::other(error)))
    }
}
