//! A link that breaks: a TCP proxy on loopback between a process and one of its servers, which a
//! test cuts, heals and slows. Knows nothing of what passes through it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
    harm: Arc<Harm>,
    accepting: JoinHandle<()>,
}

/// What the link has done to what passed through it.
#[derive(Debug, Default)]
struct Harm {
    /// Connections broken or refused.
    broken: AtomicU64,
    /// Pieces of data held back.
    delayed: AtomicU64,
}

impl Link {
    /// A healthy link to the server at `upstream`.
    pub async fn to(upstream: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let condition = watch::Sender::new(Condition { up: true, delay: Duration::ZERO });
        let (changes, harm) = (condition.subscribe(), Arc::new(Harm::default()));
        let harming = Arc::clone(&harm);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, upstream, changes.clone(), Arc::clone(&harming)));
            }
        });
        Ok(Self { address, condition, harm, accepting })
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

    /// Connections that it has broken or refused so far.
    pub fn broken(&self) -> u64 {
        self.harm.broken.load(Ordering::Relaxed)
    }

    /// Pieces of data that it has held back so far.
    pub fn delayed(&self) -> u64 {
        self.harm.delayed.load(Ordering::Relaxed)
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

async fn carry(client: TcpStream, upstream: SocketAddr, mut condition: watch::Receiver<Condition>, harm: Arc<Harm>) {
    if !condition.borrow_and_update().up {
        harm.broken.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let Ok(server) = TcpStream::connect(upstream).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = pump(from_client, to_server, condition.clone(), &harm) => {}
        () = pump(from_server, to_client, condition.clone(), &harm) => {}
        _ = condition.wait_for(|condition| !condition.up) => {
            harm.broken.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, condition: watch::Receiver<Condition>, harm: &Harm) {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut piece).await else { return };
        let delay = condition.borrow().delay;
        if !delay.is_zero() {
            harm.delayed.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(delay).await;
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
