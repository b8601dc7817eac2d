//! A single server, and a Redis Cluster of three nodes without replicas.

use copydesk_testkit::redis_server::RedisServer;

use crate::worker::until;

const SLOTS: u16 = 16_384;

/// A server that is in no cluster.
pub(crate) struct Alone(RedisServer);

impl Alone {
    pub(crate) async fn start() -> Self {
        let mut server = RedisServer::new("");
        start(&mut server, "no");
        until(async || server.is_up().await).await;
        Self(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port)
    }

    /// What it answers.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        self.0.ask(words).await.unwrap()
    }
}

fn start(server: &mut RedisServer, cluster: &str) {
    server.start(&[
        "--cluster-enabled",
        cluster,
        "--cluster-node-timeout",
        "1000",
        // The slots of a node stay usable while another node is down.
        "--cluster-require-full-coverage",
        "no",
        "--save",
        "",
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
    ]);
}

/// The running cluster.
pub(crate) struct Nodes(Vec<RedisServer>);

/// Whether a node knows all nodes, and where each slot is.
async fn is_ready(node: &RedisServer) -> bool {
    let info: Option<String> = node.ask(&["CLUSTER", "INFO"]).await;
    info.is_some_and(|info| {
        ["cluster_state:ok", "cluster_slots_ok:16384", "cluster_known_nodes:3"].iter().all(|line| info.contains(line))
    })
}

impl Nodes {
    pub(crate) async fn start() -> Self {
        let mut nodes: Vec<RedisServer> = (0..3).map(|_| RedisServer::new("")).collect();
        nodes.iter_mut().for_each(|node| start(node, "yes"));
        let nodes = Self(nodes);
        for (number, node) in (0..).zip(&nodes.0) {
            until(async || node.is_up().await).await;
            let slots = nodes.slots_of(number);
            let (first, last) = (slots.start.to_string(), (slots.end - 1).to_string());
            node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await.unwrap();
            // Otherwise two nodes may both claim the first epoch, which takes seconds to resolve.
            node.ask::<()>(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await.unwrap();
            let (port, bus_port) = (nodes.0[0].port.to_string(), nodes.0[0].bus_port.to_string());
            if number > 0 {
                node.ask::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus_port]).await.unwrap();
            }
        }
        nodes.are_ready().await;
        nodes
    }

    async fn are_ready(&self) {
        for node in &self.0 {
            until(async || is_ready(node).await).await;
        }
    }

    fn slots_of(&self, node: u16) -> std::ops::Range<u16> {
        let share = SLOTS / 3;
        node * share..if node == 2 { SLOTS } else { (node + 1) * share }
    }

    /// A URL with two of them: the third is discovered.
    pub(crate) fn url(&self) -> String {
        format!("redis-cluster://127.0.0.1:{},127.0.0.1:{}", self.0[0].port, self.0[1].port)
    }

    /// The first node as if it were alone.
    pub(crate) fn url_of_one(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0[0].port)
    }

    /// Which node has a key.
    pub(crate) async fn node_of(&self, key: &str) -> usize {
        let slot: u16 = self.0[0].ask(&["CLUSTER", "KEYSLOT", key]).await.unwrap();
        (0..3).find(|node| self.slots_of(*node).contains(&slot)).unwrap().into()
    }

    pub(crate) fn kill(&mut self, node: usize) {
        self.0[node].kill();
    }

    /// Starts a killed node again with the data that it had.
    pub(crate) async fn start_again(&mut self, node: usize) {
        start(&mut self.0[node], "yes");
        let node = &self.0[node];
        until(async || node.is_up().await).await;
    }
}
