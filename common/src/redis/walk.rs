//! Removing keys whose names are only partly known: cached results of searches, under hashes of their queries. Walks over
//! all keys in steps, on every node of a cluster. All of these keys expire by themselves within an hour, so a walk may
//! end early.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use copydesk_domain::business::BusinessId;
use futures_util::future::try_join_all;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};

use super::connection::Connection;
use super::{Redis, RedisError};

/// Keys that one step looks at: about a millisecond.
const STEP: usize = 1_000;
/// The longest that a walk takes, on all nodes together.
const LONGEST: Duration = Duration::from_secs(60);

/// The first slot of a node of a cluster; `None` for a server that is in none.
type Node = Option<u16>;

impl Redis {
    /// Removes the results of searches that are kept for a business. Returns how many there were, and whether all keys
    /// were looked at.
    pub async fn forget_searches(&self, business_id: &BusinessId) -> Result<(u64, bool), RedisError> {
        let give_up = Instant::now() + LONGEST;
        let (pattern, mut removed) = (self.keys().pattern_of(business_id), 0);
        for node in self.nodes_with_keys().await? {
            let mut cursor = 0_u64;
            loop {
                let (next, mut keys) = self.step(node, cursor, &pattern).await?;
                keys.retain(|key| self.keys().is_search_of(business_id, key));
                removed += self.unlink(&keys).await?;
                cursor = next;
                if cursor == 0 {
                    break;
                }
                if Instant::now() >= give_up {
                    return Ok((removed, false));
                }
            }
        }
        Ok((removed, true))
    }

    /// Removes keys, each by a command of its own: in a cluster they are on different nodes.
    pub(crate) async fn unlink(&self, keys: &[String]) -> Result<u64, RedisError> {
        let removed = try_join_all(keys.iter().map(|key| {
            let mut connection = self.commands();
            async move { redis::cmd("UNLINK").arg(key).query_async::<u64>(&mut connection).await }
        }));
        Ok(removed.await?.into_iter().sum())
    }

    async fn step(&self, node: Node, cursor: u64, pattern: &str) -> Result<(u64, Vec<String>), RedisError> {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(STEP);
        match (self.commands.connection.clone(), node) {
            (Connection::Cluster(mut cluster), Some(slot)) => {
                let route = SingleNodeRoutingInfo::SpecificNode(Route::new(slot, SlotAddr::Master));
                let found = cluster.route_command(scan, RoutingInfo::SingleNode(route)).await?;
                Ok(redis::from_redis_value(found).map_err(redis::RedisError::from)?)
            }
            _ => Ok(scan.query_async(&mut self.commands()).await?),
        }
    }

    /// The nodes to walk over.
    async fn nodes_with_keys(&self) -> Result<Vec<Node>, RedisError> {
        let Connection::Cluster(cluster) = &self.commands.connection else { return Ok(vec![None]) };
        let mut asked = redis::cmd("CLUSTER");
        asked.arg("SLOTS");
        let ranges: Vec<Vec<redis::Value>> = asked.query_async(&mut cluster.clone()).await?;
        let mut first_slots = BTreeMap::new();
        for range in ranges {
            let mut fields = range.into_iter();
            if let (Some(first), Some(_last), Some(redis::Value::Array(primary))) =
                (fields.next(), fields.next(), fields.next())
            {
                let first: u16 = redis::from_redis_value(first).map_err(redis::RedisError::from)?;
                first_slots.entry(format!("{:?}", primary.get(..2))).or_insert(first);
            }
        }
        Ok(first_slots.into_values().map(Some).collect())
    }
}
