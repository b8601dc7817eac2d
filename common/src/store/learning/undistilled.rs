//! Verdicts that nobody has read yet: those of a release before. They are read by rules at the first verdict after the
//! upgrade, or at the first rebuild.

use copydesk_domain::business::BusinessId;
use copydesk_domain::feedback::Effort;
use copydesk_domain::format::Format;
use copydesk_domain::id::FeedbackId;
use copydesk_domain::lesson::Distilled;
use sqlx::types::Json;

use super::super::job::named;
use super::super::{Store, StoreError};

/// A verdict with the text that it is about.
#[derive(Debug, Clone)]
pub struct Undistilled {
    /// The verdict.
    pub feedback_id: FeedbackId,
    /// What the human said.
    pub comment: String,
    /// The text as the human published it.
    pub edited_content: Option<String>,
    /// The text as it was delivered.
    pub content: String,
    /// Its language, as a BCP 47 tag.
    pub language: String,
    /// The kind of text.
    pub format: Format,
}

/// Whether anybody judged a text of the business.
pub async fn is_judged(store: &Store, business_id: &BusinessId) -> Result<bool, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            r#"select exists (select 1 from feedback where business_id = $1) as "is_judged!""#,
            business_id.as_str()
        )
        .fetch_one(&store.pool)
        .await
    };
    store.retry(query).await
}

/// Up to `limit` verdicts of the business that nobody has read, the oldest first.
pub async fn some(store: &Store, business_id: &BusinessId, limit: u16) -> Result<Vec<Undistilled>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select f.feedback_id, coalesce(f.human_feedback, '') as "comment!", f.edited_content, g.content,
                      g.language, g.content_type
               from feedback f join generations g on g.generation_id = f.generation_id
               where f.business_id = $1 and f.distilled is null
               order by f.created_at limit $2"#,
            business_id.as_str(),
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?.into_iter();
    rows.map(|row| {
        Ok(Undistilled {
            feedback_id: FeedbackId(row.feedback_id),
            comment: row.comment,
            edited_content: row.edited_content,
            content: row.content,
            language: row.language,
            format: named::<Format>("generations", &row.content_type)?,
        })
    })
    .collect()
}

/// Keeps what a verdict asks for, unless it was read meanwhile.
pub async fn keep(
    store: &Store,
    id: FeedbackId,
    distilled: &Distilled,
    effort: Option<Effort>,
) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!(
            "update feedback set distilled = $2, effort = coalesce(effort, $3)
             where feedback_id = $1 and distilled is null",
            id.0,
            Json(distilled) as _,
            effort.map(Json) as _,
        )
        .execute(&store.pool)
        .await
    };
    store.retry(query).await.map(drop)
}

/// The next business after `after`, in the order of their ids, that has verdicts.
pub async fn next_business(store: &Store, after: &str) -> Result<Option<BusinessId>, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            "select business_id from feedback where business_id > $1 order by business_id limit 1",
            after
        )
        .fetch_optional(&store.pool)
        .await
    };
    let found = store.retry(query).await?.map(BusinessId::parse).transpose();
    found.map_err(|error| StoreError::unreadable("feedback", error))
}
