//! No secret of the configuration is shown, whatever goes wrong: both programs run with a secret in
//! every variable that can hold one, and all that they write is searched for it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use copydesk_common::config::Config;
use copydesk_common::store;
use copydesk_simulator::{Fault, FaultKind, Simulator, SimulatorConfig};
use copydesk_testkit::redis_server::RedisServer;
use copydesk_testkit::{NOBODY, create_database, postgres_uri, prefix, simulator};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use crate::system::{PATIENCE, free_address};

/// A part of every secret, which percent-encoding leaves as it is.
const SECRET: &str = "S3cr3tZz9hunter2";
/// The password of Redis: the server takes a word of the program's lifetime.
const REDIS_PASSWORD: &str = "redis-S3cr3tZz9hunter2";

/// Variables that hold no secret, so that an error may quote them. Any other is tried.
const PLAIN: &[&str] = &[
    "COPYDESK_ALLOWED_HOSTS",
    "COPYDESK_CONTEXT_TOKENS",
    "COPYDESK_LOG",
    "COPYDESK_MODEL_LIMITS",
    "COPYDESK_PRICES",
    "COPYDESK_SEARCH_PROVIDER",
    "LOG_FORMAT",
];
/// Variables of libraries that can hold one.
const OF_LIBRARIES: [&str; 5] = ["PGPASSWORD", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "PGSSLKEY"];

/// The programs. The API's stands beside the worker's, where the workspace is built.
fn programs() -> [PathBuf; 2] {
    let worker = PathBuf::from(env!("CARGO_BIN_EXE_copydesk-worker"));
    let api = worker.with_file_name("copydesk-api");
    assert!(api.exists(), "{} is not there: build the workspace", api.display());
    [api, worker]
}

/// A program with a working configuration without secrets.
fn program(path: &Path) -> Command {
    let mut program = Command::new(path);
    program
        .env_clear()
        .env("POSTGRES_URI", format!("postgres://{NOBODY}/none"))
        .env("REDIS_URL", format!("redis://{NOBODY}"))
        .env("GROQ_API_KEY", "gsk-none")
        .env("COPYDESK_API_LISTEN", "127.0.0.1:0")
        .env("COPYDESK_WORKER_LISTEN", "off")
        .stdin(Stdio::null());
    program
}

/// What is searched for: the secret as it is, and in base64 wherever it begins in a group.
fn forms() -> Vec<String> {
    let encoded = (0..3).map(|before| {
        let text = base64(format!("{}{SECRET}", &"xxx"[..before]).as_bytes());
        // The first characters hold what stands before, the last ones what follows.
        text[before.div_ceil(1) + usize::from(before > 0)..text.len() - 4].to_owned()
    });
    std::iter::once(SECRET.to_owned()).chain(encoded).collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let groups = bytes.chunks(3).flat_map(|group| {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - group.len()));
        (0..=group.len()).map(move |place| char::from(LETTERS[bits >> (18 - 6 * place) & 63]))
    });
    groups.collect()
}

/// Asserts that a text shows no secret.
fn assert_shows_none(what: &str, text: &str) {
    for form in forms() {
        if let Some(at) = text.find(&form) {
            let around = text.floor_char_boundary(at.saturating_sub(300))..text.ceil_char_boundary(at + 100);
            panic!("{what} shows a secret: …{}…", &text[around]);
        }
    }
}

#[test]
fn secrets_are_found_in_every_form() {
    for (before, after) in [("", ""), ("u:", ""), (":", "x"), ("user:", "more")] {
        let plain = format!("{before}{SECRET}{after}");
        for text in [plain.clone(), base64(plain.as_bytes())] {
            assert!(forms().iter().any(|form| text.contains(form)), "{text} {:?}", forms());
        }
    }
}

#[test]
fn a_malformed_variable_is_not_quoted() {
    let malformed = [
        SECRET.to_owned(),
        format!("http//u:{SECRET}@h"),
        format!("http://u:{SECRET}@h:port/v1"),
        format!("https://u:{SECRET}@[h/v1"),
        format!("ftp://u:{SECRET}@h/v1"),
        format!("postgres://u:{SECRET}@h:port/db"),
        format!("postgres://u:1/{SECRET}@h/db"),
        format!("postgres://u@h/db?sslmode={SECRET}"),
        format!("redis://u:1?{SECRET}@h:port"),
        format!("redis-sentinel://u:{SECRET}@h"),
        format!("a line\n{SECRET}\u{1b}[2J"),
    ];
    let variables = Config::variables().into_iter().filter(|name| !PLAIN.contains(name));
    for variable in variables.chain(OF_LIBRARIES) {
        for value in &malformed {
            for path in programs() {
                let checked = program(&path).env(variable, value).arg("--check").output().unwrap();
                let said = String::from_utf8([checked.stdout, checked.stderr].concat()).unwrap();
                assert_shows_none(&format!("--check of {variable}={value:?}"), &said);
                assert_eq!(said.lines().count(), 1, "{variable}={value:?}: {said}");
            }
        }
    }
}

/// Both programs, running, and what they write.
struct Running {
    children: Vec<std::process::Child>,
    folder: PathBuf,
    api: String,
    worker: String,
    http: reqwest::Client,
}

impl Running {
    async fn start(variables: &[(&str, String)]) -> Self {
        let folder = std::env::temp_dir().join(format!("copydesk-{}", prefix()));
        std::fs::create_dir_all(&folder).unwrap();
        let (api, worker) = (free_address().await.to_string(), free_address().await.to_string());
        let formats = ["json", "console"].into_iter().enumerate();
        let children = programs().into_iter().zip(formats).map(|(path, (place, format))| {
            let said = File::create(folder.join(place.to_string())).unwrap();
            program(&path)
                .env("COPYDESK_LOG", "trace")
                .env("COPYDESK_REQUESTS_PER_MINUTE", "0")
                .env("LOG_FORMAT", format)
                .env("COPYDESK_API_LISTEN", &api)
                .env("COPYDESK_WORKER_LISTEN", &worker)
                .envs(variables.iter().map(|(name, value)| (name, value)))
                .stdout(said.try_clone().unwrap())
                .stderr(said)
                .spawn()
                .unwrap()
        });
        let http = crate::system::client();
        Self { children: children.collect(), folder, api, worker, http }
    }

    /// All that the programs have written.
    fn said(&self) -> String {
        ["0", "1"].map(|name| std::fs::read_to_string(self.folder.join(name)).unwrap()).join("\n")
    }

    /// Waits until both have written one of these words.
    async fn until_both_said(&self, words: &[&str]) {
        for name in ["0", "1"] {
            let give_up = Instant::now() + PATIENCE;
            loop {
                let said = std::fs::read_to_string(self.folder.join(name)).unwrap();
                if words.iter().any(|word| said.contains(word)) {
                    break;
                }
                assert!(Instant::now() < give_up, "{name} did not say {words:?}: {said}");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    }

    async fn text(&self, address: &str, path: &str) -> String {
        match self.http.get(format!("http://{address}{path}")).send().await {
            Ok(response) => response.text().await.unwrap(),
            Err(error) => error.to_string(),
        }
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let sent = self.http.post(format!("http://{}{path}", self.api)).json(body).send().await;
        match sent {
            Ok(response) => response.json().await.unwrap_or_default(),
            Err(_) => Value::Null,
        }
    }

    /// All that can be read of both by HTTP.
    async fn shown(&self) -> String {
        let mut shown = String::new();
        let paths =
            ["/health", "/health/ready", "/metrics", "/api/jobs?business_id=b", "/api/ops/overview", "/api/ops/dead"];
        for path in paths {
            shown += &self.text(&self.api, path).await;
        }
        for path in ["/health", "/health/ready", "/metrics"] {
            shown += &self.text(&self.worker, path).await;
        }
        shown
    }

    /// Ends both as an orchestrator does; all that they wrote.
    fn end(mut self) -> String {
        for child in &self.children {
            let _ = kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGTERM);
        }
        for child in &mut self.children {
            child.wait().unwrap();
        }
        self.said()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A URL with a user, the secret as its password, and the secret in its query.
fn with_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    format!("{scheme}://user:p%40{SECRET}@{}?key={SECRET}", rest.split_once('@').map_or(rest, |(_, host)| host))
}

/// A database's URI with a password, and with a parameter that the driver does not know.
fn postgres_with_secrets(uri: &str) -> String {
    let (scheme, rest) = uri.split_once("://").unwrap();
    let (user, host) = rest.split_once('@').unwrap();
    format!("{scheme}://{user}:{SECRET}@{host}?sslpassword={SECRET}&application_name=x")
}

/// The secret in every variable that can hold one, for providers that answer.
fn variables(simulator: &Simulator, postgres: &str, redis: String) -> Vec<(&'static str, String)> {
    let given = vec![
        ("POSTGRES_URI", postgres_with_secrets(postgres)),
        ("POSTGRES_ASYNC_URI", postgres_with_secrets(postgres)),
        ("REDIS_URL", redis),
        ("COPYDESK_REDIS_PREFIX", prefix()),
        ("GROQ_API_KEY", format!("gsk_{SECRET}")),
        ("TAVILY_API_KEY", format!("tvly-{SECRET}")),
        ("COPYDESK_LLM_BASE_URL", with_secrets(&simulator.llm_base_url())),
        ("COPYDESK_SEARCH_BASE_URL", with_secrets(&simulator.base_url())),
        ("COPYDESK_EMBEDDINGS_BASE_URL", with_secrets(&simulator.embeddings_base_url())),
        ("COPYDESK_EMBEDDINGS_MODEL", "minilm".to_owned()),
        ("COPYDESK_EMBEDDINGS_API_KEY", SECRET.to_owned()),
        ("COPYDESK_LLM_NAME", "groq".to_owned()),
        ("COPYDESK_MAX_SETBACKS", "0".to_owned()),
        ("COPYDESK_FIRST_BACKOFF_MS", "10".to_owned()),
        ("COPYDESK_LLM_REQUESTS_PER_MINUTE", "6000".to_owned()),
    ];
    for name in Config::variables() {
        let may_hold_one =
            ["_URL", "_URI", "_KEY", "PASSWORD", "SECRET", "TOKEN"].iter().any(|part| name.ends_with(part));
        assert!(!may_hold_one || given.iter().any(|(known, _)| *known == name), "{name} is not tried");
    }
    given
}

/// Answers of a provider that repeats what it was sent.
fn echoes() -> Vec<Fault> {
    let status =
        |code: u16, body: Value| FaultKind::Status { code, body: Some(body), retry_after: None, retry_after_ms: None };
    let key = format!("gsk_{SECRET}");
    let error = json!({ "error": { "message": format!("Incorrect API key provided: {key}\nforged"), "code": key, "type": key } });
    [(401, error.clone()), (302, json!(key)), (400, error.clone()), (500, error.clone()), (200, error)]
        .into_iter()
        .map(|(code, body)| Fault::any(status(code, body)).about(format!("topic{code}")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_shown_while_all_runs_and_providers_repeat_it() {
    let simulator = simulator(SimulatorConfig::unlimited()).await;
    simulator.set_faults(echoes()).unwrap();
    let postgres = create_database(&store::MIGRATOR).await;
    let mut redis = RedisServer::new(REDIS_PASSWORD);
    redis.start(&["--requirepass", REDIS_PASSWORD]);
    crate::system::until(async || redis.is_up().await).await;
    let url = format!("redis://:{REDIS_PASSWORD}@127.0.0.1:{}", redis.port);
    let running = Running::start(&variables(&simulator, &postgres, url)).await;
    running.until_both_said(&["serving", "ready"]).await;
    crate::system::until(async || running.text(&running.api, "/health/ready").await.contains("ready")).await;

    let mut jobs = Vec::new();
    let mut shown = String::new();
    for code in [401, 302, 400, 500, 200, 0] {
        let body = json!({ "business_id": "b", "topic": format!("A topic{code}"), "format": "email" });
        jobs.push(running.post("/api/generate", &body).await["id"].as_str().expect("a job").to_owned());
    }
    for id in jobs {
        let mut job = String::new();
        let has_ended =
            |job: &str| ["succeeded", "failed"].iter().any(|end| job.contains(&format!("\"status\":\"{end}\"")));
        crate::system::until(async || {
            job = running.text(&running.api, &format!("/api/jobs/{id}")).await;
            has_ended(&job)
        })
        .await;
        shown += &job;
    }
    assert!(shown.contains("provider-misconfigured") && shown.contains("succeeded"), "{shown}");
    shown += &running.shown().await;
    shown += &running.post("/api/generate", &json!({ "colour": 1 })).await.to_string();
    assert_shows_none("an answer", &shown);
    assert_shows_none("Postgres", &rows(&postgres).await);
    assert_shows_none("a log", &running.end());
}

/// Every row of every table, as text.
async fn rows(uri: &str) -> String {
    let mut connection = PgConnection::connect(uri).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert!(tables.contains(&"jobs".to_owned()), "{tables:?}");
    let mut all = String::new();
    for table in tables {
        let rows = sqlx::AssertSqlSafe(format!("select row_to_json(t)::text from {table} t"));
        let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut connection).await.unwrap();
        all += &rows.join("\n");
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_shown_while_nothing_can_be_reached() {
    let simulator = simulator(SimulatorConfig::unlimited()).await;
    let mut redis = RedisServer::new(REDIS_PASSWORD);
    redis.start(&["--requirepass", "another"]);
    let there = format!("redis://:{REDIS_PASSWORD}@127.0.0.1:{}", redis.port);
    let nowhere = format!("redis://:{REDIS_PASSWORD}@{NOBODY}");
    let postgres = postgres_uri();
    let with_tls = format!("{}&sslmode=require", postgres_with_secrets(&postgres));
    let proxy = format!("http://user:{SECRET}@{NOBODY}");
    let (_, server) = postgres.split_once('@').unwrap();
    let cases = [
        vec![("POSTGRES_URI", postgres_with_secrets(&format!("postgres://u@{NOBODY}/db"))), ("REDIS_URL", nowhere)],
        vec![("POSTGRES_URI", with_tls.clone()), ("REDIS_URL", there.replace("redis://", "rediss://"))],
        vec![
            ("POSTGRES_URI", format!("{with_tls}&sslcert={SECRET}&sslkey={SECRET}&sslrootcert={SECRET}")),
            ("HTTP_PROXY", proxy),
        ],
        vec![("POSTGRES_URI", format!("postgres://nobody:{SECRET}@{server}")), ("REDIS_URL", there.clone())],
    ];
    for case in cases {
        let mut all = variables(&simulator, &postgres, there.clone());
        all.push(("COPYDESK_DATABASE_ACQUIRE_TIMEOUT_SECONDS", "1".to_owned()));
        all.retain(|(name, _)| !case.iter().any(|(other, _)| other == name));
        all.extend(case);
        let running = Running::start(&all).await;
        running.until_both_said(&["WARN", "ERROR"]).await;
        crate::system::until(async || running.text(&running.api, "/health").await.contains("unhealthy")).await;
        let mut shown = running.shown().await;
        shown += &running.post("/api/generate", &json!({ "business_id": "b", "topic": "x" })).await.to_string();
        assert_shows_none("an answer", &shown);
        assert_shows_none("a log", &running.end());
    }
}
