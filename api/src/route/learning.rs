//! `/api/learning`: what people thought of a business's texts, and what was learned from it.

use axum::Json;
use axum::extract::State;
use copydesk_common::store;
use copydesk_domain::business::BusinessId;
use copydesk_domain::feedback::LearningStats;
use copydesk_domain::format::Format;
use copydesk_learning::effect::Figures;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::extract::{Business, Parameters};
use crate::state::Services;

pub mod lessons;
pub mod replay;

/// What people thought of a business's texts, and what learning was worth.
///
/// Without enough verdicts the figures are defaults: see `basis`. `figures` are those of the verdicts that hold, as of
/// the last one; null before the first.
#[utoipa::path(
    get,
    path = "/api/learning/stats/{business_id}",
    operation_id = "get_learning_stats",
    tag = "Learning",
    params(("business_id" = BusinessId, Path, description = "Your own name for the business."), StatsQuery),
    responses((status = 200, description = "The statistics.", body = LearningAnswer))
)]
pub async fn stats(
    State(services): State<Services>,
    Business(business_id): Business,
    Parameters(query): Parameters<StatsQuery>,
) -> Result<Json<LearningAnswer>, ApiError> {
    answer(&services, &business_id, query.content_type).await.map(Json)
}

/// What is known of a business's texts of one content type, or of all.
pub async fn answer(
    services: &Services,
    business_id: &BusinessId,
    content_type: Option<Format>,
) -> Result<LearningAnswer, ApiError> {
    let store = &services.store;
    let stats = services.within(store::feedback::stats::stats(store, business_id, content_type)).await?;
    let figures = services.within(store::learning::figures(store, business_id, content_type)).await?;
    let lessons = services.within(store::learning::lessons(store, business_id)).await?;
    let lessons = lessons::counts(&lessons, content_type);
    Ok(LearningAnswer { stats, figures, lessons })
}

/// What is known of a business's texts.
#[derive(Debug, Serialize, ToSchema)]
pub struct LearningAnswer {
    /// What people thought of them.
    #[serde(flatten)]
    stats: LearningStats,
    /// What learning was worth, how far the editor's scores are from people's, and how much is still edited by hand;
    /// null before the first verdict.
    #[schema(required = true)]
    figures: Option<Figures>,
    /// The lessons by what became of them.
    lessons: lessons::LessonCounts,
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
