//! The latest text of an unfinished job, from its finished stages.

use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::stage::Stage;

use super::row::{named, to_u16};
use crate::draft::Piece;
use crate::store::{Store, StoreError};

/// The complete text of the last finished stage that writes one; `None` before the first.
pub async fn latest(store: &Store, business_id: &BusinessId, id: JobId) -> Result<Option<Piece>, StoreError> {
    let query = || async {
        sqlx::query!(
            r#"select stage_results.stage, round, output ->> 'text' as "text!"
               from stage_results
               join jobs on jobs.id = stage_results.job_id
               where jobs.id = $1 and jobs.business_id = $2
                 and stage_results.stage in ('draft', 'revise') and output ->> 'text' is not null
               order by round desc limit 1"#,
            id.0,
            business_id.as_str(),
        )
        .fetch_optional(&store.pool)
        .await
    };
    let Some(row) = store.retry(query).await? else { return Ok(None) };
    let stage: Stage = named("stage_results", &row.stage)?;
    Ok(Some(Piece {
        // Edits are stored as revisions: see `StageResult::stored_as`.
        stage: if stage == Stage::Revise { Stage::Edit } else { stage },
        round: to_u16(row.round),
        reset: true,
        text: row.text,
    }))
}
