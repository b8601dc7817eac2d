//! `PUT` and `GET /api/ops/businesses/{business_id}/share`: a business's weight and concurrency
//! cap. They are stored in Postgres; the sweep restores them in Redis after a flush.

use axum::Json;
use axum::extract::State;
use copydesk_common::queue::Share;
use copydesk_common::store;
use copydesk_domain::business::BusinessId;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::audit::Audit;
use crate::error::ApiError;
use crate::extract::{Body, Business, RequestBody};
use crate::route::health::CHECK_TIMEOUT;
use crate::state::Services;
use crate::validate::number;

/// Set a business's share of the workers.
///
/// Applies to every worker at once, until it is set again, and survives a flush of Redis. All
/// fields are set: one that is null or missing falls back to the default. While Redis is
/// unavailable, the share is stored and comes into force soon after Redis is back.
#[utoipa::path(
    put,
    path = "/api/ops/businesses/{business_id}/share",
    operation_id = "put_share",
    tag = "Operators",
    params(("business_id" = BusinessId, Path, description = "The business.")),
    request_body = ShareBody,
    responses((status = 200, description = "The share as it is now.", body = ShareView))
)]
pub async fn put(
    State(services): State<Services>,
    audit: Audit,
    Business(business_id): Business,
    Body(body): Body<ShareBody>,
) -> Result<Json<ShareView>, ApiError> {
    let share = Share { weight: body.weight, jobs_at_once: body.jobs_at_once };
    let change = audit.change_of("shares.set", &business_id, "/share");
    let change = change.after(json!({ "weight": share.weight, "jobs_at_once": share.jobs_at_once })).store();
    let version = services.within(store::share::set(&change, &business_id, share)).await?;
    tracing::info!(business.id = %business_id, ?share, "an operator set a business's share");
    // If Redis is unavailable, the sweep sets it later.
    let _ = timeout(CHECK_TIMEOUT, enforce(&services, &business_id, share, version)).await;
    Ok(Json(ShareView::of(business_id, share)))
}

/// A business's share of the workers.
#[utoipa::path(
    get,
    path = "/api/ops/businesses/{business_id}/share",
    operation_id = "get_share",
    tag = "Operators",
    params(("business_id" = BusinessId, Path, description = "The business.")),
    responses((status = 200, description = "The share; all fields are null if none was set.", body = ShareView))
)]
pub async fn get(
    State(services): State<Services>,
    Business(business_id): Business,
) -> Result<Json<ShareView>, ApiError> {
    let share = services.within(store::share::get(&services.store, &business_id)).await?;
    Ok(Json(ShareView::of(business_id, share)))
}

async fn enforce(services: &Services, business_id: &BusinessId, share: Share, version: i64) {
    let shares = [(business_id.clone(), share, version)];
    for queue in &services.queues {
        if let Err(error) = queue.set_shares(&shares).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a share could not be set in Redis: it comes into force once Redis is back"
            );
        }
    }
}

/// A share. Null or missing means the default.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ShareRequest, example = <ShareBody as RequestBody>::example)]
pub struct ShareBody {
    /// Its weight: the number of turns for each turn of another business while both have a backlog;
    /// 1 by default. Applies to jobs that are accepted from now on.
    #[garde(inner(custom(number(1..=1_000))))]
    #[schema(minimum = 1, maximum = 1_000)]
    weight: Option<u32>,
    /// Its concurrency cap: the most of its jobs of each kind that run at once in all workers; 0
    /// for no cap, `COPYDESK_BUSINESS_JOBS_AT_ONCE` by default.
    #[garde(inner(custom(number(0..=1_000_000))))]
    #[schema(minimum = 0, maximum = 1_000_000)]
    jobs_at_once: Option<u32>,
}

impl RequestBody for ShareBody {
    fn example() -> Value {
        json!({ "weight": 2, "jobs_at_once": 8 })
    }
}

/// A business's share of the workers; null for the default.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShareView {
    /// The business.
    business_id: BusinessId,
    /// Its weight: the number of turns for each turn of a business of weight 1.
    #[schema(required = true)]
    weight: Option<u32>,
    /// Its concurrency cap: the most of its jobs of each kind that run at once in all workers; 0
    /// for no cap.
    #[schema(required = true)]
    jobs_at_once: Option<u32>,
}

impl ShareView {
    fn of(business_id: BusinessId, share: Share) -> Self {
        Self { business_id, weight: share.weight, jobs_at_once: share.jobs_at_once }
    }
}
