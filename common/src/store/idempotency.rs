//! The table `idempotent_answers`: the first answers to keyed requests that make more than a job,
//! stored in the transaction that does their work. Keys of single jobs are in the jobs' rows: see
//! [`super::job::accept`].

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::named_enum;
use serde_json::Value;
use sqlx::PgTransaction;

use super::job::IdempotencyKey;
use super::{Store, StoreError};

/// How long keys are kept.
const KEPT: chrono::TimeDelta = chrono::TimeDelta::hours(24);

named_enum! {
    /// The operation of a key. The same key can be used once for each.
    Operation {
        /// A document is added.
        AddDocument = "add_document",
        /// A batch of generations is requested.
        GenerateBatch = "generate_batch",
    }
}

/// The result of a keyed request.
#[derive(Debug)]
pub enum Once<T> {
    /// The work is committed, with its answer.
    Done(T),
    /// The same request was done before and got this answer.
    Before(Value),
    /// The key was used for another request.
    KeyReused,
    /// The first request of this key is still being served.
    Running,
}

/// The key with its business and operation.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) operation: Operation,
    pub(super) business_id: &'a BusinessId,
    pub(super) key: &'a IdempotencyKey,
}

/// Locks the key until the transaction ends. `None` if it is new: do the work now.
pub(super) async fn claim<T>(tx: &mut PgTransaction<'_>, scope: Scope<'_>) -> Result<Option<Once<T>>, sqlx::Error> {
    let Scope { operation, business_id, key } = scope;
    let name = format!("{operation} {business_id} {}", key.key);
    let taken = sqlx::query_scalar!(r#"select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as "taken!""#, name)
        .fetch_one(&mut **tx)
        .await?;
    if !taken {
        return Ok(Some(Once::Running));
    }
    let kept = sqlx::query!(
        "select fingerprint, answer from idempotent_answers where operation = $1 and business_id = $2 and key = $3",
        operation.as_str(),
        business_id.as_str(),
        key.key,
    )
    .fetch_optional(&mut **tx)
    .await?;
    Ok(kept.map(|row| if row.fingerprint == key.fingerprint { Once::Before(row.answer) } else { Once::KeyReused }))
}

/// Stores the answer to the work of this transaction.
pub(super) async fn keep(tx: &mut PgTransaction<'_>, scope: Scope<'_>, answer: &Value) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into idempotent_answers (operation, business_id, key, fingerprint, answer) values ($1, $2, $3, $4, $5)",
        scope.operation.as_str(),
        scope.business_id.as_str(),
        scope.key.key,
        scope.key.fingerprint.as_slice(),
        answer,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Deletes idempotency keys that are a day old, including those of single jobs: at most `most` of
/// each kind, one statement for each. Returns how many; there may be more if that is at least
/// `most`.
pub async fn forget(store: &Store, most: u16) -> Result<u64, StoreError> {
    let before = crate::clock::now() - KEPT;
    let of_jobs = store.retry(|| forget_of_jobs(store, before, most)).await?;
    Ok(of_jobs + store.retry(|| forget_answers(store, before, most)).await?)
}

/// Locked rows are left for the next time: the jobs' own writes have priority.
async fn forget_of_jobs(store: &Store, before: DateTime<Utc>, most: u16) -> Result<u64, sqlx::Error> {
    let freed = sqlx::query!(
        "with old as materialized (
             select id from jobs where idempotency_key is not null and created_at < $1
             order by created_at limit $2 for update skip locked
         )
         update jobs j set idempotency_key = null, idempotency_fingerprint = null from old where j.id = old.id",
        before,
        i64::from(most),
    )
    .execute(&store.pool)
    .await?;
    Ok(freed.rows_affected())
}

async fn forget_answers(store: &Store, before: DateTime<Utc>, most: u16) -> Result<u64, sqlx::Error> {
    let freed = sqlx::query!(
        "with old as materialized (
             select operation, business_id, key from idempotent_answers where created_at < $1
             order by created_at limit $2 for update skip locked
         )
         delete from idempotent_answers a using old
         where a.operation = old.operation and a.business_id = old.business_id and a.key = old.key",
        before,
        i64::from(most),
    )
    .execute(&store.pool)
    .await?;
    Ok(freed.rows_affected())
}
