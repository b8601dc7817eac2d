//! The table `provider_limits`: limits that operators set to replace the configured ones. The quota
//! puts them in force.

use super::{Store, StoreError};
use crate::quota::limits::SetLimits;

/// The limits of a provider as set by an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderLimits {
    /// The provider.
    pub provider: String,
    /// The limits.
    pub limits: SetLimits,
    /// Grows with every change.
    pub version: i64,
}

/// Sets all limits of a provider. Returns their version.
pub async fn set(store: &Store, provider: &str, limits: &SetLimits) -> Result<i64, StoreError> {
    let query = || async {
        sqlx::query_scalar!(
            "insert into provider_limits
                 (provider, calls_per_minute, tokens_per_minute, calls_per_day, calls_at_once, micro_usd_per_day)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (provider) do update
             set calls_per_minute = excluded.calls_per_minute, tokens_per_minute = excluded.tokens_per_minute,
                 calls_per_day = excluded.calls_per_day, calls_at_once = excluded.calls_at_once,
                 micro_usd_per_day = excluded.micro_usd_per_day, version = default, updated_at = now()
             returning version",
            provider,
            limits.calls_per_minute,
            limits.tokens_per_minute,
            limits.calls_per_day,
            limits.calls_at_once,
            limits.micro_usd_per_day,
        )
        .fetch_one(&store.pool)
        .await
    };
    store.retry(query).await
}

/// All limits that were set.
pub async fn all(store: &Store) -> Result<Vec<ProviderLimits>, StoreError> {
    let query = || async {
        sqlx::query!(
            "select provider, calls_per_minute, tokens_per_minute, calls_per_day, calls_at_once, micro_usd_per_day,
                    version
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
            };
            ProviderLimits { provider: row.provider, limits, version: row.version }
        })
        .collect())
}
