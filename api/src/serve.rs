//! Accepts connections, and limits how long one may be silent. The router answers the requests.

use std::time::Duration;

use axum::Router;
use axum::http::Request;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tower::Service;

/// How long a connection may take to send the next request's head, including its idle time. It is
/// longer than the minute for which load balancers keep idle connections, so that none sends a
/// request on a connection that is being closed.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(75);

/// Serves until `stop`. Then accepts no more connections, and returns once all pending requests are
/// answered.
pub(crate) async fn serve(mut listener: TcpListener, app: Router, head_time: Duration, stop: impl Future<Output = ()>) {
    let connections = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head_time);
    let mut stop = std::pin::pin!(stop);
    loop {
        // Retries errors of the system, such as a lack of file descriptors.
        let (stream, _) = tokio::select! {
            accepted = Listener::accept(&mut listener) => accepted,
            () = &mut stop => break,
        };
        // An answer is one small write: waiting for more data would only delay it.
        let _ = stream.set_nodelay(true);
        let app = app.clone();
        let service = service_fn(move |request: Request<Incoming>| app.clone().call(request));
        tokio::spawn(connections.watch(http.serve_connection(TokioIo::new(stream), service)));
    }
    drop(listener);
    connections.shutdown().await;
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_head_that_never_ends_holds_no_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let head_time = Duration::from_millis(200);
        let server = tokio::spawn(serve(listener, Router::new(), head_time, std::future::pending()));
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").await.unwrap();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(10), connection.read_to_end(&mut rest)).await;
        assert!(closed.is_ok(), "the connection is still open");
        server.abort();
    }
}
