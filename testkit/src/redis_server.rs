//! A Redis of a test's own. Needs the server's program only: `REDIS_SERVER`, or the one in PATH.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use redis::FromRedisValue;
use uuid::Uuid;

/// One server; gone with its data when dropped.
#[derive(Debug)]
pub struct RedisServer {
    /// Where it listens.
    pub port: u16,
    /// Where nodes of a cluster speak to it.
    pub bus_port: u16,
    /// Where its files are.
    pub folder: PathBuf,
    password: &'static str,
    process: Option<Child>,
}

impl RedisServer {
    /// One that is not started yet. It is asked with the password, where that is not empty.
    pub fn new(password: &'static str) -> Self {
        // Both are held at once, so that they differ.
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let (client, bus) = (free(), free());
        let folder = std::env::temp_dir().join(format!("copydesk-redis-{}", Uuid::now_v7().simple()));
        std::fs::create_dir_all(&folder).expect("a folder is made");
        Self { port: port(&client), bus_port: port(&bus), folder, password, process: None }
    }

    /// Starts it with these settings, beside its ports and its folder.
    pub fn start(&mut self, settings: &[&str]) {
        let own = std::env::var("REDIS_SERVER").ok();
        let programs = own.as_deref().map_or(vec!["redis-server", "valkey-server"], |own| vec![own]);
        let (port, bus_port) = (self.port.to_string(), self.bus_port.to_string());
        let started = programs.iter().find_map(|program| {
            let mut command = Command::new(program);
            command.args(settings).args(["--bind", "127.0.0.1", "--port", &port, "--cluster-port", &bus_port]);
            command.arg("--dir").arg(&self.folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
        });
        self.process = Some(started.expect("redis-server or valkey-server is in PATH, or REDIS_SERVER names it"));
    }

    /// Kills it; its folder stays.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it is killed");
            process.wait().expect("it ends");
        }
    }

    /// What it answers; nothing where it does not.
    pub async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> Option<T> {
        let at = if self.password.is_empty() { String::new() } else { format!(":{}@", self.password) };
        let client = redis::Client::open(format!("redis://{at}127.0.0.1:{}", self.port)).expect("a URL");
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.ok()
    }

    /// Whether it answers.
    pub async fn is_up(&self) -> bool {
        self.ask::<String>(&["PING"]).await.is_some()
    }
}

fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("it has an address").port()
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
