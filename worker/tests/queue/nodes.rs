//! A Redis Cluster of three nodes of our own, without replicas. Needs the server's program only:
//! `REDIS_SERVER`, or the one in PATH.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use redis::aio::MultiplexedConnection;

use crate::worker::until;

const SLOTS: u16 = 16_384;

/// One node; gone with its data when dropped.
struct Node {
    port: u16,
    bus_port: u16,
    folder: PathBuf,
    process: Option<Child>,
}

/// A server that is in no cluster.
pub(crate) struct Alone(Node);

impl Alone {
    pub(crate) async fn start() -> Self {
        let mut node = Node::new();
        node.start("no");
        until(async || node.ask::<String>(&["PING"]).await.is_some()).await;
        Self(node)
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port)
    }

    /// What it answers.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        self.0.ask(words).await.unwrap()
    }
}

/// The running cluster.
pub(crate) struct Nodes(Vec<Node>);

impl Node {
    fn new() -> Self {
        // Both are held at once, so that they differ.
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (client, bus) = (free(), free());
        let folder = std::env::temp_dir().join(format!("copydesk-cluster-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            port: client.local_addr().unwrap().port(),
            bus_port: bus.local_addr().unwrap().port(),
            folder,
            process: None,
        }
    }

    fn start(&mut self, cluster: &str) {
        let own = std::env::var("REDIS_SERVER").ok();
        let programs = own.as_deref().map_or(vec!["redis-server", "valkey-server"], |own| vec![own]);
        let (port, bus_port) = (self.port.to_string(), self.bus_port.to_string());
        let started = programs.iter().find_map(|program| {
            let mut command = Command::new(program);
            command.args(["--bind", "127.0.0.1", "--port", &port, "--cluster-port", &bus_port]);
            command.args(["--cluster-enabled", cluster, "--cluster-node-timeout", "1000"]);
            // What one node has is of use while another is away.
            command.args(["--cluster-require-full-coverage", "no"]);
            command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir"]).arg(&self.folder);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
        });
        self.process = Some(started.expect("redis-server or valkey-server is in PATH, or REDIS_SERVER names it"));
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    async fn connect(&self) -> Option<MultiplexedConnection> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        client.get_multiplexed_async_connection().await.ok()
    }

    /// What the node answers; nothing where it does not.
    async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> Option<T> {
        let mut connection = self.connect().await?;
        redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.ok()
    }

    /// Whether it knows all nodes, and where each slot is.
    async fn is_ready(&self) -> bool {
        let info: Option<String> = self.ask(&["CLUSTER", "INFO"]).await;
        info.is_some_and(|info| {
            ["cluster_state:ok", "cluster_slots_ok:16384", "cluster_known_nodes:3"]
                .iter()
                .all(|line| info.contains(line))
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Nodes {
    pub(crate) async fn start() -> Self {
        let mut nodes: Vec<Node> = (0..3).map(|_| Node::new()).collect();
        nodes.iter_mut().for_each(|node| node.start("yes"));
        let nodes = Self(nodes);
        for (number, node) in (0..).zip(&nodes.0) {
            until(async || node.ask::<String>(&["PING"]).await.is_some()).await;
            let slots = nodes.slots_of(number);
            let (first, last) = (slots.start.to_string(), (slots.end - 1).to_string());
            node.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await.unwrap();
            // Otherwise two nodes that meet may both claim the first epoch, which takes seconds to settle.
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
            until(async || node.is_ready().await).await;
        }
    }

    fn slots_of(&self, node: u16) -> std::ops::Range<u16> {
        let share = SLOTS / 3;
        node * share..if node == 2 { SLOTS } else { (node + 1) * share }
    }

    /// Names two of them: the third is found.
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
        self.0[node].start("yes");
        let node = &self.0[node];
        until(async || node.ask::<String>(&["PING"]).await.is_some()).await;
    }
}
