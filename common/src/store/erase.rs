//! Removing everything of a business, in batches. Each batch is one transaction, fenced by the lease of the erase job,
//! that also counts what it removed. Erase jobs themselves stay: their rows hold counts and no text.

use std::collections::BTreeMap;

use copydesk_domain::business::BusinessId;
use copydesk_domain::erasure::ErasureResult;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, Progress, StartedJob};
use copydesk_domain::named_enum;
use sqlx::PgTransaction;
use sqlx::types::Json;
use uuid::Uuid;

use super::idempotency::Operation;
use super::job::{changed_a_row, walk};
use super::{Store, StoreError, knowledge};

named_enum! {
    /// What is removed, in this order: no row refers to one that was removed before it.
    Erasable {
        /// The verdicts that hold, beside the reviewer's scores.
        ReviewerLearning = "reviewer_learning",
        /// Every verdict.
        Feedback = "feedback",
        /// What was learned.
        Lessons = "lessons",
        /// What people changed of it by hand.
        LessonChanges = "lesson_changes",
        /// Which texts were written with it.
        LessonUses = "lesson_uses",
        /// Figures of it.
        LearningFigures = "learning_figures",
        /// Texts.
        Generations = "generations",
        /// Sums of verdicts.
        LearningWeeks = "learning_weeks",
        /// Counts of scores.
        LearningScores = "learning_scores",
        /// Counts of texts.
        LearningCounts = "learning_counts",
        /// The lock of verdicts.
        LearningState = "learning_state",
        /// Passages.
        Chunks = "chunks",
        /// Documents.
        Documents = "brand_documents",
        /// Vectors.
        Embeddings = "embeddings",
        /// The version of the passages: without it no process serves any.
        KnowledgeVersions = "knowledge_versions",
        /// First answers to keyed requests.
        IdempotentAnswers = "idempotent_answers",
        /// What an operator gives the business of the workers.
        Shares = "business_shares",
        /// The words that jobs are found by.
        Words = "job_words",
        /// The profile.
        Profile = "businesses",
    }
}

impl Erasable {
    /// The most rows that one statement removes: about as much work for each table.
    pub const fn batch(self) -> u16 {
        match self {
            // Up to 10 MiB each.
            Self::Documents => 10,
            // Some kB each, and an entry in each of six indexes.
            Self::Generations => 250,
            _ => 1_000,
        }
    }
}

/// The most jobs that one statement cancels or removes. A job has about ten stage results.
pub const JOBS: u16 = 250;

/// The kinds of jobs that are removed: all but erasures.
fn kinds() -> Vec<&'static str> {
    JobKind::ALL.iter().filter(|kind| **kind != JobKind::Erase).map(|kind| kind.as_str()).collect()
}

fn operations() -> Vec<&'static str> {
    Operation::ALL.iter().map(|operation| operation.as_str()).collect()
}

/// Whether any row names the business, but for those of erasures. A profile is optional.
pub async fn exists(store: &Store, business_id: &BusinessId) -> Result<bool, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            r#"select exists (select from businesses where business_id = $1)
                   or exists (select from brand_documents where business_id = $1)
                   or exists (select from generations where business_id = $1)
                   or exists (select from jobs where business_id = $1 and kind = any($2) and finished_at is null)
                   or exists (select from jobs where business_id = $1 and kind = any($2) and finished_at is not null
                              and error is null and cancelled_at is null)
                   or exists (select from jobs where business_id = $1 and kind = any($2) and error is not null)
                   or exists (select from jobs where business_id = $1 and kind = any($2) and cancelled_at is not null)
                   or exists (select from reviewer_learning where business_id = $1)
                   or exists (select from feedback where business_id = $1)
                   or exists (select from chunks where business_id = $1)
                   or exists (select from embeddings where business_id = $1)
                   or exists (select from knowledge_versions where business_id = $1)
                   or exists (select from learning_state where business_id = $1)
                   or exists (select from lessons where business_id = $1)
                   or exists (select from lesson_changes where business_id = $1)
                   or exists (select from lesson_uses where business_id = $1)
                   or exists (select from learning_figures where business_id = $1)
                   or exists (select from learning_weeks where business_id = $1)
                   or exists (select from learning_scores where business_id = $1)
                   or exists (select from learning_counts where business_id = $1)
                   or exists (select from business_shares where business_id = $1)
                   or exists (select from job_words where business_id = $1)
                   or exists (select from idempotent_answers where business_id = $1 and operation = any($3))
               as "exists!""#,
            business_id.as_str(),
            &kinds() as &[&str],
            &operations() as &[&str],
        )
        .fetch_one(&store.pool)
        .await
    };
    store.retry(query).await
}

/// Cancels up to [`JOBS`] open jobs of the business, as a client's request does; the workers that run them are fenced
/// off. Returns the jobs. Documents are not marked: they are removed.
pub async fn cancel_some(store: &Store, business_id: &BusinessId) -> Result<Vec<JobId>, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            "with open as materialized (
                 select id from jobs where business_id = $1 and kind = any($2) and finished_at is null
                 limit $3
             ), locked as materialized (
                 -- In one order, so that two statements do not wait for each other.
                 select j.id from jobs j join open on open.id = j.id where j.finished_at is null
                 order by j.id for update of j
             )
             update jobs j set status = 'cancelled', finished_at = now(), cancelled_at = now(), updated_at = now(),
                               lease_epoch = lease_epoch + 1, lease_owner = null,
                               wait_reason = null, wait_provider = null, wait_until = null
             from locked where j.id = locked.id and j.finished_at is null
             returning j.id",
            business_id.as_str(),
            &kinds() as &[&str],
            i64::from(JOBS),
        )
        .fetch_all(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.into_iter().map(JobId).collect())
}

/// Up to [`JOBS`] ended jobs of the business after the job `after`, in the order of acceptance. Erasures are left out.
pub async fn ended_after(
    store: &Store,
    business_id: &BusinessId,
    after: JobId,
) -> Result<Vec<(JobKind, JobId)>, StoreError> {
    walk::after(store, business_id, &kinds(), false, after, JOBS).await
}

/// Removes ended jobs of the business, and their stage results. Returns how many jobs.
pub async fn remove_jobs(
    store: &Store,
    job: &StartedJob,
    ids: &[JobId],
    progress: &Progress,
) -> Result<u64, StoreError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let stages = sqlx::query!(
            "delete from stage_results s using jobs j
             where s.job_id = any($1) and j.id = s.job_id and j.business_id = $2 and j.finished_at is not null",
            &ids,
            job.business_id.as_str(),
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        let jobs = sqlx::query!(
            "delete from jobs where id = any($1) and business_id = $2 and kind = any($3) and finished_at is not null",
            &ids,
            job.business_id.as_str(),
            &kinds() as &[&str],
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        commit(tx, job, &[("stage_results", stages), ("jobs", jobs)], progress).await.map(|held| held.then_some(jobs))
    };
    store.retry(query).await?.ok_or(StoreError::Superseded)
}

/// Removes a batch of the business's rows of a table. Returns how many; there may be more if that is [`Erasable::batch`].
pub async fn remove_some(
    store: &Store,
    job: &StartedJob,
    what: Erasable,
    progress: &Progress,
) -> Result<u64, StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let rows = delete(&mut tx, &job.business_id, what).await?;
        if rows == 0 {
            tx.rollback().await?;
            return Ok(Some(0));
        }
        if what == Erasable::Documents {
            // From now on no process serves them.
            knowledge::count_up(&mut tx, &job.business_id).await?;
        }
        commit(tx, job, &[(what.as_str(), rows)], progress).await.map(|held| held.then_some(rows))
    };
    store.retry(query).await?.ok_or(StoreError::Superseded)
}

/// Deletes up to `$limit` rows of a business from a table, by their places.
macro_rules! delete_some {
    ($tx:expr, $table:tt, $business:expr, $limit:expr) => {
        sqlx::query!(
            "delete from "
                + $table
                + " where ctid = any(array(select ctid from "
                + $table
                + " where business_id = $1 limit $2 for update))",
            $business,
            $limit,
        )
        .execute(&mut **$tx)
        .await
    };
}

async fn delete(tx: &mut PgTransaction<'_>, business_id: &BusinessId, what: Erasable) -> Result<u64, sqlx::Error> {
    let (business, most) = (business_id.as_str(), i64::from(what.batch()));
    let deleted = match what {
        Erasable::ReviewerLearning => delete_some!(tx, "reviewer_learning", business, most),
        Erasable::Feedback => delete_some!(tx, "feedback", business, most),
        Erasable::Lessons => delete_some!(tx, "lessons", business, most),
        Erasable::LessonChanges => delete_some!(tx, "lesson_changes", business, most),
        Erasable::LessonUses => delete_some!(tx, "lesson_uses", business, most),
        Erasable::LearningFigures => delete_some!(tx, "learning_figures", business, most),
        Erasable::Generations => delete_some!(tx, "generations", business, most),
        Erasable::LearningWeeks => delete_some!(tx, "learning_weeks", business, most),
        Erasable::LearningScores => delete_some!(tx, "learning_scores", business, most),
        Erasable::LearningCounts => delete_some!(tx, "learning_counts", business, most),
        Erasable::LearningState => delete_some!(tx, "learning_state", business, most),
        Erasable::Chunks => delete_some!(tx, "chunks", business, most),
        Erasable::Documents => delete_some!(tx, "brand_documents", business, most),
        Erasable::Embeddings => delete_some!(tx, "embeddings", business, most),
        Erasable::KnowledgeVersions => delete_some!(tx, "knowledge_versions", business, most),
        Erasable::Words => delete_some!(tx, "job_words", business, most),
        Erasable::Shares => delete_some!(tx, "business_shares", business, most),
        Erasable::Profile => delete_some!(tx, "businesses", business, most),
        Erasable::IdempotentAnswers => {
            sqlx::query!(
                "delete from idempotent_answers where ctid = any(array(
                     select ctid from idempotent_answers where business_id = $1 and operation = any($3)
                     limit $2 for update
                 ))",
                business,
                most,
                &operations() as &[&str],
            )
            .execute(&mut **tx)
            .await
        }
    };
    Ok(deleted?.rows_affected())
}

/// Counts what was removed in the erase job's row, and commits. False, and nothing is removed, if another lease runs
/// the job or it has ended.
async fn commit(
    mut tx: PgTransaction<'_>,
    job: &StartedJob,
    removed: &[(&str, u64)],
    progress: &Progress,
) -> Result<bool, sqlx::Error> {
    for (table, rows) in removed.iter().filter(|(_, rows)| *rows > 0) {
        let counted = sqlx::query!(
            "update jobs set payload = jsonb_set(payload, '{removed}', coalesce(payload->'removed', '{}')
                     || jsonb_build_object($3::text, coalesce((payload->'removed'->>$3)::bigint, 0) + $4::bigint)),
                 stage = $5, stages_completed = $6, stages_total = $7, takeovers = 0, updated_at = now()
             where id = $1 and lease_epoch = $2 and status = 'running'",
            job.id.0,
            job.epoch.0,
            *table,
            i64::try_from(*rows).unwrap_or(i64::MAX),
            progress.stage,
            i16::try_from(progress.completed).unwrap_or(i16::MAX),
            i16::try_from(progress.total).unwrap_or(i16::MAX),
        )
        .execute(&mut *tx)
        .await?;
        if counted.rows_affected() == 0 {
            tx.rollback().await?;
            return Ok(false);
        }
    }
    tx.commit().await?;
    Ok(true)
}

/// How many rows the job has removed so far, by table.
async fn removed(store: &Store, job: &StartedJob) -> Result<BTreeMap<String, u64>, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            r#"select payload->'removed' as "removed: Json<BTreeMap<String, u64>>" from jobs where id = $1"#,
            job.id.0
        )
        .fetch_optional(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.flatten().map(|removed| removed.0).unwrap_or_default())
}

/// Ends the erase job with its counts. Settling twice under one lease is harmless.
pub async fn settle(store: &Store, job: &StartedJob, passes: u16, used_meanwhile: bool) -> Result<(), StoreError> {
    let business_id = job.business_id.clone();
    let result = ErasureResult { business_id, removed: removed(store, job).await?, passes, used_meanwhile };
    let query = || async {
        sqlx::query!(
            "update jobs set status = 'succeeded', result = $3, finished_at = now(), updated_at = now(),
                             stages_completed = stages_total
             where id = $1 and lease_epoch = $2 and status in ('running', 'succeeded')",
            job.id.0,
            job.epoch.0,
            Json(&result) as _,
        )
        .execute(&store.pool)
        .await
    };
    changed_a_row(store.retry(query).await?.rows_affected())
}
