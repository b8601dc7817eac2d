//! `POST /api/ops/regenerate`: regenerates many degraded texts.

use axum::extract::State;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use copydesk_common::store::generation::regenerate::{self, Filter};
use copydesk_domain::business::BusinessId;
use copydesk_domain::generation::Degradation;
use copydesk_domain::trace::TraceParent;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::audit::Audit;
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::{Body, RequestBody};
use crate::state::Services;

/// The most texts that one call regenerates.
const MAX_BULK: u16 = 1_000;
/// The most texts that are counted.
const MAX_COUNTED: u32 = 100_000;

/// Regenerate many texts.
///
/// Regenerates degraded texts that were not regenerated before, oldest first, up to 1,000 in one
/// call. Each becomes a new job with the same request, `bulk` priority and a deadline of at least a
/// day, and is paid for again. `left` says whether to call again. No text is regenerated twice,
/// however often this is called; if the new text is degraded too, it counts as another text.
///
/// Without `"confirm": true` nothing is changed: `left` is the number of such texts.
#[utoipa::path(
    post,
    path = "/api/ops/regenerate",
    operation_id = "regenerate_many",
    tag = "Operators",
    request_body = RegenerateBody,
    responses((status = 200, description = "The numbers of accepted jobs and of texts left.", body = RegenerateAnswer))
)]
pub async fn regenerate_many(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    Extension(trace): Extension<TraceParent>,
    Body(body): Body<RegenerateBody>,
) -> Result<Json<RegenerateAnswer>, ApiError> {
    caller.check_within(body.business_id.as_ref())?;
    let RegenerateBody { degraded, business_id, since, confirm } = body;
    let filter = Filter { degraded, business_id, since };
    let mut accepted = 0;
    if confirm == Some(true) {
        let change = audit.change("generations.regenerate_many", "generations").of(filter.business_id.as_ref());
        let change = change.after(json!({ "degraded": degraded, "since": since })).store();
        let jobs = services.within(regenerate::many(&change, &filter, MAX_BULK, trace)).await?;
        services.announcer.announce_new(jobs.iter());
        accepted = jobs.len();
        tracing::info!(jobs = accepted, degraded = %degraded, "an operator started the regeneration of texts");
    }
    let left = services.within(regenerate::count(&services.store, &filter, MAX_COUNTED)).await?;
    Ok(Json(RegenerateAnswer { accepted, left }))
}

/// Which texts to regenerate.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegenerateRequest, example = <RegenerateBody as RequestBody>::example)]
pub struct RegenerateBody {
    /// Texts with this degradation.
    #[garde(skip)]
    degraded: Degradation,
    /// Only texts of this business.
    #[garde(skip)]
    business_id: Option<BusinessId>,
    /// Only texts written since.
    #[garde(skip)]
    since: Option<DateTime<Utc>>,
    /// Without `true`, texts are only counted.
    #[garde(skip)]
    confirm: Option<bool>,
}

impl RequestBody for RegenerateBody {
    fn example() -> Value {
        json!({ "degraded": "fallback_writer", "business_id": "company_123", "since": "2026-11-26T00:00:00Z" })
    }
}

/// The result of a bulk regeneration.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegenerateAnswer {
    /// How many jobs were accepted.
    accepted: usize,
    /// How many texts are left to regenerate, counted up to 100,000.
    left: u64,
}
