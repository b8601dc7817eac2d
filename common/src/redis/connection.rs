//! The connection for commands that do not block. It hides what it is connected to: one server, the
//! primary of Sentinel, or a cluster, where each command goes to the node with its keys.

use futures_util::FutureExt;
use redis::aio::{ConnectionLike, ConnectionManager};
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, Pipeline, RedisFuture, RedisResult, Value};

use super::WrongMode;
use super::outage::is_read_only;
use super::sentinel::Primary;

/// A shared connection that reconnects automatically.
#[derive(Clone)]
pub(crate) enum Connection {
    Server(ConnectionManager),
    Primary(Primary),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Checks that the connection fits the kind of server with this `INFO`.
    pub(super) fn check(&self, info: &str) -> Result<(), WrongMode> {
        match self {
            Self::Cluster(_) if info.contains("cluster_enabled:1") => Ok(()),
            _ if info.contains("cluster_enabled:1") => Err(WrongMode::IsCluster),
            Self::Primary(primary) if info.contains("sentinel_masters:") => {
                let service = &primary.sentinels().service;
                let is_known = info.contains(&format!(":name={service},"));
                if is_known { Ok(()) } else { Err(WrongMode::UnknownService(service.clone())) }
            }
            _ if info.contains("sentinel_masters:") => Err(WrongMode::IsSentinel),
            Self::Server(_) => Ok(()),
            _ => Err(WrongMode::IsServer),
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(server) => async move {
                let answer = server.req_packed_command(cmd).await;
                leave_replica(server, &answer).await;
                answer
            }
            .boxed(),
            Self::Primary(primary) => primary.req_packed_command(cmd),
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
            Self::Primary(primary) => primary.req_packed_commands(cmd, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(cmd, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(server) => server.get_db(),
            Self::Primary(primary) => primary.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}

/// Ends a connection whose server has become a replica. Reconnecting finds the new primary.
pub(super) async fn leave_replica(server: &mut impl ConnectionLike, answer: &RedisResult<Value>) {
    if is_read_only(answer) {
        let _ = server.req_packed_command(&redis::cmd("QUIT")).await;
    }
}
