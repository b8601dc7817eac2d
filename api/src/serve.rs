//! Accepts connections, and limits how many there are and how long one may be silent. The router
//! answers the requests.
//!
//! A thread of its own, the door, accepts. A connection waits there until it speaks. Probes of the
//! health are answered there, whatever else the process is busy with; every other connection goes
//! on to the runtime of the service.

mod io;
mod opening;
mod refusal;
mod registry;

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::AsyncWrite;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::Service;

use crate::drain::Unread;
use crate::peer::Peer;
use crate::readiness::Readiness;
use crate::trim;
use io::Io;
use opening::Spoken;
use refusal::{HEAD_BYTES, Opening};
pub(crate) use registry::Limits;
use registry::{Admission, Place, Registry, Slot};

/// How long a connection may take to send the next request's head, including its idle time. It is
/// longer than the minute for which load balancers keep idle connections, so that none sends a
/// request on a connection that is being closed.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(75);
/// How long a connection beyond the limit may take to say that it probes the health.
const RESERVE_TIME: Duration = Duration::from_secs(5);
/// The pause after an error of the system, such as a lack of file descriptors.
const AFTER_ERROR: Duration = Duration::from_millis(20);

/// What is served.
pub(crate) struct Served {
    /// The whole service.
    pub(crate) app: Router,
    /// The probes of the health alone, which need nothing of the runtime of the service.
    pub(crate) probes: Router,
    /// What the probes tell. The door keeps it.
    pub(crate) readiness: Readiness,
    pub(crate) limits: Limits,
    pub(crate) head_time: Duration,
}

/// Nothing more can be served: the process is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The thread that accepts connections could not be started.
    #[error("connections cannot be accepted")]
    NoDoor(#[source] std::io::Error),
    /// It has ended by itself.
    #[error("the thread that accepts connections has ended")]
    DoorEnded,
}

/// Serves until `stop`. Then accepts no more connections, and returns once all pending requests are
/// answered. Dropping it ends all connections.
pub(crate) async fn serve(
    listener: TcpListener,
    served: Served,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let (stopping, abandoned) = (CancellationToken::new(), CancellationToken::new());
    let _abandon = abandoned.clone().drop_guard();
    let (ended, mut end) = oneshot::channel();
    let door = Door::new(served, stopping.clone());
    listener
        .into_std()
        .and_then(|listener| {
            let door = move || {
                let _ended: oneshot::Sender<()> = ended;
                door.open(listener, abandoned);
            };
            std::thread::Builder::new().name("door".to_owned()).spawn(door)
        })
        .map_err(ServeError::NoDoor)?;
    tokio::select! {
        () = stop => {}
        _ = &mut end => return Err(ServeError::DoorEnded),
    }
    stopping.cancel();
    let _ = end.await;
    Ok(())
}

/// The thread that accepts connections.
struct Door {
    served: Served,
    /// The runtime of the service.
    service: Handle,
    http: http1::Builder,
    registry: Registry,
    stopping: CancellationToken,
}

impl Door {
    fn new(served: Served, stopping: CancellationToken) -> Self {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(served.head_time).max_buf_size(HEAD_BYTES);
        let registry = Registry::new(served.limits);
        Self { served, service: Handle::current(), http, registry, stopping }
    }

    /// Runs until it was stopped and the pending requests are answered, or until `abandoned`.
    fn open(self, listener: std::net::TcpListener, abandoned: CancellationToken) {
        let runtime = match Builder::new_current_thread().enable_all().on_thread_park(trim::before_sleep).build() {
            Ok(runtime) => runtime,
            Err(error) => {
                return tracing::error!(error = &error as &dyn std::error::Error, "the door cannot be opened");
            }
        };
        runtime.block_on(async {
            let readiness = self.served.readiness.clone();
            tokio::spawn(async move { readiness.keep().await });
            // As a task it takes turns with the connections; what a runtime blocks on goes before them.
            let accept = tokio::spawn(Arc::new(self).accept(listener));
            tokio::select! {
                _ = accept => {}
                () = abandoned.cancelled_owned() => {}
            }
        });
        // A name that is being looked up must not hold the end of the process.
        runtime.shutdown_background();
    }

    async fn accept(self: Arc<Self>, listener: std::net::TcpListener) {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                return tracing::error!(error = &error as &dyn std::error::Error, "connections cannot be accepted");
            }
        };
        let connections = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stopping.cancelled() => break,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer, connections.watcher()).await,
                Err(error) => self.after(&error).await,
            }
            // What it has said is read before the next one may need its place.
            yield_now().await;
        }
        drop(listener);
        connections.shutdown().await;
    }

    /// The next client is accepted at once after an error of the last one. After one of the system,
    /// there may be room again if a silent connection is closed.
    async fn after(&self, error: &std::io::Error) {
        use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
            return;
        }
        tracing::warn!(error = error as &dyn std::error::Error, "a connection could not be accepted");
        self.registry.evict();
        sleep(AFTER_ERROR).await;
    }

    async fn admit(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let peer = Peer(peer.ip());
        // An answer is one small write: waiting for more data would only delay it.
        let _ = stream.set_nodelay(true);
        let door = Arc::clone(self);
        let mut admission = self.registry.admit(peer.0);
        if matches!(admission, Admission::Refused) {
            // Those that were closed for others may end now.
            yield_now().await;
            admission = self.registry.admit(peer.0);
        }
        match admission {
            Admission::Served(place) => drop(tokio::spawn(door.greet(stream, peer, place, watcher))),
            Admission::Reserve(place) => drop(tokio::spawn(door.greet_beyond(stream, peer, place, watcher))),
            // There is no room even for saying so.
            Admission::Refused => registry::count_refused(),
        }
    }

    /// Waits until the connection speaks, and leads it to where it is served.
    async fn greet(self: Arc<Self>, stream: TcpStream, peer: Peer, place: Place, watcher: Watcher) {
        let Some(spoken) = self.listen(&stream, &place, self.served.head_time).await else { return };
        match spoken {
            Spoken::Probe(ahead) => self.probe(stream, peer, ahead, place, watcher).await,
            Spoken::Http2 => refuse(stream, refusal::of_http2(), &place).await,
            Spoken::Other(ahead) => {
                let (http, app) = (self.http.clone(), Seen { app: self.served.app.clone(), peer });
                let Ok(stream) = stream.into_std() else { return };
                place.slot().leave_door();
                self.service.spawn(async move {
                    // Each runtime watches its own connections.
                    let Ok(stream) = TcpStream::from_std(stream) else { return };
                    converse(&http, stream, ahead, app, place, watcher).await;
                });
            }
        }
    }

    /// The same for a connection beyond the limit: only a probe is served.
    async fn greet_beyond(self: Arc<Self>, stream: TcpStream, peer: Peer, place: Place, watcher: Watcher) {
        let Some(spoken) = self.listen(&stream, &place, RESERVE_TIME).await else { return };
        match spoken {
            Spoken::Probe(ahead) => self.probe(stream, peer, ahead, place, watcher).await,
            Spoken::Http2 => refuse(stream, refusal::of_http2(), &place).await,
            Spoken::Other(ahead) => {
                registry::count_refused();
                let mut opening = Opening::default();
                opening.add(&ahead);
                refuse(stream, refusal::of_full(&opening), &place).await;
            }
        }
    }

    async fn probe(&self, stream: TcpStream, peer: Peer, ahead: Bytes, place: Place, watcher: Watcher) {
        // The next request may be no probe.
        let mut http = self.http.clone();
        http.keep_alive(false);
        let app = Seen { app: self.served.probes.clone(), peer };
        converse(&http, stream, ahead, app, place, watcher).await;
    }

    /// What the connection says first; `None` if it says nothing, or is closed.
    async fn listen(&self, stream: &TcpStream, place: &Place, time: Duration) -> Option<Spoken> {
        tokio::select! {
            spoken = timeout(time, opening::listen(stream)) => spoken.ok()?,
            () = place.slot().closed() => None,
            () = self.stopping.cancelled() => None,
        }
    }
}

/// Tells a client why it is not served. It may linger only as long as nobody else needs its place.
async fn refuse(stream: TcpStream, refusal: Bytes, place: &Place) {
    let mut io = Io::refusing(stream, refusal, Arc::clone(place.slot()));
    tokio::select! {
        _ = poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx)) => {}
        () = place.slot().closed() => {}
    }
}

/// What answers, and whom.
#[derive(Clone)]
struct Seen {
    app: Router,
    peer: Peer,
}

/// Serves one connection, until it ends or makes room for another one.
async fn converse(http: &http1::Builder, stream: TcpStream, ahead: Bytes, app: Seen, place: Place, watcher: Watcher) {
    let (slot, unread) = (Arc::clone(place.slot()), Unread::default());
    let io = Io::new(stream, ahead, Arc::clone(&slot), unread.clone());
    let service = service_fn(|request| answer(app.clone(), Arc::clone(&slot), unread.clone(), request));
    let connection = http.serve_connection(TokioIo::new(io), service);
    tokio::select! {
        _ = watcher.watch(connection) => {}
        () = slot.closed() => {}
    }
}

async fn answer(
    Seen { mut app, peer }: Seen,
    slot: Arc<Slot>,
    unread: Unread,
    mut request: Request<Incoming>,
) -> Result<Response<Answer>, Infallible> {
    if !slot.begin() {
        // The connection is being dropped, and the request was not begun.
        return std::future::pending().await;
    }
    request.extensions_mut().insert(unread);
    request.extensions_mut().insert(peer);
    let response = app.call(request).await?;
    Ok(response.map(|body| Answer { body, slot }))
}

/// An answer's body. The request is over when hyper has taken all of it.
struct Answer {
    body: Body,
    slot: Arc<Slot>,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.slot.answered();
    }
}

#[cfg(test)]
mod tests;
