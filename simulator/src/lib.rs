//! Groq's, Tavily's and OpenAI's embeddings' HTTP protocols without a network, seeded and deterministic: what stands in
//! where no provider key is set, and the adversary of the fault tests. It enforces the providers'
//! limits, counts every call, and fails on demand; it knows the prompt's format, but nothing else of
//! Copydesk.

mod behaviour;
mod calls;
mod chat;
mod clock;
mod control;
mod delivery;
mod dialect;
mod distill;
mod editing;
mod embeddings;
mod faults;
mod ledger;
mod limits;
pub mod link;
mod malformed;
mod prefix;
mod prompt;
mod reading;
mod refused;
mod review;
mod schema;
mod search;
mod seed;
mod shape;
mod writer;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use crate::behaviour::{Behaviour, InvalidBehaviour};
pub use crate::calls::{Calls, EndpointCalls, Prompted};
pub use crate::clock::Clock;
pub use crate::dialect::Dialect;
pub use crate::faults::{
    Armed, Endpoint, Fault, FaultKind, Finish, InvalidFaults, Part, RetryAfter, parse as parse_faults,
};
pub use crate::ledger::ModelCalls;
pub use crate::limits::{Limits, parse_models as parse_model_limits};
pub use crate::prompt::Stage;
pub use crate::refused::{Refused, TooLong};
pub use crate::writer::HABITS;

use crate::calls::{CallLog, Outcome, PromptLog};
use crate::delivery::Delivery;
use crate::faults::{Call, Drawn, FaultPlan};
use crate::ledger::Ledger;
use crate::limits::Limiter;
use crate::malformed::Malformed;
use crate::prefix::PrefixCache;

/// How long vendors hold the start of a prompt at most.
const PREFIX_LIFETIME: Duration = Duration::from_hours(2);

/// How a simulator behaves. The defaults are a test's: a free port and the providers' usual limits.
#[derive(Debug, Clone)]
pub struct SimulatorConfig {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Texts say only what their prompt's passages and profile say, however short that makes them, and searches
    /// find only written pages. Else texts have the length asked for, filled up with sentences that say nothing,
    /// and searches find pages on any topic: for load, and for tests.
    pub plain: bool,
    /// The same seed gives the same answers and the same faults.
    pub seed: u64,
    /// Chat calls in any 60 s, per key; `None` is unlimited.
    pub llm_requests_per_minute: Option<u32>,
    /// Tokens in any 60 s, per key; `None` is unlimited.
    pub llm_tokens_per_minute: Option<u32>,
    /// Chat calls a day, per key, refilled evenly; `None` is unlimited, and leaves the headers out.
    pub llm_requests_per_day: Option<u32>,
    /// Models with limits of their own: their calls count against these alone, per key.
    pub model_limits: BTreeMap<String, Limits>,
    /// How long the start of a prompt is cached after its last use, per key and model; nothing is where `None`.
    pub prefix_cache: Option<Duration>,
    /// The share of chat answers that are malformed, 0 to 1: empty, cut in half, or of another shape.
    pub malformed: f64,
    /// Searches in any 60 s, per key; `None` is unlimited.
    pub search_requests_per_minute: Option<u32>,
    /// Credits of the search plan, of all keys together: when they are used up, 432. `None` is unlimited.
    pub search_credits: Option<u64>,
    /// How the model behaves at the start.
    pub behaviour: Behaviour,
    /// Added to every call.
    pub delay: Duration,
    /// How fast a message is written; at once where `None`.
    pub tokens_per_second: Option<f64>,
    /// A chat request's size from which it is refused with 413.
    pub max_body_bytes: usize,
    /// How many of the newest prompts [`Simulator::prompts`] gives back.
    pub prompts_kept: usize,
    /// Times the limits.
    pub clock: Clock,
    /// The rules in force at the start.
    pub faults: Vec<Fault>,
}

impl Default for SimulatorConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            plain: false,
            seed: 7,
            llm_requests_per_minute: Some(30),
            llm_tokens_per_minute: Some(250_000),
            llm_requests_per_day: Some(10_000_000),
            model_limits: BTreeMap::new(),
            prefix_cache: Some(PREFIX_LIFETIME),
            malformed: 0.0,
            search_requests_per_minute: Some(20),
            search_credits: None,
            behaviour: Behaviour::default(),
            delay: Duration::ZERO,
            tokens_per_second: None,
            max_body_bytes: 4 * 1024 * 1024,
            prompts_kept: 0,
            clock: Clock::system(),
            faults: Vec::new(),
        }
    }
}

impl SimulatorConfig {
    /// Without any limit: for tests that are about something else, and for load.
    pub fn unlimited() -> Self {
        Self {
            llm_requests_per_minute: None,
            llm_tokens_per_minute: None,
            llm_requests_per_day: None,
            search_requests_per_minute: None,
            ..Self::default()
        }
    }
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is in use, or not this machine's.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A fault of the configuration is out of its range.
    #[error(transparent)]
    Faults(#[from] InvalidFaults),
    /// The behaviour of the configuration is out of its range.
    #[error(transparent)]
    Behaviour(#[from] InvalidBehaviour),
}

/// A running simulator; it stops when dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<io::Result<()>>,
}

impl Simulator {
    /// Starts a simulator in the current tokio runtime; it serves once this returns.
    pub async fn start(config: SimulatorConfig) -> Result<Self, StartError> {
        faults::check(&config.faults)?;
        config.behaviour.checked()?;
        let address = config.listen;
        let bind_error = |source| StartError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;
        let shared = Arc::new(Shared::new(config));
        let stopped = shared.shutdown.clone().cancelled_owned();
        // A stream's small events must not wait for each other.
        let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));
        let serving = axum::serve(listener, router(Arc::clone(&shared))).with_graceful_shutdown(stopped);
        Ok(Self { address, shared, server: tokio::spawn(serving.into_future()) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:8090`: the search's base URL, to which the client adds `/search`.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `http://127.0.0.1:8090/openai/v1`: the LLM's base URL, to which the client adds `/chat/completions`.
    pub fn llm_base_url(&self) -> String {
        format!("{}/openai/v1", self.base_url())
    }

    /// `http://127.0.0.1:8090/v1`: the embeddings' base URL, to which the client adds `/embeddings`.
    pub fn embeddings_base_url(&self) -> String {
        format!("{}/v1", self.base_url())
    }

    /// Replaces all fault rules.
    ///
    /// # Errors
    /// A rule has a field out of its range; the rules in force stay.
    pub fn set_faults(&self, faults: Vec<Fault>) -> Result<(), InvalidFaults> {
        faults::check(&faults)?;
        self.shared.faults.replace(faults);
        Ok(())
    }

    /// The fault rules with how often each matched and fired.
    pub fn faults(&self) -> Vec<Armed> {
        self.shared.faults.list()
    }

    /// Changes how the model behaves from its next answer on.
    ///
    /// # Errors
    /// A field is out of its range; the behaviour stays as it is.
    pub fn set_behaviour(&self, behaviour: Behaviour) -> Result<(), InvalidBehaviour> {
        self.shared.set_behaviour(behaviour.checked()?);
        Ok(())
    }

    /// The calls since the start, or since they were last cleared.
    pub fn calls(&self) -> Calls {
        self.shared.calls()
    }

    /// The time that handlers of calls took in all, their delays and their writing: what a measurement of
    /// callers takes off.
    pub fn busy(&self) -> Duration {
        Duration::from_nanos(self.shared.busy_ns.load(Ordering::Relaxed))
    }

    /// Calls that have arrived and are not answered yet.
    pub fn under_way(&self) -> usize {
        self.shared.under_way.load(Ordering::Relaxed)
    }

    /// Forgets the calls. The limits go on counting them.
    pub fn clear_calls(&self) {
        self.shared.clear_calls();
    }

    /// The user messages of the newest accepted chat calls, oldest first: what really reached the provider.
    /// Empty unless [`SimulatorConfig::prompts_kept`] says how many to keep.
    pub fn prompts(&self) -> Vec<String> {
        self.shared.prompts.snapshot().into_iter().map(|prompted| prompted.prompt).collect()
    }

    /// The same calls with their times and tokens.
    pub fn prompted(&self) -> Vec<Prompted> {
        self.shared.prompts.snapshot()
    }

    /// Stops and waits until the last connection is closed; calls under way are answered.
    pub async fn stop(mut self) {
        self.shared.shutdown.cancel();
        // The server only ends by the token: there is no error to tell of.
        drop((&mut self.server).await);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.shutdown.cancel();
    }
}

/// What all requests share. Every lock in it is held for a few lines, never across an await.
#[derive(Debug)]
pub(crate) struct Shared {
    config: SimulatorConfig,
    clock: Clock,
    chat_limits: Limiter,
    search_limits: Limiter,
    search_credits: search::Credits,
    prefixes: PrefixCache,
    calls: CallLog,
    ledger: Ledger,
    prompts: PromptLog,
    faults: FaultPlan,
    /// Spoils the share of chat answers that is malformed, whatever the rules.
    malformed: Malformed,
    behaviour: Mutex<Behaviour>,
    /// The time that handlers of calls took in all.
    busy_ns: AtomicU64,
    /// Calls that are with a handler.
    under_way: AtomicUsize,
    shutdown: CancellationToken,
}

impl Shared {
    fn new(mut config: SimulatorConfig) -> Self {
        let clock = config.clock.clone();
        let chat = Limits {
            requests_per_minute: config.llm_requests_per_minute,
            tokens_per_minute: config.llm_tokens_per_minute,
            requests_per_day: config.llm_requests_per_day,
            tokens_per_day: None,
        };
        let search = Limits { requests_per_minute: config.search_requests_per_minute, ..Limits::default() };
        Self {
            chat_limits: Limiter::new(chat, std::mem::take(&mut config.model_limits), clock.clone()),
            search_limits: Limiter::new(search, BTreeMap::new(), clock.clone()),
            search_credits: search::Credits::new(config.search_credits),
            prefixes: PrefixCache::new(config.prefix_cache, clock.clone()),
            calls: CallLog::default(),
            ledger: Ledger::default(),
            prompts: PromptLog::keeping(config.prompts_kept),
            faults: FaultPlan::new(config.seed, std::mem::take(&mut config.faults)),
            malformed: Malformed::new(config.seed, config.malformed),
            behaviour: Mutex::new(config.behaviour),
            busy_ns: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
            shutdown: CancellationToken::new(),
            clock,
            config,
        }
    }

    /// What spoils an accepted call, if anything does; after the delay that every call has, and the fault's.
    async fn spoil(&self, call: &Call<'_>) -> Option<FaultKind> {
        let Drawn { kind, delay } = self.draw(call);
        self.pause(delay).await;
        kind
    }

    /// What spoils an accepted call, and the delay before its answer: the one that every call has, and the fault's.
    fn draw(&self, call: &Call<'_>) -> Drawn {
        let mut drawn = self.faults.draw(call);
        if drawn.kind.is_none() && call.endpoint == Endpoint::Chat {
            drawn.kind = self.malformed.draw();
        }
        if drawn.is_fault() {
            self.calls.record(call.endpoint, Outcome::Faulted);
        }
        Drawn { delay: self.config.delay + drawn.delay, ..drawn }
    }

    fn behaviour(&self) -> Behaviour {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_behaviour(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    fn calls(&self) -> Calls {
        Calls { models: self.ledger.snapshot(), ..self.calls.snapshot() }
    }

    fn clear_calls(&self) {
        self.calls.clear();
        self.ledger.clear();
    }

    /// Waits in real time, but not beyond the shutdown.
    async fn pause(&self, duration: Duration) {
        if !duration.is_zero() {
            let _elapsed = tokio::time::timeout(duration, self.shutdown.cancelled()).await;
        }
    }

    /// Says nothing until the shutdown, and breaks the connection off then.
    async fn hang(&self) -> Response {
        self.shutdown.cancelled().await;
        Delivery { aborted: true, ..Delivery::default() }.into_body().into_response()
    }
}

fn router(shared: Arc<Shared>) -> Router {
    let max_body_bytes = shared.config.max_body_bytes;
    Router::new()
        .route("/openai/v1/chat/completions", post(chat::completions))
        .route("/openai/v1/models", get(chat::models))
        .route("/search", post(search::search).get(search::searxng::search))
        .route("/v1/embeddings", post(embeddings::embeddings))
        .layer(from_fn_with_state(Arc::clone(&shared), timed))
        .layer(DefaultBodyLimit::max(max_body_bytes))
        .route("/health", get(control::health))
        .route("/_faults", get(control::get_faults).put(control::put_faults).delete(control::delete_faults))
        .route("/_calls", get(control::get_calls).delete(control::delete_calls))
        .route("/_behaviour", get(control::get_behaviour).put(control::put_behaviour))
        .fallback(chat::unknown_url)
        .with_state(shared)
}

/// Counts the calls that are here, and adds up the time that they take.
async fn timed(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let _visit = Visit::of(&shared);
    let response = next.run(request).await;
    let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    shared.busy_ns.fetch_add(took, Ordering::Relaxed);
    response
}

/// A call that is with a handler: until it is answered, or its caller has gone.
struct Visit<'a>(&'a Shared);

impl<'a> Visit<'a> {
    fn of(shared: &'a Shared) -> Self {
        shared.under_way.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The key of an `Authorization: Bearer` header: any that is not empty.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then(|| key.to_owned())
}
