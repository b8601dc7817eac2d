//! The tables `feedback` and `reviewer_learning`: verdicts applied in order.

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::feedback::Verdict;
use copydesk_domain::format::Format;
use copydesk_domain::generation::AppliedLesson;
use copydesk_domain::id::GenerationId;
use copydesk_domain::job::StartedJob;
use sqlx::types::Json;

use super::job::changed_a_row;
use super::{Store, StoreError};

pub mod stats;

/// Applies a verdict and ends its job, in one transaction that holds the business's row lock: the
/// verdicts of a business are applied one after the other, each once. A later verdict on the same
/// generation replaces an earlier one, but not the reverse.
pub async fn settle(store: &Store, job: &StartedJob, verdict: &Verdict) -> Result<(), StoreError> {
    store.retry(|| apply(store, job, verdict)).await?;
    settled(store, job).await
}

async fn apply(store: &Store, job: &StartedJob, verdict: &Verdict) -> Result<(), sqlx::Error> {
    let business_id = job.business_id.as_str();
    let mut tx = store.pool.begin().await?;
    sqlx::query!("insert into learning_state (business_id) values ($1) on conflict do nothing", business_id)
        .execute(&mut *tx)
        .await?;
    sqlx::query!("select applied from learning_state where business_id = $1 for update", business_id)
        .fetch_one(&mut *tx)
        .await?;
    let ended = sqlx::query!(
        "update jobs set status = 'succeeded', result = $3, finished_at = now(), updated_at = now(), stages_completed = 1
         where id = $1 and lease_epoch = $2 and status = 'running'",
        job.id.0,
        job.epoch.0,
        Json(serde_json::json!({ "feedback_id": verdict.feedback_id, "generation_id": verdict.generation_id })) as _,
    )
    .execute(&mut *tx)
    .await?;
    if ended.rows_affected() == 0 {
        // Not even the lock's row stays: the business may have been erased.
        return tx.rollback().await;
    }
    record(&mut tx, business_id, verdict, job.created_at).await?;
    tx.commit().await
}

async fn record(
    tx: &mut sqlx::PgTransaction<'_>,
    business_id: &str,
    verdict: &Verdict,
    given_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into feedback (feedback_id, generation_id, business_id, human_approved, human_score, human_feedback, created_at)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict (feedback_id) do nothing",
        verdict.feedback_id.0,
        verdict.generation_id.0,
        business_id,
        verdict.human_approved,
        verdict.human_score,
        verdict.human_feedback,
        given_at,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!(
        "update reviewer_learning
         set has_human_feedback = true, feedback_id = $2, human_approved = $3, human_score = $4, human_feedback = $5,
             reviewed_at = $6
         where generation_id = $1 and business_id = $7 and (reviewed_at is null or reviewed_at <= $6)",
        verdict.generation_id.0,
        verdict.feedback_id.0,
        verdict.human_approved,
        verdict.human_score,
        verdict.human_feedback,
        given_at,
        business_id,
    )
    .execute(&mut **tx)
    .await?;
    sqlx::query!("update learning_state set applied = applied + 1 where business_id = $1", business_id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Checks that the job ended under this lease and not under another one.
async fn settled(store: &Store, job: &StartedJob) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!(
            "select 1 as one from jobs where id = $1 and lease_epoch = $2 and status = 'succeeded'",
            job.id.0,
            job.epoch.0
        )
        .fetch_optional(&store.pool)
        .await
    };
    changed_a_row(store.retry(query).await?.is_some().into())
}

/// Whether a generation of this business exists, is still being written, or never was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// It can be judged.
    Finished,
    /// Its job has not ended with a text (yet).
    Unfinished,
    /// The business has no such generation.
    Unknown,
}

/// Looks up the generation that a verdict is about.
pub async fn subject(
    store: &Store,
    business_id: &BusinessId,
    generation_id: GenerationId,
) -> Result<Subject, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select exists (select 1 from generations where generation_id = $1 and business_id = $2) as "finished!",
                      exists (select 1 from jobs where generation_id = $1 and business_id = $2) as "known!""#,
            generation_id.0,
            business_id.as_str(),
        )
        .fetch_one(&store.pool)
        .await
    };
    let row = store.retry(query).await?;
    Ok(match (row.finished, row.known) {
        (true, _) => Subject::Finished,
        (false, true) => Subject::Unfinished,
        (false, false) => Subject::Unknown,
    })
}

/// What people said of the business's latest texts of this format, newest first: at most `limit`.
pub async fn recent_comments(
    store: &Store,
    business_id: &BusinessId,
    format: Format,
    limit: u8,
) -> Result<Vec<AppliedLesson>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select feedback_id as "feedback_id!", human_feedback as "human_feedback!" from reviewer_learning
               where business_id = $1 and content_type = $2 and has_human_feedback and human_feedback is not null
               order by reviewed_at desc limit $3"#,
            business_id.as_str(),
            format.slug(),
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?;
    Ok(rows
        .into_iter()
        .map(|row| AppliedLesson { id: row.feedback_id.to_string(), text: row.human_feedback })
        .collect())
}
