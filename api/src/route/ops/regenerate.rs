//! `POST /api/ops/regenerate`: texts that lack something are made anew, many at once.

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

use crate::error::ApiError;
use crate::extract::{Body, RequestBody};
use crate::state::Services;

/// Texts that one call makes anew at most.
const MAX_BULK: u16 = 1_000;
/// Texts that are counted at most.
const MAX_COUNTED: u32 = 100_000;

/// Make many texts anew.
///
/// Those that had to do without something and were not made anew yet, the oldest first, up to 1,000 in one call: each
/// becomes a new job with the same request, of `bulk` priority, with a day at least, and is paid for again. `left` says
/// whether to call again. No text is made anew twice, however often this is called; one that becomes degraded again is
/// another text.
///
/// Without `"confirm": true` nothing is changed: `left` says how many there are.
#[utoipa::path(
    post,
    path = "/api/ops/regenerate",
    operation_id = "regenerate_many",
    tag = "Operators",
    request_body = RegenerateBody,
    responses((status = 200, description = "How many are made anew, and how many are left.", body = RegenerateAnswer))
)]
pub async fn regenerate_many(
    State(services): State<Services>,
    Extension(trace): Extension<TraceParent>,
    Body(body): Body<RegenerateBody>,
) -> Result<Json<RegenerateAnswer>, ApiError> {
    let RegenerateBody { degraded, business_id, since, confirm } = body;
    let filter = Filter { degraded, business_id, since };
    let mut accepted = 0;
    if confirm == Some(true) {
        let jobs = services.within(regenerate::many(&services.store, &filter, MAX_BULK, trace)).await?;
        services.announcer.announce_new(jobs.iter());
        accepted = jobs.len();
        tracing::info!(jobs = accepted, degraded = %degraded, "an operator has texts made anew");
    }
    let left = services.within(regenerate::count(&services.store, &filter, MAX_COUNTED)).await?;
    Ok(Json(RegenerateAnswer { accepted, left }))
}

/// Which texts are to be made anew.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RegenerateRequest, example = <RegenerateBody as RequestBody>::example)]
pub struct RegenerateBody {
    /// Those that had to do without this.
    #[garde(skip)]
    degraded: Degradation,
    /// Those of this business only.
    #[garde(skip)]
    business_id: Option<BusinessId>,
    /// Those only that were written since.
    #[garde(skip)]
    since: Option<DateTime<Utc>>,
    /// Without `true` they are only counted.
    #[garde(skip)]
    confirm: Option<bool>,
}

impl RequestBody for RegenerateBody {
    fn example() -> Value {
        json!({ "degraded": "fallback_writer", "business_id": "company_123", "since": "2026-11-26T00:00:00Z" })
    }
}

/// What became of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct RegenerateAnswer {
    /// How many jobs were accepted.
    accepted: usize,
    /// How many texts are left to be made anew: counted up to 100,000.
    left: u64,
}
