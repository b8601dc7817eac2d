//! The tables `jobs` and `stage_results`: acceptance ([`accept`]), transitions and checkpoints
//! ([`run`]), interventions by clients and operators ([`intervene`]), and reads.
//!
//! Transitions of a running job are fenced: they name the lease's epoch and change no row if
//! another lease has taken over ([`StoreError::Superseded`]).

use copydesk_domain::id::JobId;
use copydesk_domain::job::Job;
use copydesk_domain::problem::Problem;
use copydesk_domain::usage::Usage;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Store, StoreError};

#[macro_use]
mod row;
pub mod accept;
pub mod count;
pub mod events;
pub mod find;
pub mod intervene;
pub mod list;
#[cfg(test)]
mod list_tests;
pub mod load;
pub mod run;
pub mod text;
pub(super) mod walk;

pub use accept::{Acceptance, Earlier, IdempotencyKey, Submission, accept, accept_batch};
use row::JobRow;
pub use row::OpenJob;
pub use run::{Checkpoint, Fenced, account, begin, begin_all, checkpoint_all, checkpoints, fail, release, wait};
pub(super) use {
    accept::{Columns, judged},
    row::named,
    run::{changed_a_row, result_rows},
};

/// These jobs in their current state, in one round trip and without order. Missing ones are left
/// out. They may be of any business: the caller must check who may see them.
pub async fn get(store: &Store, ids: &[JobId]) -> Result<Vec<(JobId, Result<Job, StoreError>)>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let query = || async {
        sqlx::query_as!(
            JobRow,
            r#"select id, kind, business_id, generation_id, payload->>'topic' as topic, status, wait_reason,
                      wait_provider, wait_until, stage, stages_completed, stages_total, priority, attempt, max_attempts, created_at, started_at,
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

/// Up to `limit` open jobs accepted after the job `after`, in the order of acceptance. Reads only
/// the partial index of open jobs.
pub async fn open_after(store: &Store, after: JobId, limit: u16) -> Result<Vec<OpenJob>, StoreError> {
    let query = || async {
        open_jobs!(
            ["select"],
            "from jobs where finished_at is null and id > $1 order by id limit $2",
            after.0,
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await?.into_iter().map(OpenJob::try_from).collect()
}

/// The open ones of these jobs, in the order of acceptance.
pub async fn open_among(store: &Store, ids: &[JobId]) -> Result<Vec<OpenJob>, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let query = || async {
        open_jobs!(["select"], "from jobs where finished_at is null and id = any($1) order by id", &ids,)
            .fetch_all(&store.pool)
            .await
    };
    store.retry(query).await?.into_iter().map(OpenJob::try_from).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use sqlx::PgPool;

    /// Columns that begins, checkpoints and waits change. If an index or its condition used such a
    /// column, each of these writes would have to write every index.
    const CHANGED_MEANWHILE: &str = "status|lease_epoch|lease_owner|attempt|takeovers|wait_reason|wait_provider|\
         wait_until|stage|stages_completed|stages_total|usage|started_at|updated_at|events";

    #[sqlx::test(migrations = "../migrations")]
    async fn what_changes_before_a_job_ends_is_in_no_index(pool: PgPool) {
        let sql = "select indexdef from pg_indexes where tablename = 'jobs' and indexdef ~ ('\\m(' || $1 || ')\\M')";
        let found: Vec<String> = sqlx::query_scalar(sql).bind(CHANGED_MEANWHILE).fetch_all(&pool).await.unwrap();
        assert!(found.is_empty(), "{found:?}");
    }
}
