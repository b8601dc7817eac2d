//! Replays: past briefs are written again with and without one lesson, so that its own effect is told.

use std::collections::BTreeMap;

use copydesk_domain::business::BusinessId;
use copydesk_domain::format::Format;
use copydesk_domain::id::{GenerationId, JobId};
use copydesk_domain::job::{JobKind, NewJob, Priority};
use copydesk_domain::lesson::{Lesson, LessonId, Replayed};
use copydesk_domain::trace::TraceParent;
use copydesk_learning::interval;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::audit::Seen;
use super::super::job::Columns;
use super::super::{Store, StoreError};
use crate::clock;

/// Attempts of a replay.
const ATTEMPTS: u16 = 3;
/// Pairs that an effect is told from: the last ones.
const MOST_PAIRS: i64 = 200;

/// Pairs from which on an interval means something.
const ENOUGH: usize = 5;

/// What texts were like with a lesson and without it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Effect {
    /// Briefs that were written both ways.
    pub pairs: u32,
    /// Pairs whose half with the lesson follows it.
    pub followed: u32,
    /// The mean difference of our estimates of the texts, with minus without, in points; null where no editor read them.
    #[schema(required = true)]
    pub difference: Option<f64>,
    /// Its 95% interval; null below 5 pairs.
    #[schema(required = true)]
    pub interval: Option<[f64; 2]>,
}

/// Accepts two jobs for each of the last texts of the lesson's kind: all or none. There is no retry: if the answer to
/// the commit were lost, a retry would pay for the texts once more.
pub async fn start(store: &Store, lesson: &Lesson, briefs: u16, trace: TraceParent) -> Result<Vec<NewJob>, StoreError> {
    if store.is_breaker_open() {
        return Err(StoreError::BreakerOpen);
    }
    Ok(store.breaker.watched(&store.pool, Box::pin(start_once(store, lesson, briefs, trace))).await?)
}

async fn start_once(
    store: &Store,
    lesson: &Lesson,
    briefs: u16,
    trace: TraceParent,
) -> Result<Vec<NewJob>, sqlx::Error> {
    let mut tx = store.pool.begin().await?;
    let rows = sqlx::query!(
        r#"select g.generation_id, j.payload from generations g join jobs j on j.id = g.job_id
               where g.business_id = $1 and ($2::text is null or g.content_type = $2)
                 and coalesce(g.learning->>'arm', '') <> 'replay'
               order by g.generation_id desc limit $3"#,
        lesson.business_id.as_str(),
        lesson.content_type.map(Format::slug),
        i64::from(briefs),
    )
    .fetch_all(&mut *tx)
    .await?;
    let of = |generation_id, payload: Value| {
        [true, false].map(|with| {
            let replay = Replayed { lesson_id: lesson.lesson_id, of: GenerationId(generation_id), with };
            job(&lesson.business_id, payload.clone(), replay, trace)
        })
    };
    let jobs: Vec<NewJob> = rows.into_iter().flat_map(|row| of(row.generation_id, row.payload)).collect();
    Columns::of(jobs.iter().map(|job| (job, None))).insert(&mut *tx).await?;
    let after = Some(json!({ "jobs": jobs.len() }));
    store.note(&mut tx, Seen { after, ..Seen::default() }).await?;
    tx.commit().await?;
    Ok(jobs)
}

/// Behind all others, and without a deadline: it takes the quota that nobody wants.
fn job(business_id: &BusinessId, mut payload: Value, replay: Replayed, trace: TraceParent) -> NewJob {
    if let Some(fields) = payload.as_object_mut() {
        fields.insert("replay".to_owned(), json!(replay));
    }
    NewJob {
        id: JobId::new(),
        kind: JobKind::Generate,
        business_id: business_id.clone(),
        generation_id: Some(GenerationId::new()),
        priority: Priority::Bulk,
        payload,
        metadata: json!({}),
        max_attempts: ATTEMPTS,
        created_at: clock::now(),
        run_at: None,
        deadline_at: None,
        trace,
    }
}

/// The effects of a business's lessons that were replayed.
pub async fn effects(store: &Store, business_id: &BusinessId) -> Result<BTreeMap<LessonId, Effect>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"with half as (
                   -- The last text of each half: a brief may be replayed again.
                   select distinct on (learning#>'{replay}') learning, lessons_applied, generation_id
                   from generations where business_id = $1 and learning->>'arm' = 'replay'
                   order by learning#>'{replay}', generation_id desc
               )
               select (w.learning#>>'{replay,lesson_id}')::uuid as "lesson_id!",
                      (w.learning->>'estimate')::float8 as "with_it", (o.learning->>'estimate')::float8 as "without_it",
                      jsonb_path_exists(w.lessons_applied, '$[*] ? (@.id == $id && @.followed == true)',
                          jsonb_build_object('id', w.learning#>>'{replay,lesson_id}')) as "followed!"
               from half w join half o
                 on o.learning#>>'{replay,of}' = w.learning#>>'{replay,of}'
                and o.learning#>>'{replay,lesson_id}' = w.learning#>>'{replay,lesson_id}'
                and not (o.learning#>>'{replay,with}')::bool
               where (w.learning#>>'{replay,with}')::bool
               order by w.generation_id desc limit $2"#,
            business_id.as_str(),
            MOST_PAIRS,
        )
        .fetch_all(&store.pool)
        .await
    };
    let mut pairs: BTreeMap<LessonId, Vec<(Option<f64>, bool)>> = BTreeMap::new();
    for row in store.retry(query).await? {
        let difference = row.with_it.zip(row.without_it).map(|(with, without)| with - without);
        pairs.entry(LessonId(row.lesson_id)).or_default().push((difference, row.followed));
    }
    Ok(pairs.into_iter().map(|(id, pairs)| (id, effect(&pairs))).collect())
}

fn effect(pairs: &[(Option<f64>, bool)]) -> Effect {
    let differences: Vec<f64> = pairs.iter().filter_map(|(difference, _)| *difference).collect();
    Effect {
        pairs: u32::try_from(pairs.len()).unwrap_or(u32::MAX),
        followed: u32::try_from(pairs.iter().filter(|(_, followed)| *followed).count()).unwrap_or(u32::MAX),
        difference: mean(&differences),
        // Pairs: it is the differences that are drawn again.
        interval: interval::bootstrap_difference(&differences, &[0.0]).filter(|_| differences.len() >= ENOUGH),
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are a few hundred at most")]
fn mean(values: &[f64]) -> Option<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (!values.is_empty()).then(|| (mean * 100.0).round() / 100.0)
}
