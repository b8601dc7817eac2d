//! The transitions of a job under a lease: begin, checkpoint, wait, release, fail. Success is
//! written by the modules of texts, documents and verdicts.

use std::collections::{HashMap, HashSet};

use copydesk_domain::checkpoint::StageResult;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{LeaseRef, Progress, StartedJob, Waiting};
use copydesk_domain::problem::Problem;
use copydesk_domain::stage::Stage;
use copydesk_domain::usage::Usage;
use sqlx::types::Json;
use uuid::Uuid;

use super::events::{EventKind, told};
use super::row::{BegunRow, to_i16, to_u16};
use crate::store::{Store, StoreError};

/// Begins a job under a lease: from now on, only writes with this epoch change it. `None` if it has
/// ended or a later lease holds it: there is nothing to do.
pub async fn begin(store: &Store, lease: LeaseRef, owner: &str) -> Result<Option<StartedJob>, StoreError> {
    Ok(begin_all(store, &[lease], owner).await?.pop().flatten())
}

/// Begins jobs in one statement, each like [`begin`]. The results are in order. The commit is
/// asynchronous: if a crash of Postgres loses it, the worker's next write is refused and the job
/// begins again.
pub async fn begin_all(store: &Store, leases: &[LeaseRef], owner: &str) -> Result<Vec<Option<StartedJob>>, StoreError> {
    let ids: Vec<Uuid> = leases.iter().map(|lease| lease.id.0).collect();
    let epochs: Vec<i64> = leases.iter().map(|lease| lease.epoch.0).collect();
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
                 takeovers = takeovers + (j.status = 'running' and lease_epoch < before.epoch)::int::smallint,
                 -- Not again where the answer to an earlier try was lost.
                 events = case when lease_epoch = before.epoch then events else job_event(events, jsonb_build_object(
                     'kind', case when j.status = 'running' then 'taken_over' else 'started' end,
                     'attempt', attempt, 'stage', nullif(stage, ''), 'worker', $3::text)) end
             from before, lazily
             where j.id = before.id and j.status in ('queued', 'waiting', 'running')
               and (lease_epoch < before.epoch or (lease_epoch = before.epoch and lease_owner = $3))
             returning j.id, before.epoch as "epoch!", kind, business_id, generation_id, payload, attempt, max_attempts,
                       takeovers, created_at, deadline_at, stages_completed, traceparent,
                       priority, usage as "usage: Json<Usage>", before.status = 'running' as "is_takeover!""#,
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
    // If a job was claimed twice, the later lease has it.
    let mut of = |lease: &LeaseRef| begun.remove(&lease.id).filter(|job| job.lease() == *lease);
    let latest = |lease: &&LeaseRef| !leases.iter().any(|other| other.id == lease.id && other.epoch > lease.epoch);
    Ok(leases.iter().map(|lease| Some(lease).filter(latest).and_then(&mut of)).collect())
}

/// The result of a fenced write of one job in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fenced {
    /// It took effect.
    Written,
    /// Another lease runs the job, or it has ended: nothing was changed.
    Superseded,
}

impl Fenced {
    /// The results for `all` leases, by those that were `written`.
    pub(in crate::store) fn each(
        all: impl Iterator<Item = LeaseRef>,
        written: impl Iterator<Item = (Uuid, i64)>,
    ) -> Vec<Self> {
        let written: HashSet<(Uuid, i64)> = written.collect();
        all.map(|lease| if written.contains(&(lease.id.0, lease.epoch.0)) { Self::Written } else { Self::Superseded })
            .collect()
    }
}

/// Finished stages of one job to store, with its progress.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The lease under which the job runs.
    pub lease: LeaseRef,
    /// The stages, in the order in which they finished.
    pub results: Vec<StageResult>,
    /// The job's progress with them; `None` if no stage is finished.
    pub progress: Option<Progress>,
    /// The job's total usage.
    pub usage: Usage,
}

/// Stores finished stages together with their jobs' progress and usage, in one statement, before
/// the next stages are paid for. The results are in the order of the jobs.
pub async fn checkpoint_all(store: &Store, checkpoints: &[Checkpoint]) -> Result<Vec<Fenced>, StoreError> {
    let jobs: Vec<_> = checkpoints
        .iter()
        .map(|checkpoint| {
            let progress = checkpoint.progress.as_ref();
            serde_json::json!({
                "id": checkpoint.lease.id,
                "epoch": checkpoint.lease.epoch,
                "stage": progress.map(|progress| &progress.stage),
                "completed": progress.map(|progress| progress.completed),
                "total": progress.map(|progress| progress.total),
                "usage": checkpoint.usage,
            })
        })
        .collect();
    let results: Vec<_> =
        checkpoints.iter().flat_map(|checkpoint| result_rows(checkpoint.lease, &checkpoint.results)).collect();
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
    Ok(Fenced::each(checkpoints.iter().map(|checkpoint| checkpoint.lease), written))
}

/// Results of stages as rows of `stage_results`, with the epoch that fences them.
pub(in crate::store) fn result_rows(
    lease: LeaseRef,
    results: &[StageResult],
) -> impl Iterator<Item = serde_json::Value> {
    results.iter().map(move |result| {
        let (stage, round) = result.stored_as();
        serde_json::json!({
            "id": lease.id, "epoch": lease.epoch, "stage": stage.as_str(), "round": round,
            "output": result.output, "usage": result.usage, "started_at": result.started_at,
        })
    })
}

/// The stages that a job has finished, in the order in which they ended. Those of another release that this
/// one does not have are not there.
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
    let rows = store.retry(query).await?.into_iter();
    let known = rows.filter_map(|row| {
        let stage = row.stage.parse::<Stage>();
        let stage =
            stage.inspect_err(|_| tracing::warn!(stage = row.stage, "a stored stage is none of this release's"));
        let (stage, round) = StageResult::read_as(stage.ok()?, to_u16(row.round), &row.output);
        Some(StageResult { stage, round, output: row.output, usage: row.usage.0, started_at: row.started_at })
    });
    Ok(known.collect())
}

/// Makes a running job wait until a known time. `attempt` is the number of the attempt that
/// follows: one more after a failure, whose causes are `lines`, else the same.
pub async fn wait(
    store: &Store,
    job: &StartedJob,
    waiting: &Waiting,
    attempt: u16,
    lines: &[String],
) -> Result<(), StoreError> {
    let kind = if attempt > job.attempt { EventKind::Retried } else { EventKind::Waiting };
    let query = || async {
        sqlx::query!(
            "update jobs set status = 'waiting', wait_reason = $3, wait_provider = $4, wait_until = $5, attempt = $6,
                             lease_owner = null, updated_at = now(),
                             events = case when status = 'waiting' then events else job_event(events, jsonb_build_object(
                                 'kind', $7::text, 'attempt', $8::int, 'stage', nullif(stage, ''), 'reason', $3::text,
                                 'provider', $4::text, 'until', $5::timestamptz, 'lines', $9::jsonb)) end
             where id = $1 and lease_epoch = $2 and status in ('running', 'waiting')",
            job.id.0,
            job.epoch.0,
            waiting.reason.as_str(),
            waiting.provider,
            waiting.until,
            to_i16(attempt),
            kind.as_str(),
            i32::from(job.attempt),
            told(lines) as _,
        )
        .execute(&store.pool)
        .await
    };
    changed_a_row(store.retry(query).await?.rows_affected())
}

/// Gives an unfinished job back without spending an attempt, because the worker is shutting down or its lease has
/// lapsed: the `reason`.
pub async fn release(store: &Store, job: &StartedJob, reason: &str) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!(
            "update jobs set status = 'queued', lease_owner = null, updated_at = now(),
                             events = case when status = 'queued' then events else job_event(events, jsonb_build_object(
                                 'kind', 'handed_back', 'attempt', attempt, 'stage', nullif(stage, ''),
                                 'reason', $3::text)) end
             where id = $1 and lease_epoch = $2 and status in ('running', 'queued')",
            job.id.0,
            job.epoch.0,
            reason,
        )
        .execute(&store.pool)
        .await
    };
    changed_a_row(store.retry(query).await?.rows_affected())
}

/// Stores a job's total usage once its handler was dropped midway: the job may have been given back or cancelled
/// since. Changes nothing where a later lease has begun it, or it has ended otherwise.
pub async fn account(store: &Store, lease: LeaseRef, usage: &Usage) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!(
            "update jobs set usage = $3
             where id = $1 and ((lease_epoch = $2 and status in ('running', 'queued', 'waiting'))
                                or (lease_epoch = $2 + 1 and status = 'cancelled'))",
            lease.id.0,
            lease.epoch.0,
            Json(usage) as _,
        )
        .execute(&store.pool)
        .await
    };
    store.retry(query).await.map(drop)
}

/// Ends a running job with an error, whose causes are `lines`. A document that it should have indexed fails too.
pub async fn fail(store: &Store, job: &StartedJob, problem: &Problem, lines: &[String]) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!(
            "with job as (
                 update jobs set status = 'failed', error = $3, finished_at = now(), updated_at = now(),
                     events = case when status = 'failed' then events else job_event(events, jsonb_build_object(
                         'kind', 'failed', 'attempt', attempt, 'stage', nullif(stage, ''), 'reason', $4::text,
                         'lines', $5::jsonb)) end
                 where id = $1 and lease_epoch = $2 and status in ('running', 'failed')
                 returning id, kind, business_id, payload
             ), document as (
                 update brand_documents d set status = 'failed', error = $3::jsonb->>'detail', updated_at = now()
                 from job
                 -- As text: a payload that holds no UUID must not keep the job from ending.
                 where job.kind = 'ingest' and d.id::text = job.payload->>'document_id'
                   and d.business_id = job.business_id and d.status = 'pending'
             )
             select id from job",
            job.id.0,
            job.epoch.0,
            Json(problem) as _,
            problem.kind,
            told(lines) as _,
        )
        .fetch_optional(&store.pool)
        .await
    };
    changed_a_row(store.retry(query).await?.is_some().into())
}

/// Maps a fenced write that changed no row to [`StoreError::Superseded`].
pub(in crate::store) fn changed_a_row(rows_affected: u64) -> Result<(), StoreError> {
    if rows_affected == 0 { Err(StoreError::Superseded) } else { Ok(()) }
}
