//! What the tests of all crates share: the servers that the environment names, an isolated part of
//! each for every test, links that can be broken, a simulator, and a job. For `dev-dependencies`
//! only.
//!
//! Of the workspace it links only `domain` and `simulator`, so that the unit tests of all other
//! crates can use it without linking their own crate twice.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

pub mod redis_server;

use chrono::{SubsecRound, Utc};
use copydesk_domain::access::Scope;
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, NewJob, Priority};
use copydesk_domain::trace::TraceParent;
use copydesk_simulator::link::Link;
use copydesk_simulator::{Simulator, SimulatorConfig};
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use url::Url;
use uuid::Uuid;

/// An address where nothing listens.
pub const NOBODY: &str = "127.0.0.1:1";

/// The URL of Redis. All tests share it, each with its own keys: see [`prefix`].
pub fn redis_url() -> String {
    variable("REDIS_URL")
}

/// The URI of Postgres. Each test has its own database there, from `sqlx::test` or from
/// [`create_database`].
pub fn postgres_uri() -> String {
    variable("POSTGRES_URI")
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} names the server for tests: use `cargo xtask test`"))
}

/// The most memory that a process ever had, in KiB. Linux counts it.
pub fn peak_memory_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux counts it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// The secret of the key that tests use. It allows everything.
pub const KEY: &str = "cpd_operator_TestTestTest_TestTestTestTestTestTestTestTest2XeFhf";

/// Makes [`KEY`] count in a database, if that answers.
pub async fn install_key(uri: &str) {
    let Ok(mut connection) = PgConnection::connect(uri).await else { return };
    let scopes: Vec<_> = Scope::ALL.iter().map(|scope| scope.as_str().to_owned()).collect();
    let made = sqlx::query(
        "insert into api_keys (id, kind, name, hash, scopes) values ($1, 'operator', 'tests', sha256($2::text::bytea), $3)
         on conflict do nothing",
    );
    let id = KEY.split('_').nth(2);
    made.bind(id).bind(KEY).bind(scopes).execute(&mut connection).await.expect("the database has a table of keys");
}

/// The header that sends [`KEY`].
pub fn authorization() -> (&'static str, String) {
    ("authorization", format!("Bearer {KEY}"))
}

/// A unique key prefix for one test.
pub fn prefix() -> String {
    format!("test-{}", Uuid::now_v7().simple())
}

/// A client for a test that inspects Redis directly.
pub fn redis_client() -> redis::Client {
    redis::Client::open(redis_url()).expect("REDIS_URL is a URL")
}

/// A connection of that client.
pub async fn redis() -> MultiplexedConnection {
    redis_client().get_multiplexed_async_connection().await.expect("Redis answers")
}

/// The keys in Redis that match a pattern.
pub async fn keys(pattern: &str) -> Vec<String> {
    redis::cmd("KEYS").arg(pattern).query_async(&mut redis().await).await.expect("Redis answers")
}

/// Deletes a test's keys that match `are_such`: to the test, this is a flush.
pub async fn forget(prefix: &str, are_such: impl Fn(&str) -> bool) {
    let mut forgotten = keys(&format!("*{prefix}*")).await;
    forgotten.retain(|key| are_such(key));
    if !forgotten.is_empty() {
        redis::cmd("DEL").arg(forgotten).exec_async(&mut redis().await).await.expect("Redis answers");
    }
}

/// The URI of the database that `sqlx::test` made for a test.
pub fn database_url(pool: &PgPool) -> String {
    beside(&variable("DATABASE_URL"), pool.connect_options().get_database().expect("it has a name"))
}

/// Makes a migrated database for one test. It is not dropped: the server is temporary.
pub async fn create_database(migrations: &Migrator) -> String {
    let uri = database_like("template1").await;
    let mut connection = PgConnection::connect(&uri).await.expect("the database is there");
    migrations.run(&mut connection).await.expect("the migrations apply");
    install_key(&uri).await;
    uri
}

/// Makes a database without any table. The server's usual template has them: `cargo xtask test` migrates it, so that no
/// test has to.
pub async fn empty_database() -> String {
    database_like("template0").await
}

async fn database_like(template: &str) -> String {
    let name = format!("test_{}", Uuid::now_v7().simple());
    let mut admin = PgConnection::connect(&postgres_uri()).await.expect("Postgres answers");
    let create = format!("create database {name} template {template}");
    admin.execute(AssertSqlSafe(create)).await.expect("a database is made");
    beside(&postgres_uri(), &name)
}

/// The URI of another database on the same server.
fn beside(uri: &str, name: &str) -> String {
    let mut uri: Url = uri.parse().expect("a server's URI");
    uri.set_path(name);
    uri.into()
}

/// A link to the server of a URL, and the URL that goes through the link.
pub async fn linked(url: &str) -> (Link, String) {
    let mut url: Url = url.parse().expect("a server's URL");
    let default_port = if url.scheme().starts_with("redis") { 6379 } else { 5432 };
    let server = (url.host_str().unwrap_or("127.0.0.1").to_owned(), url.port().unwrap_or(default_port));
    let mut found = tokio::net::lookup_host(server).await.expect("the host has a name");
    let link = Link::to(found.next().expect("the host has an address")).await.expect("a link is made");
    url.set_host(Some("127.0.0.1")).expect("a URL with a host");
    url.set_port(Some(link.address().port())).expect("a URL with a port");
    (link, url.into())
}

/// Starts the simulator of the providers, and installs what HTTP clients need: see [`install_tls`].
pub async fn simulator(config: SimulatorConfig) -> Simulator {
    install_tls();
    Simulator::start(config).await.expect("the simulator starts")
}

/// Installs the TLS provider that reqwest needs. A no-op if another test of this process has done
/// it.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A new job that can start at once.
pub fn new_job(kind: JobKind, business: &str, payload: Value) -> NewJob {
    NewJob {
        id: JobId::new(),
        kind,
        business_id: BusinessId::parse(business).expect("a business's id"),
        generation_id: None,
        priority: Priority::Interactive,
        payload,
        metadata: json!({}),
        max_attempts: 3,
        // The precision of Postgres.
        created_at: Utc::now().trunc_subsecs(6),
        run_at: None,
        deadline_at: None,
        trace: TraceParent::start(),
    }
}
