//! The table `queue_intake`: queues that operators paused, drained or resumed. Putting it in force is
//! the queue's.

use copydesk_domain::job::JobKind;

use super::job::named;
use super::{Store, StoreError};
use crate::queue::Intake;

/// Sets which jobs a queue hands out. Returns the version of that.
pub async fn set(store: &Store, kind: JobKind, intake: Intake) -> Result<i64, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            "insert into queue_intake (kind, intake) values ($1, $2)
             on conflict (kind) do update
             set intake = excluded.intake, version = default, updated_at = now()
             returning version",
            kind.as_str(),
            intake.as_str(),
        )
        .fetch_one(&store.pool)
        .await
    };
    store.retry(query).await
}

/// Every queue that was ever paused or drained, with the version of its state.
pub async fn all(store: &Store) -> Result<Vec<(JobKind, Intake, i64)>, StoreError> {
    let query =
        || async { sqlx::query!("select kind, intake, version from queue_intake").fetch_all(&store.pool).await };
    let rows = store.retry(query).await?;
    rows.into_iter().map(|row| Ok((named(&row.kind)?, named(&row.intake)?, row.version))).collect()
}
