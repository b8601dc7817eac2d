//! The services of the handlers, and the limit on how long a client waits for the store.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use copydesk_common::config::Config;
use copydesk_common::follow::Followers;
use copydesk_common::notify::{Listener, Notifier};
use copydesk_common::queue::Queue;
use copydesk_common::quota::{ProviderName, Quota, Quotas};
use copydesk_common::redis::Redis;
use copydesk_common::store::Store;
use copydesk_domain::job::JobKind;
use copydesk_knowledge::Knowledge;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::Acceptor;
use crate::announce::Announcer;
use crate::auth::keyring::Keyring;
use crate::error::ApiError;
use crate::hasten::Hastener;
use crate::loads::Counter;
use crate::parsing::Parsing;
use crate::rate::Rates;
use crate::read::Reader;
use crate::readiness::Readiness;

/// The longest that a client waits for the store: long enough for one retry after a restart of
/// Postgres, short enough to tell the client that Postgres is unavailable.
const STORE_TIMEOUT: Duration = Duration::from_secs(10);
/// The knowledge indexes that this process keeps, in bytes.
const KNOWLEDGE_BUDGET_BYTES: usize = 128 * 1024 * 1024;

/// Exports that this process makes at once: each holds a document of up to 10 MiB, several times over.
const EXPORTS: usize = 4;

/// The services of the handlers. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Services(Arc<Parts>);

/// The parts of [`Services`].
#[derive(Debug)]
pub struct Parts {
    /// The API keys that are in use.
    pub keyring: Keyring,
    /// How many requests they may send.
    pub rates: Rates,
    /// Postgres.
    pub store: Store,
    /// Redis.
    pub redis: Redis,
    /// One queue for each kind of job.
    pub queues: Vec<Queue>,
    /// Tells the workers of committed jobs.
    pub announcer: Announcer,
    /// Commits new jobs.
    pub acceptor: Acceptor,
    /// Counts the jobs for operators.
    pub counter: Counter,
    /// Makes waiting jobs ask their provider again.
    pub hastener: Hastener,
    /// What the probes tell.
    pub readiness: Readiness,
    /// Reads jobs.
    pub reader: Reader,
    /// The LLM provider's name.
    pub llm: ProviderName,
    /// The quotas that the workers share, by `provider/model`.
    pub quotas: Vec<(String, Quota)>,
    /// The models whose calls count as free because no price is known, by `provider/model`.
    pub unpriced: Vec<String>,
    /// Publishes hints of jobs that are changed here.
    pub notifier: Notifier,
    /// Receives hints of changed jobs.
    pub listener: Listener,
    /// Announces followed jobs to the workers.
    pub followers: Followers,
    /// The passages of every business.
    pub knowledge: Knowledge,
    /// Parses large bodies.
    pub parsing: Parsing,
    /// Turns of exports.
    pub exports: Arc<Semaphore>,
    /// The largest JSON body, in bytes.
    pub max_body_bytes: usize,
    /// Which optional variables are set.
    pub environment: Environment,
    /// Cancelled at shutdown: waiting requests are answered at once.
    pub closing: CancellationToken,
}

/// Which of the variables of a working installation are set. Never their values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Environment {
    /// `GROQ_API_KEY`.
    pub groq_api_key: bool,
    /// `POSTGRES_URI`: nothing starts without it.
    pub postgres_uri: bool,
    /// `TAVILY_API_KEY`.
    pub tavily_api_key: bool,
}

impl std::ops::Deref for Services {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl FromRef<Services> for Readiness {
    fn from_ref(services: &Services) -> Self {
        services.readiness.clone()
    }
}

impl Services {
    /// Builds the services. Connects to nothing yet. Work that outlives requests is tracked by
    /// `work`, and ends soon after the last clone is dropped.
    pub fn new(config: &Config, store: Store, redis: Redis, closing: CancellationToken, work: &TaskTracker) -> Self {
        let queues: Vec<_> = JobKind::ALL.iter().map(|kind| Queue::new(&redis, *kind)).collect();
        let announcer = Announcer::new(&queues, work);
        Self(Arc::new(Parts {
            rates: Rates::start(&config.api, &redis, closing.clone(), work),
            keyring: Keyring::start(&store, closing.clone(), work),
            acceptor: Acceptor::start(&store, &announcer, work),
            counter: Counter::new(&store, closing.clone()),
            hastener: Hastener::new(&store, &queues, closing.clone(), work),
            readiness: Readiness::new(store.clone(), closing.clone()),
            reader: Reader::start(&store, work),
            announcer,
            queues,
            llm: config.providers.llm_name(),
            quotas: quotas(config, &redis),
            unpriced: config
                .providers
                .models_without_price()
                .into_iter()
                .map(|model| format!("{}/{model}", config.providers.llm_name()))
                .collect(),
            notifier: Notifier::new(&redis),
            listener: Listener::start(redis.clone(), closing.clone()),
            followers: Followers::start(redis.clone(), closing.clone()),
            knowledge: knowledge(config, &store, &redis),
            parsing: Parsing::default(),
            exports: Arc::new(Semaphore::new(EXPORTS)),
            max_body_bytes: config.api.max_body_bytes,
            environment: Environment {
                groq_api_key: config.providers.groq_api_key.is_some(),
                postgres_uri: true,
                tavily_api_key: config.providers.tavily_api_key.is_some(),
            },
            store,
            redis,
            closing,
        }))
    }

    /// Runs an operation of the store within the time that a client waits.
    pub async fn within<T, E: Into<ApiError>>(
        &self,
        operation: impl Future<Output = Result<T, E>>,
    ) -> Result<T, ApiError> {
        timeout(STORE_TIMEOUT, operation).await.map_err(|_| ApiError::Unavailable(None))?.map_err(Into::into)
    }

    /// The queue of a kind.
    pub fn queue(&self, kind: JobKind) -> Result<&Queue, ApiError> {
        self.queues.iter().find(|queue| queue.kind() == kind).ok_or(ApiError::NotFound("queue"))
    }

    /// The quotas of a provider, by `provider/model`.
    pub fn quotas_of(&self, provider: &str) -> impl Iterator<Item = &(String, Quota)> {
        self.quotas.iter().filter(move |(_, quota)| *quota.provider() == provider)
    }

    /// The providers that are called.
    pub fn providers(&self) -> Vec<&str> {
        let mut providers: Vec<_> = self.quotas.iter().map(|(_, quota)| &**quota.provider()).collect();
        providers.sort_unstable();
        providers.dedup();
        providers
    }
}

/// The search in documents: by words, since the API calls no provider, or with results that a
/// worker has shared.
fn knowledge(config: &Config, store: &Store, redis: &Redis) -> Knowledge {
    let knowledge = Knowledge::new(store.clone(), KNOWLEDGE_BUDGET_BYTES).sharing_results(redis.clone());
    match config.providers.embeddings.target() {
        Some((_, model)) => knowledge.beside_vectors_of(model),
        None => knowledge,
    }
}

/// The quotas and breakers that the workers share: the same names as theirs.
fn quotas(config: &Config, redis: &Redis) -> Vec<(String, Quota)> {
    let providers = &config.providers;
    let Quotas { writer, reviewer, fallbacks, search, embeddings } = Quotas::new(redis, providers);
    let fallbacks = fallbacks.into_iter().map(|(_, quota)| quota);
    let quotas = [writer, reviewer].into_iter().chain(fallbacks).chain(search).chain(embeddings);
    quotas.map(|quota| (format!("{}/{}", quota.provider(), quota.model()), quota)).collect()
}
