//! The table `generations`: finished texts, written once, in the transaction that ends their job.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::checkpoint::StageResult;
use copydesk_domain::feedback::{Effort, Feedback};
use copydesk_domain::format::Format;
use copydesk_domain::generation::{Degradation, Generation, Models, Source};
use copydesk_domain::id::{FeedbackId, GenerationId, JobId};
use copydesk_domain::job::{LeaseRef, Progress};
use copydesk_domain::lesson::{AppliedLesson, Arm, Learned};
use copydesk_domain::review::Review;
use copydesk_domain::usage::Usage;
use sqlx::types::Json;
use uuid::Uuid;

use super::job::{Fenced, named, result_rows};
use super::{Store, StoreError};

pub mod regenerate;
pub mod versions;

const TABLE: &str = "generations";

/// A running job that ends with its text.
#[derive(Debug, Clone)]
pub struct Ending {
    /// The lease under which it runs.
    pub lease: LeaseRef,
    /// Its last stages that are not stored yet.
    pub results: Vec<StageResult>,
    /// Its progress at the end.
    pub progress: Progress,
    /// The text.
    pub generation: Generation,
}

/// Ends running jobs with their texts, in one statement: each job's last stages, end, generation
/// and reviewer's score are written together or not at all, fenced by the lease's epoch. The
/// results are in the order of the jobs. Settling twice under one lease is harmless.
pub async fn settle_all(store: &Store, endings: &[Ending]) -> Result<Vec<Fenced>, StoreError> {
    let texts: Vec<_> = endings.iter().map(text_row).collect();
    let results: Vec<_> = endings.iter().flat_map(|ending| result_rows(ending.lease, &ending.results)).collect();
    let uses: Vec<_> = endings.iter().flat_map(use_rows).collect();
    let query = || async {
        sqlx::query!(
            r#"with text as materialized (
                 select * from jsonb_to_recordset($1::jsonb)
                     as t (id uuid, epoch bigint, stage text, completed smallint, generation_id uuid, business_id text,
                           topic text, content_type text, voice text, language text, title text, content text,
                           sources jsonb, lessons_applied jsonb, degraded text[], models jsonb, usage jsonb,
                           review jsonb, learning jsonb, score double precision)
             ), job as (
                 update jobs j
                 set status = 'succeeded', finished_at = now(), updated_at = now(), usage = text.usage,
                     stage = text.stage, stages_completed = text.completed, stages_total = text.completed
                 from text where j.id = text.id and j.lease_epoch = text.epoch and j.status = 'running'
                 returning j.id, j.lease_epoch
             ), result as (
                 insert into stage_results (job_id, stage, round, output, usage, started_at, finished_at)
                 select r.id, r.stage, r.round, r.output, r.usage, r.started_at, clock_timestamp()
                 from jsonb_to_recordset($2::jsonb)
                      as r (id uuid, epoch bigint, stage text, round smallint, output jsonb, usage jsonb,
                            started_at timestamptz)
                 join job on job.id = r.id and job.lease_epoch = r.epoch
                 on conflict (job_id, stage, round) do nothing
             ), generation as (
                 insert into generations (generation_id, job_id, business_id, topic, content_type, voice, language,
                                          title, content, sources, lessons_applied, degraded, models, usage, review,
                                          learning)
                 select generation_id, text.id, business_id, topic, content_type, voice, language, title, content,
                        sources, lessons_applied, degraded, models, usage, review, learning
                 from text join job on job.id = text.id and job.lease_epoch = text.epoch
                 returning generation_id
             ), lesson as (
                 insert into lesson_uses (generation_id, lesson_id, business_id, followed)
                 select u.generation_id, u.lesson_id, u.business_id, u.followed
                 from jsonb_to_recordset($3::jsonb)
                      as u (generation_id uuid, lesson_id uuid, business_id text, followed boolean)
                 join generation using (generation_id)
             ), reviewer as (
                 insert into reviewer_learning (generation_id, business_id, content_type, auto_score)
                 select generation_id, business_id, content_type, score
                 from text join job on job.id = text.id and job.lease_epoch = text.epoch
                 -- A text that tells one lesson's effect counts in no figure.
                 where text.learning->>'arm' is distinct from 'replay'
             )
             select id as "id!", lease_epoch as "epoch!" from job
             union all
             -- The answer to an earlier try was lost.
             select j.id, j.lease_epoch from text join jobs j on j.id = text.id and j.lease_epoch = text.epoch
             where j.status = 'succeeded'"#,
            Json(&texts) as _,
            Json(&results) as _,
            Json(&uses) as _,
        )
        .fetch_all(&store.pool)
        .await
    };
    let written = store.retry(query).await?.into_iter().map(|row| (row.id, row.epoch));
    Ok(Fenced::each(endings.iter().map(|ending| ending.lease), written))
}

/// The lessons of a text as rows of `lesson_uses`. A text that was written to tell one lesson's effect is no use of it.
fn use_rows(ending: &Ending) -> Vec<serde_json::Value> {
    let generation = &ending.generation;
    if generation.learning.as_ref().is_none_or(|learning| learning.arm == Arm::Replay) {
        return Vec::new();
    }
    let row = |lesson: &AppliedLesson| {
        serde_json::json!({
            "generation_id": generation.generation_id,
            "lesson_id": lesson.id,
            "business_id": generation.business_id,
            "followed": lesson.followed,
        })
    };
    generation.lessons_applied.iter().map(row).collect()
}

/// A text as a row of `generations`, with the columns that end its job.
fn text_row(ending: &Ending) -> serde_json::Value {
    let Ending { lease, progress, generation, .. } = ending;
    serde_json::json!({
        "id": lease.id,
        "epoch": lease.epoch,
        "stage": progress.stage,
        "completed": progress.completed,
        "generation_id": generation.generation_id,
        "business_id": generation.business_id,
        "topic": generation.topic,
        "content_type": generation.content_type.slug(),
        "voice": generation.voice,
        "language": generation.language,
        "title": generation.title,
        "content": generation.content,
        "sources": generation.sources,
        "lessons_applied": generation.lessons_applied,
        "degraded": generation.degraded,
        "models": generation.models,
        "usage": generation.usage,
        "review": generation.review,
        "learning": generation.learning,
        "score": generation.review.as_ref().and_then(Review::score_of_final),
    })
}

/// Selects texts with their current verdicts, by the rest of a statement.
macro_rules! generations {
    ($rest:tt, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            GenerationRow,
            r#"select g.generation_id, g.job_id, g.business_id, g.topic, g.content_type, g.voice, g.language, g.title, g.content,
                      g.sources as "sources: Json<Vec<Source>>", g.review as "review: Json<Review>",
                      g.lessons_applied as "lessons_applied: Json<Vec<AppliedLesson>>",
                      g.learning as "learning: Json<Learned>", g.degraded,
                      g.models as "models: Json<Models>", g.usage as "usage: Json<Usage>", g.created_at,
                      l.feedback_id as "feedback_id?: Uuid", l.human_approved as "human_approved?",
                      l.human_score as "human_score?", l.human_feedback as "human_feedback?",
                      f.rater as "rater?", f.effort as "effort?: Json<Effort>", l.reviewed_at as "reviewed_at?""# + $rest,
            $($argument),+
        )
    };
}

/// A finished text of any business, with its current verdict: who asks for it must be asked whether he reaches its business.
pub async fn get(store: &Store, id: GenerationId) -> Result<Option<Generation>, StoreError> {
    let query = || async {
        generations!(
            r#"
               from generations g left join reviewer_learning l using (generation_id)
               left join feedback f on f.feedback_id = l.feedback_id
               where g.generation_id = $1"#,
            id.0,
        )
        .fetch_optional(&store.pool)
        .await
    };
    store.retry(query).await?.map(Generation::try_from).transpose()
}

/// Texts of several businesses, in one round trip and without order. Each is returned only if it
/// exists and belongs to the business given with it.
pub async fn of_businesses(
    store: &Store,
    asked: &[(GenerationId, BusinessId)],
) -> Result<Vec<(GenerationId, Result<Generation, StoreError>)>, StoreError> {
    let (ids, businesses): (Vec<_>, Vec<_>) = asked.iter().map(|(id, business)| (id.0, business.as_str())).unzip();
    let query = || async {
        generations!(
            r#"
               from unnest($1::uuid[], $2::text[]) as asked (id, business_id)
               join generations g on g.generation_id = asked.id and g.business_id = asked.business_id
               left join reviewer_learning l using (generation_id)
               left join feedback f on f.feedback_id = l.feedback_id"#,
            &ids,
            &businesses as &[&str],
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?.into_iter();
    Ok(rows.map(|row| (GenerationId(row.generation_id), row.try_into())).collect())
}

/// A business's texts, the last requested first: up to `limit`, before the generation `before`.
pub async fn list(
    store: &Store,
    business_id: &BusinessId,
    before: Option<GenerationId>,
    limit: u16,
) -> Result<Vec<Generation>, StoreError> {
    let query = || async {
        generations!(
            r#"
               from generations g left join reviewer_learning l using (generation_id)
               left join feedback f on f.feedback_id = l.feedback_id
               where g.business_id = $1 and g.generation_id < $2
               order by g.generation_id desc limit $3"#,
            business_id.as_str(),
            before.map_or(Uuid::max(), |id| id.0),
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await?.into_iter().map(Generation::try_from).collect()
}

/// A business's texts after the generation `after`, up to `limit`, in the order in which they were requested.
pub async fn after(
    store: &Store,
    business_id: &BusinessId,
    after: GenerationId,
    limit: u16,
) -> Result<Vec<Generation>, StoreError> {
    let query = || async {
        generations!(
            r#"
               from generations g left join reviewer_learning l using (generation_id)
               left join feedback f on f.feedback_id = l.feedback_id
               where g.business_id = $1 and g.generation_id > $2 order by g.generation_id limit $3"#,
            business_id.as_str(),
            after.0,
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await?.into_iter().map(Generation::try_from).collect()
}

/// A page of texts.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The texts, the last requested first: at most the limit.
    pub generations: Vec<Generation>,
    /// The next page has the texts before this one; `None` after the last page.
    pub next: Option<GenerationId>,
}

/// An id that a statement returned: of a text on the page, or of the last text that it read.
struct Found {
    id: Uuid,
    is_end: bool,
}

/// A business's texts with this degradation, the last requested first: up to `limit`, before the
/// generation `before`. A page reads at most 2,000 degraded texts, so it can be short or empty
/// although more follow. The number is a literal in the statement, because the planner must know
/// it.
pub async fn degraded(
    store: &Store,
    business_id: &BusinessId,
    degradation: Degradation,
    before: Option<GenerationId>,
    limit: u16,
) -> Result<Page, StoreError> {
    let before = before.map_or(Uuid::max(), |id| id.0);
    let query = || async {
        // The business is a list of one, for the reason given in the lists of jobs.
        sqlx::query_as!(
            Found,
            r#"with found as materialized (
                   select generation_id from (
                       select generation_id, degraded from generations
                       where business_id = any($1) and generation_id < $2 and degraded <> '{}'
                       order by business_id desc, generation_id desc limit 2000
                   ) looked_at
                   where $4 = any(degraded) limit $3
               )
               select generation_id as "id!", false as "is_end!" from found
               union all
               (select generation_id, true from generations
                where business_id = any($1) and generation_id < $2 and degraded <> '{}'
                  and (select count(*) from found) < $3
                order by business_id desc, generation_id desc offset 1999 limit 1)"#,
            &[business_id.as_str()] as &[&str],
            before,
            i64::from(limit) + 1,
            degradation.as_str(),
        )
        .fetch_all(&store.pool)
        .await
    };
    page(store, store.retry(query).await?, limit).await
}

/// Builds a page from the ids that were found.
async fn page(store: &Store, found: Vec<Found>, limit: u16) -> Result<Page, StoreError> {
    let end = found.iter().find(|found| found.is_end).map(|found| found.id);
    let mut ids: Vec<_> = found.into_iter().filter(|found| !found.is_end).map(|found| found.id).collect();
    ids.sort_unstable_by_key(|id| Reverse(*id));
    let is_full = ids.len() > usize::from(limit);
    ids.truncate(usize::from(limit));
    let next = if is_full { ids.last().copied() } else { end }.map(GenerationId);
    let query = || async {
        generations!(
            r#"
               from generations g left join reviewer_learning l using (generation_id)
               left join feedback f on f.feedback_id = l.feedback_id
               where g.generation_id = any($1) order by g.generation_id desc"#,
            &ids,
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = if ids.is_empty() { Vec::new() } else { store.retry(query).await? };
    Ok(Page { generations: rows.into_iter().map(Generation::try_from).collect::<Result<_, _>>()?, next })
}

struct GenerationRow {
    generation_id: Uuid,
    job_id: Option<Uuid>,
    business_id: String,
    topic: String,
    content_type: String,
    voice: String,
    language: String,
    title: String,
    content: String,
    sources: Json<Vec<Source>>,
    review: Option<Json<Review>>,
    lessons_applied: Json<Vec<AppliedLesson>>,
    learning: Option<Json<Learned>>,
    degraded: Vec<String>,
    models: Json<Models>,
    usage: Json<Usage>,
    created_at: DateTime<Utc>,
    feedback_id: Option<Uuid>,
    human_approved: Option<bool>,
    human_score: Option<f64>,
    human_feedback: Option<String>,
    rater: Option<String>,
    effort: Option<Json<Effort>>,
    reviewed_at: Option<DateTime<Utc>>,
}

impl TryFrom<GenerationRow> for Generation {
    type Error = StoreError;

    fn try_from(row: GenerationRow) -> Result<Self, StoreError> {
        let format = named::<Format>(TABLE, &row.content_type)?;
        let feedback = row.feedback_id.zip(row.reviewed_at).map(|(feedback_id, created_at)| Feedback {
            feedback_id: FeedbackId(feedback_id),
            human_approved: row.human_approved,
            human_score: row.human_score,
            human_feedback: row.human_feedback,
            rater: row.rater,
            effort: row.effort.map(|effort| effort.0),
            created_at,
        });
        Ok(Self {
            generation_id: GenerationId(row.generation_id),
            job_id: row.job_id.map(JobId),
            business_id: BusinessId::parse(row.business_id).map_err(|e| StoreError::unreadable(TABLE, e))?,
            topic: row.topic,
            format: format.name().to_owned(),
            content_type: format,
            voice: row.voice,
            language: row.language,
            title: row.title,
            content: row.content,
            sources: row.sources.0,
            review: row.review.map(|review| review.0.completed()),
            lessons_applied: row.lessons_applied.0,
            learning: row.learning.map(|learning| learning.0),
            degraded: row.degraded.iter().map(|name| named(TABLE, name)).collect::<Result<_, _>>()?,
            models: row.models.0,
            usage: row.usage.0,
            feedback,
            created_at: row.created_at,
        })
    }
}

#[cfg(test)]
mod tests;
