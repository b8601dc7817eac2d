//! Regeneration: a text's request becomes a new job with a new generation. The old text's row
//! records that job, in the transaction that accepts it.

use chrono::{DateTime, TimeDelta, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::generation::Degradation;
use copydesk_domain::id::{GenerationId, JobId};
use copydesk_domain::job::{JobKind, NewJob, Priority};
use copydesk_domain::trace::TraceParent;
use serde_json::json;
use uuid::Uuid;

use crate::clock;
use crate::store::audit::Seen;
use crate::store::job::{Acceptance, Columns, IdempotencyKey, Submission, judged, named};
use crate::store::{Store, StoreError};

const TABLE: &str = "jobs";
/// The shortest deadline of a bulk job: the original deadline of an interactive job may be too
/// short and give a template again.
const BULK_AT_LEAST: TimeDelta = TimeDelta::days(1);

/// Which texts to regenerate; those that were regenerated before are left out.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Texts with this degradation.
    pub degraded: Degradation,
    /// Texts of this business.
    pub business_id: Option<BusinessId>,
    /// Texts written since.
    pub since: Option<DateTime<Utc>>,
}

/// The original request of a text. Deadlines are cut to 7 days, the most that a request can ask
/// for.
struct Original {
    generation_id: Uuid,
    business_id: String,
    priority: String,
    payload: serde_json::Value,
    metadata: serde_json::Value,
    max_attempts: i16,
    allowed_ms: Option<i64>,
}

macro_rules! originals {
    ($rest:tt, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            Original,
            r#"select g.generation_id, j.business_id, j.priority, j.payload, j.metadata, j.max_attempts,
                      (extract(epoch from least(j.deadline_at - j.created_at, interval '7 days')) * 1000)::bigint
                          as allowed_ms
               from generations g join jobs j on j.id = g.job_id "# + $rest,
            $($argument),+
        )
    };
}

impl Original {
    /// The new job. Its deadline is as far in the future as the original one was.
    fn into_job(self, trace: TraceParent) -> Result<NewJob, StoreError> {
        let created_at = clock::now();
        Ok(NewJob {
            id: JobId::new(),
            kind: JobKind::Generate,
            business_id: BusinessId::parse(self.business_id).map_err(|e| StoreError::unreadable(TABLE, e))?,
            generation_id: Some(GenerationId::new()),
            priority: named::<Priority>(TABLE, &self.priority)?,
            payload: self.payload,
            metadata: self.metadata,
            max_attempts: self.max_attempts.unsigned_abs(),
            created_at,
            run_at: None,
            deadline_at: self.allowed_ms.map(|ms| created_at + TimeDelta::milliseconds(ms)),
            trace,
        })
    }

    /// The same as a bulk job.
    fn into_bulk_job(self, trace: TraceParent) -> Result<NewJob, StoreError> {
        let job = self.into_job(trace)?;
        let deadline_at = job.deadline_at.map(|at| at.max(job.created_at + BULK_AT_LEAST));
        Ok(NewJob { priority: Priority::Bulk, deadline_at, ..job })
    }
}

/// What became of the regeneration of a text.
#[derive(Debug)]
pub enum Regeneration {
    /// There is no such text.
    Unknown,
    /// The text's job was removed, and with it the request.
    WithoutRequest,
    /// The new job, and whether it was accepted.
    Accepted(Box<NewJob>, Acceptance),
}

/// Regenerates a text, even if it was regenerated before.
pub async fn one(
    store: &Store,
    id: GenerationId,
    key: Option<IdempotencyKey>,
    trace: TraceParent,
) -> Result<Regeneration, StoreError> {
    let original = || async { originals!("where g.generation_id = $1", id.0).fetch_optional(&store.pool).await };
    let Some(original) = store.retry(original).await? else {
        let known = super::get(store, id).await?.is_some();
        return Ok(if known { Regeneration::WithoutRequest } else { Regeneration::Unknown });
    };
    let submission = Submission { job: original.into_job(trace)?, key };
    let acceptance = store.retry(|| accept_for(store, id, &submission)).await?;
    Ok(Regeneration::Accepted(Box::new(submission.job), acceptance))
}

async fn accept_for(store: &Store, id: GenerationId, submission: &Submission) -> Result<Acceptance, sqlx::Error> {
    let columns = Columns::of([(&submission.job, submission.key.as_ref())]);
    let mut tx = store.pool.begin().await?;
    if columns.insert(&mut *tx).await? == 0 {
        // The key was used before, or the answer to an earlier attempt was lost.
        tx.rollback().await?;
        return judged(store, submission, &columns).await;
    }
    sqlx::query!("update generations set regenerated_by = $2 where generation_id = $1", id.0, submission.job.id.0)
        .execute(&mut *tx)
        .await?;
    let after = Some(json!({ "job_id": submission.job.id }));
    store.note(&mut tx, Seen { after, ..Seen::default() }).await?;
    tx.commit().await?;
    Ok(Acceptance::New)
}

/// The number of texts to regenerate, counted up to `most`. Those whose jobs were removed cannot be.
pub async fn count(store: &Store, filter: &Filter, most: u32) -> Result<u64, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from (
                   select 1 from generations
                   where degraded <> '{}' and regenerated_by is null and $1 = any(degraded) and job_id is not null
                     and ($2::text is null or business_id = $2) and ($3::timestamptz is null or created_at >= $3)
                   limit $4
               ) found"#,
            filter.degraded.as_str(),
            filter.business_id.as_ref().map(BusinessId::as_str),
            filter.since,
            i64::from(most),
        )
        .fetch_one(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.unsigned_abs())
}

/// Regenerates up to `limit` texts, oldest first, with bulk priority. Returns the jobs, which are
/// committed all or none. Texts that a concurrent call has locked are left to it. There is no
/// retry: if the answer to the commit were lost, a retry would take the next texts.
pub async fn many(store: &Store, filter: &Filter, limit: u16, trace: TraceParent) -> Result<Vec<NewJob>, StoreError> {
    if store.is_breaker_open() {
        return Err(StoreError::BreakerOpen);
    }
    store.breaker.watched(&store.pool, Box::pin(many_once(store, filter, limit, trace))).await?
}

async fn many_once(
    store: &Store,
    filter: &Filter,
    limit: u16,
    trace: TraceParent,
) -> Result<Result<Vec<NewJob>, StoreError>, sqlx::Error> {
    let mut tx = store.pool.begin().await?;
    let originals = originals!(
        "where g.degraded <> '{}' and g.regenerated_by is null and $1 = any(g.degraded)
           and ($2::text is null or g.business_id = $2) and ($3::timestamptz is null or g.created_at >= $3)
         order by g.generation_id limit $4 for update of g skip locked",
        filter.degraded.as_str(),
        filter.business_id.as_ref().map(BusinessId::as_str),
        filter.since,
        i64::from(limit),
    )
    .fetch_all(&mut *tx)
    .await?;
    let ids: Vec<_> = originals.iter().map(|original| original.generation_id).collect();
    let jobs: Result<Vec<_>, _> = originals.into_iter().map(|original| original.into_bulk_job(trace)).collect();
    let jobs = match jobs {
        Ok(jobs) => jobs,
        Err(unreadable) => return Ok(Err(unreadable)),
    };
    Columns::of(jobs.iter().map(|job| (job, None))).insert(&mut *tx).await?;
    let new: Vec<_> = jobs.iter().map(|job| job.id.0).collect();
    sqlx::query!(
        "update generations g set regenerated_by = new.job
         from unnest($1::uuid[], $2::uuid[]) as new (generation_id, job) where g.generation_id = new.generation_id",
        &ids,
        &new,
    )
    .execute(&mut *tx)
    .await?;
    if !jobs.is_empty() {
        let after = Some(json!({ "texts": jobs.len() }));
        store.note(&mut tx, Seen { after, ..Seen::default() }).await?;
    }
    tx.commit().await?;
    Ok(Ok(jobs))
}
