//! `GET /api/generations/{id}`: a finished text.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use copydesk_common::generation::{Generation, GenerationId};
use copydesk_common::store;

use crate::entity_tag;
use crate::error::ApiError;
use crate::extract::Id;
use crate::state::Services;

/// A finished text, with the verdict that holds for it.
///
/// 404 also while its job has not ended: the job tells how far it is.
#[utoipa::path(
    get,
    path = "/api/generations/{id}",
    operation_id = "get_generation",
    tag = "Generations",
    params(
        ("id" = GenerationId, Path, description = "The generation."),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer."),
    ),
    responses(
        (
            status = 200,
            description = "The generation.",
            body = Generation,
            headers(("ETag" = String, description = "Changes with the answer.")),
        ),
        (status = 304, description = "Nothing has changed since the answer with the given `ETag`."),
    )
)]
pub async fn get(
    State(services): State<Services>,
    Id(id): Id<GenerationId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let generation = services.within(store::generation::get(&services.store, None, id)).await?;
    Ok(entity_tag::respond(&headers, &generation.ok_or(ApiError::NotFound("generation"))?))
}
