//! `GET /api/ops/overview`: an overview of queues, workers, limits and breakers.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use copydesk_common::clock;
use copydesk_common::presence::{self, SeenWorker};
use copydesk_common::queue::{Depth, Intake, Queue};
use copydesk_common::quota::BreakerState;
use copydesk_common::store;
use copydesk_common::store::job::load::{InHand, Load, Loads};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::route::health::{CHECK_TIMEOUT, quotas};
use crate::route::ops::limits::LimitView;
use crate::state::Services;

/// The operator's view.
///
/// Counts of jobs come from Postgres, as of `counted_at`. What only Redis knows is null or empty
/// while it is unavailable.
#[utoipa::path(
    get,
    path = "/api/ops/overview",
    operation_id = "get_overview",
    tag = "Operators",
    responses((status = 200, description = "The current state.", body = Overview))
)]
pub async fn overview(State(services): State<Services>) -> Result<Json<Overview>, ApiError> {
    let count = services.within(services.counter.read());
    let seen = async { timeout(CHECK_TIMEOUT, presence::workers(&services.redis)).await.ok()?.ok() };
    let set = services.within(store::limit::all(&services.store));
    let stored = async { tokio::try_join!(count, set) };
    let (stored, quotas, seen) = tokio::join!(stored, quotas(&services), seen);
    let (count, set) = stored?;
    let Loads { by_kind, in_flight, in_hand } = &count.loads;
    let in_hand = services.within(store::job::load::in_hand(&services.store, in_hand)).await?;
    let breakers = quotas.iter().map(|(name, status)| (name.clone(), status.breaker)).collect();
    Ok(Json(Overview {
        timestamp: clock::now(),
        counted_at: count.counted_at,
        redis: seen.is_some(),
        queues: join_all(services.queues.iter().map(|queue| QueueView::of(queue, by_kind))).await,
        workers: WorkerView::all(seen.unwrap_or_default(), in_flight.clone(), in_hand),
        limits: LimitView::all(quotas, &set),
        breakers,
    }))
}

/// The operator's view.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overview {
    /// When this was read.
    timestamp: DateTime<Utc>,
    /// When the jobs in Postgres were counted. If there are so many that counting takes long, the
    /// count can be older, up to about ten times the duration of counting.
    counted_at: DateTime<Utc>,
    /// Whether Redis answers.
    redis: bool,
    /// One queue for each kind of job.
    queues: Vec<QueueView>,
    /// The workers with a recent heartbeat or with jobs.
    workers: Vec<WorkerView>,
    /// The providers' limits.
    limits: Vec<LimitView>,
    /// The breakers, by `provider/model`.
    #[schema(value_type = BTreeMap<String, String>)]
    breakers: BTreeMap<String, BreakerState>,
}

/// The jobs of a kind.
#[derive(Debug, Serialize, ToSchema)]
struct QueueView {
    /// The kind.
    kind: JobKind,
    /// Whether an operator paused it; null while Redis is unavailable.
    #[schema(required = true)]
    paused: Option<bool>,
    /// Which jobs it hands out: all, those that were under way, or none; null while Redis is
    /// unavailable.
    #[schema(required = true)]
    intake: Option<Intake>,
    /// Accepted, and not claimed by a worker.
    queued: i64,
    /// Waiting until a known time.
    waiting: i64,
    /// Run by a worker.
    running: i64,
    /// The age of the oldest queued job, in seconds; null if there is none.
    #[schema(required = true)]
    oldest_age_seconds: Option<i64>,
    /// Ended with a result within the last minute.
    succeeded_last_minute: i64,
    /// Failed within the last minute.
    failed_last_minute: i64,
    /// The queue's state in Redis; null while Redis is unavailable. Jobs that Redis does not know
    /// yet are pushed by the sweep.
    #[schema(required = true)]
    redis: Option<DepthView>,
}

/// A queue's state in Redis.
#[derive(Debug, Serialize, ToSchema)]
struct DepthView {
    /// Can run now.
    ready: u64,
    /// Become ready later.
    delayed: u64,
    /// Leased to a worker.
    leased: u64,
    /// Could run, but their businesses have reached their concurrency caps.
    capped: u64,
}

impl QueueView {
    async fn of(queue: &Queue, loads: &[Load]) -> Self {
        let kind = queue.kind();
        let asked = timeout(CHECK_TIMEOUT, async { tokio::try_join!(queue.depth(), queue.intake()) }).await;
        let (depth, intake) = asked.ok().and_then(Result::ok).unzip();
        // If Redis does not know the intake, a worker will soon set it to what an operator chose:
        // mostly the default.
        let intake = intake.map(|intake| intake.unwrap_or(Intake::Open));
        let load = loads.iter().find(|load| load.kind == kind);
        let oldest = load.and_then(|load| load.oldest_queued_at);
        Self {
            kind,
            paused: intake.map(|intake| intake == Intake::Paused),
            intake,
            queued: load.map_or(0, |load| load.queued),
            waiting: load.map_or(0, |load| load.waiting),
            running: load.map_or(0, |load| load.running),
            oldest_age_seconds: oldest.map(|oldest| (clock::now() - oldest).num_seconds().max(0)),
            succeeded_last_minute: load.map_or(0, |load| load.succeeded_last_minute),
            failed_last_minute: load.map_or(0, |load| load.failed_last_minute),
            redis: depth.map(|Depth { ready, delayed, leased, capped }| DepthView { ready, delayed, leased, capped }),
        }
    }
}

/// A worker.
#[derive(Debug, Serialize, ToSchema)]
struct WorkerView {
    /// Its name.
    id: String,
    /// The machine; null for a worker without a recent heartbeat.
    #[schema(required = true)]
    host: Option<String>,
    /// Its release.
    #[schema(required = true)]
    version: Option<String>,
    /// Jobs of each kind that it runs at once.
    #[schema(required = true)]
    concurrency: Option<u16>,
    /// When it started.
    #[schema(required = true)]
    started_at: Option<DateTime<Utc>>,
    /// The time of its last heartbeat.
    #[schema(required = true)]
    last_seen_at: Option<DateTime<Utc>>,
    /// How many jobs it runs. A worker without heartbeats loses them when their leases end.
    in_flight: i64,
    /// The oldest of these jobs, at most 50.
    in_hand: Vec<JobInHand>,
}

/// A job that a worker runs.
#[derive(Debug, Serialize, ToSchema)]
struct JobInHand {
    /// The job.
    job_id: JobId,
    /// Its business.
    business_id: BusinessId,
    /// What it does.
    kind: JobKind,
    /// The current or next stage; empty before the first one.
    #[schema(example = "draft")]
    stage: String,
    /// Its attempt.
    attempt: u16,
    /// Since when the worker has it.
    since: DateTime<Utc>,
}

impl From<InHand> for JobInHand {
    fn from(job: InHand) -> Self {
        let InHand { id, business_id, kind, stage, attempt, since } = job;
        Self { job_id: id, business_id, kind, stage, attempt, since }
    }
}

impl WorkerView {
    fn all(
        seen: Vec<SeenWorker>,
        mut in_flight: BTreeMap<String, i64>,
        mut in_hand: BTreeMap<String, Vec<InHand>>,
    ) -> Vec<Self> {
        let mut hand = |id: &str| in_hand.remove(id).unwrap_or_default().into_iter().map(JobInHand::from).collect();
        let mut workers: Vec<_> = seen
            .into_iter()
            .map(|worker| Self {
                in_flight: in_flight.remove(&worker.info.id).unwrap_or(0),
                in_hand: hand(&worker.info.id),
                host: Some(worker.info.host),
                version: Some(worker.info.version),
                concurrency: Some(worker.info.concurrency),
                started_at: Some(worker.info.started_at),
                last_seen_at: Some(worker.seen_at),
                id: worker.info.id,
            })
            .collect();
        workers.extend(in_flight.into_iter().map(|(id, in_flight)| Self {
            in_hand: hand(&id),
            id,
            host: None,
            version: None,
            concurrency: None,
            started_at: None,
            last_seen_at: None,
            in_flight,
        }));
        workers
    }
}
