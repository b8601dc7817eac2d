//! The door, over real connections.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::SocketAddr;

use axum::middleware::{Next, from_fn};
use axum::routing::get;
use copydesk_common::config::Config;
use copydesk_common::store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::*;
use crate::drain;

const MANY: Limits = Limits { connections: 100, reserve: 30, per_peer: 0 };

/// A server with a route that hangs, and the probes on the door.
struct Server {
    address: SocketAddr,
    /// A permit for each request that hangs.
    hanging: Arc<Semaphore>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(limits: Limits, head_time: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hanging = Arc::new(Semaphore::new(0));
        let hangs = Arc::clone(&hanging);
        let hang = move || {
            hangs.add_permits(1);
            std::future::pending::<()>()
        };
        let probe = get(|| async { "live" });
        let app = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/hangs", get(hang))
            .layer(from_fn(|request, next: Next| drain::drain(request, |request| next.run(request))));
        let probes = Router::new().route("/health/live", probe);
        let served = Served { app, probes, readiness: readiness(), limits, head_time };
        let task = tokio::spawn(async move { serve(listener, served, std::future::pending()).await.unwrap() });
        Self { address, hanging, task }
    }

    /// A connection on which `text` was sent.
    async fn say(&self, text: &str) -> TcpStream {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        connection.write_all(text.as_bytes()).await.unwrap();
        connection
    }

    async fn ask(&self, path: &str) -> String {
        let mut connection = self.say(&request(path)).await;
        rest(&mut connection).await
    }
}

/// Of a Postgres that is not there.
fn readiness() -> Readiness {
    let config = Config::for_servers("postgres://u@127.0.0.1:1/db", "redis://127.0.0.1:1/0", "p").unwrap();
    Readiness::new(Store::new(&config.postgres).unwrap(), CancellationToken::new())
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
}

/// Everything until the end of the connection, which comes within ten seconds.
async fn rest(connection: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    let read = timeout(Duration::from_secs(10), connection.read_to_end(&mut rest)).await;
    let _ = read.expect("the connection is still open");
    String::from_utf8_lossy(&rest).into_owned()
}

/// A connection with a request under way.
async fn hanging(server: &Server) -> TcpStream {
    let connection = server.say(&request("/hangs")).await;
    server.hanging.acquire().await.unwrap().forget();
    connection
}

#[tokio::test]
async fn a_head_that_never_ends_holds_no_connection() {
    let server = Server::start(MANY, Duration::from_millis(200)).await;
    for beginning in ["", "G", "GET /health/liv", "GET / HTTP/1.1\r\nhost: a\r\n"] {
        assert_eq!(rest(&mut server.say(beginning).await).await, "", "{beginning}");
    }
}

#[tokio::test]
async fn a_silent_connection_makes_room_for_a_new_one() {
    let server = Server::start(Limits { connections: 3, reserve: 20, per_peer: 0 }, HEAD_TIME).await;
    let mut silent = Vec::new();
    for beginning in ["", "GET /health/liv", "GET / HTTP/1.1\r\nhost: a\r\n"] {
        silent.push(server.say(beginning).await);
    }
    for _ in 0..10 {
        assert!(server.ask("/").await.ends_with("hello"));
    }
    assert_eq!(rest(&mut silent[0]).await, "");
}

#[tokio::test]
async fn without_room_others_are_told_so_and_probes_are_answered() {
    let server = Server::start(Limits { connections: 2, reserve: 20, per_peer: 0 }, HEAD_TIME).await;
    let _under_way = [hanging(&server).await, hanging(&server).await];
    let refused = server.ask("/a?b").await;
    for part in
        ["HTTP/1.1 503 ", "retry-after: 5\r\n", "x-request-id: ", "application/problem+json", r#""instance":"/a""#]
    {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    for _ in 0..3 {
        assert!(server.ask("/health/live").await.ends_with("live"));
    }
}

#[tokio::test]
async fn what_is_no_request_is_a_problem_with_an_id() {
    let server = Server::start(MANY, HEAD_TIME).await;
    let long = "a".repeat(2 * HEAD_BYTES);
    for (said, status, instance) in [
        ("nonsense\r\n\r\n".to_owned(), "400", None),
        ("GET /x?y HTTP/1.1\r\nhost: a\r\nb c: d\r\n\r\n".to_owned(), "400", Some("/x")),
        (format!("GET /{long} HTTP/1.1\r\n"), "414", None),
        (format!("GET /x HTTP/1.1\r\nhost: a\r\nb: {long}\r\n"), "431", Some("/x")),
        (format!("GET /x HTTP/1.1\r\nhost: a\r\n{}\r\n", "b: c\r\n".repeat(101)), "431", Some("/x")),
        (format!("POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", u64::MAX), "413", Some("/x")),
    ] {
        // After an answer to a request as well.
        for before in ["", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
            let mut connection = server.say(before).await;
            if !before.is_empty() {
                let mut answer = Vec::new();
                while !answer.ends_with(b"hello") {
                    assert!(connection.read_buf(&mut answer).await.unwrap() > 0);
                }
            }
            connection.write_all(said.as_bytes()).await.unwrap();
            let answer = rest(&mut connection).await;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert!(head.contains("x-request-id: ") && head.contains("application/problem+json"), "{answer}");
            let problem: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(problem["status"].to_string(), status);
            assert_eq!(problem["instance"].as_str(), instance);
        }
    }
}

#[tokio::test]
async fn http_2_is_answered_in_words() {
    let server = Server::start(MANY, HEAD_TIME).await;
    let mut connection = server.say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    connection.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    let answer = rest(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("HTTP/2 is not spoken here"), "{answer}");
}

#[tokio::test]
async fn an_answer_reaches_a_client_that_sends_all_before_it_reads() {
    const BYTES: usize = 100 * 1024 * 1024;
    let server = Server::start(MANY, HEAD_TIME).await;
    for length in [format!("content-length: {BYTES}"), "transfer-encoding: chunked".to_owned()] {
        let mut connection =
            server.say(&format!("POST /nowhere HTTP/1.1\r\nhost: localhost\r\n{length}\r\n\r\n")).await;
        let piece = vec![b'a'; 1 << 20];
        for _ in 0..BYTES / piece.len() {
            if length.starts_with('t') {
                connection.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await.unwrap();
            }
            connection.write_all(&piece).await.unwrap();
            if length.starts_with('t') {
                connection.write_all(b"\r\n").await.unwrap();
            }
        }
        let mut answer = [0; 1024];
        let read = connection.read(&mut answer).await.unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 404 "), "{}", String::from_utf8_lossy(&answer));
    }
}

/// The runtime of the service has one thread, and it is busy.
#[test]
fn a_probe_is_answered_while_every_thread_of_the_service_is_busy() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(async { tokio::spawn(Server::start(MANY, HEAD_TIME)).await.unwrap() });
    let (free, held) = std::sync::mpsc::channel::<()>();
    let (began, begun) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        began.send(()).unwrap();
        let _ = held.recv();
    });
    begun.recv().unwrap();
    let ask = |path: &str, patience: u64| {
        let mut connection = std::net::TcpStream::connect(server.address).unwrap();
        connection.set_read_timeout(Some(Duration::from_millis(patience))).unwrap();
        connection.write_all(request(path).as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).map(|_| answer)
    };
    assert!(ask("/health/live", 5_000).unwrap().ends_with("live"));
    ask("/", 200).unwrap_err();
    drop(free);
    assert!(ask("/", 5_000).unwrap().ends_with("hello"));
}
