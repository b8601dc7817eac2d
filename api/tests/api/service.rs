//! The service under test on a free port, and changes that tests make in its database.

use std::time::Duration;

use copydesk_api::build;
use copydesk_common::config::Config;
use copydesk_common::queue::{Depth, Queue};
use copydesk_common::redis::Redis;
use copydesk_common::store::{self, Store};
use copydesk_domain::business::BusinessId;
use copydesk_domain::job::JobKind;
pub(crate) use copydesk_testkit::{NOBODY, database_url};
use copydesk_testkit::{authorization, install_key, install_tls, prefix, redis_url};
use reqwest::header::{HeaderMap, HeaderName};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::http::{RequestBuilder, Response};

pub(crate) struct Service {
    pub(crate) base: String,
    pub(crate) config: Config,
    pub(crate) stop: CancellationToken,
    pub(crate) served: JoinHandle<()>,
    pub(crate) client: reqwest::Client,
    /// Its connections must go with the test: the test's database is dropped, and Postgres waits 5 s for them.
    _stops: DropGuard,
}

impl Service {
    /// Starts it on the test's own database and the shared Redis.
    pub(crate) async fn start(pool: &PgPool) -> Self {
        Self::start_on(&database_url(pool), &redis_url()).await
    }

    /// The same with another configuration.
    pub(crate) async fn start_with(pool: &PgPool, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_changed(&database_url(pool), &redis_url(), change).await
    }

    pub(crate) async fn start_on(postgres: &str, redis: &str) -> Self {
        Self::start_changed(postgres, redis, |_| {}).await
    }

    async fn start_changed(postgres: &str, redis: &str, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::for_servers(postgres, redis, &prefix()).unwrap();
        config.providers.tavily_api_key = Some("tvly-test".into());
        change(&mut config);
        install_key(postgres).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let serving = build(&config).unwrap().serve(listener, stop.clone().cancelled_owned());
        let served = tokio::spawn(async move { serving.await.unwrap() });
        let _stops = stop.clone().drop_guard();
        Self { base, config, stop, served, client: client(), _stops }
    }

    pub(crate) fn redis(&self) -> Redis {
        Redis::new(&self.config.redis).unwrap()
    }

    /// Waits until the queue has this depth: jobs are announced after the answer.
    pub(crate) async fn queue_has(&self, kind: JobKind, wanted: Depth) {
        let queue = Queue::new(&self.redis(), kind);
        let mut depth = Depth::default();
        let found = async {
            while depth != wanted {
                depth = queue.depth().await.unwrap();
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(20), found).await;
        assert!(found.is_ok(), "{depth:?} instead of {wanted:?}");
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        RequestBuilder::new(&self.client, method, format!("{}{path}", self.base))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body).send().await.unwrap()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(body).send().await.unwrap()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(body).send().await.unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path).send().await.unwrap()).await
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(response: Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        Self { status, headers, body: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    /// The head of an answer whose body does not end.
    pub(crate) fn head(response: &Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        Self { status, headers, body: Value::Null, text: String::new() }
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// Asserts that the answer is a problem with this status, in the documented form.
    pub(crate) fn expect_problem(self, status: u16) -> Self {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:?}");
        assert!(answer.header("x-request-id").len() > 10, "{answer:?}");
        assert_eq!(answer.body["status"], status, "{answer:?}");
        assert!(answer.body["type"].as_str().unwrap().starts_with("/problems/"), "{answer:?}");
        for field in ["title", "detail", "instance"] {
            assert!(answer.body[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {answer:?}");
        }
        answer
    }

    /// The pointers of a 422, sorted.
    pub(crate) fn pointers(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
        pointers.sort_unstable();
        pointers
    }
}

fn client() -> reqwest::Client {
    install_tls();
    let (name, value) = authorization();
    let key = HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())]);
    reqwest::Client::builder()
        .default_headers(key)
        .timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

/// A request in the form of the original service.
pub(crate) fn generate() -> Value {
    json!({"business_id": "company_123", "topic": "AI in Healthcare", "format": "Blog Article", "voice": "professional"})
}

pub(crate) fn without(mut body: Value, field: &str) -> Value {
    body.as_object_mut().unwrap().remove(field);
    body
}

pub(crate) fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}

/// Ends a generate job with a text, like a worker.
pub(crate) async fn finish(pool: &PgPool, job_id: &str) {
    let id: Uuid = job_id.parse().unwrap();
    sqlx::query(
        "update jobs set status = 'succeeded', lease_epoch = 1, lease_owner = 'test', started_at = now(),
                         finished_at = now(), updated_at = now() where id = $1",
    )
    .bind(id)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        r#"insert into generations (generation_id, job_id, business_id, topic, content_type, voice, language, title,
                                    content, sources, lessons_applied, degraded, models, usage)
           select generation_id, id, business_id, 'AI in Healthcare', 'blog', 'professional', 'en', 'A title',
                  '# A title', '[]', '[]', '{}', '{"writer": "m", "reviewer": null, "simulated": true}', '{}'
           from jobs where id = $1"#,
    )
    .bind(id)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into reviewer_learning (generation_id, business_id, content_type, auto_score)
         select generation_id, business_id, 'blog', 8 from jobs where id = $1",
    )
    .bind(id)
    .execute(pool)
    .await
    .unwrap();
}

/// Applies a verdict that asks for no lists to the text of a job, like a worker. Returns its id and the lesson's.
pub(crate) async fn judge(pool: &PgPool, job: &Value) -> (String, String) {
    let id = Uuid::now_v7();
    let generation: Uuid = job["generation_id"].as_str().unwrap().parse().unwrap();
    let business = job["business_id"].as_str().unwrap();
    sqlx::query(
        r#"insert into feedback (feedback_id, generation_id, business_id, human_score, distilled) values
           ($1, $2, $3, 7, '{"by": "rules/v1", "rules": [{"from": "comment", "rule": {"kind": "lists", "wanted": false}}]}')"#,
    )
    .bind(id)
    .bind(generation)
    .bind(business)
    .execute(pool)
    .await
    .unwrap();
    sqlx::query(
        "update reviewer_learning set has_human_feedback = true, feedback_id = $1, human_score = 7, reviewed_at = now()
         where generation_id = $2",
    )
    .bind(id)
    .bind(generation)
    .execute(pool)
    .await
    .unwrap();
    let business_id = BusinessId::parse(business).unwrap();
    let store = Store::from_pool(pool.clone());
    store::learning::rebuild(&store, &business_id).await.unwrap();
    let lessons = store::learning::lessons(&store, &business_id).await.unwrap();
    (id.to_string(), lessons[0].known.lesson.lesson_id.to_string())
}

/// Moves a job to a status, like a worker; `status` is `running`, `waiting` or `failed`.
pub(crate) async fn moved(pool: &PgPool, job: &Value, status: &str) {
    let id: Uuid = job["id"].as_str().unwrap().parse().unwrap();
    sqlx::query(
        r#"update jobs set status = $2, lease_epoch = 7, lease_owner = 'test', stage = 'draft', stages_completed = 5,
               attempt = 3, takeovers = 2, started_at = now(), updated_at = now(),
               wait_reason = case when $2 = 'waiting' then 'backoff' end,
               wait_until = case when $2 = 'waiting' then now() + interval '1 hour' end,
               finished_at = case when $2 = 'failed' then now() end,
               error = case when $2 = 'failed' then '{"type": "/problems/attempts-exhausted", "title": "Every attempt failed",
                                                      "status": 502, "detail": "All 3 attempts failed."}'::jsonb end
           where id = $1"#,
    )
    .bind(id)
    .bind(status)
    .execute(pool)
    .await
    .unwrap();
}

/// Blocks every read of a job until dropped.
pub(crate) struct Hold<'a> {
    pool: &'a PgPool,
    lock: sqlx::Transaction<'a, sqlx::Postgres>,
}

impl<'a> Hold<'a> {
    pub(crate) async fn jobs(pool: &'a PgPool) -> Self {
        let mut lock = pool.begin().await.unwrap();
        sqlx::query("lock table jobs in access exclusive mode").execute(&mut *lock).await.unwrap();
        Self { pool, lock }
    }

    /// Releases the block as soon as a reader is blocked: then the server has received the request.
    pub(crate) async fn until_somebody_waits(self) {
        self.until_somebody_waits_and(async {}).await;
    }

    /// The same, after `meanwhile` has completed while the reader is blocked.
    pub(crate) async fn until_somebody_waits_and(self, meanwhile: impl Future<Output = ()>) {
        let waiters =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        let found = async { while sqlx::query_scalar::<_, i64>(waiters).fetch_one(self.pool).await.unwrap() == 0 {} };
        tokio::time::timeout(Duration::from_secs(20), found).await.expect("nobody reads a job");
        meanwhile.await;
        self.let_go().await;
    }

    pub(crate) async fn let_go(self) {
        self.lock.rollback().await.unwrap();
    }
}
