//! Connections that a caller need not tell apart: to one server, or to a cluster, where each command
//! goes to the node that has its keys. And the pool of those that block.

use std::time::Duration;

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult};
use futures_util::FutureExt;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, ServerErrorKind,
    Value,
};

use super::CONNECTION_TIMEOUT;

/// A command that blocks has failed when it has no answer by then: longer than any of them blocks.
pub(super) const BLOCKING_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to one server, of the kind `S`, or to a cluster.
#[derive(Clone)]
pub(crate) enum Connection<S> {
    Server(S),
    Cluster(ClusterConnection),
}

impl<S: ConnectionLike + Send> ConnectionLike for Connection<S> {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(server) => async move {
                let answer = server.req_packed_command(cmd).await;
                if is_read_only(&answer) {
                    // It is a replica by now. Whatever stands in its place is found by connecting anew.
                    let _ = server.req_packed_command(&redis::cmd("QUIT")).await;
                }
                answer
            }
            .boxed(),
            Self::Cluster(cluster) => cluster.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(server) => server.req_packed_commands(cmd, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(cmd, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(server) => server.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}

/// Whether a server that was the primary has been made a replica.
fn is_read_only(answer: &RedisResult<Value>) -> bool {
    let read_only = ErrorKind::Server(ServerErrorKind::ReadOnly);
    match answer {
        Ok(Value::ServerError(error)) => error.kind() == Some(ServerErrorKind::ReadOnly),
        Ok(_) => false,
        Err(error) => error.kind() == read_only,
    }
}

/// Connections for commands that block, where they hold up nobody else.
pub(super) type Pool = managed::Pool<Blocking>;
/// One of them; back in the pool when dropped.
pub(crate) type BlockingConnection = managed::Object<Blocking>;

/// Opens the connections of a [`Pool`].
#[derive(Debug)]
pub(crate) enum Blocking {
    Server(Box<Client>),
    Cluster(Box<ClusterClient>),
}

impl managed::Manager for Blocking {
    type Type = Connection<MultiplexedConnection>;
    type Error = RedisError;

    async fn create(&self) -> Result<Self::Type, RedisError> {
        match self {
            Self::Server(client) => {
                let config = AsyncConnectionConfig::new()
                    .set_response_timeout(Some(BLOCKING_TIMEOUT))
                    .set_connection_timeout(Some(CONNECTION_TIMEOUT));
                client.get_multiplexed_async_connection_with_config(&config).await.map(Connection::Server)
            }
            Self::Cluster(client) => client.get_async_connection().await.map(Connection::Cluster),
        }
    }

    async fn recycle(&self, connection: &mut Self::Type, _: &Metrics) -> RecycleResult<RedisError> {
        match connection {
            Connection::Server(server) => {
                redis::cmd("PING").query_async::<()>(server).await.map_err(RecycleError::Backend)
            }
            // It mends itself, node by node; a test would ask them all.
            Connection::Cluster(_) => Ok(()),
        }
    }
}
