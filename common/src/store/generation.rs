//! The table `generations`: finished texts, written once, in the transaction that ends their job.

use chrono::{DateTime, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::job::{changed_a_row, named};
use super::{Store, StoreError};
use crate::business::BusinessId;
use crate::feedback::{Feedback, FeedbackId};
use crate::generation::{AppliedLesson, Degradation, Format, Generation, GenerationId, Models, Review, Source};
use crate::job::{Progress, StartedJob, Usage};

/// Ends a running job with its text: the job, the generation and the reviewer's score are written
/// in one statement, fenced by the lease's epoch. Settling twice under one lease is harmless.
pub async fn settle(
    store: &Store,
    job: &StartedJob,
    generation: &Generation,
    progress: &Progress,
) -> Result<(), StoreError> {
    let degraded: Vec<String> = generation.degraded.iter().map(Degradation::to_string).collect();
    let query = || async {
        sqlx::query!(
            "with job as (
                 update jobs set status = 'succeeded', finished_at = now(), updated_at = now(), usage = $14,
                                 stage = $16, stages_completed = $17, stages_total = $17
                 where id = $1 and lease_epoch = $2 and status = 'running'
                 returning id
             ), generation as (
                 insert into generations (generation_id, job_id, business_id, topic, content_type, voice, language,
                                          title, content, sources, lessons_applied, degraded, models, usage, review)
                 select $3, id, $4, $5, $6, $7, $8, $9, $10, $11, $12, $18, $13, $14, $15 from job
                 returning generation_id, business_id, content_type
             ), learning as (
                 insert into reviewer_learning (generation_id, business_id, content_type, auto_score)
                 select generation_id, business_id, content_type, $19 from generation
             )
             select exists (select 1 from generation)
                 or exists (select 1 from jobs where id = $1 and lease_epoch = $2 and status = 'succeeded') as \"settled!\"",
            job.id.0,
            job.epoch.0,
            generation.generation_id.0,
            generation.business_id.as_str(),
            generation.topic,
            generation.content_type.slug(),
            generation.voice,
            generation.language,
            generation.title,
            generation.content,
            Json(&generation.sources) as _,
            Json(&generation.lessons_applied) as _,
            Json(&generation.models) as _,
            Json(&generation.usage) as _,
            generation.review.as_ref().map(Json) as _,
            progress.stage,
            i16::try_from(progress.completed).unwrap_or(i16::MAX),
            &degraded,
            generation.review.as_ref().map(|review| review.score),
        )
        .fetch_one(&store.pool)
        .await
    };
    changed_a_row(store.retry(query).await?.settled.into())
}

/// A finished text with the verdict that holds for it, where it belongs to `business_id` (any
/// business where that is `None`: the caller is an operator).
pub async fn get(
    store: &Store,
    business_id: Option<&BusinessId>,
    id: GenerationId,
) -> Result<Option<Generation>, StoreError> {
    let business_id = business_id.map(BusinessId::as_str);
    let query = || async {
        sqlx::query_as!(
            GenerationRow,
            r#"select g.generation_id, g.business_id, g.topic, g.content_type, g.voice, g.language, g.title, g.content,
                      g.sources as "sources: Json<Vec<Source>>", g.review as "review: Json<Review>",
                      g.lessons_applied as "lessons_applied: Json<Vec<AppliedLesson>>", g.degraded,
                      g.models as "models: Json<Models>", g.usage as "usage: Json<Usage>", g.created_at,
                      l.feedback_id as "feedback_id?: Uuid", l.human_approved as "human_approved?",
                      l.human_score as "human_score?", l.human_feedback as "human_feedback?",
                      l.reviewed_at as "reviewed_at?"
               from generations g left join reviewer_learning l using (generation_id)
               where g.generation_id = $1 and ($2::text is null or g.business_id = $2)"#,
            id.0,
            business_id,
        )
        .fetch_optional(&store.pool)
        .await
    };
    store.retry(query).await?.map(Generation::try_from).transpose()
}

/// The texts of jobs of several businesses, in one round trip and no order: those of these that there
/// are, each only where it belongs to the business beside it.
pub async fn of_businesses(
    store: &Store,
    asked: &[(GenerationId, BusinessId)],
) -> Result<Vec<(GenerationId, Result<Generation, StoreError>)>, StoreError> {
    let (ids, businesses): (Vec<_>, Vec<_>) = asked.iter().map(|(id, business)| (id.0, business.as_str())).unzip();
    let query = || async {
        sqlx::query_as!(
            GenerationRow,
            r#"select g.generation_id, g.business_id, g.topic, g.content_type, g.voice, g.language, g.title, g.content,
                      g.sources as "sources: Json<Vec<Source>>", g.review as "review: Json<Review>",
                      g.lessons_applied as "lessons_applied: Json<Vec<AppliedLesson>>", g.degraded,
                      g.models as "models: Json<Models>", g.usage as "usage: Json<Usage>", g.created_at,
                      l.feedback_id as "feedback_id?: Uuid", l.human_approved as "human_approved?",
                      l.human_score as "human_score?", l.human_feedback as "human_feedback?",
                      l.reviewed_at as "reviewed_at?"
               from unnest($1::uuid[], $2::text[]) as asked (id, business_id)
               join generations g on g.generation_id = asked.id and g.business_id = asked.business_id
               left join reviewer_learning l using (generation_id)"#,
            &ids,
            &businesses as &[&str],
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?.into_iter();
    Ok(rows.map(|row| (GenerationId(row.generation_id), row.try_into())).collect())
}

/// A business's texts, the last ones asked for first: up to `limit`, those before the generation
/// `before`.
pub async fn list(
    store: &Store,
    business_id: &BusinessId,
    before: Option<GenerationId>,
    limit: u16,
) -> Result<Vec<Generation>, StoreError> {
    let query = || async {
        sqlx::query_as!(
            GenerationRow,
            r#"select g.generation_id, g.business_id, g.topic, g.content_type, g.voice, g.language, g.title, g.content,
                      g.sources as "sources: Json<Vec<Source>>", g.review as "review: Json<Review>",
                      g.lessons_applied as "lessons_applied: Json<Vec<AppliedLesson>>", g.degraded,
                      g.models as "models: Json<Models>", g.usage as "usage: Json<Usage>", g.created_at,
                      l.feedback_id as "feedback_id?: Uuid", l.human_approved as "human_approved?",
                      l.human_score as "human_score?", l.human_feedback as "human_feedback?",
                      l.reviewed_at as "reviewed_at?"
               from generations g left join reviewer_learning l using (generation_id)
               where g.business_id = $1 and ($2::uuid is null or g.generation_id < $2)
               order by g.generation_id desc limit $3"#,
            business_id.as_str(),
            before.map(|id| id.0),
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await?.into_iter().map(Generation::try_from).collect()
}

struct GenerationRow {
    generation_id: Uuid,
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
    degraded: Vec<String>,
    models: Json<Models>,
    usage: Json<Usage>,
    created_at: DateTime<Utc>,
    feedback_id: Option<Uuid>,
    human_approved: Option<bool>,
    human_score: Option<f64>,
    human_feedback: Option<String>,
    reviewed_at: Option<DateTime<Utc>>,
}

impl TryFrom<GenerationRow> for Generation {
    type Error = StoreError;

    fn try_from(row: GenerationRow) -> Result<Self, StoreError> {
        let format = named::<Format>(&row.content_type)?;
        let feedback = row.feedback_id.zip(row.reviewed_at).map(|(feedback_id, created_at)| Feedback {
            feedback_id: FeedbackId(feedback_id),
            human_approved: row.human_approved,
            human_score: row.human_score,
            human_feedback: row.human_feedback,
            created_at,
        });
        Ok(Self {
            generation_id: GenerationId(row.generation_id),
            business_id: BusinessId::parse(row.business_id).map_err(|e| StoreError::unreadable("generations", e))?,
            topic: row.topic,
            format: format.name().to_owned(),
            content_type: format,
            voice: row.voice,
            language: row.language,
            title: row.title,
            content: row.content,
            sources: row.sources.0,
            review: row.review.map(|review| review.0),
            lessons_applied: row.lessons_applied.0,
            degraded: row.degraded.iter().map(|name| named(name)).collect::<Result<_, _>>()?,
            models: row.models.0,
            usage: row.usage.0,
            feedback,
            created_at: row.created_at,
        })
    }
}
