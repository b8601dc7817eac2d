//! The state of all businesses' jobs, for operators.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, JobStatus};
use uuid::Uuid;

use super::row::{TABLE, named, to_u16};
use crate::store::{Store, StoreError};

/// The state of the jobs of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// The kind.
    pub kind: JobKind,
    /// Accepted, and not claimed by a worker.
    pub queued: i64,
    /// When the oldest of these was accepted.
    pub oldest_queued_at: Option<DateTime<Utc>>,
    /// Waiting until a known time.
    pub waiting: i64,
    /// Run by a worker.
    pub running: i64,
    /// Ended with a result within the last minute.
    pub succeeded_last_minute: i64,
    /// Failed within the last minute.
    pub failed_last_minute: i64,
}

/// The state of the jobs, and how many each worker runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loads {
    /// By kind. A kind without open or recently ended jobs is left out.
    pub by_kind: Vec<Load>,
    /// The number of jobs that each worker runs, by the worker's name.
    pub in_flight: BTreeMap<String, i64>,
    /// The oldest of them, at most [`MOST_IN_HAND`] of each worker. [`in_hand`] tells more of them.
    pub in_hand: Vec<JobId>,
}

/// The most jobs of a worker that are told.
pub const MOST_IN_HAND: usize = 50;

/// A job that a worker runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InHand {
    /// The job.
    pub id: JobId,
    /// Its business.
    pub business_id: BusinessId,
    /// What it does.
    pub kind: JobKind,
    /// The current or next stage; empty before the first one.
    pub stage: String,
    /// Its attempt.
    pub attempt: u16,
    /// Since when the worker has it.
    pub since: DateTime<Utc>,
}

impl Loads {
    fn of(&mut self, kind: &str) -> Result<&mut Load, StoreError> {
        let kind = named::<JobKind>(TABLE, kind)?;
        let at = self.by_kind.iter().position(|load| load.kind == kind).unwrap_or_else(|| {
            self.by_kind.push(Load::none(kind));
            self.by_kind.len() - 1
        });
        Ok(&mut self.by_kind[at])
    }
}

impl Load {
    fn none(kind: JobKind) -> Self {
        Self {
            kind,
            queued: 0,
            oldest_queued_at: None,
            waiting: 0,
            running: 0,
            succeeded_last_minute: 0,
            failed_last_minute: 0,
        }
    }
}

/// The state of all jobs. Reads every open job, about a second for a million: cache the result if
/// it is needed often.
pub async fn all(store: &Store) -> Result<Loads, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select kind as "kind!", status as "status!", lease_owner, count(*) as "jobs!", min(created_at) as oldest_at,
                      (array_agg(id order by id) filter (where status = 'running'))[1:50] as in_hand
               from (
                   select id, kind, status, case when status = 'running' then lease_owner end as lease_owner, created_at
                   from jobs where finished_at is null
                   union all
                   select id, kind, status, null, created_at
                   from jobs where finished_at > now() - interval '1 minute' and status in ('succeeded', 'failed')
               ) j group by kind, status, lease_owner"#
        )
        .fetch_all(&store.pool)
        .await
    };
    let mut loads = Loads::default();
    for row in store.retry(query).await? {
        loads.in_hand.extend(row.in_hand.unwrap_or_default().into_iter().map(JobId));
        let load = loads.of(&row.kind)?;
        match named::<JobStatus>(TABLE, &row.status)? {
            JobStatus::Queued => {
                load.queued = row.jobs;
                load.oldest_queued_at = row.oldest_at;
            }
            JobStatus::Waiting => load.waiting = row.jobs,
            JobStatus::Running => load.running += row.jobs,
            JobStatus::Succeeded => load.succeeded_last_minute = row.jobs,
            JobStatus::Failed => load.failed_last_minute = row.jobs,
            JobStatus::Cancelled => {}
        }
        if let Some(owner) = row.lease_owner {
            *loads.in_flight.entry(owner).or_default() += row.jobs;
        }
    }
    Ok(loads)
}

/// Those of these jobs that still run, by the worker that runs them.
pub async fn in_hand(store: &Store, ids: &[JobId]) -> Result<BTreeMap<String, Vec<InHand>>, StoreError> {
    let mut by_owner: BTreeMap<String, Vec<InHand>> = BTreeMap::new();
    if ids.is_empty() {
        return Ok(by_owner);
    }
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let query = || async {
        sqlx::query!(
            r#"select id, business_id, kind, stage, attempt, lease_owner as "owner!",
                      -- An epoch is the time of the claim in microseconds.
                      to_timestamp(lease_epoch / 1000000.0) as "since!"
               from jobs where id = any($1) and status = 'running' and lease_owner is not null order by id"#,
            &ids,
        )
        .fetch_all(&store.pool)
        .await
    };
    for row in store.retry(query).await? {
        let of_owner = by_owner.entry(row.owner).or_default();
        if of_owner.len() < MOST_IN_HAND {
            of_owner.push(InHand {
                id: JobId(row.id),
                business_id: BusinessId::parse(row.business_id).map_err(|e| StoreError::unreadable(TABLE, e))?,
                kind: named(TABLE, &row.kind)?,
                stage: row.stage,
                attempt: to_u16(row.attempt),
                since: row.since,
            });
        }
    }
    Ok(by_owner)
}

/// Jobs that wait for a provider, among the open jobs that were read.
#[derive(Debug, Clone, Default)]
pub struct WaitingJobs {
    /// The jobs with their kinds, oldest first.
    pub jobs: Vec<(JobKind, JobId)>,
    /// There may be more jobs after this one.
    pub more_after: Option<JobId>,
}

/// Jobs that wait for a provider, among the 5,000 oldest open ones accepted after the job `after`.
pub async fn waiting_for(store: &Store, provider: &str, after: Option<JobId>) -> Result<WaitingJobs, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"with looked_at as materialized (
                   select id, kind, status, wait_provider from jobs
                   where finished_at is null and id > $2 order by id limit 5000
               )
               select id as "id!", kind as "kind!", false as "is_end!" from looked_at
               where status = 'waiting' and wait_provider = $1
               union all
               (select id, kind, true from looked_at order by id offset 4999)
               order by 1"#,
            provider,
            after.map_or(Uuid::nil(), |id| id.0),
        )
        .fetch_all(&store.pool)
        .await
    };
    let mut found = WaitingJobs::default();
    for row in store.retry(query).await? {
        if row.is_end {
            found.more_after = Some(JobId(row.id));
        } else {
            found.jobs.push((named(TABLE, &row.kind)?, JobId(row.id)));
        }
    }
    Ok(found)
}
