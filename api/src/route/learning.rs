//! `GET /api/learning/stats/{business_id}`: what people thought of a business's texts.

use axum::Json;
use axum::extract::State;
use copydesk_common::store;
use copydesk_domain::business::BusinessId;
use copydesk_domain::feedback::LearningStats;
use copydesk_domain::format::Format;
use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::error::ApiError;
use crate::extract::{Business, Parameters};
use crate::state::Services;

/// What people thought of a business's texts.
///
/// Without enough verdicts the figures are defaults: see `basis`.
#[utoipa::path(
    get,
    path = "/api/learning/stats/{business_id}",
    operation_id = "get_learning_stats",
    tag = "Learning",
    params(("business_id" = BusinessId, Path, description = "Your own name for the business."), StatsQuery),
    responses((status = 200, description = "The statistics.", body = LearningStats))
)]
pub async fn stats(
    State(services): State<Services>,
    Business(business_id): Business,
    Parameters(query): Parameters<StatsQuery>,
) -> Result<Json<LearningStats>, ApiError> {
    let stats = store::feedback::stats::stats(&services.store, &business_id, query.content_type);
    services.within(stats).await.map(Json)
}

/// Filters of texts.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct StatsQuery {
    /// Only one format, by slug or name; all formats if it is missing.
    #[garde(skip)]
    #[param(value_type = Option<String>, example = "blog")]
    content_type: Option<Format>,
}
