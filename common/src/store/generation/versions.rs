//! The versions of a text, as its job's stages stored them: what was drafted, what editors made of it. Their form is
//! the worker's; rows are handed on as they are.

use chrono::{DateTime, Utc};
use copydesk_domain::id::JobId;
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
