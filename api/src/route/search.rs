//! `GET /api/businesses/{business_id}/search`: the passages that the writer would get.

use axum::Json;
use axum::extract::State;
use copydesk_domain::business::BusinessId;
use copydesk_domain::document::DocumentKind;
use copydesk_domain::generation::Degradation;
use copydesk_domain::id::DocumentId;
use copydesk_knowledge::Hit;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::extract::{Business, Parameters};
use crate::state::Services;
use crate::validate::{self, chars, number};

/// The default number of passages.
const DEFAULT_LIMIT: i64 = 10;

/// Search a business's documents.
///
/// Shows the passages that the writer would get for this topic, best first. This search is by
/// words. If search by meaning is configured, the writer also gets passages that say the same in
/// other words; this search shows those too for a topic of a text from the last hour. Other queries
/// are searched by words only, and `degraded` says so.
#[utoipa::path(
    get,
    path = "/api/businesses/{business_id}/search",
    operation_id = "search_documents",
    tag = "Knowledge",
    params(("business_id" = BusinessId, Path, description = "Your own name for the business."), SearchQuery),
    responses((status = 200, description = "The passages that fit best.", body = SearchResult))
)]
pub async fn search(
    State(services): State<Services>,
    Business(business_id): Business,
    Parameters(query): Parameters<SearchQuery>,
) -> Result<Json<SearchResult>, ApiError> {
    let limit = usize::try_from(query.limit.unwrap_or(DEFAULT_LIMIT)).unwrap_or(0);
    let found = services.within(services.knowledge.search(&business_id, &query.q, limit)).await?;
    Ok(Json(SearchResult {
        data: found.hits.into_iter().map(Passage::of).collect(),
        degraded: found.lacks_vectors.then_some(Degradation::EmbeddingsUnavailable).into_iter().collect(),
    }))
}

/// What to look for.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SearchQuery {
    /// Plain words.
    #[garde(custom(chars(1..=500)))]
    #[serde(default, deserialize_with = "validate::trimmed")]
    #[param(required = true, min_length = 1, max_length = 500)]
    q: String,
    /// The most passages.
    #[garde(inner(custom(number(1..=50))))]
    #[param(minimum = 1, maximum = 50, default = 10)]
    limit: Option<i64>,
}

/// Passages, best first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchResult {
    /// The passages.
    data: Vec<Passage>,
    /// What was missing: `embeddings_unavailable` if the search was by words only although search
    /// by meaning is configured.
    degraded: Vec<Degradation>,
}

/// A passage of a document.
#[derive(Debug, Serialize, ToSchema)]
pub struct Passage {
    /// The document.
    document_id: DocumentId,
    /// The passage's position in the document, from 0.
    chunk: i32,
    /// The document's title.
    title: String,
    /// The title and the headings above the passage.
    heading_path: String,
    /// What the document is for. Style guides and policies guide the writer: it cites nothing of
    /// them.
    kind: DocumentKind,
    /// The passage.
    text: String,
    /// Where the document can be read.
    #[schema(required = true)]
    url: Option<String>,
    /// The score; comparable only within one answer.
    score: f32,
}

impl Passage {
    fn of(hit: Hit) -> Self {
        Self {
            document_id: hit.chunk.document_id,
            chunk: hit.chunk.ordinal,
            title: hit.chunk.title,
            heading_path: hit.chunk.heading_path,
            kind: hit.chunk.kind,
            text: hit.chunk.text,
            url: hit.chunk.url,
            score: hit.score,
        }
    }
}
