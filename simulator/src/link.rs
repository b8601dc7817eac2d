//! A link that breaks: a TCP proxy on loopback between a process and one of its servers, which a
//! test cuts, heals and slows. Knows nothing of what passes through it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Condition {
    up: bool,
    delay: Duration,
}

/// A proxy to one server. Stops when dropped.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    condition: watch::Sender<Condition>,
    accepting: JoinHandle<()>,
}

impl Link {
    /// A healthy link to the server at `upstream`.
    pub async fn to(upstream: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let condition = watch::Sender::new(Condition { up: true, delay: Duration::ZERO });
        let changes = condition.subscribe();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, upstream, changes.clone()));
            }
        });
        Ok(Self { address, condition, accepting })
    }

    /// Where a client connects to instead of the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection; new ones are closed at once.
    pub fn cut(&self) {
        self.condition.send_modify(|condition| condition.up = false);
    }

    /// Lets new connections through again.
    pub fn heal(&self) {
        self.condition.send_modify(|condition| condition.up = true);
    }

    /// Holds back each piece of data, both ways, for so long.
    pub fn slow(&self, delay: Duration) {
        self.condition.send_modify(|condition| condition.delay = delay);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(client: TcpStream, upstream: SocketAddr, mut condition: watch::Receiver<Condition>) {
    if !condition.borrow_and_update().up {
        return;
    }
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = pump(from_client, to_server, condition.clone()) => {}
        () = pump(from_server, to_client, condition.clone()) => {}
        _ = condition.wait_for(|condition| !condition.up) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, condition: watch::Receiver<Condition>) {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut piece).await else { return };
        let delay = condition.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
