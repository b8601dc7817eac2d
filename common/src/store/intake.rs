//! The table `queue_intake`: the intakes of queues that operators paused, drained or resumed. The
//! queue puts them in force.

use std::collections::BTreeMap;

use copydesk_domain::job::JobKind;
use serde_json::json;

use super::audit::Seen;
use super::{Store, StoreError};
use crate::queue::Intake;

/// Sets a queue's intake. Returns its version.
pub async fn set(store: &Store, kind: JobKind, intake: Intake) -> Result<i64, StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let before = sqlx::query_scalar!("select intake from queue_intake where kind = $1 for update", kind.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        let version = sqlx::query_scalar!(
            "insert into queue_intake (kind, intake) values ($1, $2)
             on conflict (kind) do update
             set intake = excluded.intake, version = default, updated_at = now()
             returning version",
            kind.as_str(),
            intake.as_str(),
        )
        .fetch_one(&mut *tx)
        .await?;
        let before = Some(json!({ "intake": before.unwrap_or_else(|| Intake::Open.as_str().to_owned()) }));
        store.note(&mut tx, Seen { before, ..Seen::default() }).await?;
        tx.commit().await?;
        Ok(version)
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
