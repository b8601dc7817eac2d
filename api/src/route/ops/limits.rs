//! `PUT /api/ops/limits/{provider}`: replaces the configured limits without a restart, with `?model=`
//! those of a model that has its own. They are stored in Postgres; the sweep restores them in Redis
//! after a flush.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use copydesk_common::money::MicroUsd;
use copydesk_common::quota::limits::{self, Limits, LimitsInForce, SetLimits};
use copydesk_common::quota::{Status, ToldLimits};
use copydesk_common::store;
use copydesk_common::store::limit::ProviderLimits;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

use super::ask_again;
use crate::audit::Audit;
use crate::error::ApiError;
use crate::extract::{Body, Parameters, Provider, RequestBody};
use crate::refusal::{NoLimits, NoPrice};
use crate::route::health::CHECK_TIMEOUT;
use crate::state::Services;
use crate::validate::number;

/// The largest limit that is a number of calls or tokens.
const MOST: i64 = 1_000_000_000;

/// Set a provider's limits.
///
/// With `?model=` those of a model that has figures of its own (`COPYDESK_MODEL_LIMITS`).
///
/// They apply to every worker from its next call on and replace the configured ones, until they are
/// set again. All limits are set: one that is null or missing falls back to the configured one.
/// While Redis is unavailable, they are stored and come into force as soon as it is back.
#[utoipa::path(
    put,
    path = "/api/ops/limits/{provider}",
    operation_id = "put_limits",
    tag = "Operators",
    params(("provider" = String, Path, description = "The provider, such as `groq`."), LimitsQuery),
    request_body = LimitsBody,
    responses(
        (status = 200, description = "The limits as they are now.", body = LimitsAnswer),
        NoLimits,
        NoPrice,
    )
)]
pub async fn put(
    State(services): State<Services>,
    audit: Audit,
    Provider(provider): Provider,
    Parameters(query): Parameters<LimitsQuery>,
    Body(body): Body<LimitsBody>,
) -> Result<Json<LimitsAnswer>, ApiError> {
    let LimitsQuery { model } = query;
    let account = account(&services, &provider, model.as_deref())?;
    let set = body.into_limits(&services, &provider, model.is_some())?;
    let change = audit.change("limits.set", format!("limits/{account}")).after(told(&set)).store();
    let version = services.within(store::limit::set(&change, &account, &set)).await?;
    tracing::info!(provider.name = account, ?set, "an operator set a provider's limits");
    let enforced = enforce(&services, &provider, &account, &set, version);
    let in_force = timeout(CHECK_TIMEOUT, enforced).await.ok().flatten();
    Ok(Json(LimitsAnswer { provider, model, set: LimitsView::of_set(&set), in_force }))
}

/// What the audit log says of limits: the columns of their table.
fn told(set: &SetLimits) -> Value {
    json!({
        "calls_per_minute": set.calls_per_minute,
        "tokens_per_minute": set.tokens_per_minute,
        "calls_per_day": set.calls_per_day,
        "calls_at_once": set.calls_at_once,
        "micro_usd_per_day": set.micro_usd_per_day,
        "tokens_per_day": set.tokens_per_day,
    })
}

/// Whose limits are meant: the provider, or `provider/model` for a model that has its own.
fn account(services: &Services, provider: &str, model: Option<&str>) -> Result<String, ApiError> {
    let Some(model) = model else { return Ok(provider.to_owned()) };
    let own = services.quotas_of(provider).find(|(_, quota)| quota.model() == model && quota.has_own_account());
    own.map(|(_, quota)| quota.account()).ok_or_else(|| {
        let shared = format!("{model} shares the limits of {provider}: COPYDESK_MODEL_LIMITS gives a model its own");
        ApiError::NoOwnLimits(shared)
    })
}

/// Sets the limits in Redis and returns those in force; `None` while Redis is unavailable.
async fn enforce(
    services: &Services,
    provider: &str,
    account: &str,
    set: &SetLimits,
    version: i64,
) -> Option<LimitsView> {
    limits::enforce(&services.redis, account, set, version).await.ok()?;
    ask_again(services, provider);
    // Where each model has limits of its own, nobody goes by the provider's but for money.
    let (_, quota) = services.quotas_of(provider).find(|(_, quota)| quota.account() == account)?;
    Some(LimitsView::in_force(&quota.status().await.ok()?.limits))
}

/// Which model.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LimitsQuery {
    /// The model, such as `openai/gpt-oss-20b`: one with limits of its own. Without it the provider's limits are
    /// set, which all other models share.
    #[garde(skip)]
    model: Option<String>,
}

/// Limits. Null or missing means the configured one, 0 means no limit: of all but `calls_per_minute`.
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
    /// Tokens on any day (UTC).
    #[garde(inner(custom(number(0..=MOST))))]
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    tokens_per_day: Option<i64>,
}

impl RequestBody for LimitsBody {
    fn example() -> Value {
        json!({
            "calls_per_minute": 60,
            "tokens_per_minute": 0,
            "calls_per_day": null,
            "calls_at_once": null,
            "usd_per_day": 25.0,
            "tokens_per_day": null,
        })
    }
}

impl LimitsBody {
    fn into_limits(self, services: &Services, provider: &str, is_of_model: bool) -> Result<SetLimits, ApiError> {
        let usd = self.usd_per_day.map(MicroUsd::from_usd);
        if is_of_model && usd.is_some() {
            return Err(ApiError::invalid("/usd_per_day", "money is limited for a provider, not for a model"));
        }
        let unpriced = services.unpriced.iter().find(|name| name.split('/').next() == Some(provider));
        if let (Some(name), true) = (unpriced, usd.is_some_and(|usd| usd > MicroUsd(0))) {
            let detail = format!("no price is known for {name}: set COPYDESK_PRICES for the API and the workers");
            return Err(ApiError::Conflict(detail));
        }
        Ok(SetLimits {
            calls_per_minute: self.calls_per_minute,
            tokens_per_minute: self.tokens_per_minute,
            calls_per_day: self.calls_per_day,
            calls_at_once: self.calls_at_once,
            micro_usd_per_day: usd.map(|usd| i64::try_from(usd.0).unwrap_or(i64::MAX)),
            tokens_per_day: self.tokens_per_day,
        })
    }
}

/// A provider's limits.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitsAnswer {
    /// The provider.
    provider: String,
    /// The model whose limits these are; null where they are the provider's.
    #[schema(required = true)]
    model: Option<String>,
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
    /// Tokens on any day (UTC).
    #[schema(required = true)]
    tokens_per_day: Option<i64>,
}

impl LimitsView {
    fn of_set(set: &SetLimits) -> Self {
        let Limits { calls_per_minute, tokens_per_minute, calls_per_day, calls_at_once, tokens_per_day, .. } = *set;
        let usd_per_day = set.micro_usd_per_day.map(|micro| MicroUsd(micro.unsigned_abs()).usd());
        Self { calls_per_minute, tokens_per_minute, calls_per_day, calls_at_once, usd_per_day, tokens_per_day }
    }

    fn in_force(limits: &LimitsInForce) -> Self {
        let limit = |limit: u64| i64::try_from(limit).ok().filter(|limit| *limit > 0);
        Self {
            calls_per_minute: limit(limits.calls_per_minute),
            tokens_per_minute: limit(limits.tokens_per_minute),
            calls_per_day: limit(limits.calls_per_day),
            calls_at_once: limit(limits.calls_at_once),
            usd_per_day: limits.usd_per_day(),
            tokens_per_day: limit(limits.tokens_per_day),
        }
    }
}

/// Limits of a provider, or of one of its models, and how much of them is used.
#[derive(Debug, Serialize, ToSchema)]
pub struct LimitView {
    /// The provider.
    provider: String,
    /// The model that has these limits for itself; null where the provider's models share them.
    #[schema(required = true)]
    model: Option<String>,
    /// Calls in any 60 seconds, by all workers together.
    capacity: u64,
    /// Calls left.
    remaining: u64,
    /// Jobs that wait for a call.
    waiting: u64,
    /// Tokens of the calls of the last 60 seconds: taken, and reserved by those under way.
    tokens_used: u64,
    /// Calls made today (UTC).
    calls_today: u64,
    /// Tokens taken today (UTC), and reserved by calls under way; those in a provider's cache do not count.
    tokens_today: u64,
    /// Money spent with the provider today (UTC), in US dollars, as far as prices are known.
    usd_today: f64,
    /// Until when the provider gets no calls because it asked for a pause; null if it gets calls.
    #[schema(required = true)]
    closed_until: Option<DateTime<Utc>>,
    /// What an operator set; null for the configured limit, 0 for no limit.
    set: LimitsView,
    /// The limits in force; null for no limit.
    in_force: LimitsView,
    /// Where the provider tells other limits than those in force: what it tells, by model.
    told: Vec<ToldView>,
}

/// What a provider tells of its limits for a model, in the headers of its answers; null where that is what
/// holds here, or where it says nothing.
#[derive(Debug, Serialize, ToSchema)]
pub struct ToldView {
    /// The model.
    model: String,
    /// Calls on any day.
    #[schema(required = true)]
    calls_per_day: Option<u64>,
    /// Tokens in any 60 seconds.
    #[schema(required = true)]
    tokens_per_minute: Option<u64>,
}

impl LimitView {
    /// Models of one provider share its limits, but for those that have their own.
    pub fn all(quotas: Vec<(String, Status)>, set: &[ProviderLimits]) -> Vec<Self> {
        let mut by_account: BTreeMap<String, Vec<Status>> = BTreeMap::new();
        for (_, status) in quotas {
            by_account.entry(status.account()).or_default().push(status);
        }
        by_account.into_iter().filter_map(|(account, shared)| Self::of(&account, &shared, set)).collect()
    }

    fn of(account: &str, shared: &[Status], set: &[ProviderLimits]) -> Option<Self> {
        let status = shared.last()?;
        let set = set.iter().find(|set| set.account == account);
        Some(Self {
            model: status.is_own_account.then(|| status.model.clone()),
            capacity: status.limits.calls_per_minute,
            remaining: status.remaining,
            waiting: status.waiting,
            tokens_used: status.tokens_used,
            calls_today: status.calls_today,
            tokens_today: status.tokens_today,
            usd_today: status.spent_today.usd(),
            closed_until: status.closed_until,
            set: set.map(|set| LimitsView::of_set(&set.limits)).unwrap_or_default(),
            in_force: LimitsView::in_force(&status.limits),
            told: shared.iter().filter_map(ToldView::of).collect(),
            provider: status.provider.to_string(),
        })
    }
}

impl ToldView {
    fn of(status: &Status) -> Option<Self> {
        let told = status.told.other_than(&status.limits);
        let ToldLimits { calls_per_day, tokens_per_minute } = told;
        (told != ToldLimits::default()).then(|| Self { model: status.model.clone(), calls_per_day, tokens_per_minute })
    }
}
