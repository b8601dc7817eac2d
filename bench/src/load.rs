//! HTTP load: a number of connections, each with one request at a time, for a while. Counts and
//! times the requests, which the caller makes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::measure::quantile;

/// Makes the request with a number.
type Make = Arc<dyn Fn(u64) -> Request<Full<Bytes>> + Send + Sync>;

/// The target of the load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) connections: u64,
    pub(crate) time: Duration,
    /// The expected status; any other is an error.
    pub(crate) expects: StatusCode,
}

/// The result of the load.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served {
    pub(crate) per_second: f64,
    pub(crate) p99_ms: f64,
}

impl Load {
    /// Runs the load; the first quarter of the time is not counted.
    pub(crate) async fn put(
        self,
        make: impl Fn(u64) -> Request<Full<Bytes>> + Send + Sync + 'static,
    ) -> anyhow::Result<Served> {
        let make: Make = Arc::new(make);
        let connections = (0..self.connections).map(|_| connect(self.address));
        let connections = try_join_all(connections).await?;
        let counted_from = Instant::now() + self.time / 4;
        let until = counted_from + self.time;
        let clients = connections.into_iter().zip(0..).map(|(connection, client)| {
            let client = self.client(connection, client, Arc::clone(&make), counted_from, until);
            async move { tokio::spawn(client).await? }
        });
        let mut times_ms = try_join_all(clients).await?.concat();
        ensure!(!times_ms.is_empty(), "not one request was answered in time");
        let per_second = times_ms.len() as f64 / self.time.as_secs_f64();
        Ok(Served { per_second, p99_ms: quantile(&mut times_ms, 0.99) })
    }

    async fn client(
        self,
        mut connection: SendRequest<Full<Bytes>>,
        client: u64,
        make: Make,
        counted_from: Instant,
        until: Instant,
    ) -> anyhow::Result<Vec<f64>> {
        let mut times_ms = Vec::new();
        let mut number = client;
        loop {
            let began = Instant::now();
            if began >= until {
                return Ok(times_ms);
            }
            let answer = connection.send_request(make(number)).await?;
            let status = answer.status();
            answer.into_body().collect().await?;
            ensure!(status == self.expects, "answered with {status}");
            if began >= counted_from && Instant::now() < until {
                times_ms.push(began.elapsed().as_secs_f64() * 1_000.0);
            }
            number += self.connections;
        }
    }
}

async fn connect(address: SocketAddr) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.with_context(|| address.to_string())?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}
