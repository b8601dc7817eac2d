//! The statistics of verdicts. They are read from sums that a trigger of `reviewer_learning`
//! maintains, so that the cost does not depend on the number of texts.

use copydesk_domain::business::BusinessId;
use copydesk_domain::feedback::{Basis, LearningStats, ReviewerStats, WeeklyScore};
use copydesk_domain::format::Format;

use super::{Store, StoreError};

/// The number of texts counted row by row, beyond the stored count, from which the count is stored
/// again.
const WORTH_NOTING: u64 = 10_000;

/// What people thought of a business's texts, of one format or of all.
pub async fn stats(
    store: &Store,
    business_id: &BusinessId,
    format: Option<Format>,
) -> Result<LearningStats, StoreError> {
    let content_types: Vec<_> =
        Format::ALL.iter().filter(|other| format.is_none_or(|format| format == **other)).map(|f| f.slug()).collect();
    let totals = || async {
        sqlx::query!(
            r#"select coalesce(sum(with_feedback), 0)::bigint as "with_feedback!",
                      coalesce(sum(verdicts), 0)::bigint as "verdicts!",
                      coalesce(sum(approved), 0)::bigint as "approved!", coalesce(sum(scored), 0)::bigint as "scored!",
                      (sum(scores) / nullif(sum(scored), 0))::float8 as mean,
                      coalesce(sum(compared), 0)::bigint as "compared!",
                      (sum(bias) / nullif(sum(compared), 0))::float8 as bias,
                      (sum(distance) / nullif(sum(compared), 0))::float8 as mae,
                      ((sum(compared) * sum(products) - sum(auto) * sum(human)) / nullif(
                          sqrt((sum(compared) * sum(auto_squares) - sum(auto) * sum(auto))
                               * (sum(compared) * sum(human_squares) - sum(human) * sum(human))), 0
                      ))::float8 as correlation
               from learning_weeks where business_id = $1 and content_type = any($2)"#,
            business_id.as_str(),
            &content_types as &[&str],
        )
        .fetch_one(&store.pool)
        .await
    };
    let row = store.retry(totals).await?;
    let (with_feedback, verdicts) = (count(row.with_feedback), count(row.verdicts));
    let (approved, scored) = (count(row.approved), count(row.scored));
    let generations = generations(store, business_id, &content_types).await?;
    let enough = with_feedback >= LearningStats::MIN_VERDICTS;
    Ok(LearningStats {
        business_id: business_id.clone(),
        content_type: format.map(|format| format.slug().to_owned()),
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
        median_human_score: median(store, business_id, &content_types).await?,
        weekly: weekly(store, business_id, &content_types).await?,
        reviewer: ReviewerStats {
            compared: count(row.compared),
            bias: row.bias,
            mae: row.mae,
            correlation: row.correlation.filter(|_| row.compared >= 3),
        },
    })
}

/// The number of texts: the stored count plus those made since.
async fn generations(store: &Store, business_id: &BusinessId, content_types: &[&str]) -> Result<u64, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select coalesce(sum(c.generations), 0)::bigint as "known!", coalesce(sum(l.since), 0)::bigint as "since!"
               from unnest($2::text[]) as t (content_type)
               left join learning_counts c on c.business_id = $1 and c.content_type = t.content_type
               cross join lateral (
                   select count(*) as since from reviewer_learning
                   where business_id = $1 and content_type = t.content_type
                     and created_at > coalesce(c.counted_to, '-infinity')
               ) l"#,
            business_id.as_str(),
            content_types as &[&str],
        )
        .fetch_one(&store.pool)
        .await
    };
    let row = store.retry(query).await?;
    if count(row.since) > WORTH_NOTING {
        note_generations(store, business_id, content_types).await?;
    }
    Ok(count(row.known) + count(row.since))
}

/// Stores the number of texts as of a minute ago. No statement takes that long, so no text of that
/// time can still be committed. If two processes store a count at once, both are correct, and the
/// later one stays.
async fn note_generations(store: &Store, business_id: &BusinessId, content_types: &[&str]) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!(
            "insert into learning_counts as c (business_id, content_type, generations, counted_to)
             select $1, t.content_type, coalesce(k.generations, 0) + l.since, now() - interval '1 minute'
             from unnest($2::text[]) as t (content_type)
             left join learning_counts k on k.business_id = $1 and k.content_type = t.content_type
             cross join lateral (
                 select count(*) as since from reviewer_learning
                 where business_id = $1 and content_type = t.content_type
                   and created_at > coalesce(k.counted_to, '-infinity')
                   and created_at <= now() - interval '1 minute'
             ) l
             where l.since > 0
             order by t.content_type
             on conflict (business_id, content_type) do update
             set generations = excluded.generations, counted_to = excluded.counted_to
             where c.counted_to < excluded.counted_to",
            business_id.as_str(),
            content_types as &[&str],
        )
        .execute(&store.pool)
        .await
    };
    store.retry(query).await.map(drop)
}

async fn median(store: &Store, business_id: &BusinessId, content_types: &[&str]) -> Result<Option<f64>, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            r#"with scores as (
                   select score, sum(texts) as texts, sum(sum(texts)) over (order by score) as up_to
                   from learning_scores where business_id = $1 and content_type = any($2) group by score
               ), total as (
                   select div(coalesce(sum(texts), 0) + 1, 2) as lower, div(coalesce(sum(texts), 0), 2) + 1 as upper
                   from scores
               )
               -- The one in the middle, or the mean of the two.
               select avg(score)::float8 from (
                   select score from scores, total where up_to - texts < lower and lower <= up_to
                   union all
                   select score from scores, total where up_to - texts < upper and upper <= up_to
               ) middle"#,
            business_id.as_str(),
            content_types as &[&str],
        )
        .fetch_one(&store.pool)
        .await
    };
    store.retry(query).await
}

async fn weekly(
    store: &Store,
    business_id: &BusinessId,
    content_types: &[&str],
) -> Result<Vec<WeeklyScore>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select week, sum(scored)::bigint as "scored!", (sum(scores) / sum(scored))::float8 as "mean!"
               from learning_weeks where business_id = $1 and content_type = any($2)
               group by week having sum(scored) > 0 order by week"#,
            business_id.as_str(),
            content_types as &[&str],
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?;
    Ok(rows
        .into_iter()
        .map(|row| WeeklyScore { week: row.week, scored: count(row.scored), mean_human_score: row.mean })
        .collect())
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// `part / whole`; `None` if `whole` is 0.
#[expect(clippy::cast_precision_loss, reason = "counts of verdicts are far below 2^52")]
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// Wilson's 95% score interval of a proportion: unlike the normal interval, it stays within 0 to 1
/// and is meaningful at small counts. (Wilson 1927; Brown, Cai and DasGupta 2001.)
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

    use sqlx::PgPool;

    /// Verdicts, some of them replaced: the sums of the trigger equal those of the rows.
    #[sqlx::test(migrations = "../migrations")]
    async fn statistics_are_those_of_the_rows(pool: PgPool) {
        let texts = "
            alter table reviewer_learning drop constraint reviewer_learning_generation_id_fkey;
            alter table reviewer_learning drop constraint reviewer_learning_feedback_id_fkey;
            insert into reviewer_learning (generation_id, business_id, content_type, auto_score, created_at)
            select gen_random_uuid(), 'b', (array['blog', 'email'])[1 + n % 2], case when n % 5 > 0 then n % 11 end,
                   now() - interval '1 day'
            from generate_series(1, 5000) n;
            update reviewer_learning
            set has_human_feedback = true, feedback_id = generation_id, human_approved = auto_score > 4,
                human_score = (hashtext(generation_id::text) & 1023) / 102.4, reviewed_at = now() - interval '20 days'
            where auto_score is null or auto_score < 8;
            update reviewer_learning set human_approved = null, human_score = auto_score / 2, reviewed_at = now()
            where auto_score between 2 and 5;
            insert into learning_counts
            select business_id, content_type, count(*), now() from reviewer_learning group by 1, 2;";
        sqlx::raw_sql(texts).execute(&pool).await.unwrap();
        let right: (i64, i64, i64, f64, f64, f64, f64, f64) = sqlx::query_as(
            "select count(*), count(*) filter (where has_human_feedback), count(*) filter (where human_approved),
                    avg(human_score), percentile_cont(0.5) within group (order by human_score),
                    avg(auto_score - human_score), avg(abs(auto_score - human_score)),
                    corr(auto_score, human_score) filter (where human_score is not null)
             from reviewer_learning where business_id = 'b'",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        let store = Store::from_pool(pool);
        let stats = stats(&store, &BusinessId::parse("b").unwrap(), None).await.unwrap();
        assert_eq!(
            (stats.generations, stats.with_feedback, stats.approved),
            (count(right.0), count(right.1), count(right.2))
        );
        let near =
            |found: Option<f64>, right: f64, by: f64| assert!((found.unwrap() - right).abs() < by, "{found:?} {right}");
        near(Some(stats.mean_human_score), right.3, 1e-9);
        near(stats.median_human_score, right.4, 0.006);
        near(stats.reviewer.bias, right.5, 1e-9);
        near(stats.reviewer.mae, right.6, 1e-9);
        near(stats.reviewer.correlation, right.7, 1e-9);
        assert_eq!(stats.weekly.iter().map(|week| week.scored).sum::<u64>(), stats.scored);
    }

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
