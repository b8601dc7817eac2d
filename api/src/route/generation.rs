//! `/api/generations`: finished texts.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::{Extension, Json};
use copydesk_common::store;
use copydesk_common::store::generation::Page;
use copydesk_common::store::generation::regenerate::Regeneration;
use copydesk_domain::business::BusinessId;
use copydesk_domain::generation::{Degradation, Generation};
use copydesk_domain::id::GenerationId;
use copydesk_domain::trace::TraceParent;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::accept::AcceptedJob;
use crate::accepted::{Accepted, JobAccepted};
use crate::audit::Audit;
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::{Id, IdempotencyHeader, Key, Parameters};
use crate::refusal::RequestRemoved;
use crate::representation::JobBody;
use crate::state::Services;
use crate::validate::number;
use crate::{entity_tag, page};

/// Why a text cannot be regenerated.
const WITHOUT_REQUEST: &str = "the text's job was removed after its time, and the request with it: ask for the text anew \
    with POST /api/generate";

/// A business's finished texts, the last requested first.
///
/// With `degraded`, a page reads at most 2,000 degraded texts. It can then be short or empty
/// although more follow: the list ends when `next_cursor` is null.
#[utoipa::path(
    get,
    path = "/api/generations",
    operation_id = "list_generations",
    tag = "Generations",
    params(GenerationsQuery),
    responses((status = 200, description = "A page of generations.", body = GenerationPage))
)]
pub async fn list(
    State(services): State<Services>,
    caller: Caller,
    Parameters(query): Parameters<GenerationsQuery>,
) -> Result<Json<GenerationPage>, ApiError> {
    caller.check(&query.business_id)?;
    let limit = page::limit(query.limit);
    let (store, business_id, cursor) = (&services.store, &query.business_id, query.cursor);
    if let Some(degraded) = query.degraded {
        let found = store::generation::degraded(store, business_id, degraded, cursor, limit);
        let Page { generations: data, next: next_cursor } = services.within(found).await?;
        return Ok(Json(GenerationPage { data, next_cursor }));
    }
    let found = store::generation::list(store, business_id, cursor, page::read_limit(limit));
    let (data, next_cursor) = page::cut(services.within(found).await?, limit, |last| last.generation_id);
    Ok(Json(GenerationPage { data, next_cursor }))
}

/// A page of generations.
#[derive(Debug, Serialize, ToSchema)]
pub struct GenerationPage {
    /// The generations.
    data: Vec<Generation>,
    /// The `cursor` of the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<GenerationId>,
}

/// The business, a filter and the page.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct GenerationsQuery {
    /// The business.
    #[garde(skip)]
    business_id: BusinessId,
    /// Only texts with this degradation.
    #[garde(skip)]
    degraded: Option<Degradation>,
    /// Generations on a page.
    #[garde(inner(custom(number(1..=200))))]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[garde(skip)]
    cursor: Option<GenerationId>,
}

/// A finished text, with its current verdict.
///
/// 404 also until its job has ended; the job shows its progress.
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
        (
            status = 304,
            description = "Nothing has changed since the answer with the given `ETag`.",
            headers(("ETag" = String, description = "The same as that of the earlier answer.")),
        ),
    )
)]
pub async fn get(
    State(services): State<Services>,
    caller: Caller,
    Id(id): Id<GenerationId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    Ok(entity_tag::respond(&headers, &read(&services, &caller, id).await?)?)
}

/// A text of a business that the caller reaches.
pub(super) async fn read(services: &Services, caller: &Caller, id: GenerationId) -> Result<Generation, ApiError> {
    let generation = services.within(store::generation::get(&services.store, id)).await?;
    caller.only(generation, |generation| &generation.business_id, "generation")
}

/// Regenerate a text.
///
/// Makes a new job with the same request, whether or not the first text was degraded. The job has
/// its own generation and as much time as at first, from now on. It is paid for again. The first
/// text stays as it is. The request is kept with the first job: once that job is removed, which
/// `job_id` tells by being null, the answer is a 409.
#[utoipa::path(
    post,
    path = "/api/generations/{id}/regenerate",
    operation_id = "regenerate",
    tag = "Generations",
    params(("id" = GenerationId, Path, description = "The generation."), IdempotencyHeader),
    responses(JobAccepted, RequestRemoved)
)]
pub async fn regenerate(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    Extension(trace): Extension<TraceParent>,
    Id(id): Id<GenerationId>,
    Key(key): Key,
) -> Result<Accepted<JobBody>, ApiError> {
    let business_id = read(&services, &caller, id).await?.business_id;
    let change = audit.change("generations.regenerate", format!("generations/{id}")).of(Some(&business_id)).store();
    let regenerated = services.within(store::generation::regenerate::one(&change, id, key, trace)).await?;
    let (job, acceptance) = match regenerated {
        Regeneration::Accepted(job, acceptance) => (job, acceptance),
        Regeneration::Unknown => return Err(ApiError::NotFound("generation")),
        Regeneration::WithoutRequest => return Err(ApiError::Conflict(WITHOUT_REQUEST.to_owned())),
    };
    let accepted = AcceptedJob::of(*job, acceptance)?;
    if !accepted.replayed {
        services.announcer.announce_new(std::iter::once(&accepted.job));
    }
    Ok(accepted.into())
}
