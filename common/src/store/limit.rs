//! The table `provider_limits`: what operators set in place of the configured limits, for a provider or for one of its models. Putting it in
//! force is the quota's.

use super::audit::Seen;
use super::{Store, StoreError};
use crate::quota::limits::SetLimits;

/// The limits of a provider as set by an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderLimits {
    /// The provider, or `provider/model`.
    pub account: String,
    /// What was set.
    pub limits: SetLimits,
    /// Grows with every change.
    pub version: i64,
}

/// Sets the limits of a provider or of `provider/model`, all of them. Returns their version.
pub async fn set(store: &Store, account: &str, limits: &SetLimits) -> Result<i64, StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let before = sqlx::query_scalar!(
            r#"select to_jsonb(l) - '{provider,version,updated_at}'::text[] as "limits!"
               from provider_limits l where provider = $1 for update"#,
            account,
        )
        .fetch_optional(&mut *tx)
        .await?;
        let version = sqlx::query_scalar!(
            "insert into provider_limits
                 (provider, calls_per_minute, tokens_per_minute, calls_per_day, calls_at_once, micro_usd_per_day,
                  tokens_per_day)
             values ($1, $2, $3, $4, $5, $6, $7)
             on conflict (provider) do update
             set calls_per_minute = excluded.calls_per_minute, tokens_per_minute = excluded.tokens_per_minute,
                 calls_per_day = excluded.calls_per_day, calls_at_once = excluded.calls_at_once,
                 micro_usd_per_day = excluded.micro_usd_per_day, tokens_per_day = excluded.tokens_per_day,
                 version = default, updated_at = now()
             returning version",
            account,
            limits.calls_per_minute,
            limits.tokens_per_minute,
            limits.calls_per_day,
            limits.calls_at_once,
            limits.micro_usd_per_day,
            limits.tokens_per_day,
        )
        .fetch_one(&mut *tx)
        .await?;
        store.note(&mut tx, Seen { before, ..Seen::default() }).await?;
        tx.commit().await?;
        Ok(version)
    };
    store.retry(query).await
}

/// All limits that were set.
pub async fn all(store: &Store) -> Result<Vec<ProviderLimits>, StoreError> {
    let query = || async {
        sqlx::query!(
            "select provider, calls_per_minute, tokens_per_minute, calls_per_day, calls_at_once, micro_usd_per_day,
                    tokens_per_day, version
             from provider_limits order by provider"
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let limits = SetLimits {
                calls_per_minute: row.calls_per_minute,
                tokens_per_minute: row.tokens_per_minute,
                calls_per_day: row.calls_per_day,
                calls_at_once: row.calls_at_once,
                micro_usd_per_day: row.micro_usd_per_day,
                tokens_per_day: row.tokens_per_day,
            };
            ProviderLimits { account: row.provider, limits, version: row.version }
        })
        .collect())
}
