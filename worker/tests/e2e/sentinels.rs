//! A primary and its replica, and three sentinels that can promote the replica.

use std::collections::BTreeMap;

use copydesk_testkit::redis_server::RedisServer;

use crate::system::until;

/// The sentinels' name of the primary.
const SERVICE: &str = "main";
/// The passwords of the servers and of the sentinels.
const PASSWORD: &str = "of-servers";
const SENTINELS_PASSWORD: &str = "of-sentinels";
/// How long a server must be silent to count as down, in milliseconds. A sentinel pings each
/// server every `min(this, 1 s)`, the first time one such period after it connects: with less than
/// two periods, it takes each newly promoted server for dead and promotes the next one.
const DOWN_AFTER_MS: u32 = 2_000;

pub(crate) struct Sentinels {
    pub(crate) first: RedisServer,
    pub(crate) second: RedisServer,
    sentinels: Vec<RedisServer>,
}

impl Sentinels {
    /// The first server is the primary.
    pub(crate) async fn start() -> Self {
        let (mut first, mut second) = (RedisServer::new(PASSWORD), RedisServer::new(PASSWORD));
        let primary = first.port.to_string();
        start_server(&mut first, &[]);
        start_server(&mut second, &["--replicaof", "127.0.0.1", &primary]);
        until(async || first.is_up().await).await;
        until(async || is_linked(&second).await).await;
        let mut sentinels: Vec<_> = (0..3).map(|_| RedisServer::new(SENTINELS_PASSWORD)).collect();
        for sentinel in &mut sentinels {
            start_sentinel(sentinel, &primary);
        }
        let started = Self { first, second, sentinels };
        for sentinel in &started.sentinels {
            until(async || knows_all(sentinel).await).await;
        }
        started
    }

    /// A URL with two of them.
    pub(crate) fn url(&self) -> String {
        self.url_of(SERVICE)
    }

    pub(crate) fn url_of(&self, service: &str) -> String {
        let (one, two) = (self.sentinels[0].port, self.sentinels[1].port);
        format!(
            "redis-sentinel://:{PASSWORD}@127.0.0.1:{one},127.0.0.1:{two}/{service}/2?sentinel_password={SENTINELS_PASSWORD}"
        )
    }

    /// The first sentinel, as if it were a server.
    pub(crate) fn url_of_sentinel(&self) -> String {
        format!("redis://:{SENTINELS_PASSWORD}@127.0.0.1:{}", self.sentinels[0].port)
    }

    /// The first server, as if it were a sentinel.
    pub(crate) fn url_of_no_sentinel(&self) -> String {
        format!("redis-sentinel://127.0.0.1:{}/{SERVICE}?sentinel_password={PASSWORD}", self.first.port)
    }

    pub(crate) fn kill_sentinel(&mut self) {
        self.sentinels[0].kill();
    }

    /// Waits until the replica has all current data of the primary.
    pub(crate) async fn are_alike(&self) {
        let wanted = offset(&self.first).await;
        until(async || offset(&self.second).await >= wanted).await;
    }

    /// Makes the second server the primary, and the first its replica. Both keep running and keep
    /// their connections.
    pub(crate) async fn swap(&self) {
        let asked = async || self.sentinels[0].ask::<String>(&["SENTINEL", "FAILOVER", SERVICE]).await.is_some();
        until(asked).await;
        let second = self.second.port.to_string();
        for sentinel in &self.sentinels {
            until(async || primary_of(sentinel).await.as_deref() == Some(&second)).await;
        }
        // The sentinels do so seconds later, and end its connections.
        self.first.ask::<()>(&["REPLICAOF", "127.0.0.1", &second]).await.unwrap();
        until(async || is_linked(&self.first).await).await;
    }

    /// Starts the first server again, with no data and none to replicate.
    pub(crate) async fn start_first_again(&mut self) {
        start_server(&mut self.first, &[]);
        until(async || self.first.is_up().await).await;
    }

    /// Waits until the sentinels have made the first server the second's replica.
    pub(crate) async fn first_is_replica(&self) {
        until(async || is_linked(&self.first).await).await;
    }
}

/// The number of Copydesk's connections to a server.
pub(crate) async fn clients_of(server: &RedisServer) -> usize {
    let list: String = server.ask(&["CLIENT", "LIST", "TYPE", "NORMAL"]).await.unwrap();
    list.lines().filter(|line| line.contains(" db=2 ")).count()
}

fn start_server(server: &mut RedisServer, settings: &[&str]) {
    let all = [
        "--save",
        "",
        "--requirepass",
        PASSWORD,
        "--masterauth",
        PASSWORD,
        "--repl-diskless-sync-delay",
        "0",
        "--enable-debug-command",
        "local",
    ];
    server.start(&[&all, settings].concat());
}

fn start_sentinel(sentinel: &mut RedisServer, primary: &str) {
    let file = sentinel.folder.join("sentinel.conf");
    let settings = format!(
        "requirepass {SENTINELS_PASSWORD}\nsentinel monitor {SERVICE} 127.0.0.1 {primary} 2\n\
         sentinel auth-pass {SERVICE} {PASSWORD}\nsentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n\
         sentinel failover-timeout {SERVICE} 2000\n"
    );
    std::fs::write(&file, settings).unwrap();
    sentinel.start(&[file.to_str().unwrap(), "--sentinel"]);
}

async fn replication(server: &RedisServer) -> String {
    server.ask(&["INFO", "replication"]).await.unwrap_or_default()
}

/// Whether a server is a replica that has finished its first synchronisation.
async fn is_linked(server: &RedisServer) -> bool {
    replication(server).await.contains("master_link_status:up")
}

async fn offset(server: &RedisServer) -> u64 {
    let info = replication(server).await;
    info.lines().find_map(|line| line.strip_prefix("master_repl_offset:")).unwrap().parse().unwrap()
}

/// The port of the primary, according to a sentinel.
async fn primary_of(sentinel: &RedisServer) -> Option<String> {
    let address: Vec<String> = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE]).await?;
    address.into_iter().nth(1)
}

/// Whether a sentinel knows the replica and the other sentinels.
async fn knows_all(sentinel: &RedisServer) -> bool {
    let known: Option<BTreeMap<String, String>> = sentinel.ask(&["SENTINEL", "MASTER", SERVICE]).await;
    known.is_some_and(|known| {
        [("num-slaves", "1"), ("num-other-sentinels", "2"), ("flags", "master")]
            .iter()
            .all(|(field, value)| known.get(*field).is_some_and(|known| known == value))
    })
}
