//! `/api/businesses/{business_id}/documents`: the sources that a business uploads.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use copydesk_common::clock;
use copydesk_common::store;
use copydesk_common::store::document::reread;
use copydesk_common::store::idempotency::Once;
use copydesk_domain::business::BusinessId;
use copydesk_domain::document::{Document, DocumentKind, IngestPayload};
use copydesk_domain::id::{DocumentId, JobId};
use copydesk_domain::job::{NewJob, Priority};
use copydesk_domain::trace::TraceParent;
use copydesk_domain::work::Work;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::accepted::{Accepted, DEFAULT_DEADLINE_SECONDS, MAX_ATTEMPTS, deadline};
use crate::audit::Audit;
use crate::error::ApiError;
use crate::extract::document::{DocumentBody, DocumentForm};
use crate::extract::{Body, Business, Id, IdempotencyHeader, Parameters, RequestBody, Upload};
use crate::page;
use crate::refusal::RequestInProgress;
use crate::representation::JobBody;
use crate::state::Services;
use crate::validate::number;

/// Add a document.
///
/// Text as JSON, or a form with one file of at most 10 MiB: Markdown, text, HTML, PDF or Word. A
/// job makes it searchable; if that fails, the job's `error` says what to do. A document replaces
/// an earlier one with the same `external_id`.
#[utoipa::path(
    post,
    path = "/api/businesses/{business_id}/documents",
    operation_id = "add_document",
    tag = "Knowledge",
    params(("business_id" = BusinessId, Path, description = "Your own name for the business."), IdempotencyHeader),
    request_body(content((DocumentBody = "application/json"), (DocumentForm = "multipart/form-data"))),
    responses(
        (
            status = 202,
            description = "The document was stored; the job makes it searchable.",
            body = AcceptedDocument,
            headers(
                ("Location" = String, description = "The job's path."),
                ("Retry-After" = u16, description = "Seconds after which to look first."),
            ),
        ),
        RequestInProgress,
    )
)]
pub async fn add(
    State(services): State<Services>,
    audit: Audit,
    Business(business_id): Business,
    Extension(trace): Extension<TraceParent>,
    Upload { key, document }: Upload,
) -> Result<Accepted<Value>, ApiError> {
    let document = document.into_document(business_id.clone());
    let job = |id| ingest_job(&business_id, id, Priority::Interactive, trace);
    let change = audit.change_of("documents.put", &business_id, "/documents").store();
    let put = store::document::put(&change, &document, key.as_ref(), job, answer);
    let (body, replayed) = match services.within(put).await? {
        Once::Done((document, job)) => {
            services.announcer.announce_new([&job].into_iter());
            (answer(&document, &job), false)
        }
        Once::Before(answer) => (answer, true),
        Once::KeyReused => return Err(ApiError::KeyReused),
        Once::Running => return Err(ApiError::StillRunning),
    };
    let location = body.pointer("/job/links/self").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Accepted { location, replayed, body })
}

fn answer(document: &Document, job: &NewJob) -> Value {
    json!(AcceptedDocument { document: document.clone(), job: JobBody::of_new(job.clone()) })
}

fn ingest_job(business_id: &BusinessId, document_id: DocumentId, priority: Priority, trace: TraceParent) -> NewJob {
    let work = Work::Ingest(IngestPayload { document_id });
    let created_at = clock::now();
    NewJob {
        id: JobId::new(),
        kind: work.kind(),
        business_id: business_id.clone(),
        generation_id: None,
        priority,
        payload: work.payload(),
        metadata: json!({}),
        max_attempts: MAX_ATTEMPTS,
        created_at,
        run_at: None,
        deadline_at: Some(deadline(created_at, None, DEFAULT_DEADLINE_SECONDS)),
        trace,
    }
}

/// A business's documents, newest first.
#[utoipa::path(
    get,
    path = "/api/businesses/{business_id}/documents",
    operation_id = "list_documents",
    tag = "Knowledge",
    params(("business_id" = BusinessId, Path, description = "Your own name for the business."), PageQuery),
    responses((status = 200, description = "A page of documents.", body = DocumentPage))
)]
pub async fn list(
    State(services): State<Services>,
    Business(business_id): Business,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<DocumentPage>, ApiError> {
    let limit = page::limit(query.limit);
    let found = store::document::list(&services.store, &business_id, query.cursor, page::read_limit(limit));
    let (data, next_cursor) = page::cut(services.within(found).await?, limit, |last| last.id);
    Ok(Json(DocumentPage { data, next_cursor }))
}

/// The most documents that one call reads again.
const MAX_REREAD: u16 = 1_000;
/// The most documents that are counted.
const MAX_COUNTED: u32 = 100_000;

/// Read documents again.
///
/// Reads documents again that an older version of the readers read, or could not read: oldest first,
/// up to 1,000 in one call. Each gets an ingest job of `bulk` priority. Until it ends, the writer
/// uses the document as it was. Documents with an open job are left out; `left` counts them too, and
/// is 0 once all are read by the current version.
#[utoipa::path(
    post,
    path = "/api/businesses/{business_id}/documents/reread",
    operation_id = "reread_documents",
    tag = "Knowledge",
    params(("business_id" = BusinessId, Path, description = "Your own name for the business.")),
    responses((status = 200, description = "The jobs, and the number of documents left.", body = RereadAnswer))
)]
pub async fn reread(
    State(services): State<Services>,
    audit: Audit,
    Business(business_id): Business,
    Extension(trace): Extension<TraceParent>,
) -> Result<Json<RereadAnswer>, ApiError> {
    let job = |id| ingest_job(&business_id, id, Priority::Bulk, trace);
    let change = audit.change_of("documents.reread", &business_id, "/documents").store();
    let jobs = services.within(reread::many(&change, &business_id, MAX_REREAD, job)).await?;
    services.announcer.announce_new(jobs.iter());
    let left = services.within(reread::count(&services.store, &business_id, MAX_COUNTED)).await?;
    Ok(Json(RereadAnswer { accepted: jobs.len(), jobs: jobs.iter().map(|job| job.id).collect(), left }))
}

/// What is read again.
#[derive(Debug, Serialize, ToSchema)]
pub struct RereadAnswer {
    /// How many jobs were accepted.
    accepted: usize,
    /// The jobs.
    jobs: Vec<JobId>,
    /// How many documents the current version has not read yet, counted up to 100,000.
    left: u64,
}

/// One document, without its text.
#[utoipa::path(
    get,
    path = "/api/businesses/{business_id}/documents/{id}",
    operation_id = "get_document",
    tag = "Knowledge",
    params(
        ("business_id" = BusinessId, Path, description = "Your own name for the business."),
        ("id" = DocumentId, Path, description = "The document."),
    ),
    responses((status = 200, description = "The document.", body = Document))
)]
pub async fn get(
    State(services): State<Services>,
    Business(business_id): Business,
    Id(id): Id<DocumentId>,
) -> Result<Json<Document>, ApiError> {
    let document = services.within(store::document::get(&services.store, &business_id, id)).await?;
    document.map(Json).ok_or(ApiError::NotFound("document"))
}

/// Say what a document is for.
///
/// Workers tell it by the document's text; what is said here stands, also when the document is
/// replaced. Style guides and policies guide the writer: nothing of them is content.
#[utoipa::path(
    patch,
    path = "/api/businesses/{business_id}/documents/{id}",
    operation_id = "change_document",
    tag = "Knowledge",
    params(
        ("business_id" = BusinessId, Path, description = "Your own name for the business."),
        ("id" = DocumentId, Path, description = "The document."),
    ),
    request_body = DocumentChange,
    responses((status = 200, description = "The document as it is now.", body = Document))
)]
pub async fn patch(
    State(services): State<Services>,
    audit: Audit,
    Business(business_id): Business,
    Id(id): Id<DocumentId>,
    Body(change): Body<DocumentChange>,
) -> Result<Json<Document>, ApiError> {
    let audited = audit.change_of("documents.change", &business_id, format_args!("/documents/{id}")).store();
    let changed = services.within(store::document::set_kind(&audited, &business_id, id, change.kind)).await?;
    changed.map(Json).ok_or(ApiError::NotFound("document"))
}

/// What changes of a document.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = <DocumentChange as RequestBody>::example)]
pub struct DocumentChange {
    /// What it is for.
    #[garde(skip)]
    kind: DocumentKind,
}

impl RequestBody for DocumentChange {
    fn example() -> Value {
        json!({ "kind": "style_guide" })
    }
}

/// Delete a document and everything made from it.
#[utoipa::path(
    delete,
    path = "/api/businesses/{business_id}/documents/{id}",
    operation_id = "delete_document",
    tag = "Knowledge",
    params(
        ("business_id" = BusinessId, Path, description = "Your own name for the business."),
        ("id" = DocumentId, Path, description = "The document."),
    ),
    responses((status = 204, description = "The document is gone."))
)]
pub async fn delete(
    State(services): State<Services>,
    audit: Audit,
    Business(business_id): Business,
    Id(id): Id<DocumentId>,
) -> Result<StatusCode, ApiError> {
    let change = audit.change_of("documents.delete", &business_id, format_args!("/documents/{id}")).store();
    let deleted = services.within(store::document::delete(&change, &business_id, id)).await?;
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NotFound("document")) }
}

/// A stored document and the job that makes it searchable.
#[derive(Debug, Serialize, ToSchema)]
pub struct AcceptedDocument {
    /// The document.
    document: Document,
    /// The job.
    job: JobBody,
}

/// A page of documents.
#[derive(Debug, Serialize, ToSchema)]
pub struct DocumentPage {
    /// The documents.
    data: Vec<Document>,
    /// The `cursor` of the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<DocumentId>,
}

/// Which page.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Documents on a page.
    #[garde(inner(custom(number(1..=200))))]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[garde(skip)]
    cursor: Option<DocumentId>,
}
