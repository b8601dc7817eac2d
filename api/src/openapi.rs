//! The API reference. What operations have in common is added here, based on each operation's
//! properties, so that no route can forget it. The rest comes from the handlers' types.

use axum::http::StatusCode;
use utoipa::OpenApi;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, PathItem};
use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{Components, ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::error::problem_of;
use crate::problem::MEDIA_TYPE;

mod taken;

/// The frame of the reference.
#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Copydesk",
        description = "Writes content for businesses and learns from people's verdicts.\n\n\
            A POST requests work and answers 202 once the job is stored: no crash loses it. \
            `GET /api/jobs/{id}?wait=30` then answers as soon as the job has ended, and `GET /api/jobs/{id}/events` \
            streams what happens meanwhile.\n\n\
            JSON in UTF-8, times in RFC 3339 UTC, ids are UUIDv7. Errors are RFC 9457 \
            `application/problem+json`; the `errors` of a 422 name every wrong value by its JSON pointer into the \
            body, or by `/name` for a parameter of the path or the query. Every response carries `x-request-id`: \
            yours, if you sent one of 1–128 letters, digits, `.`, `_` or `-`.\n\n\
            POSTs that create take an `Idempotency-Key`: send it, and a request can be repeated without doing \
            anything twice.",
    ),
    // Relative to where the document is served: whatever the address, the operations are there too.
    servers((url = "/", description = "The service that serves this document.")),
    // No operation needs a key.
    security(()),
    tags(
        (name = "Jobs", description = "Ask for work, and follow it."),
        (name = "Generations", description = "Finished texts."),
        (name = "Businesses", description = "Profiles."),
        (name = "Knowledge", description = "Documents to write from."),
        (name = "Learning", description = "What people thought of the texts."),
        (name = "Problems", description = "What errors mean."),
        (name = "Operators", description = "The state of the service, and interventions."),
    )
)]
pub struct Reference;

/// Adds the errors and headers that operations have in common, and what the derived schemas cannot
/// say.
pub fn complete(reference: &mut utoipa::openapi::OpenApi) {
    if let Some(components) = &mut reference.components {
        complete_schemas(components);
    }
    for (path, item) in &mut reference.paths.paths {
        for (changes, operation) in operations(item) {
            if changes {
                add_problem(operation, StatusCode::FORBIDDEN, "A web page of another origin sent the request.");
            }
            add_problems(operation, path);
            taken::complete_operation(operation);
            add_replayed(operation);
            add_retry_after(operation);
            add_request_id(operation);
        }
    }
}

/// The reference in lines, in an order that changes only with its content.
pub fn pretty() -> serde_json::Result<String> {
    serde_json::to_string_pretty(&serde_json::to_value(crate::router::reference())?)
}

/// The operations of a path, and whether they change anything.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let all = [(false, get), (true, put), (true, post), (true, delete), (true, patch)];
    all.into_iter().filter_map(|(changes, operation)| Some((changes, operation.as_mut()?)))
}

fn add_problem(operation: &mut Operation, status: StatusCode, description: &str) {
    let responses = &mut operation.responses.responses;
    responses.entry(status.as_str().to_owned()).or_insert_with(|| RefOr::T(problem(status, description)));
}

fn add_problems(operation: &mut Operation, path: &str) {
    let takes_body = operation.request_body.is_some();
    let by_presence = [
        (takes_body, StatusCode::BAD_REQUEST, "The body is missing or cannot be read."),
        (takes_body, StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time."),
        (takes_body, StatusCode::PAYLOAD_TOO_LARGE, "The body is too large."),
        (true, StatusCode::BAD_REQUEST, "The request names no host, or two."),
        (true, StatusCode::URI_TOO_LONG, "The path and the query are too long."),
        (true, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large, or too many."),
        (true, StatusCode::MISDIRECTED_REQUEST, "The host is not in `COPYDESK_ALLOWED_HOSTS`."),
        (true, StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body's content type is not supported."),
        (path.contains('{'), StatusCode::NOT_FOUND, "What the path names does not exist."),
        (true, StatusCode::UNPROCESSABLE_ENTITY, "Some values are invalid: `errors` names all of them."),
        (
            true,
            StatusCode::SERVICE_UNAVAILABLE,
            "A service that the request needs is unavailable: try again after `Retry-After` seconds.",
        ),
        (true, StatusCode::INTERNAL_SERVER_ERROR, "An internal error; it was logged with the `x-request-id`."),
    ];
    for (_, status, description) in by_presence.into_iter().filter(|(present, ..)| *present) {
        add_problem(operation, status, description);
    }
}

fn problem(status: StatusCode, description: &str) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .example(serde_json::to_value(problem_of(status)).ok())
        .build();
    ResponseBuilder::new().description(description).content(MEDIA_TYPE, content).build()
}

fn add_request_id(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        add_header(response, "x-request-id", Type::String, "Identifies the request in the service's logs.");
    }
}

/// Adds the header that marks an earlier answer to operations with an idempotency key.
fn add_replayed(operation: &mut Operation) {
    let is_key = |parameter: &RefOr<Parameter>| matches!(parameter, RefOr::T(p) if p.name == "Idempotency-Key");
    if !operation.parameters.iter().flatten().any(is_key) {
        return;
    }
    for (status, response) in &mut operation.responses.responses {
        if status.starts_with('2') {
            let description = "`true` if this is the answer of an earlier request with the same key.";
            add_header(response, "Idempotency-Replayed", Type::String, description);
        }
    }
}

/// Adds the header that says when to try again, where trying again can help.
fn add_retry_after(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    let retried = responses.iter_mut().filter(|(status, _)| matches!(status.as_str(), "409" | "503"));
    for (_, response) in retried.filter(|(_, response)| is_problem(response)) {
        add_header(response, "Retry-After", Type::Integer, "Seconds after which to try again, where that can help.");
    }
}

fn is_problem(response: &RefOr<Response>) -> bool {
    matches!(response, RefOr::T(response) if response.content.contains_key(MEDIA_TYPE))
}

fn add_header(response: &mut RefOr<Response>, name: &str, kind: Type, description: &str) {
    if let RefOr::T(response) = response {
        let header = HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(kind).build()))
            .description(Some(description))
            .build();
        response.headers.insert(name.to_owned(), header.into());
    }
}

fn complete_schemas(components: &mut Components) {
    let schema = |name: &str, components: &mut Components, change: &dyn Fn(&mut Schema)| {
        if let Some(RefOr::T(schema)) = components.schemas.get_mut(name) {
            change(schema);
        }
    };
    schema("JobResult", components, &any_of_them);
    schema("DocumentForm", components, &closed);
    taken::complete(components);
}

/// A result of one kind of job is also an object, as those of other kinds are: so it is not one of
/// them only.
fn any_of_them(schema: &mut Schema) {
    if let Schema::OneOf(one) = schema {
        let items = one.items.drain(..);
        let any = items.fold(AnyOfBuilder::new(), AnyOfBuilder::item);
        *schema = any.description(one.description.take()).build().into();
    }
}

/// Fields that are not named are refused.
fn closed(schema: &mut Schema) {
    if let Schema::Object(object) = schema {
        object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
    }
}
