//! The table `business_shares`: shares that operators set for businesses. The queue puts them in
//! force.

use copydesk_domain::business::BusinessId;

use super::audit::Seen;
use super::{Store, StoreError};
use crate::queue::Share;

/// Sets a business's whole share. Returns its version.
pub async fn set(store: &Store, business_id: &BusinessId, share: Share) -> Result<i64, StoreError> {
    let [weight, jobs_at_once] = [share.weight, share.jobs_at_once].map(|number| number.map(u32::cast_signed));
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let before = sqlx::query_scalar!(
            r#"select jsonb_build_object('weight', weight, 'jobs_at_once', jobs_at_once) as "share!"
               from business_shares where business_id = $1 for update"#,
            business_id.as_str(),
        )
        .fetch_optional(&mut *tx)
        .await?;
        let version = sqlx::query_scalar!(
            "insert into business_shares (business_id, weight, jobs_at_once) values ($1, $2, $3)
             on conflict (business_id) do update
             set weight = excluded.weight, jobs_at_once = excluded.jobs_at_once, version = default, updated_at = now()
             returning version",
            business_id.as_str(),
            weight,
            jobs_at_once,
        )
        .fetch_one(&mut *tx)
        .await?;
        store.note(&mut tx, Seen { before, ..Seen::default() }).await?;
        tx.commit().await?;
        Ok(version)
    };
    store.retry(query).await
}

/// A business's share; the default if none was set.
pub async fn get(store: &Store, business_id: &BusinessId) -> Result<Share, StoreError> {
    let query = || async {
        sqlx::query!("select weight, jobs_at_once from business_shares where business_id = $1", business_id.as_str())
            .fetch_optional(&store.pool)
            .await
    };
    let row = store.retry(query).await?;
    Ok(row.map(|row| share(row.weight, row.jobs_at_once)).unwrap_or_default())
}

/// Every share that was set, with its version.
pub async fn all(store: &Store) -> Result<Vec<(BusinessId, Share, i64)>, StoreError> {
    let query = || async {
        sqlx::query!("select business_id, weight, jobs_at_once, version from business_shares")
            .fetch_all(&store.pool)
            .await
    };
    let rows = store.retry(query).await?;
    let parsed = rows.into_iter().map(|row| {
        let business_id =
            BusinessId::parse(row.business_id).map_err(|e| StoreError::unreadable("business_shares", e))?;
        Ok((business_id, share(row.weight, row.jobs_at_once), row.version))
    });
    parsed.collect()
}

fn share(weight: Option<i32>, jobs_at_once: Option<i32>) -> Share {
    Share { weight: weight.map(i32::cast_unsigned), jobs_at_once: jobs_at_once.map(i32::cast_unsigned) }
}
