//! A Redis server for one test. Needs only the program: `REDIS_SERVER`, or the one in PATH.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use redis::FromRedisValue;
use uuid::Uuid;

/// One server. Dropping it stops the server and removes its data.
#[derive(Debug)]
pub struct RedisServer {
    /// The port where it listens.
    pub port: u16,
    /// The port of the cluster bus.
    pub bus_port: u16,
    /// The folder of its files.
    pub folder: PathBuf,
    password: &'static str,
    process: Option<Child>,
}

impl RedisServer {
    /// A server that is not started yet. Commands use the password unless it is empty.
    pub fn new(password: &'static str) -> Self {
        // Both listeners are open at once, so that the ports differ.
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let (client, bus) = (free(), free());
        let folder = std::env::temp_dir().join(format!("copydesk-redis-{}", Uuid::now_v7().simple()));
        std::fs::create_dir_all(&folder).expect("a folder is made");
        Self { port: port(&client), bus_port: port(&bus), folder, password, process: None }
    }

    /// Starts it with these settings, in addition to its ports and its folder.
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

    /// Kills it. Its folder stays.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it is killed");
            process.wait().expect("it ends");
        }
    }

    /// Sends a command; `None` without an answer.
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
