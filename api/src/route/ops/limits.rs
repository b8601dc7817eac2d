//! `PUT /api/ops/limits/{provider}`: replaces the configured limits without a restart. They are
//! stored in Postgres; the sweep restores them in Redis after a flush.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use copydesk_common::money::MicroUsd;
use copydesk_common::quota::Status;
use copydesk_common::quota::limits::{self, Limits, LimitsInForce, SetLimits};
use copydesk_common::store;
use copydesk_common::store::limit::ProviderLimits;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;
use utoipa::ToSchema;

use super::ask_again;
use crate::error::ApiError;
use crate::extract::{Body, Provider, RequestBody};
use crate::refusal::UnknownProvider;
use crate::route::health::CHECK_TIMEOUT;
use crate::state::Services;
use crate::validate::number;

/// The largest limit that is a number of calls or tokens.
const MOST: i64 = 1_000_000_000;

/// Set a provider's limits.
///
/// They apply to every worker from its next call on and replace the configured ones, until they are
/// set again. All limits are set: one that is null or missing falls back to the configured one.
/// While Redis is unavailable, they are stored and come into force as soon as it is back.
#[utoipa::path(
    put,
    path = "/api/ops/limits/{provider}",
    operation_id = "put_limits",
    tag = "Operators",
    params(("provider" = String, Path, description = "The provider, such as `groq`.")),
    request_body = LimitsBody,
    responses(
        (status = 200, description = "The limits as they are now.", body = LimitsAnswer),
        UnknownProvider,
    )
)]
pub async fn put(
    State(services): State<Services>,
    Provider(provider): Provider,
    Body(body): Body<LimitsBody>,
) -> Result<Json<LimitsAnswer>, ApiError> {
    let set = body.into_limits(&services, &provider)?;
    let version = services.within(store::limit::set(&services.store, &provider, &set)).await?;
    tracing::info!(provider.name = provider, ?set, "an operator set a provider's limits");
    let in_force = timeout(CHECK_TIMEOUT, enforce(&services, &provider, &set, version)).await.ok().flatten();
    Ok(Json(LimitsAnswer { provider, set: LimitsView::of_set(&set), in_force }))
}

/// Sets the limits in Redis and returns those in force; `None` while Redis is unavailable.
async fn enforce(services: &Services, provider: &str, set: &SetLimits, version: i64) -> Option<LimitsView> {
    limits::enforce(&services.redis, provider, set, version).await.ok()?;
    ask_again(services, provider);
    let status = services.quotas_of(provider).next()?.1.status().await.ok()?;
    Some(LimitsView::in_force(&status.limits))
}

/// Limits. Null or missing means the configured one, 0 means no limit.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LimitsRequest, example = <LimitsBody as RequestBody>::example)]
pub struct LimitsBody {
    /// Calls in any 60 seconds.
    #[garde(inner(custom(number(1..=1_000_000))))]
    #[schema(minimum = 1, maximum = 1_000_000)]
    calls_per_minute: Option<i64>,
    /// Tokens in any 60 seconds.
    #[garde(inner(custom(number(0..=MOST))))]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    tokens_per_minute: Option<i64>,
    /// Calls on any day (UTC).
    #[garde(inner(custom(number(0..=MOST))))]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    calls_per_day: Option<i64>,
    /// Calls at once.
    #[garde(inner(custom(number(0..=MOST))))]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    calls_at_once: Option<i64>,
    /// Cost on any day (UTC), in US dollars, as far as prices are known.
    #[garde(inner(custom(number(0.0..=1e9))))]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    usd_per_day: Option<f64>,
}

impl RequestBody for LimitsBody {
    fn example() -> Value {
        json!({
            "calls_per_minute": 60,
            "tokens_per_minute": 0,
            "calls_per_day": null,
            "calls_at_once": null,
            "usd_per_day": 25.0,
        })
    }
}

impl LimitsBody {
    fn into_limits(self, services: &Services, provider: &str) -> Result<SetLimits, ApiError> {
        let usd = self.usd_per_day.map(MicroUsd::from_usd);
        let unpriced = services.unpriced.iter().find(|name| name.split('/').next() == Some(provider));
        if let (Some(name), true) = (unpriced, usd.is_some_and(|usd| usd > MicroUsd(0))) {
            let detail = format!("no price is known for {name}: set COPYDESK_PRICES for the API and the workers");
            return Err(ApiError::invalid("/usd_per_day", detail));
        }
        Ok(SetLimits {
            calls_per_minute: self.calls_per_minute,
            tokens_per_minute: self.tokens_per_minute,
            calls_per_day: self.calls_per_day,
            calls_at_once: self.calls_at_once,
            micro_usd_per_day: usd.map(|usd| i64::try_from(usd.0).unwrap_or(i64::MAX)),
        })
    }
}

/// A provider's limits.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitsAnswer {
    /// The provider.
    provider: String,
    /// What an operator set; null for the configured limit, 0 for no limit.
    set: LimitsView,
    /// The limits in force; null for no limit, and null as a whole while Redis is unavailable.
    #[schema(required = true)]
    in_force: Option<LimitsView>,
}

/// Limits, each of which may be null.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct LimitsView {
    /// Calls in any 60 seconds.
    #[schema(required = true)]
    calls_per_minute: Option<i64>,
    /// Tokens in any 60 seconds.
    #[schema(required = true)]
    tokens_per_minute: Option<i64>,
    /// Calls on any day (UTC).
    #[schema(required = true)]
    calls_per_day: Option<i64>,
    /// Calls at once.
    #[schema(required = true)]
    calls_at_once: Option<i64>,
    /// Cost on any day (UTC), in US dollars.
    #[schema(required = true)]
    usd_per_day: Option<f64>,
}

impl LimitsView {
    fn of_set(set: &SetLimits) -> Self {
        let Limits { calls_per_minute, tokens_per_minute, calls_per_day, calls_at_once, micro_usd_per_day } = *set;
        let usd_per_day = micro_usd_per_day.map(|micro| MicroUsd(micro.unsigned_abs()).usd());
        Self { calls_per_minute, tokens_per_minute, calls_per_day, calls_at_once, usd_per_day }
    }

    fn in_force(limits: &LimitsInForce) -> Self {
        let limit = |limit: u64| i64::try_from(limit).ok().filter(|limit| *limit > 0);
        Self {
            calls_per_minute: limit(limits.calls_per_minute),
            tokens_per_minute: limit(limits.tokens_per_minute),
            calls_per_day: limit(limits.calls_per_day),
            calls_at_once: limit(limits.calls_at_once),
            usd_per_day: limits.usd_per_day(),
        }
    }
}

/// A provider's limits, and how much of them is used.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitView {
    /// The provider.
    provider: String,
    /// Calls in any 60 seconds, by all workers together.
    capacity: u64,
    /// Calls left.
    remaining: u64,
    /// Jobs that wait for a call.
    waiting: u64,
    /// Calls made today (UTC).
    calls_today: u64,
    /// Cost of today (UTC), in US dollars, as far as prices are known.
    usd_today: f64,
    /// Until when the provider gets no calls because it asked for a pause; null if it gets calls.
    #[schema(required = true)]
    closed_until: Option<DateTime<Utc>>,
    /// What an operator set; null for the configured limit, 0 for no limit.
    set: LimitsView,
    /// The limits in force; null for no limit.
    in_force: LimitsView,
}

impl LimitView {
    /// Models of one provider share its limits.
    pub fn all(quotas: Vec<(String, Status)>, set: &[ProviderLimits]) -> Vec<Self> {
        let by_provider: BTreeMap<_, _> =
            quotas.into_iter().map(|(_, status)| (status.provider.clone(), status)).collect();
        by_provider.into_values().map(|status| Self::of(status, set)).collect()
    }

    fn of(status: Status, set: &[ProviderLimits]) -> Self {
        let set = set.iter().find(|set| set.provider == status.provider);
        Self {
            capacity: status.limits.calls_per_minute,
            remaining: status.remaining,
            waiting: status.waiting,
            calls_today: status.calls_today,
            usd_today: status.spent_today.usd(),
            closed_until: status.closed_until,
            set: set.map(|set| LimitsView::of_set(&set.limits)).unwrap_or_default(),
            in_force: LimitsView::in_force(&status.limits),
            provider: status.provider,
        }
    }
}
