//! Interventions by clients and operators: cancel, retry, discard. They need no lease: the worker
//! that runs the job is fenced off, and every rule is in the statement itself.

use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::JobKind;
use serde_json::json;

use super::OpenJob;
use super::find::{Wanted, as_id};
use super::list::DeadFilter;
use super::row::OpenRow;
use crate::store::audit::Seen;
use crate::store::{Store, StoreError};

/// Cancels a job that has not ended. False if it has ended or does not exist. A document whose
/// ingest is cancelled is marked as failed, since it will not become searchable.
pub async fn cancel(store: &Store, business_id: &BusinessId, id: JobId) -> Result<bool, StoreError> {
    store.retry_told(|tried_before| cancel_once(store, business_id, id, tried_before)).await
}

/// If the answer to an earlier attempt was lost, a cancelled job counts as cancelled by that
/// attempt.
async fn cancel_once(
    store: &Store,
    business_id: &BusinessId,
    id: JobId,
    tried_before: bool,
) -> Result<bool, sqlx::Error> {
    let mut tx = store.pool.begin().await?;
    let cancelled = sqlx::query!(
        r#"with cancelled as (
               update jobs set status = 'cancelled', finished_at = now(), cancelled_at = now(), updated_at = now(),
                               lease_epoch = lease_epoch + 1, lease_owner = null,
                               wait_reason = null, wait_provider = null, wait_until = null,
                               events = job_event(events, jsonb_build_object(
                                   'kind', 'cancelled', 'attempt', attempt, 'stage', nullif(stage, '')))
               where id = $1 and business_id = $2
                 and status in ('queued', 'waiting', 'running')
               returning id, kind, business_id, payload
           ), document as (
               update brand_documents d
               set status = 'failed', error = 'Its indexing was cancelled.', updated_at = now()
               from cancelled c
               -- As text: a payload that holds no UUID must not keep the job from ending.
               where c.kind = 'ingest' and d.id::text = c.payload->>'document_id'
                 and d.business_id = c.business_id and d.status = 'pending'
                 -- A later revision has a job of its own.
                 and not exists (
                     select 1 from jobs j
                     where j.finished_at is null and j.kind = 'ingest' and j.id <> c.id
                       and j.business_id = c.business_id and j.payload->>'document_id' = d.id::text
                 )
           )
           select exists (select 1 from cancelled) as "now!",
               ($3 and exists (
                   select 1 from jobs
                   where id = $1 and business_id = $2 and status = 'cancelled'
               )) as "before!""#,
        id.0,
        business_id.as_str(),
        tried_before,
    )
    .fetch_one(&mut *tx)
    .await?;
    if cancelled.now {
        store.note(&mut tx, Seen::default()).await?;
    }
    tx.commit().await?;
    Ok(cancelled.now || cancelled.before)
}

/// Cancels up to `limit` wanted jobs that are open, oldest first, each like [`cancel`]. Erasures only if their kind is
/// named. Where the words are the id of a job or a text, only what it names. Returns the jobs.
pub async fn cancel_many(store: &Store, wanted: &Wanted, limit: u16) -> Result<Vec<JobId>, StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let cancelled = sqlx::query_scalar!(
            r#"with named as materialized (
                   select id from jobs_named($1, $3) id
               ), found as (
                   select id from named
                   union select job_id from job_words where words @@ job_query($1, $2) and not exists (select from named)
               ), cancelled as (
                   update jobs set status = 'cancelled', finished_at = now(), cancelled_at = now(), updated_at = now(),
                                   lease_epoch = lease_epoch + 1, lease_owner = null,
                                   wait_reason = null, wait_provider = null, wait_until = null,
                                   events = job_event(events, jsonb_build_object(
                                       'kind', 'cancelled', 'attempt', attempt, 'stage', nullif(stage, '')))
                   where id in (
                       select id from jobs
                       where finished_at is null and ($1::text is null or business_id = $1)
                         and ($4::text is null or status = $4) and (kind = $5 or ($5::text is null and kind <> 'erase'))
                         and ($2::text is null or id in (select id from found))
                       order by id limit $6 for update skip locked
                   )
                   returning id, kind, business_id, payload
               ), document as (
                   update brand_documents d
                   set status = 'failed', error = 'Its indexing was cancelled.', updated_at = now()
                   from cancelled c
                   where c.kind = 'ingest' and d.id::text = c.payload->>'document_id'
                     and d.business_id = c.business_id and d.status = 'pending'
                     and not exists (
                         select 1 from jobs j
                         where j.finished_at is null and j.kind = 'ingest'
                           and j.business_id = c.business_id and j.payload->>'document_id' = d.id::text
                           and j.id not in (select id from cancelled)
                     )
               )
               select id from cancelled"#,
            wanted.business(),
            wanted.words,
            wanted.words.as_deref().and_then(as_id),
            wanted.status(),
            wanted.kind(),
            i64::from(limit),
        )
        .fetch_all(&mut *tx)
        .await?;
        note_many(store, &mut tx, cancelled.len()).await?;
        tx.commit().await?;
        Ok(cancelled)
    };
    Ok(store.retry(query).await?.into_iter().map(JobId).collect())
}

/// Reopens a failed job: it resumes after its last finished stage, with a full retry budget and as
/// much time as at first. `None` if it has not failed or does not exist.
pub async fn retry(store: &Store, business_id: &BusinessId, id: JobId) -> Result<Option<OpenJob>, StoreError> {
    let reopened = store.retry_told(|tried_before| retry_once(store, business_id, id, tried_before)).await?;
    reopened.map(OpenJob::try_from).transpose()
}

/// If the answer to an earlier attempt was lost, an open job counts as reopened by that attempt.
async fn retry_once(
    store: &Store,
    business_id: &BusinessId,
    id: JobId,
    tried_before: bool,
) -> Result<Option<OpenRow>, sqlx::Error> {
    let mut tx = store.pool.begin().await?;
    let open = open_jobs!(
        [r#"with reopened as (
                update jobs set status = 'queued', error = null, finished_at = null, discarded_at = null, attempt = 1,
                                takeovers = 0, lease_epoch = lease_epoch + 1, lease_owner = null, updated_at = now(),
                                deadline_at = now() + least(deadline_at - created_at, interval '7 days'),
                                events = job_event(events, jsonb_build_object(
                                    'kind', 'retried', 'attempt', 1, 'stage', nullif(stage, '')))
                where id = $1 and business_id = $2 and status = 'failed'
                returning *
            ), open as (
                select * from reopened
                union all
                select * from jobs
                where $3 and id = $1 and ($2::text is null or business_id = $2)
                  and status in ('queued', 'waiting', 'running')
            )
            select"#],
        "from open",
        id.0,
        business_id.as_str(),
        tried_before,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if open.is_some() {
        store.note(&mut tx, Seen::default()).await?;
    }
    tx.commit().await?;
    Ok(open)
}

/// Updates the oldest dead letters that match a filter, up to a limit, and returns them.
macro_rules! update_dead {
    ($set:tt, $filter:expr, $limit:expr) => {
        open_jobs!(
            ["update jobs set "
                + $set
                + ", updated_at = now()
              where id in (
                  select id from jobs
                  where error is not null and discarded_at is null and ($1::uuid is null or id = $1)
                    and ($2::text is null or kind = $2) and ($3::text is null or business_id = $3)
                    and ($4::text is null or error->>'type' = $4) and ($5::text is null or stage = $5)
                  order by id limit $6 for update skip locked
              )
              returning"],
            "",
            $filter.id.map(|id| id.0),
            $filter.kind.map(JobKind::as_str),
            $filter.business_id.as_ref().map(BusinessId::as_str),
            $filter.error_type,
            $filter.stage,
            i64::from($limit)
        )
    };
}

/// Reopens up to `limit` dead letters, oldest first, each like [`retry`].
pub async fn retry_dead(store: &Store, filter: &DeadFilter, limit: u16) -> Result<Vec<OpenJob>, StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let jobs = update_dead!(
            "status = 'queued', error = null, finished_at = null, attempt = 1, takeovers = 0,
             lease_epoch = lease_epoch + 1, lease_owner = null,
             deadline_at = now() + least(deadline_at - created_at, interval '7 days'),
             events = job_event(events, jsonb_build_object('kind', 'retried', 'attempt', 1, 'stage', nullif(stage, '')))",
            filter,
            limit
        )
        .fetch_all(&mut *tx)
        .await?;
        note_many(store, &mut tx, jobs.len()).await?;
        tx.commit().await?;
        Ok(jobs)
    };
    store.retry(query).await?.into_iter().map(OpenJob::try_from).collect()
}

/// Discards up to `limit` dead letters, oldest first: they stay failed. Returns how many.
pub async fn discard_dead(store: &Store, filter: &DeadFilter, limit: u16) -> Result<usize, StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let jobs = update_dead!("discarded_at = now()", filter, limit).fetch_all(&mut *tx).await?;
        note_many(store, &mut tx, jobs.len()).await?;
        tx.commit().await?;
        Ok(jobs)
    };
    Ok(store.retry(query).await?.len())
}

async fn note_many(store: &Store, tx: &mut sqlx::PgTransaction<'_>, jobs: usize) -> Result<(), sqlx::Error> {
    if jobs == 0 {
        return Ok(());
    }
    store.note(tx, Seen { after: Some(json!({ "jobs": jobs })), ..Seen::default() }).await
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use sqlx::PgPool;

    use super::*;
    use crate::store::job::{Submission, accept};

    /// The business of [`accepted`].
    fn company() -> BusinessId {
        BusinessId::parse("b").unwrap()
    }

    async fn accepted(store: &Store) -> JobId {
        let job = copydesk_testkit::new_job(JobKind::Generate, "b", serde_json::json!({}));
        let submission = Submission { job, key: None };
        accept(store, std::slice::from_ref(&submission)).await.unwrap();
        submission.job.id
    }

    /// An attempt whose answer is lost, then the retry that is told so.
    #[sqlx::test(migrations = "../migrations")]
    async fn a_cancel_whose_answer_was_lost_is_no_conflict(pool: PgPool) {
        let store = Store::from_pool(pool);
        let id = accepted(&store).await;
        assert!(cancel_once(&store, &company(), id, false).await.unwrap());
        assert!(!cancel_once(&store, &company(), id, false).await.unwrap(), "somebody else's cancel is a conflict");
        assert!(cancel_once(&store, &company(), id, true).await.unwrap());
        let other = BusinessId::parse("other").unwrap();
        assert!(!cancel_once(&store, &other, id, true).await.unwrap());
    }

    #[sqlx::test(migrations = "../migrations")]
    async fn a_payload_that_names_no_document_does_not_keep_a_job_from_being_cancelled(pool: PgPool) {
        let store = Store::from_pool(pool);
        let id = accepted(&store).await;
        sqlx::query(r#"update jobs set kind = 'ingest', payload = '{"document_id": "no UUID"}'"#)
            .execute(store.pool())
            .await
            .unwrap();
        assert!(cancel(&store, &company(), id).await.unwrap());
    }

    #[sqlx::test(migrations = "../migrations")]
    async fn a_retry_whose_answer_was_lost_is_no_conflict(pool: PgPool) {
        let store = Store::from_pool(pool);
        let id = accepted(&store).await;
        sqlx::query("update jobs set status = 'failed', error = '{}', finished_at = now()")
            .execute(store.pool())
            .await
            .unwrap();
        assert_eq!(retry_once(&store, &company(), id, true).await.unwrap().unwrap().id, id.0);
        assert!(retry_once(&store, &company(), id, false).await.unwrap().is_none(), "an open job is a conflict");
        assert_eq!(retry_once(&store, &company(), id, true).await.unwrap().unwrap().id, id.0);
        cancel_once(&store, &company(), id, false).await.unwrap();
        assert!(retry_once(&store, &company(), id, true).await.unwrap().is_none());
    }
}
