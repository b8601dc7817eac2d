//! The floods. Each is some threads that go on until they are stopped.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use copydesk_common::key::Secret;
use copydesk_domain::access::KeyKind;
use sqlx::{Postgres, Transaction};

use super::client;
use crate::database::Database;

/// Connections of a flood of connections: more than 1,024 files have room for.
const CONNECTIONS: usize = 1_100;
/// Uploads at once, and the size of each.
const UPLOADS: usize = 60;
const UPLOAD_BYTES: usize = 15 * 1024 * 1024;
/// The pause between two looks at the connections of a flood.
const LOOKS: Duration = Duration::from_millis(20);
const MIB: usize = 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Flood {
    /// No flood: what is measured without one
    None,
    /// 1,100 connections that say nothing
    Silent,
    /// 1,100 connections with a head of 16 KiB that does not end
    Heads,
    /// 1,100 connections that keep asking for nothing
    Idle,
    /// 60 uploads of 15 MiB that stall before their end
    Uploads,
    /// 4 clients with batches of 0.4 MiB, with 60 unknown fields in each line
    Fields,
    /// 4 clients with 16 MiB of numbers in place of requests
    Numbers,
    /// 16 clients that try invented keys of the right form
    Keys,
    /// 100 clients that read jobs while the table is locked: the pool is exhausted
    Pool,
}

impl Flood {
    pub(super) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Whether the API has few files.
    pub(super) fn is_of_connections(self) -> bool {
        matches!(self, Self::Silent | Self::Heads | Self::Idle)
    }

    /// What has to be held during the flood.
    pub(super) async fn hold(self, database: &Database) -> anyhow::Result<Option<Transaction<'static, Postgres>>> {
        if self != Self::Pool {
            return Ok(None);
        }
        let mut lock = database.pool.begin().await?;
        sqlx::query("lock table jobs in access exclusive mode").execute(&mut *lock).await?;
        Ok(Some(lock))
    }

    /// Starts its threads.
    pub(super) fn start(self, address: SocketAddr, stop: &Arc<AtomicBool>) -> Vec<JoinHandle<()>> {
        let long_head = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}", "a".repeat(16 * 1024));
        let asks = "GET /problems HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned();
        match self {
            Self::None => Vec::new(),
            Self::Silent => vec![thread(stop, move |stop| connections(address, "", stop))],
            Self::Heads => vec![thread(stop, move |stop| connections(address, &long_head, stop))],
            Self::Idle => vec![thread(stop, move |stop| connections(address, &asks, stop))],
            Self::Uploads => threads(UPLOADS, stop, move |stop| stalled_uploads(address, stop)),
            Self::Fields => repeated(4, address, batch_of_fields(), stop),
            Self::Numbers => repeated(4, address, numbers(), stop),
            Self::Keys => threads(16, stop, move |stop| {
                while !stop.load(Ordering::Acquire) {
                    let _refused =
                        client::get_with(address, "/api/jobs?business_id=good", &Secret::mint(KeyKind::Tenant));
                }
            }),
            Self::Pool => threads(100, stop, move |stop| {
                while !stop.load(Ordering::Acquire) {
                    let _refused = client::get(address, "/api/jobs/01890000-0000-7000-8000-000000000000");
                }
            }),
        }
    }
}

fn thread(stop: &Arc<AtomicBool>, run: impl FnOnce(&AtomicBool) + Send + 'static) -> JoinHandle<()> {
    let stop = Arc::clone(stop);
    std::thread::spawn(move || run(&stop))
}

fn threads(
    count: usize,
    stop: &Arc<AtomicBool>,
    run: impl Fn(&AtomicBool) + Clone + Send + 'static,
) -> Vec<JoinHandle<()>> {
    (0..count).map(|_| thread(stop, run.clone())).collect()
}

/// Clients that post this batch again and again.
fn repeated(clients: usize, address: SocketAddr, body: String, stop: &Arc<AtomicBool>) -> Vec<JoinHandle<()>> {
    let body: Arc<str> = body.into();
    threads(clients, stop, move |stop| {
        while !stop.load(Ordering::Acquire) {
            let head = client::post_head("/api/generate/batch", body.len());
            let _refused = client::ask(address, &head, body.as_bytes());
        }
    })
}

/// Keeps many connections open, each of which has said this and nothing else.
fn connections(address: SocketAddr, said: &str, stop: &AtomicBool) {
    let mut open: Vec<TcpStream> = Vec::new();
    while !stop.load(Ordering::Acquire) {
        open.retain_mut(is_open);
        while open.len() < CONNECTIONS && !stop.load(Ordering::Acquire) {
            let Ok(mut stream) = client::connect(address) else { break };
            let _closed = stream.write_all(said.as_bytes());
            let _closed = stream.set_nonblocking(true);
            open.push(stream);
        }
        std::thread::sleep(LOOKS);
    }
}

/// Whether the server has not closed it. Reads what it says.
fn is_open(stream: &mut TcpStream) -> bool {
    let mut space = [0; 65_536];
    match stream.read(&mut space) {
        Ok(length) => length > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

/// Sends uploads, of each all but its last KiB, and waits until they are given up.
fn stalled_uploads(address: SocketAddr, stop: &AtomicBool) {
    let piece = vec![b'a'; MIB];
    while !stop.load(Ordering::Acquire) {
        let Ok(mut stream) = client::connect(address) else { continue };
        let head = client::post_head("/api/businesses/flood/documents", UPLOAD_BYTES);
        let mut sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(br#"{"title":"a","text":""#));
        for _ in 1..UPLOAD_BYTES / MIB {
            sent = sent.and_then(|()| stream.write_all(&piece));
        }
        let _ = sent.and_then(|()| stream.write_all(&piece[..MIB - 1024]));
        let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
        while !stop.load(Ordering::Acquire) {
            match stream.read(&mut [0; 1024]) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                _ => break,
            }
        }
    }
}

/// 0.4 MiB of requests, each with 60 fields that nobody knows.
fn batch_of_fields() -> String {
    let fields: String = (0..60).map(|field| format!(r#","f{field}":1"#)).collect();
    let line = format!(r#"{{"topic":"a"{fields}}}"#);
    format!(r#"{{"requests":[{}]}}"#, vec![&*line; 4 * MIB / 10 / (line.len() + 1)].join(","))
}

/// 16 MiB of numbers.
fn numbers() -> String {
    format!(r#"{{"requests":[{}1]}}"#, "1,".repeat(8 * MIB - 64))
}
