//! The table `queue_intake`: the intakes of queues that operators paused, drained or resumed. The
//! queue puts them in force.

use std::collections::BTreeMap;

use copydesk_domain::job::JobKind;

use super::{Store, StoreError};
use crate::queue::Intake;

/// Sets a queue's intake. Returns its version.
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

/// The intake of every queue that was ever paused or drained, with its version. Kinds that only a
/// later release knows are left out; a queue with an unknown intake counts as paused.
pub async fn all(store: &Store) -> Result<BTreeMap<JobKind, (Intake, i64)>, StoreError> {
    let query =
        || async { sqlx::query!("select kind, intake, version from queue_intake").fetch_all(&store.pool).await };
    let rows = store.retry(query).await?;
    let known = |kind: String, intake: String, version| {
        Some((kind.parse().ok()?, (intake.parse().unwrap_or(Intake::Paused), version)))
    };
    Ok(rows.into_iter().filter_map(|row| known(row.kind, row.intake, row.version)).collect())
}
