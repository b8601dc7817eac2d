//! `POST /api/ops/breakers/{provider}/open` and `/close`: stops all calls to a provider, or allows
//! them again, whatever the results of its calls and its own answers.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use copydesk_common::quota::{BreakerState, Quota};
use futures_util::future::try_join_all;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::audit::Audit;
use crate::error::ApiError;
use crate::extract::{Parameters, Provider};
use crate::refusal::UnknownProvider;
use crate::state::Services;
use crate::validate::number;

/// The default time for which a breaker stays open, in seconds: the same as after failures.
const DEFAULT_SECONDS: u64 = 60;

/// Stop calls to a provider.
///
/// Applies to all of its models and to every worker, from its next call on: jobs wait with the
/// reason `breaker_open`. When the time is over, one call probes the provider; if it succeeds, the
/// breaker closes. A flush of Redis also closes it.
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
    audit: Audit,
    Provider(provider): Provider,
    Parameters(query): Parameters<OpenQuery>,
) -> Result<Json<BreakersAnswer>, ApiError> {
    let seconds = query.seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(DEFAULT_SECONDS);
    let open_for = Duration::from_secs(seconds);
    let quotas: Vec<_> = services.quotas_of(&provider).collect();
    let open = try_join_all(quotas.iter().map(|(_, quota)| quota.open_breaker(open_for)));
    let change = audit.change("breakers.open", format!("breakers/{provider}")).after(json!({ "seconds": seconds }));
    let until = change.around(open).await?.into_iter().max();
    let answer = answer(provider, &quotas, BreakerState::Open);
    Ok(Json(BreakersAnswer { until, ..answer }))
}

/// Allow calls to a provider again.
///
/// Closes its breakers, and ends a pause that the provider itself asked for, by a `Retry-After` or
/// because an answer said that its limit is used up. Jobs that wait for it ask again within a
/// second. Later answers of the provider count as usual.
///
/// A provider that is closed because Redis was flushed stays closed until `closed_until`: the calls
/// of the last minute are not known, and the limit could be exceeded.
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
    audit: Audit,
    Provider(provider): Provider,
) -> Result<Json<BreakersAnswer>, ApiError> {
    let quotas: Vec<_> = services.quotas_of(&provider).collect();
    let reopen = try_join_all(quotas.iter().map(|(_, quota)| quota.reopen()));
    let change = audit.change("breakers.close", format!("breakers/{provider}"));
    let closed_until = change.around(reopen).await?.into_iter().flatten().max();
    super::ask_again(&services, &provider);
    let answer = answer(provider, &quotas, BreakerState::Closed);
    Ok(Json(BreakersAnswer { closed_until, ..answer }))
}

/// Logs the change and makes the answer.
fn answer(provider: String, quotas: &[&(String, Quota)], state: BreakerState) -> BreakersAnswer {
    tracing::info!(provider.name = provider, breaker = %state, "an operator set a provider's breakers");
    let breakers = quotas.iter().map(|(name, _)| (name.clone(), state)).collect();
    BreakersAnswer { provider, breakers, until: None, closed_until: None }
}

/// The duration.
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
    /// Their states, by `provider/model`.
    #[schema(value_type = BTreeMap<String, String>)]
    breakers: BTreeMap<String, BreakerState>,
    /// Until when they are open; null if they are closed.
    #[schema(required = true)]
    until: Option<DateTime<Utc>>,
    /// After closing: until when the provider still gets no calls, because Redis lost the calls of
    /// the last minute. Else null.
    #[schema(required = true)]
    closed_until: Option<DateTime<Utc>>,
}
