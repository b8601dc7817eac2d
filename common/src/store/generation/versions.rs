//! The versions of a text: what was drafted and what editors made of it, as its job's stages stored them, and what people
//! made of it. The form of stages is the worker's; rows are handed on as they are.

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::{FeedbackId, GenerationId, JobId};
use serde_json::Value;

use crate::store::{Store, StoreError};

/// A stage that wrote or judged a text.
#[derive(Debug, Clone)]
pub struct Written {
    /// `draft`; `revise`, under which edits are stored; or `review`, of an earlier release.
    pub stage: String,
    /// As it is stored.
    pub round: i16,
    /// The stage's own output.
    pub output: Value,
    /// When it was stored.
    pub written_at: DateTime<Utc>,
}

/// What a job's stages wrote, oldest first; nothing once they are cleaned up.
pub async fn of(store: &Store, job_id: JobId) -> Result<Vec<Written>, StoreError> {
    let query = || async {
        sqlx::query_as!(
            Written,
            "select stage, round, output, finished_at as written_at from stage_results
             where job_id = $1 and stage in ('draft', 'review', 'revise') order by finished_at, round",
            job_id.0
        )
        .fetch_all(&store.pool)
        .await
    };
    store.retry(query).await
}

/// What a person made of a text.
#[derive(Debug, Clone)]
pub struct Edited {
    /// The verdict that it was sent with.
    pub feedback_id: FeedbackId,
    /// Who edited it, by the name that the client gave.
    pub rater: Option<String>,
    /// The text as it was sent.
    pub content: String,
    /// When the verdict was given.
    pub edited_at: DateTime<Utc>,
}

/// What people made of a text, oldest first, the newest `most`.
pub async fn edited(
    store: &Store,
    business_id: &BusinessId,
    id: GenerationId,
    most: u16,
) -> Result<Vec<Edited>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select feedback_id, rater, edited_content as "content!", created_at
               from feedback where generation_id = $1 and business_id = $2 and edited_content is not null
               order by created_at desc limit $3"#,
            id.0,
            business_id.as_str(),
            i64::from(most),
        )
        .fetch_all(&store.pool)
        .await
    };
    let edits = store.retry(query).await?.into_iter().rev().map(|row| Edited {
        feedback_id: FeedbackId(row.feedback_id),
        rater: row.rater,
        content: row.content,
        edited_at: row.created_at,
    });
    Ok(edits.collect())
}
