//! The tables `feedback` and `reviewer_learning`: verdicts applied in order.

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::feedback::{Effort, Verdict};
use copydesk_domain::format::Format;
use copydesk_domain::id::{FeedbackId, GenerationId};
use copydesk_domain::job::StartedJob;
use copydesk_domain::lesson::Distilled;
use sqlx::types::Json;

use super::audit::Seen;
use super::job::{changed_a_row, named};
use super::learning;
use super::{Store, StoreError};

pub mod stats;

/// A verdict that was read.
#[derive(Debug, Clone)]
pub struct ReadVerdict {
    /// What was given.
    pub verdict: Verdict,
    /// What it asks for.
    pub distilled: Distilled,
    /// How much the human changed, where the edited text was given.
    pub effort: Option<Effort>,
}

/// Applies a verdict and ends its job, in one transaction that holds the business's row lock: the
/// verdicts of a business are applied one after the other, each once. A later verdict on the same
/// generation replaces an earlier one, but not the reverse. What was learned is derived anew.
pub async fn settle(store: &Store, job: &StartedJob, read: &ReadVerdict) -> Result<(), StoreError> {
    store.retry(|| apply(store, job, read)).await?;
    settled(store, job).await
}

async fn apply(store: &Store, job: &StartedJob, read: &ReadVerdict) -> Result<(), sqlx::Error> {
    let verdict = &read.verdict;
    let mut tx = store.pool.begin().await?;
    learning::locked(&mut tx, &job.business_id).await?;
    let ended = sqlx::query!(
        "update jobs set status = 'succeeded', result = $3, finished_at = clock_timestamp(), updated_at = clock_timestamp(),
                         stages_completed = 1
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
    record(&mut tx, job.business_id.as_str(), read, job.created_at).await?;
    learning::derive(&mut tx, &job.business_id).await?;
    tx.commit().await
}

async fn record(
    tx: &mut sqlx::PgTransaction<'_>,
    business_id: &str,
    read: &ReadVerdict,
    given_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let verdict = &read.verdict;
    sqlx::query!(
        "insert into feedback (feedback_id, generation_id, business_id, human_approved, human_score, human_feedback,
                               created_at, edited_content, rater, effort, distilled)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (feedback_id) do nothing",
        verdict.feedback_id.0,
        verdict.generation_id.0,
        business_id,
        verdict.human_approved,
        verdict.human_score,
        verdict.human_feedback,
        given_at,
        verdict.edited_content,
        verdict.rater,
        read.effort.map(Json) as _,
        Json(&read.distilled) as _,
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
    /// It was written to tell what a lesson is worth: nobody judges it.
    Replay,
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
            r#"select (select coalesce(learning->>'arm' = 'replay', false) from generations
                       where generation_id = $1 and business_id = $2) as is_replay,
                      exists (select 1 from jobs where generation_id = $1 and business_id = $2) as "known!""#,
            generation_id.0,
            business_id.as_str(),
        )
        .fetch_one(&store.pool)
        .await
    };
    let row = store.retry(query).await?;
    Ok(match (row.is_replay, row.known) {
        (Some(true), _) => Subject::Replay,
        (Some(false), _) => Subject::Finished,
        (None, true) => Subject::Unfinished,
        (None, false) => Subject::Unknown,
    })
}

/// The text that a verdict is about, as its comments and edits are read against it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The text as it was delivered.
    pub content: String,
    /// BCP 47.
    pub language: String,
    /// The kind of text.
    pub format: Format,
}

/// The text of a generation of the business.
pub async fn judged(store: &Store, business_id: &BusinessId, id: GenerationId) -> Result<Option<Judged>, StoreError> {
    let query = || async {
        sqlx::query!(
            "select content, language, content_type from generations where generation_id = $1 and business_id = $2",
            id.0,
            business_id.as_str(),
        )
        .fetch_optional(&store.pool)
        .await
    };
    let Some(row) = store.retry(query).await? else { return Ok(None) };
    let format = named::<Format>("generations", &row.content_type)?;
    Ok(Some(Judged { content: row.content, language: row.language, format }))
}

/// The business whose verdict this is.
pub async fn business_of(store: &Store, id: FeedbackId) -> Result<Option<BusinessId>, StoreError> {
    let query = || async {
        sqlx::query_scalar!("select business_id from feedback where feedback_id = $1", id.0)
            .fetch_optional(&store.pool)
            .await
    };
    let found = store.retry(query).await?.map(BusinessId::parse).transpose();
    found.map_err(|error| StoreError::unreadable("feedback", error))
}

/// Names that other businesses go by and that stand in a text, letter by letter: what a lesson of this one must not hold.
/// Short ones and those without a capital are words like others.
pub async fn foreign_names(store: &Store, business_id: &BusinessId, text: &str) -> Result<Vec<String>, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            "select name from businesses
             where business_id <> $1 and char_length(name) >= 6 and name <> lower(name) and position(name in $2) > 0
             order by business_id limit 200",
            business_id.as_str(),
            text,
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await
}

/// Takes a verdict back: nothing of it stays, also not in its job, and what was learned is derived as if it had never
/// been given. An earlier verdict on the same text holds again. False if the business has no such verdict.
pub async fn forget(store: &Store, business_id: &BusinessId, id: FeedbackId) -> Result<bool, StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        learning::locked(&mut tx, business_id).await?;
        let found = sqlx::query_scalar!(
            "select generation_id from feedback where feedback_id = $1 and business_id = $2 for update",
            id.0,
            business_id.as_str(),
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(generation_id) = found else {
            tx.rollback().await?;
            return Ok(false);
        };
        hold_the_one_before(&mut tx, generation_id, id).await?;
        sqlx::query!("delete from feedback where feedback_id = $1", id.0).execute(&mut *tx).await?;
        sqlx::query!(
            "with job as (
                 update jobs
                 set payload = jsonb_build_object('feedback_id', payload->'feedback_id',
                                                  'generation_id', payload->'generation_id')
                 where generation_id = $1 and kind = 'feedback' and payload->>'feedback_id' = $2 returning id
             ), words as (delete from job_words w using job where w.job_id = job.id)
             delete from stage_results s using job where s.job_id = job.id",
            generation_id,
            id.to_string(),
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!("update learning_state set applied = applied - 1 where business_id = $1", business_id.as_str())
            .execute(&mut *tx)
            .await?;
        learning::unpin_unasked(&mut tx, business_id).await?;
        learning::derive(&mut tx, business_id).await?;
        store.note(&mut tx, Seen::default()).await?;
        tx.commit().await?;
        Ok(true)
    };
    store.retry(query).await
}

/// The last other verdict on the text holds; none if there is no other.
async fn hold_the_one_before(
    tx: &mut sqlx::PgTransaction<'_>,
    generation_id: uuid::Uuid,
    id: FeedbackId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update reviewer_learning r
         set has_human_feedback = other.feedback_id is not null, feedback_id = other.feedback_id,
             human_approved = other.human_approved, human_score = other.human_score,
             human_feedback = other.human_feedback, reviewed_at = other.created_at
         from (select 1) one left join lateral (
             select feedback_id, human_approved, human_score, human_feedback, created_at from feedback
             where generation_id = $1 and feedback_id <> $2 order by created_at desc, feedback_id desc limit 1
         ) other on true
         where r.generation_id = $1 and r.feedback_id = $2",
        generation_id,
        id.0,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
