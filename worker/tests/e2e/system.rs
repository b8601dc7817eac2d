//! A Copydesk for one test: a database, a Redis prefix, a simulator, an API, and workers that the
//! test starts and stops.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use copydesk_common::config::Config;
use copydesk_common::redis::Redis;
use copydesk_common::store::{self, Store};
use copydesk_domain::id::JobId;
use copydesk_domain::job::{LeaseEpoch, LeaseRef};
use copydesk_simulator::link::Link;
use copydesk_simulator::{Fault, Simulator, SimulatorConfig};
use copydesk_testkit::{authorization, create_database, forget, linked, prefix, redis_url, simulator};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Fails the test rather than hanging it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);

/// Everything but workers.
pub(crate) struct System {
    pub(crate) config: Config,
    pub(crate) simulator: Simulator,
    pub(crate) store: Store,
    /// The link to Redis, for tests that break it.
    pub(crate) redis_link: Link,
    pub(crate) postgres_link: Link,
    /// The database's URI, without the link.
    database: String,
    postgres_uri: String,
    redis_url: String,
    api: SocketAddr,
    http: reqwest::Client,
    stop: CancellationToken,
}

/// A running worker.
pub(crate) struct RunningWorker {
    /// The address of its `/health` and `/metrics`, if it has them.
    listens: Option<SocketAddr>,
    leave: CancellationToken,
    ended: JoinHandle<Result<(), copydesk_worker::WorkerError>>,
}

impl RunningWorker {
    /// Shuts the worker down as SIGTERM does. Returns once it has shut down.
    pub(crate) async fn leave(self) {
        self.leave.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.ended).await.expect("the worker leaves");
        ended.unwrap().unwrap();
    }

    /// Its `/health/ready`, once it serves.
    pub(crate) async fn ready(&self) -> (u16, Value) {
        let url = format!("http://{}/health/ready", self.listens.expect("it listens"));
        let give_up = Instant::now() + PATIENCE;
        loop {
            match reqwest::get(&url).await {
                Ok(response) => return answer(response).await,
                Err(error) => assert!(Instant::now() < give_up, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl System {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts a system with another configuration. Its providers enforce no limits.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let simulator = simulator(SimulatorConfig { prompts_kept: 100, ..SimulatorConfig::unlimited() }).await;
        let database = create_database(&store::MIGRATOR).await;
        let (postgres_link, postgres_uri) = linked(&database).await;
        let (redis_link, redis_url) = linked(&redis_url()).await;
        let mut config = Config::for_servers(&postgres_uri, &redis_url, &prefix()).unwrap();
        config.providers.llm_base_url = simulator.llm_base_url().parse().unwrap();
        config.providers.search_base_url = simulator.base_url().parse().unwrap();
        config.providers.groq_api_key = Some("gsk-test".into());
        config.providers.llm_name = Some("groq".into());
        config.providers.tavily_api_key = Some("tvly-test".into());
        config.providers.simulated = true;
        config.providers.llm_requests_per_minute = Some(6_000);
        config.providers.review_model = Some("openai/gpt-oss-20b".into());
        config.providers.search_requests_per_minute = 6_000;
        // Each failed call costs an attempt, but where a test says otherwise.
        config.providers.max_setbacks = 0;
        config.postgres.pool_size = 8;
        config.postgres.pool_overflow = 2;
        config.worker.listen = "off".into();
        config.worker.first_backoff_ms = 50;
        config.worker.sweep_ms = 200;
        // Each text can use what was learned.
        config.worker.learning_control_percent = 0;
        config.worker.reader_program = Some(env!("CARGO_BIN_EXE_copydesk-worker").into());
        change(&mut config);

        let store = Store::new(&config.postgres).unwrap();
        let stop = CancellationToken::new();
        let api = serve_api(config.clone(), stop.clone()).await;
        let http = client();
        Self { config, simulator, store, redis_link, postgres_link, database, postgres_uri, redis_url, api, http, stop }
    }

    pub(crate) fn worker(&self) -> RunningWorker {
        Self::worker_with(self.config.clone())
    }

    /// A worker with its own link to Postgres, which a test can break without affecting the API,
    /// and with `/health`. It is ready to work.
    pub(crate) async fn worker_on_its_own_link(&self) -> (RunningWorker, Link) {
        let (link, uri) = linked(&self.database).await;
        let mut config = self.config.clone();
        config.postgres = Config::for_servers(&uri, &self.redis_url, &config.redis.prefix).unwrap().postgres;
        config.worker.listen = free_address().await.to_string();
        let worker = Self::worker_with(config);
        let give_up = Instant::now() + PATIENCE;
        while worker.ready().await.0 != 200 {
            assert!(Instant::now() < give_up, "{:?}", worker.ready().await);
        }
        (worker, link)
    }

    fn worker_with(config: Config) -> RunningWorker {
        let listens = config.worker.listen();
        let leave = CancellationToken::new();
        let told = leave.clone();
        let ended =
            tokio::spawn(
                async move { copydesk_worker::build(config)?.run(async move { told.cancelled().await }).await },
            );
        RunningWorker { listens, leave, ended }
    }

    /// The real program, as a process that a test can kill.
    pub(crate) fn worker_process(&self) -> tokio::process::Child {
        let providers = &self.config.providers;
        let mut program = tokio::process::Command::new(env!("CARGO_BIN_EXE_copydesk-worker"));
        program
            .env("POSTGRES_URI", &self.postgres_uri)
            .env("REDIS_URL", &self.redis_url)
            .env("COPYDESK_REDIS_PREFIX", &self.config.redis.prefix)
            .env("GROQ_API_KEY", "gsk-test")
            .env("COPYDESK_LLM_NAME", "groq")
            .env("COPYDESK_REVIEW_MODEL", providers.review_model())
            .env("TAVILY_API_KEY", "tvly-test")
            .env("COPYDESK_LLM_BASE_URL", providers.llm_base_url.expose().as_str())
            .env("COPYDESK_SEARCH_BASE_URL", providers.search_base_url.expose().as_str())
            .env("COPYDESK_LLM_REQUESTS_PER_MINUTE", providers.llm_requests_per_minute().to_string())
            .env("COPYDESK_CALL_TIMEOUT_MS", "1000")
            .env("COPYDESK_LEASE_MS", "6000")
            .env("COPYDESK_DRAIN_MS", self.config.worker.drain_ms.to_string())
            .env("COPYDESK_READING_SECONDS", self.config.worker.reading_seconds.to_string())
            .env("COPYDESK_LEARNING_CONTROL_PERCENT", "0")
            .env("COPYDESK_WORKER_LISTEN", "off")
            .env("COPYDESK_LOG", "warn")
            .kill_on_drop(true);
        program.spawn().unwrap()
    }

    /// The API's address, without a slash at its end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.api)
    }

    pub(crate) fn fault(&self, fault: &Value) {
        self.faults(std::slice::from_ref(fault));
    }

    pub(crate) fn faults(&self, faults: &[Value]) {
        let faults: Vec<Fault> = copydesk_simulator::parse_faults(json!(faults).to_string().as_bytes()).unwrap();
        self.simulator.set_faults(faults).unwrap();
    }

    pub(crate) async fn open(&self, path: &str) -> reqwest::Response {
        self.http.get(format!("http://{}{path}", self.api)).send().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.open(path).await).await
    }

    pub(crate) async fn send(&self, path: &str, body: &Value) -> reqwest::Response {
        self.http.post(format!("http://{}{path}", self.api)).json(body).send().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.send(path, body).await).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        answer(self.http.put(format!("http://{}{path}", self.api)).json(body).send().await.unwrap()).await
    }

    /// A request without a body.
    pub(crate) async fn request(&self, method: reqwest::Method, path: &str) -> (u16, Value) {
        answer(self.http.request(method, format!("http://{}{path}", self.api)).send().await.unwrap()).await
    }

    /// Submits a generation; its job's id.
    pub(crate) async fn generate(&self, business: &str, topic: &str, format: &str) -> JobId {
        let body = json!({ "business_id": business, "topic": topic, "format": format });
        self.submit("/api/generate", &body).await
    }

    /// Submits a job; its id.
    pub(crate) async fn submit(&self, path: &str, body: &Value) -> JobId {
        let (status, answer) = self.post(path, body).await;
        assert_eq!(status, 202, "{answer}");
        let id = answer["id"].as_str().or(answer["job"]["id"].as_str()).expect("a job");
        id.parse().unwrap()
    }

    /// Uploads a file as a document; the id of the job that indexes it.
    pub(crate) async fn upload(&self, business: &str, name: impl Into<Cow<'static, str>>, file: Vec<u8>) -> JobId {
        let (status, answer) = self.try_upload(business, name, file).await;
        assert_eq!(status, 202, "{answer}");
        answer["job"]["id"].as_str().expect("a job").parse().unwrap()
    }

    /// Uploads a file that may be refused; the answer.
    pub(crate) async fn try_upload(
        &self,
        business: &str,
        name: impl Into<Cow<'static, str>>,
        file: Vec<u8>,
    ) -> (u16, Value) {
        let form = Form::new().part("file", Part::bytes(file).file_name(name));
        let url = format!("http://{}/api/businesses/{business}/documents", self.api);
        answer(self.http.post(url).multipart(form).send().await.unwrap()).await
    }

    /// Waits until the job has ended; the job.
    pub(crate) async fn ended(&self, id: JobId) -> Value {
        self.until(id, |job| ["succeeded", "failed", "cancelled"].contains(&job["status"].as_str().unwrap())).await
    }

    /// Waits until the job is as it should be; the job.
    pub(crate) async fn until(&self, id: JobId, wanted: impl Fn(&Value) -> bool) -> Value {
        self.until_within(PATIENCE, id, wanted).await
    }

    /// The same for what takes longer than tests have patience for.
    pub(crate) async fn until_within(&self, patience: Duration, id: JobId, wanted: impl Fn(&Value) -> bool) -> Value {
        let give_up = Instant::now() + patience;
        loop {
            let (status, job) = self.get(&format!("/api/jobs/{id}")).await;
            assert_eq!(status, 200, "{job}");
            if wanted(&job) {
                return job;
            }
            assert!(Instant::now() < give_up, "the job did not get there: {job:#}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A business with a profile and one indexed document.
    pub(crate) async fn with_knowledge(&self, business: &str, title: &str, text: &str) {
        let profile = json!({ "name": title, "description": "A business of a test.", "voice": "plain" });
        let (status, answer) = self.put(&format!("/api/businesses/{business}"), &profile).await;
        assert!((200..300).contains(&status), "{answer}");
        let document = json!({ "title": title, "text": text, "media_type": "text/markdown" });
        let job = self.submit(&format!("/api/businesses/{business}/documents"), &document).await;
        let job = self.ended(job).await;
        assert_eq!(job["status"], "succeeded", "{job:#}");
    }

    /// How often each stage and round of the job was stored.
    pub(crate) async fn stages(&self, id: JobId) -> Vec<String> {
        let rows: Vec<(String, i16)> =
            sqlx::query_as("select stage, round from stage_results where job_id = $1 order by finished_at, round")
                .bind(id.0)
                .fetch_all(self.store.pool())
                .await
                .unwrap();
        rows.into_iter().map(|(stage, round)| if round == 0 { stage } else { format!("{stage}:{round}") }).collect()
    }

    /// Deletes this system's keys in Redis: for the system, this is a flush.
    pub(crate) async fn flush_redis(&self) {
        forget(&self.config.redis.prefix, |_| true).await;
    }

    /// The same without the quotas: a flush of those closes the providers for a window.
    pub(crate) async fn flush_all_but_quotas(&self) {
        forget(&self.config.redis.prefix, |key| !key.contains("quota")).await;
    }

    pub(crate) fn redis(&self) -> Redis {
        Redis::new(&self.config.redis).unwrap()
    }

    /// One number from the database.
    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.store.pool()).await.unwrap()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A client that sends the key of tests.
pub(crate) fn client() -> reqwest::Client {
    let (name, value) = authorization();
    let key = HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())]);
    reqwest::Client::builder().no_proxy().default_headers(key).build().unwrap()
}

async fn answer(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn serve_api(config: Config, stop: CancellationToken) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = copydesk_api::build(&config).unwrap();
    tokio::spawn(async move { app.serve(listener, stop.cancelled_owned()).await.unwrap() });
    address
}

/// One of a job's leases: a later one has a greater number.
pub(crate) fn lease(id: JobId, number: i64) -> LeaseRef {
    LeaseRef { id, epoch: LeaseEpoch(number) }
}

/// A field's sum over the stages of a job's usage.
pub(crate) fn sum(stages: &Value, field: &str) -> u64 {
    stages.as_object().unwrap().values().filter_map(|stage| stage[field].as_u64()).sum()
}

pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < give_up, "it never came true");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A port that was free a moment ago.
pub(crate) async fn free_address() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}
