//! The tables `jobs` and `stage_results`: acceptance, the state machine's moves, checkpoints.
//!
//! Moves of a running job are fenced: they name the lease's epoch and change no row where another
//! lease has taken over ([`StoreError::Superseded`]).

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::checkpoint::StageResult;
use copydesk_domain::id::{GenerationId, JobId};
use copydesk_domain::job::{
    Job, JobKind, JobStatus, LeaseEpoch, NewJob, Priority, Progress, StartedJob, WaitReason, Waiting,
};
use copydesk_domain::problem::Problem;
use copydesk_domain::stage::Stage;
use copydesk_domain::trace::TraceParent;
use copydesk_domain::usage::Usage;
use sqlx::types::Json;
use uuid::Uuid;

use super::idempotency::{self, Once, Operation, Scope};
use super::{Store, StoreError};

pub mod intervene;
pub mod list;
#[cfg(test)]
mod list_tests;
pub mod load;
pub mod text;

/// A client's own name for a request, so that sending it again creates nothing new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key, unique for a business and a kind of job.
    pub key: String,
    /// SHA-256 of the request: the same key with another request is an error.
    pub fingerprint: [u8; 32],
}

/// A job that is to be accepted, under the key that its client gave it, if any.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The job.
    pub job: NewJob,
    /// Its key.
    pub key: Option<IdempotencyKey>,
}

/// What became of a job that was to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is committed.
    New,
    /// The same request was accepted before, as this job.
    Before(Earlier),
    /// The key was used for another request.
    KeyReused,
}

/// The job that an earlier request of the same key became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// Its id.
    pub id: JobId,
    /// The generation that it makes or speaks of.
    pub generation_id: Option<GenerationId>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
}

/// Accepts jobs: each is committed when this returns, or was before, or is refused for its key. In
/// one statement, and a second one where a key was known. Where this fails, none is accepted.
/// Accepting the same id twice is harmless.
pub async fn accept(store: &Store, submissions: &[Submission]) -> Result<Vec<Accepted>, StoreError> {
    // Two statements that insert the same keys in opposite orders would wait for each other.
    let mut ordered: Vec<_> = submissions.iter().collect();
    ordered.sort_by_key(|s| s.key.as_ref().map(|key| (&key.key, &s.job.business_id, s.job.kind)));
    let columns = Columns::of(ordered.into_iter().map(|s| (&s.job, s.key.as_ref())));
    store.retry(|| accept_once(store, submissions, &columns)).await
}

async fn accept_once(
    store: &Store,
    submissions: &[Submission],
    columns: &Columns<'_>,
) -> Result<Vec<Accepted>, sqlx::Error> {
    let inserted = columns.insert(store.pool()).await?;
    if inserted == submissions.len() {
        return Ok(vec![Accepted::New; inserted]);
    }
    let holders = columns.by_key(store).await?;
    submissions.iter().map(|submission| judge(submission, &holders)).collect()
}

/// What became of a job, by the row that holds its key now: its own one or an earlier one.
fn judge(submission: &Submission, holders: &[KeyHolder]) -> Result<Accepted, sqlx::Error> {
    // Without a key, only the job's own row can have been in its way: an earlier try stored it.
    let Some(key) = &submission.key else { return Ok(Accepted::New) };
    let job = &submission.job;
    let is_holder = |row: &&KeyHolder| {
        row.key == key.key && row.business_id == job.business_id.as_str() && row.kind == job.kind.as_str()
    };
    match holders.iter().find(is_holder) {
        Some(row) if row.id == job.id.0 => Ok(Accepted::New),
        Some(row) if row.fingerprint == key.fingerprint => Ok(Accepted::Before(Earlier {
            id: JobId(row.id),
            generation_id: row.generation_id.map(GenerationId),
            created_at: row.created_at,
        })),
        Some(_) => Ok(Accepted::KeyReused),
        None => Err(sqlx::Error::Protocol("an idempotency key was freed while it was looked up".to_owned())),
    }
}

/// The row that holds an idempotency key.
struct KeyHolder {
    id: Uuid,
    kind: String,
    business_id: String,
    generation_id: Option<Uuid>,
    created_at: DateTime<Utc>,
    key: String,
    fingerprint: Vec<u8>,
}

/// Accepts jobs of one request under one key, all or none, and keeps the request's answer with them.
/// The key is the business's.
pub async fn accept_batch(
    store: &Store,
    jobs: &[NewJob],
    business_id: &BusinessId,
    key: &IdempotencyKey,
    answer: &serde_json::Value,
) -> Result<Once<()>, StoreError> {
    let columns = Columns::of(jobs.iter().map(|job| (job, None)));
    let scope = Scope { operation: Operation::GenerateBatch, business_id, key };
    let query = || async {
        let mut tx = store.pool.begin().await?;
        if let Some(known) = idempotency::claim(&mut tx, scope).await? {
            // At once, not when the connection is next used: the next request finds the key free.
            tx.rollback().await?;
            return Ok(known);
        }
        columns.insert(&mut *tx).await?;
        idempotency::keep(&mut tx, scope, answer).await?;
        tx.commit().await?;
        Ok(Once::Done(()))
    };
    store.retry(query).await
}

/// New jobs, turned into one array a column: what `unnest` takes.
#[derive(Default)]
pub(super) struct Columns<'a> {
    id: Vec<Uuid>,
    kind: Vec<&'static str>,
    business_id: Vec<&'a str>,
    generation_id: Vec<Option<Uuid>>,
    priority: Vec<&'static str>,
    payload: Vec<Json<&'a serde_json::Value>>,
    metadata: Vec<Json<&'a serde_json::Value>>,
    max_attempts: Vec<i16>,
    created_at: Vec<DateTime<Utc>>,
    waits_until: Vec<Option<DateTime<Utc>>>,
    deadline_at: Vec<Option<DateTime<Utc>>>,
    traceparent: Vec<String>,
    idempotency_key: Vec<Option<&'a str>>,
    fingerprint: Vec<Option<&'a [u8]>>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(jobs: impl IntoIterator<Item = (&'a NewJob, Option<&'a IdempotencyKey>)>) -> Self {
        let mut columns = Self::default();
        for (job, key) in jobs {
            columns.push(job, key);
        }
        columns
    }

    fn push(&mut self, job: &'a NewJob, key: Option<&'a IdempotencyKey>) {
        self.id.push(job.id.0);
        self.kind.push(job.kind.as_str());
        self.business_id.push(job.business_id.as_str());
        self.generation_id.push(job.generation_id.map(|id| id.0));
        self.priority.push(job.priority.as_str());
        self.payload.push(Json(&job.payload));
        self.metadata.push(Json(&job.metadata));
        self.max_attempts.push(to_i16(job.max_attempts));
        self.created_at.push(job.created_at);
        self.waits_until.push(job.waits_until());
        self.deadline_at.push(job.deadline_at);
        self.traceparent.push(job.trace.to_string());
        self.idempotency_key.push(key.map(|key| key.key.as_str()));
        self.fingerprint.push(key.map(|key| &key.fingerprint[..]));
    }

    /// Inserts them in one statement; returns how many were new.
    pub(super) async fn insert(&self, executor: impl sqlx::PgExecutor<'_>) -> Result<usize, sqlx::Error> {
        let inserted = sqlx::query!(
            "insert into jobs (id, kind, business_id, generation_id, priority, payload, metadata, max_attempts,
                               created_at, updated_at, deadline_at, traceparent, idempotency_key,
                               idempotency_fingerprint, status, wait_reason, wait_until)
             select id, kind, business_id, generation_id, priority, payload, metadata, max_attempts,
                    created_at, created_at, deadline_at, traceparent, idempotency_key, fingerprint,
                    case when waits_until is null then 'queued' else 'waiting' end,
                    case when waits_until is null then null else 'scheduled' end,
                    waits_until
             from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::jsonb[], $7::jsonb[],
                         $8::smallint[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[], $12::text[],
                         $13::text[], $14::bytea[])
                  as t (id, kind, business_id, generation_id, priority, payload, metadata, max_attempts,
                        created_at, deadline_at, waits_until, traceparent, idempotency_key, fingerprint)
             -- The id, where the answer to an earlier try was lost; or the idempotency key.
             on conflict do nothing",
            &self.id,
            &self.kind as &[&str],
            &self.business_id as &[&str],
            &self.generation_id as &[Option<Uuid>],
            &self.priority as &[&str],
            &self.payload as _,
            &self.metadata as _,
            &self.max_attempts,
            &self.created_at,
            &self.deadline_at as &[Option<DateTime<Utc>>],
            &self.waits_until as &[Option<DateTime<Utc>>],
            &self.traceparent,
            &self.idempotency_key as &[Option<&str>],
            &self.fingerprint as &[Option<&[u8]>],
        )
        .execute(executor)
        .await?;
        Ok(usize::try_from(inserted.rows_affected()).unwrap_or(usize::MAX))
    }

    async fn by_key(&self, store: &Store) -> Result<Vec<KeyHolder>, sqlx::Error> {
        sqlx::query_as!(
            KeyHolder,
            r#"select j.id, j.kind, j.business_id, j.generation_id, j.created_at, j.idempotency_key as "key!",
                      j.idempotency_fingerprint as "fingerprint!"
               from unnest($1::text[], $2::text[], $3::text[]) as t (business_id, kind, key)
               join jobs j on j.business_id = t.business_id and j.kind = t.kind and j.idempotency_key = t.key"#,
            &self.business_id as &[&str],
            &self.kind as &[&str],
            &self.idempotency_key as &[Option<&str>],
        )
        .fetch_all(&store.pool)
        .await
    }
}

/// Jobs as they stand, in one round trip and no order: those of these that there are, whosever they
/// are. The caller judges who may see them.
pub async fn get(store: &Store, ids: &[JobId]) -> Result<Vec<(JobId, Result<Job, StoreError>)>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let query = || async {
        sqlx::query_as!(
            JobRow,
            r#"select id, kind, business_id, generation_id, status, wait_reason, wait_provider, wait_until, stage,
                      stages_completed, stages_total, priority, attempt, max_attempts, created_at, started_at,
                      finished_at, updated_at, usage as "usage: Json<Usage>", result,
                      error as "error: Json<Problem>", metadata
               from jobs where id = any($1)"#,
            &ids,
        )
        .fetch_all(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.into_iter().map(|row| (JobId(row.id), row.try_into())).collect())
}

/// A row of `jobs` as clients need it.
struct JobRow {
    id: Uuid,
    kind: String,
    business_id: String,
    generation_id: Option<Uuid>,
    status: String,
    wait_reason: Option<String>,
    wait_provider: Option<String>,
    wait_until: Option<DateTime<Utc>>,
    stage: String,
    stages_completed: i16,
    stages_total: i16,
    priority: String,
    attempt: i16,
    max_attempts: i16,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    updated_at: DateTime<Utc>,
    usage: Json<Usage>,
    result: Option<serde_json::Value>,
    error: Option<Json<Problem>>,
    metadata: serde_json::Value,
}

impl TryFrom<JobRow> for Job {
    type Error = StoreError;

    fn try_from(row: JobRow) -> Result<Self, StoreError> {
        let waiting = match (row.wait_reason, row.wait_until) {
            (Some(reason), Some(until)) => {
                Some(Waiting { reason: named::<WaitReason>(&reason)?, provider: row.wait_provider, until })
            }
            _ => None,
        };
        Ok(Self {
            id: JobId(row.id),
            kind: named::<JobKind>(&row.kind)?,
            business_id: BusinessId::parse(row.business_id).map_err(|e| StoreError::unreadable("jobs", e))?,
            generation_id: row.generation_id.map(GenerationId),
            status: named::<JobStatus>(&row.status)?,
            waiting,
            progress: Progress {
                stage: row.stage,
                completed: to_u16(row.stages_completed),
                total: to_u16(row.stages_total),
            },
            priority: named::<Priority>(&row.priority)?,
            attempt: to_u16(row.attempt),
            max_attempts: to_u16(row.max_attempts),
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            updated_at: row.updated_at,
            usage: row.usage.0,
            result: row.result,
            error: row.error.map(|error| error.0),
            metadata: row.metadata,
        })
    }
}

/// A job that was claimed and is to be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beginning {
    /// The job.
    pub id: JobId,
    /// The lease under which it runs.
    pub epoch: LeaseEpoch,
}

/// Begins a job under a lease: from now on only writes with this epoch change it. `None` where it
/// has ended, or where a later lease holds it: there is nothing to do.
pub async fn begin(store: &Store, id: JobId, epoch: LeaseEpoch, owner: &str) -> Result<Option<StartedJob>, StoreError> {
    Ok(begin_all(store, &[Beginning { id, epoch }], owner).await?.pop().flatten())
}

/// Begins jobs in one statement, each as [`begin`] does; the answers are in their order. It does not
/// wait for the disk: a crash of Postgres that forgets it makes the worker's next write be refused,
/// and the job begins anew.
pub async fn begin_all(
    store: &Store,
    beginnings: &[Beginning],
    owner: &str,
) -> Result<Vec<Option<StartedJob>>, StoreError> {
    let ids: Vec<Uuid> = beginnings.iter().map(|beginning| beginning.id.0).collect();
    let epochs: Vec<i64> = beginnings.iter().map(|beginning| beginning.epoch.0).collect();
    let query = || async {
        sqlx::query_as!(
            BegunRow,
            r#"with lazily as materialized (select set_config('synchronous_commit', 'off', true)),
             before as materialized (
                 select j.id, j.status, t.epoch
                 from (select id, max(epoch) as epoch from unnest($1::uuid[], $2::bigint[]) as t (id, epoch) group by id) t
                 join jobs j on j.id = t.id
                 -- In one order, so that two statements do not wait for each other.
                 order by j.id for update of j
             )
             update jobs j
             set status = 'running', lease_epoch = before.epoch, lease_owner = $3, wait_reason = null,
                 wait_provider = null, wait_until = null, started_at = coalesce(started_at, now()), updated_at = now(),
                 -- A job that was never given back lost its worker.
                 takeovers = takeovers + (j.status = 'running' and lease_epoch < before.epoch)::int::smallint
             from before, lazily
             where j.id = before.id and j.status in ('queued', 'waiting', 'running')
               and (lease_epoch < before.epoch or (lease_epoch = before.epoch and lease_owner = $3))
             returning j.id, before.epoch as "epoch!", kind, business_id, generation_id, payload, attempt, max_attempts,
                       takeovers, created_at, deadline_at, stages_completed, traceparent,
                       usage as "usage: Json<Usage>", before.status = 'running' as "is_takeover!""#,
            &ids,
            &epochs,
            owner,
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?;
    let mut begun: HashMap<JobId, StartedJob> = HashMap::with_capacity(rows.len());
    for row in rows {
        let job = StartedJob::try_from(row)?;
        begun.insert(job.id, job);
    }
    // Where one job was claimed twice, the later lease has it.
    let mut of = |beginning: &Beginning| begun.remove(&beginning.id).filter(|job| job.epoch == beginning.epoch);
    let latest = |beginning: &&Beginning| {
        !beginnings.iter().any(|other| other.id == beginning.id && other.epoch > beginning.epoch)
    };
    Ok(beginnings.iter().map(|beginning| Some(beginning).filter(latest).and_then(&mut of)).collect())
}

/// A row of `jobs` that was just begun.
struct BegunRow {
    id: Uuid,
    epoch: i64,
    kind: String,
    business_id: String,
    generation_id: Option<Uuid>,
    payload: serde_json::Value,
    attempt: i16,
    max_attempts: i16,
    takeovers: i16,
    created_at: DateTime<Utc>,
    deadline_at: Option<DateTime<Utc>>,
    stages_completed: i16,
    traceparent: String,
    usage: Json<Usage>,
    is_takeover: bool,
}

impl TryFrom<BegunRow> for StartedJob {
    type Error = StoreError;

    fn try_from(row: BegunRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: JobId(row.id),
            kind: named::<JobKind>(&row.kind)?,
            business_id: BusinessId::parse(row.business_id).map_err(|e| StoreError::unreadable("jobs", e))?,
            generation_id: row.generation_id.map(GenerationId),
            payload: row.payload,
            attempt: to_u16(row.attempt),
            max_attempts: to_u16(row.max_attempts),
            takeovers: to_u16(row.takeovers),
            is_takeover: row.is_takeover,
            created_at: row.created_at,
            deadline_at: row.deadline_at,
            stages_completed: to_u16(row.stages_completed),
            usage: row.usage.0,
            trace: row.traceparent.parse().unwrap_or_else(|_| TraceParent::start()),
            epoch: LeaseEpoch(row.epoch),
        })
    }
}

/// Whether a fenced write of one job among others took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fenced {
    /// It did.
    Written,
    /// Another lease runs the job, or it has ended: nothing was changed.
    Superseded,
}

impl Fenced {
    /// Who of `all` is among the `written`.
    pub(super) fn each(
        all: impl Iterator<Item = (JobId, LeaseEpoch)>,
        written: impl Iterator<Item = (Uuid, i64)>,
    ) -> Vec<Self> {
        let written: HashSet<(Uuid, i64)> = written.collect();
        all.map(|(id, epoch)| if written.contains(&(id.0, epoch.0)) { Self::Written } else { Self::Superseded })
            .collect()
    }
}

/// Finished stages of one job, to be stored with its progress.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The job.
    pub id: JobId,
    /// The lease under which it runs.
    pub epoch: LeaseEpoch,
    /// The stages, in the order in which they ended.
    pub results: Vec<StageResult>,
    /// How far the job is with them; `None` where no stage is finished.
    pub progress: Option<Progress>,
    /// What the job has used in all.
    pub usage: Usage,
}

/// Stores finished stages together with their jobs' progress and usage, in one statement, before the
/// next ones are paid for. The answers are in the order of the jobs.
pub async fn checkpoint_all(store: &Store, checkpoints: &[Checkpoint]) -> Result<Vec<Fenced>, StoreError> {
    let jobs: Vec<_> = checkpoints
        .iter()
        .map(|checkpoint| {
            let progress = checkpoint.progress.as_ref();
            serde_json::json!({
                "id": checkpoint.id,
                "epoch": checkpoint.epoch,
                "stage": progress.map(|progress| &progress.stage),
                "completed": progress.map(|progress| progress.completed),
                "total": progress.map(|progress| progress.total),
                "usage": checkpoint.usage,
            })
        })
        .collect();
    let results: Vec<_> = checkpoints
        .iter()
        .flat_map(|checkpoint| result_rows(checkpoint.id, checkpoint.epoch, &checkpoint.results))
        .collect();
    let query = || async {
        sqlx::query!(
            r#"with job as (
                 update jobs j set stage = coalesce(t.stage, j.stage),
                                   stages_completed = coalesce(t.completed, j.stages_completed),
                                   stages_total = coalesce(t.total, j.stages_total), usage = t.usage,
                                   takeovers = case when t.completed is null then takeovers else 0 end,
                                   updated_at = now()
                 from jsonb_to_recordset($1::jsonb)
                      as t (id uuid, epoch bigint, stage text, completed smallint, total smallint, usage jsonb)
                 where j.id = t.id and j.lease_epoch = t.epoch and j.status = 'running'
                 returning j.id, j.lease_epoch
             ), result as (
                 insert into stage_results (job_id, stage, round, output, usage, started_at, finished_at)
                 -- The clock's time, so that stages stored together keep their order.
                 select r.id, r.stage, r.round, r.output, r.usage, r.started_at, clock_timestamp()
                 from jsonb_to_recordset($2::jsonb)
                      as r (id uuid, epoch bigint, stage text, round smallint, output jsonb, usage jsonb,
                            started_at timestamptz)
                 join job on job.id = r.id and job.lease_epoch = r.epoch
                 -- The answer to an earlier try was lost: what it stored stays.
                 on conflict (job_id, stage, round) do nothing
             )
             select id, lease_epoch from job"#,
            Json(&jobs) as _,
            Json(&results) as _,
        )
        .fetch_all(&store.pool)
        .await
    };
    let written = store.retry(query).await?.into_iter().map(|row| (row.id, row.lease_epoch));
    Ok(Fenced::each(checkpoints.iter().map(|checkpoint| (checkpoint.id, checkpoint.epoch)), written))
}

/// Stages' results as rows of `stage_results`, with the epoch that fences them.
pub(super) fn result_rows(
    id: JobId,
    epoch: LeaseEpoch,
    results: &[StageResult],
) -> impl Iterator<Item = serde_json::Value> {
    results.iter().map(move |result| {
        serde_json::json!({
            "id": id, "epoch": epoch, "stage": result.stage.as_str(), "round": result.round,
            "output": result.output, "usage": result.usage, "started_at": result.started_at,
        })
    })
}

/// The stages that a job has finished, in the order in which they ended.
pub async fn checkpoints(store: &Store, job: &StartedJob) -> Result<Vec<StageResult>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select stage, round, output, usage as "usage: Json<Usage>", started_at
               from stage_results where job_id = $1 order by finished_at, round"#,
            job.id.0
        )
        .fetch_all(&store.pool)
        .await
    };
    store
        .retry(query)
        .await?
        .into_iter()
        .map(|row| {
            Ok(StageResult {
                stage: named::<Stage>(&row.stage)?,
                round: to_u16(row.round),
                output: row.output,
                usage: row.usage.0,
                started_at: row.started_at,
            })
        })
        .collect()
}

/// Parks a running job until a known time. `attempt` is the one that comes then: the same where
/// waiting was nobody's fault, one more after a failure.
pub async fn wait(store: &Store, job: &StartedJob, waiting: &Waiting, attempt: u16) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!(
            "update jobs set status = 'waiting', wait_reason = $3, wait_provider = $4, wait_until = $5, attempt = $6,
                             lease_owner = null, updated_at = now()
             where id = $1 and lease_epoch = $2 and status in ('running', 'waiting')",
            job.id.0,
            job.epoch.0,
            waiting.reason.as_str(),
            waiting.provider,
            waiting.until,
            to_i16(attempt),
        )
        .execute(&store.pool)
        .await
    };
    changed_a_row(store.retry(query).await?.rows_affected())
}

/// Gives a running job back unfinished, with its attempts untouched: the worker is leaving.
pub async fn release(store: &Store, job: &StartedJob) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!(
            "update jobs set status = 'queued', lease_owner = null, updated_at = now()
             where id = $1 and lease_epoch = $2 and status in ('running', 'queued')",
            job.id.0,
            job.epoch.0,
        )
        .execute(&store.pool)
        .await
    };
    changed_a_row(store.retry(query).await?.rows_affected())
}

/// Ends a running job with an error. A document that it was to index fails with it.
pub async fn fail(store: &Store, job: &StartedJob, problem: &Problem) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!(
            "with job as (
                 update jobs set status = 'failed', error = $3, finished_at = now(), updated_at = now()
                 where id = $1 and lease_epoch = $2 and status in ('running', 'failed')
                 returning id, kind, business_id, payload
             ), document as (
                 update brand_documents d set status = 'failed', error = $3::jsonb->>'detail', updated_at = now()
                 from job where job.kind = 'ingest' and d.id = (job.payload->>'document_id')::uuid
                   and d.business_id = job.business_id and d.status = 'pending'
             )
             select id from job",
            job.id.0,
            job.epoch.0,
            Json(problem) as _,
        )
        .fetch_optional(&store.pool)
        .await
    };
    changed_a_row(store.retry(query).await?.is_some().into())
}

/// An open job as the sweep needs it: enough to write its message again.
#[derive(Debug, Clone)]
pub struct OpenJob {
    /// Its id.
    pub id: JobId,
    /// The queue that it belongs in.
    pub kind: JobKind,
    /// For whom.
    pub business_id: BusinessId,
    /// How urgent it is.
    pub priority: Priority,
    /// Not before this.
    pub not_before: Option<DateTime<Utc>>,
    /// Whether some worker began it and did not give it back.
    pub running: bool,
    /// The request's trace.
    pub trace: TraceParent,
}

/// A row of `jobs` that is open.
struct OpenRow {
    id: Uuid,
    kind: String,
    business_id: String,
    priority: String,
    status: String,
    wait_until: Option<DateTime<Utc>>,
    traceparent: String,
}

impl TryFrom<OpenRow> for OpenJob {
    type Error = StoreError;

    fn try_from(row: OpenRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: JobId(row.id),
            kind: named::<JobKind>(&row.kind)?,
            business_id: BusinessId::parse(row.business_id).map_err(|e| StoreError::unreadable("jobs", e))?,
            priority: named::<Priority>(&row.priority)?,
            not_before: row.wait_until,
            running: row.status == JobStatus::Running.as_str(),
            trace: row.traceparent.parse().unwrap_or_else(|_| TraceParent::start()),
        })
    }
}

/// Up to `limit` open jobs accepted after the job `after`, in the order of their acceptance. Reads
/// the partial index of open jobs only.
pub async fn open_after(store: &Store, after: JobId, limit: u16) -> Result<Vec<OpenJob>, StoreError> {
    let query = || async {
        sqlx::query_as!(
            OpenRow,
            "select id, kind, business_id, priority, status, wait_until, traceparent from jobs
             where finished_at is null and id > $1 order by id limit $2",
            after.0,
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await?.into_iter().map(OpenJob::try_from).collect()
}

/// Those of some jobs that are open, in the order of their acceptance.
pub async fn open_among(store: &Store, ids: &[JobId]) -> Result<Vec<OpenJob>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let query = || async {
        sqlx::query_as!(
            OpenRow,
            "select id, kind, business_id, priority, status, wait_until, traceparent from jobs
             where finished_at is null and id = any($1) order by id",
            &ids,
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await?.into_iter().map(OpenJob::try_from).collect()
}

/// A fenced write that changed nothing was another lease's to make.
pub(super) fn changed_a_row(rows_affected: u64) -> Result<(), StoreError> {
    if rows_affected == 0 { Err(StoreError::Superseded) } else { Ok(()) }
}

pub(super) fn named<T>(name: &str) -> Result<T, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    name.parse().map_err(|e: T::Err| StoreError::unreadable("jobs", e))
}

/// `smallint` columns hold counts: CHECKs and types keep them small and positive.
pub(super) fn to_u16(count: i16) -> u16 {
    u16::try_from(count).unwrap_or(0)
}

fn to_i16(count: u16) -> i16 {
    i16::try_from(count).unwrap_or(i16::MAX)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use sqlx::PgPool;

    /// What a job's begin, its checkpoints and its waits change. In an index, or in an index's condition,
    /// a column makes each of these writes a write of every index.
    const CHANGED_MEANWHILE: &str = "status|lease_epoch|lease_owner|attempt|takeovers|wait_reason|wait_provider|\
         wait_until|stage|stages_completed|stages_total|usage|started_at|updated_at";

    #[sqlx::test(migrations = "../migrations")]
    async fn what_changes_before_a_job_ends_is_in_no_index(pool: PgPool) {
        let sql = "select indexdef from pg_indexes where tablename = 'jobs' and indexdef ~ ('\\m(' || $1 || ')\\M')";
        let found: Vec<String> = sqlx::query_scalar(sql).bind(CHANGED_MEANWHILE).fetch_all(&pool).await.unwrap();
        assert!(found.is_empty(), "{found:?}");
    }
}
