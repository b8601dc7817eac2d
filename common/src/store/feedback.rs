//! The tables `feedback` and `reviewer_learning`: verdicts applied in order, and their statistics.

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::job::changed_a_row;
use super::{Store, StoreError};
use crate::business::BusinessId;
use crate::feedback::{Basis, LearningStats, ReviewerStats, Verdict, WeeklyScore};
use crate::generation::{AppliedLesson, Format, GenerationId};
use crate::job::StartedJob;

/// Applies a verdict and ends its job, in one transaction that holds the business's row lock:
/// verdicts of one business apply one after the other, each once. A later verdict on the same
/// generation replaces the earlier one; one given earlier does not replace a later one.
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
    if ended.rows_affected() == 1 {
        record(&mut tx, business_id, verdict, job.created_at).await?;
    }
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

/// Whether the job ended under this lease: the transaction may have found another one's.
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

/// What a verdict would speak of.
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

/// What people thought of a business's texts, of one format or of all.
pub async fn stats(
    store: &Store,
    business_id: &BusinessId,
    format: Option<Format>,
) -> Result<LearningStats, StoreError> {
    let content_type = format.map(Format::slug);
    let totals = || async {
        sqlx::query!(
            r#"select count(*) as "generations!", count(*) filter (where has_human_feedback) as "with_feedback!",
                      count(human_approved) as "verdicts!", count(*) filter (where human_approved) as "approved!",
                      count(human_score) as "scored!", avg(human_score) as mean,
                      percentile_cont(0.5) within group (order by human_score) as median,
                      count(*) filter (where human_score is not null and auto_score is not null) as "compared!",
                      avg(auto_score - human_score) as bias, avg(abs(auto_score - human_score)) as mae,
                      corr(auto_score, human_score) filter (where human_score is not null) as correlation
               from reviewer_learning where business_id = $1 and ($2::text is null or content_type = $2)"#,
            business_id.as_str(),
            content_type,
        )
        .fetch_one(&store.pool)
        .await
    };
    let row = store.retry(totals).await?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    let (generations, with_feedback) = (count(row.generations), count(row.with_feedback));
    let (verdicts, approved, scored) = (count(row.verdicts), count(row.approved), count(row.scored));
    let enough = with_feedback >= LearningStats::MIN_VERDICTS;
    Ok(LearningStats {
        business_id: business_id.clone(),
        content_type: content_type.map(str::to_owned),
        basis: if enough { Basis::Measured } else { Basis::Default },
        reason: (!enough).then(|| {
            format!("{with_feedback} of the {} verdicts that a measurement needs", LearningStats::MIN_VERDICTS)
        }),
        generations,
        with_feedback,
        coverage: ratio(with_feedback, generations).unwrap_or(0.0),
        verdicts,
        approved,
        approval_rate: ratio(approved, verdicts).filter(|_| enough).unwrap_or(LearningStats::DEFAULT_APPROVAL_RATE),
        approval_interval: wilson_interval(approved, verdicts),
        scored,
        mean_human_score: row.mean.filter(|_| enough).unwrap_or(LearningStats::DEFAULT_HUMAN_SCORE),
        median_human_score: row.median,
        weekly: weekly(store, business_id, content_type).await?,
        reviewer: ReviewerStats {
            compared: count(row.compared),
            bias: row.bias,
            mae: row.mae,
            correlation: row.correlation.filter(|_| row.compared >= 3),
        },
    })
}

async fn weekly(
    store: &Store,
    business_id: &BusinessId,
    content_type: Option<&str>,
) -> Result<Vec<WeeklyScore>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select date_trunc('week', reviewed_at, 'UTC')::date as "week!", count(*) as "scored!",
                      avg(human_score) as "mean!"
               from reviewer_learning
               where business_id = $1 and ($2::text is null or content_type = $2) and human_score is not null
               group by 1 order by 1"#,
            business_id.as_str(),
            content_type,
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?;
    Ok(rows
        .into_iter()
        .map(|row| WeeklyScore {
            week: row.week,
            scored: u64::try_from(row.scored).unwrap_or(0),
            mean_human_score: row.mean,
        })
        .collect())
}

/// `part / whole`, where there is a whole.
#[expect(clippy::cast_precision_loss, reason = "counts of verdicts are far below 2^52")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Wilson's 95% score interval of a proportion: unlike the normal one it stays within 0 to 1 and
/// says something at small counts. (Wilson 1927; Brown, Cai and DasGupta 2001.)
#[expect(clippy::cast_precision_loss, reason = "counts of verdicts are far below 2^52")]
fn wilson_interval(successes: u64, trials: u64) -> Option<[f64; 2]> {
    const Z: f64 = 1.959_963_984_540_054;
    let p = ratio(successes, trials)?;
    let n = trials as f64;
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt() / (1.0 + Z * Z / n);
    Some([(centre - half).max(0.0), (centre + half).min(1.0)])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn wilson_intervals_match_the_published_values() {
        // Brown, Cai and DasGupta (2001), and R's `binom::binom.wilson`.
        let [low, high] = wilson_interval(8, 10).unwrap();
        assert!((low - 0.490_162).abs() < 1e-5 && (high - 0.943_318).abs() < 1e-5, "{low} {high}");
        let [low, high] = wilson_interval(0, 5).unwrap();
        assert!(low.abs() < 1e-12 && (high - 0.434_482).abs() < 1e-5, "{low} {high}");
        assert_eq!(wilson_interval(0, 0), None);
    }
}
