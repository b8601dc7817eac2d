//! Reads everything of a business in pages, each by its own statement, so that no connection is held between them. Rows
//! come in the order of their ids: one that changes meanwhile comes once, as it was when its page was read.

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::feedback::Effort;
use copydesk_domain::id::{DocumentId, FeedbackId, GenerationId, JobId};
use copydesk_domain::job::{Job, JobKind};
use sqlx::types::Json;
use uuid::Uuid;

use super::job::walk;
use super::{Store, StoreError};

/// What a document holds, beside its description.
#[derive(Debug, Clone)]
pub struct Content {
    /// The text as uploaded; empty for a file.
    pub text: String,
    /// The file as uploaded, in Base64 without line breaks.
    pub file: Option<String>,
    /// The passages: heading path and text, in order.
    pub passages: Vec<(String, String)>,
}

/// The content of a document; `None` if it was deleted meanwhile.
pub async fn content(store: &Store, business_id: &BusinessId, id: DocumentId) -> Result<Option<Content>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select d.body, translate(encode(d.file, 'base64'), E'\n', '') as file,
                      coalesce(array_agg(c.heading_path order by c.ordinal) filter (where c.ordinal is not null), '{}')
                          as "headings!",
                      coalesce(array_agg(c.body order by c.ordinal) filter (where c.ordinal is not null), '{}')
                          as "texts!"
               from brand_documents d left join chunks c on c.document_id = d.id
               where d.business_id = $1 and d.id = $2 group by d.id"#,
            business_id.as_str(),
            id.0,
        )
        .fetch_optional(&store.pool)
        .await
    };
    Ok(store.retry(query).await?.map(|row| Content {
        text: row.body,
        file: row.file,
        passages: row.headings.into_iter().zip(row.texts).collect(),
    }))
}

/// A job with what was asked of it.
#[derive(Debug)]
pub struct WholeJob {
    /// The job.
    pub job: Job,
    /// Its payload.
    pub request: serde_json::Value,
}

/// The jobs of a business after the job `after`, up to `limit`, in the order of acceptance.
pub async fn jobs_after(
    store: &Store,
    business_id: &BusinessId,
    after: JobId,
    limit: u16,
) -> Result<Vec<WholeJob>, StoreError> {
    let kinds: Vec<_> = JobKind::ALL.iter().map(|kind| kind.as_str()).collect();
    let jobs = walk::after(store, business_id, &kinds, true, after, limit).await?;
    let ids: Vec<_> = jobs.into_iter().map(|(_, id)| id.0).collect();
    let query =
        || async { sqlx::query!("select id, payload from jobs where id = any($1)", &ids).fetch_all(&store.pool).await };
    let mut requests: std::collections::HashMap<Uuid, serde_json::Value> =
        store.retry(query).await?.into_iter().map(|row| (row.id, row.payload)).collect();
    let ids: Vec<_> = ids.into_iter().map(JobId).collect();
    let mut jobs = Vec::with_capacity(ids.len());
    for (id, job) in super::job::get(store, &ids).await? {
        jobs.push(WholeJob { job: job?, request: requests.remove(&id.0).unwrap_or_default() });
    }
    jobs.sort_unstable_by_key(|whole| whole.job.id);
    Ok(jobs)
}

/// A verdict as it was given.
#[derive(Debug, Clone)]
pub struct GivenVerdict {
    /// Names the verdict.
    pub feedback_id: FeedbackId,
    /// The text.
    pub generation_id: GenerationId,
    /// Whether the human would publish it.
    pub human_approved: Option<bool>,
    /// 0 to 10.
    pub human_score: Option<f64>,
    /// What the human said.
    pub human_feedback: Option<String>,
    /// Who gave it.
    pub rater: Option<String>,
    /// How much they changed.
    pub effort: Option<Effort>,
    /// The text as they published it.
    pub edited_content: Option<String>,
    /// When it was given.
    pub created_at: DateTime<Utc>,
}

/// The verdicts on a business's texts after one of them, up to `limit`, in the order in which they were given.
pub async fn verdicts_after(
    store: &Store,
    business_id: &BusinessId,
    after: (DateTime<Utc>, FeedbackId),
    limit: u16,
) -> Result<Vec<GivenVerdict>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select feedback_id, generation_id, human_approved, human_score, human_feedback, rater, edited_content,
                    effort as "effort: Json<Effort>", created_at from feedback
             where business_id = $1 and created_at >= $2 and (created_at, feedback_id) > ($2, $3)
             order by created_at, feedback_id limit $4"#,
            business_id.as_str(),
            after.0,
            after.1.0,
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    Ok(store
        .retry(query)
        .await?
        .into_iter()
        .map(|row| GivenVerdict {
            feedback_id: FeedbackId(row.feedback_id),
            generation_id: GenerationId(row.generation_id),
            human_approved: row.human_approved,
            human_score: row.human_score,
            human_feedback: row.human_feedback,
            rater: row.rater,
            effort: row.effort.map(|effort| effort.0),
            edited_content: row.edited_content,
            created_at: row.created_at,
        })
        .collect())
}
