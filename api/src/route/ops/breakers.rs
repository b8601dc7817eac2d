//! `POST /api/ops/breakers/{provider}/open` and `/close`: nobody calls a provider, or everybody may
//! again, whatever its calls said of its health.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use copydesk_common::quota::BreakerState;
use futures_util::future::try_join_all;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::extract::{Parameters, Provider};
use crate::refusal::UnknownProvider;
use crate::state::Services;
use crate::validate::number;

/// How long a breaker stays open where nothing else is said, in seconds: as long as one that failures
/// opened.
const DEFAULT_SECONDS: u64 = 60;

/// Let no calls through to a provider.
///
/// Holds for all of its models and for every worker, from its next call on: jobs wait as
/// `breaker_open`. When the time is over, one call probes the provider; its success closes the breaker. A
/// flush of Redis closes it too.
#[utoipa::path(
    post,
    path = "/api/ops/breakers/{provider}/open",
    operation_id = "open_breaker",
    tag = "Operators",
    params(("provider" = String, Path, description = "The provider, such as `groq`."), OpenQuery),
    responses(
        (status = 200, description = "The breakers are open.", body = BreakersAnswer),
        UnknownProvider,
    )
)]
pub async fn open(
    State(services): State<Services>,
    Provider(provider): Provider,
    Parameters(query): Parameters<OpenQuery>,
) -> Result<Json<BreakersAnswer>, ApiError> {
    let seconds = query.seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(DEFAULT_SECONDS);
    set(&services, provider, Some(Duration::from_secs(seconds))).await
}

/// Let calls through to a provider again.
#[utoipa::path(
    post,
    path = "/api/ops/breakers/{provider}/close",
    operation_id = "close_breaker",
    tag = "Operators",
    params(("provider" = String, Path, description = "The provider, such as `groq`.")),
    responses(
        (status = 200, description = "The breakers are closed.", body = BreakersAnswer),
        UnknownProvider,
    )
)]
pub async fn close(
    State(services): State<Services>,
    Provider(provider): Provider,
) -> Result<Json<BreakersAnswer>, ApiError> {
    let answer = set(&services, provider, None).await?;
    super::ask_again(&services, &answer.provider);
    Ok(answer)
}

async fn set(
    services: &Services,
    provider: String,
    open_for: Option<Duration>,
) -> Result<Json<BreakersAnswer>, ApiError> {
    let quotas: Vec<_> = services.quotas_of(&provider).collect();
    let set = try_join_all(quotas.iter().map(|(_, quota)| quota.set_breaker(open_for)));
    let until = services.within(set).await?.into_iter().flatten().max();
    let state = if until.is_some() { BreakerState::Open } else { BreakerState::Closed };
    tracing::info!(provider.name = provider, breaker = %state, "an operator set a provider's breakers");
    let breakers = quotas.into_iter().map(|(name, _)| (name.clone(), state)).collect();
    Ok(Json(BreakersAnswer { provider, breakers, until }))
}

/// For how long.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OpenQuery {
    /// Seconds before a call probes the provider.
    #[garde(inner(custom(number(1..=86_400))))]
    #[param(minimum = 1, maximum = 86_400, default = 60)]
    seconds: Option<i64>,
}

/// A provider's breakers.
#[derive(Debug, Serialize, ToSchema)]
pub struct BreakersAnswer {
    /// The provider.
    provider: String,
    /// How they stand, by `provider/model`.
    #[schema(value_type = BTreeMap<String, String>)]
    breakers: BTreeMap<String, BreakerState>,
    /// Until when they are open; null where they are closed.
    #[schema(required = true)]
    until: Option<DateTime<Utc>>,
}
