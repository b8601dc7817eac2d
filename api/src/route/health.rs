//! `/health`, `/health/live`, `/health/ready`: the health of the service, for people and
//! orchestrators.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use copydesk_common::clock;
use copydesk_common::quota::trouble::KnownTrouble;
use copydesk_common::quota::{BreakerState, Quota, Status as QuotaStatus};
use copydesk_common::store::PoolStatus;
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::readiness::Readiness;
use crate::state::{Environment, Services};

/// The time-out of a check; after it, the part counts as down.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// How the service does.
///
/// 503 if nothing works (Postgres is unavailable); else 200, also if it is degraded.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "get_health",
    tag = "Operators",
    responses(
        (status = 200, description = "Healthy, or degraded.", body = Health),
        (status = 503, description = "Unhealthy.", body = Health),
    )
)]
pub async fn health(State(services): State<Services>) -> (StatusCode, Json<Health>) {
    let health = Health::check(&services).await;
    let code = if health.status == Condition::Unhealthy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (code, Json(health))
}

/// Whether the process serves requests.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "get_liveness",
    tag = "Operators",
    responses((status = 200, description = "It does.", body = Probe))
)]
pub async fn live() -> Json<Probe> {
    Json(Probe { status: "live" })
}

/// Whether requests should be sent here: the process is not shutting down, and Postgres answers.
///
/// The answer is at most three seconds old.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "get_readiness",
    tag = "Operators",
    responses(
        (status = 200, description = "They should.", body = Probe),
        (status = 503, description = "Requests should not be sent here.", body = Probe),
    )
)]
pub async fn ready(State(readiness): State<Readiness>) -> (StatusCode, Json<Probe>) {
    if readiness.is_ready().await {
        (StatusCode::OK, Json(Probe { status: "ready" }))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, Json(Probe { status: "not ready" }))
    }
}

/// An orchestrator's answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct Probe {
    /// The answer in words.
    #[schema(value_type = String, example = "ready")]
    status: &'static str,
}

/// The overall health of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Condition {
    /// Everything works.
    Healthy,
    /// Jobs are accepted, but are slower, give degraded texts or fail: Redis is unavailable, a provider's
    /// breaker is open, or a provider refuses what an operator has set up.
    Degraded,
    /// Nothing works: Postgres is unavailable.
    Unhealthy,
}

/// Whether a part answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Answer {
    /// It answers.
    Up,
    /// It does not answer, or not in time.
    Down,
}

/// How the service does.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// The overall health.
    status: Condition,
    /// When this was checked.
    timestamp: DateTime<Utc>,
    /// Which variables are set.
    environment: Environment,
    /// The health of each part.
    checks: Checks,
}

/// The health of the parts.
#[derive(Debug, Serialize, ToSchema)]
struct Checks {
    /// The database.
    postgres: PostgresCheck,
    /// The coordination.
    redis: RedisCheck,
    /// The breakers, by `provider/model`. Empty while Redis is unavailable.
    #[schema(value_type = BTreeMap<String, String>, example = json!({"groq/llama-3.3-70b-versatile": "closed"}))]
    breakers: BTreeMap<String, BreakerState>,
    /// What providers refuse until an operator mends it, by `provider/model`: a wrong key, an unknown model, an
    /// empty account. Empty where there is nothing to mend, and while Redis is unavailable.
    troubles: BTreeMap<String, TroubleCheck>,
    /// The providers' limits. Empty while Redis is unavailable.
    limits: Vec<LimitCheck>,
    /// The queues, by kind of job. Empty while Redis is unavailable.
    queue: BTreeMap<String, QueueCheck>,
}

/// The database.
#[derive(Debug, Serialize, ToSchema)]
struct PostgresCheck {
    /// Whether it answers.
    status: Answer,
    /// This process's breaker: while it is open, requests that need Postgres are refused at once.
    #[schema(value_type = String, example = "closed")]
    breaker: BreakerState,
    /// The pool of connections to it.
    pool: Pool,
}

/// The coordination.
#[derive(Debug, Serialize, ToSchema)]
struct RedisCheck {
    /// Whether it answers.
    status: Answer,
}

/// A pool of connections.
#[derive(Debug, Serialize, ToSchema)]
struct Pool {
    /// Connections of the pool in normal operation.
    size: u32,
    /// In use.
    checked_out: u32,
    /// Open and idle.
    checked_in: u32,
    /// Open beyond `size`.
    overflow: u32,
}

/// What a provider refuses until an operator mends it.
#[derive(Debug, Serialize, ToSchema)]
struct TroubleCheck {
    /// The type of the problem that says what to do.
    #[schema(example = "/problems/provider-account")]
    problem: String,
    /// What the provider answered.
    #[schema(example = 402)]
    status: u16,
    /// What to look at: a variable, or the account.
    #[schema(example = "the account's balance, plan and limits")]
    look_at: String,
    /// When a worker was last refused.
    seen_at: DateTime<Utc>,
}

/// A provider's limit.
#[derive(Debug, Serialize, ToSchema)]
struct LimitCheck {
    /// The provider.
    provider: String,
    /// Calls in any minute, by all workers together.
    capacity: u64,
    /// Calls left.
    remaining: u64,
    /// Jobs that wait for a call.
    waiting: u64,
}

/// The jobs of one queue.
#[derive(Debug, Serialize, ToSchema)]
struct QueueCheck {
    /// Can run now.
    ready: u64,
    /// Become ready later.
    delayed: u64,
    /// Leased to a worker.
    running: u64,
}

impl Health {
    /// Checks all parts concurrently.
    async fn check(services: &Services) -> Self {
        let ((postgres, redis), (quotas, queue)) =
            tokio::join!(async { tokio::join!(postgres(services), redis(services)) }, async {
                tokio::join!(quotas(services), queues(services))
            });
        let breakers: BTreeMap<_, _> = quotas.iter().map(|(name, status)| (name.clone(), status.breaker)).collect();
        let troubles: BTreeMap<_, _> = quotas.iter().filter_map(trouble).collect();
        let has_open_breaker = breakers.values().any(|state| *state != BreakerState::Closed);
        let status = if postgres == Answer::Down {
            Condition::Unhealthy
        } else if redis == Answer::Down || has_open_breaker || !troubles.is_empty() {
            Condition::Degraded
        } else {
            Condition::Healthy
        };
        Self {
            status,
            timestamp: clock::now(),
            environment: services.environment,
            checks: Checks {
                postgres: PostgresCheck {
                    status: postgres,
                    breaker: if services.store.is_breaker_open() { BreakerState::Open } else { BreakerState::Closed },
                    pool: services.store.pool_status().into(),
                },
                redis: RedisCheck { status: redis },
                breakers,
                troubles,
                limits: limits(quotas),
                queue,
            },
        }
    }
}

async fn postgres(services: &Services) -> Answer {
    answer(timeout(CHECK_TIMEOUT, services.store.ping()).await.is_ok_and(|ping| ping.is_ok()))
}

async fn redis(services: &Services) -> Answer {
    answer(timeout(CHECK_TIMEOUT, services.redis.ping()).await.is_ok_and(|ping| ping.is_ok()))
}

fn answer(up: bool) -> Answer {
    if up { Answer::Up } else { Answer::Down }
}

/// Each quota by `provider/model`, as far as Redis answers.
pub async fn quotas(services: &Services) -> Vec<(String, QuotaStatus)> {
    let asked = services.quotas.iter().map(|(name, quota): &(String, Quota)| async move {
        let status = timeout(CHECK_TIMEOUT, quota.status()).await.ok()?.ok()?;
        Some((name.clone(), status))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

fn trouble((name, status): &(String, QuotaStatus)) -> Option<(String, TroubleCheck)> {
    let KnownTrouble { kind, status, look_at, seen_at } = status.trouble.clone()?;
    Some((name.clone(), TroubleCheck { problem: format!("/problems/{kind}"), status, look_at, seen_at }))
}

/// Models of one provider share its limit, but for those that have their own.
fn limits(quotas: Vec<(String, QuotaStatus)>) -> Vec<LimitCheck> {
    let by_account: BTreeMap<_, _> = quotas.into_iter().map(|(_, status)| (status.account(), status)).collect();
    by_account
        .into_iter()
        .map(|(account, status)| LimitCheck {
            provider: account,
            capacity: status.limits.calls_per_minute,
            remaining: status.remaining,
            waiting: status.waiting,
        })
        .collect()
}

async fn queues(services: &Services) -> BTreeMap<String, QueueCheck> {
    let asked = services.queues.iter().map(|queue| async move {
        let depth = timeout(CHECK_TIMEOUT, queue.depth()).await.ok()?.ok()?;
        let check = QueueCheck { ready: depth.ready, delayed: depth.delayed, running: depth.leased };
        Some((queue.kind().to_string(), check))
    });
    join_all(asked).await.into_iter().flatten().collect()
}

impl From<PoolStatus> for Pool {
    fn from(pool: PoolStatus) -> Self {
        Self { size: pool.size, checked_out: pool.checked_out, checked_in: pool.checked_in, overflow: pool.overflow }
    }
}
