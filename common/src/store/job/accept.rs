//! Accepting jobs: a 202 is sent once the row is committed. No transitions are made here.

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::{GenerationId, JobId};
use copydesk_domain::job::NewJob;
use sqlx::types::Json;
use uuid::Uuid;

use super::row::to_i16;
use crate::store::idempotency::{self, Once, Operation, Scope};
use crate::store::{Store, StoreError};

/// A client's idempotency key: a repeated request with the same key creates nothing new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key, unique for a business and a kind of job.
    pub key: String,
    /// SHA-256 of the request: the same key with another request is an error.
    pub fingerprint: [u8; 32],
}

/// A job to accept, with the client's idempotency key, if any.
#[derive(Debug, Clone)]
pub struct Submission {
    /// The job.
    pub job: NewJob,
    /// Its key.
    pub key: Option<IdempotencyKey>,
}

/// The result of accepting a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    /// The job is committed.
    New,
    /// The same request was accepted before as this job.
    Before(Earlier),
    /// The key was used for another request.
    KeyReused,
}

/// The job of an earlier request with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// Its id.
    pub id: JobId,
    /// The generation that it makes or is about.
    pub generation_id: Option<GenerationId>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
}

/// Accepts jobs: each is now committed, or was committed before, or is refused because of its key.
/// Takes one statement, and a second one if a key was known. If this fails, none is accepted.
/// Accepting the same id twice is harmless.
pub async fn accept(store: &Store, submissions: &[Submission]) -> Result<Vec<Acceptance>, StoreError> {
    // Sorted, because two statements that insert the same keys in opposite orders would deadlock.
    let mut ordered: Vec<_> = submissions.iter().collect();
    ordered.sort_by_key(|s| s.key.as_ref().map(|key| (&key.key, &s.job.business_id, s.job.kind)));
    let columns = Columns::of(ordered.into_iter().map(|s| (&s.job, s.key.as_ref())));
    store.retry(|| accept_once(store, submissions, &columns)).await
}

async fn accept_once(
    store: &Store,
    submissions: &[Submission],
    columns: &Columns<'_>,
) -> Result<Vec<Acceptance>, sqlx::Error> {
    let inserted = columns.insert(store.pool()).await?;
    if inserted == submissions.len() {
        return Ok(vec![Acceptance::New; inserted]);
    }
    let holders = columns.by_key(store).await?;
    submissions.iter().map(|submission| judge(submission, &holders)).collect()
}

/// The result for a job whose row was not inserted.
pub(in crate::store) async fn judged(
    store: &Store,
    submission: &Submission,
    columns: &Columns<'_>,
) -> Result<Acceptance, sqlx::Error> {
    judge(submission, &columns.by_key(store).await?)
}

/// The result for a job, by the row that has its key: its own or an earlier one.
fn judge(submission: &Submission, holders: &[KeyHolder]) -> Result<Acceptance, sqlx::Error> {
    // Without a key, the conflict can only be with the job's own row, stored by an earlier attempt.
    let Some(key) = &submission.key else { return Ok(Acceptance::New) };
    let job = &submission.job;
    let is_holder = |row: &&KeyHolder| {
        row.key == key.key && row.business_id == job.business_id.as_str() && row.kind == job.kind.as_str()
    };
    match holders.iter().find(is_holder) {
        Some(row) if row.id == job.id.0 => Ok(Acceptance::New),
        Some(row) if row.fingerprint == key.fingerprint => Ok(Acceptance::Before(Earlier {
            id: JobId(row.id),
            generation_id: row.generation_id.map(GenerationId),
            created_at: row.created_at,
        })),
        Some(_) => Ok(Acceptance::KeyReused),
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

/// Accepts the jobs of one request under one key of the business, all or none, and stores the
/// request's answer with them.
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

/// New jobs as one array for each column, for `unnest`.
#[derive(Default)]
pub(in crate::store) struct Columns<'a> {
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

/// Inserts jobs from one array for each column and the times until which they wait.
macro_rules! insert_jobs {
    ($columns:tt, $($array:expr),+ $(,)?) => {
        sqlx::query!(
            "insert into jobs (" + $columns + ", updated_at, status, wait_reason, wait_until)
             select " + $columns + ", created_at,
                    case when waits_until is null then 'queued' else 'waiting' end,
                    case when waits_until is null then null else 'scheduled' end,
                    waits_until
             from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::jsonb[], $7::jsonb[],
                         $8::smallint[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[],
                         $13::bytea[], $14::timestamptz[])
                  as t (" + $columns + ", waits_until)
             -- The id, where the answer to an earlier try was lost; or the idempotency key.
             on conflict do nothing",
            $($array),+
        )
    };
}

impl<'a> Columns<'a> {
    pub(in crate::store) fn of(jobs: impl IntoIterator<Item = (&'a NewJob, Option<&'a IdempotencyKey>)>) -> Self {
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

    /// Inserts the jobs in one statement. Returns how many were new.
    pub(in crate::store) async fn insert(&self, executor: impl sqlx::PgExecutor<'_>) -> Result<usize, sqlx::Error> {
        let inserted = insert_jobs!(
            "id, kind, business_id, generation_id, priority, payload, metadata, max_attempts, created_at, deadline_at,
             traceparent, idempotency_key, idempotency_fingerprint",
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
            &self.traceparent,
            &self.idempotency_key as &[Option<&str>],
            &self.fingerprint as &[Option<&[u8]>],
            &self.waits_until as &[Option<DateTime<Utc>>],
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
