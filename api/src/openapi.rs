//! The API reference. What operations have in common is added here, based on each operation's
//! properties, so that no route can forget it. The rest comes from the handlers' types.

use axum::http::{Method, StatusCode};
use utoipa::OpenApi;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, PathItem};
use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::auth::is_uncounted;
use crate::auth::need::Need;
use crate::auth::presented::{SESSION_COOKIE, TICKET};
use crate::error::problem_of;
use crate::problem::MEDIA_TYPE;

mod taken;

/// The names of the ways to be let in.
const KEY: &str = "key";
const SESSION: &str = "session";
const TICKET_SCHEME: &str = "ticket";

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
    tags(
        (name = "Jobs", description = "Ask for work, and follow it."),
        (name = "Generations", description = "Finished texts."),
        (name = "Businesses", description = "Profiles."),
        (name = "Knowledge", description = "Documents to write from."),
        (name = "Learning", description = "What people thought of the texts."),
        (name = "Sessions", description = "A browser's login with a key."),
        (name = "Problems", description = "What errors mean."),
        (name = "Access", description = "API keys, and what was done with them."),
        (name = "Operators", description = "The state of the service, and interventions."),
    )
)]
pub struct Reference;

/// Adds the errors and headers that operations have in common, and what the derived schemas cannot
/// say.
pub fn complete(reference: &mut utoipa::openapi::OpenApi) {
    if let Some(components) = &mut reference.components {
        complete_schemas(components);
        schemes().into_iter().for_each(|(name, scheme)| components.add_security_scheme(name, scheme));
    }
    for (path, item) in &mut reference.paths.paths {
        for (method, operation) in operations(item) {
            if method != Method::GET {
                add_problem(operation, StatusCode::FORBIDDEN, "A web page of another origin sent the request.");
            }
            add_problems(operation, path);
            taken::complete_operation(operation);
            add_replayed(operation);
            add_retry_after(operation);
            add_rate(operation);
            add_request_id(operation);
        }
    }
}

/// The reference in lines, in an order that changes only with its content.
pub fn pretty() -> serde_json::Result<String> {
    serde_json::to_string_pretty(&serde_json::to_value(crate::router::reference())?)
}

/// The operations of a path.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let all = [
        (Method::GET, get),
        (Method::PUT, put),
        (Method::POST, post),
        (Method::DELETE, delete),
        (Method::PATCH, patch),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

/// Says what lets a request in.
pub(crate) fn secure(operation: &mut Operation, path: &str, need: Need) {
    let scopes: Vec<_> = need.scope().iter().map(|scope| scope.as_str()).collect();
    let by = |scheme| SecurityRequirement::new::<_, _, &str>(scheme, scopes.iter().copied());
    let requirements = match need {
        Need::Nothing => vec![SecurityRequirement::default()],
        Need::ScopeOrTicket(_) => vec![by(KEY), by(SESSION), by(TICKET_SCHEME)],
        Need::Key | Need::Scope(_) | Need::Service(_) | Need::Metrics => vec![by(KEY), by(SESSION)],
    };
    operation.security = Some(requirements);
    if need != Need::Nothing || !is_uncounted(path) {
        let detail = "Too many requests: try again after `Retry-After` seconds.";
        add_problem(operation, StatusCode::TOO_MANY_REQUESTS, detail);
    }
    if need == Need::Nothing {
        return;
    }
    add_problem(operation, StatusCode::UNAUTHORIZED, "There is no API key, or it does not count.");
    let lacking = match need {
        Need::Service(_) | Need::Metrics => "The key lacks a scope, or reaches only some businesses.",
        _ => "The key lacks a scope.",
    };
    add_problem(operation, StatusCode::FORBIDDEN, lacking);
    if matches!(need, Need::Scope(_) | Need::ScopeOrTicket(_)) {
        add_problem(
            operation,
            StatusCode::NOT_FOUND,
            "What the request names does not exist, or the key does not reach it.",
        );
    }
}

/// The schemes of [`secure`].
fn schemes() -> [(&'static str, SecurityScheme); 3] {
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("cpd_…")
        .description(Some("An API key. The scope that an operation needs stands beside it."));
    let session = ApiKeyValue::with_description(
        SESSION_COOKIE,
        "The session of a browser: `POST /api/session`. What changes something sends its `csrf_token` as `x-csrf-token`.",
    );
    let ticket = ApiKeyValue::with_description(TICKET, "A ticket for one event stream: `POST /api/jobs/{id}/ticket`.");
    [
        (KEY, SecurityScheme::Http(key.build())),
        (SESSION, SecurityScheme::ApiKey(ApiKey::Cookie(session))),
        (TICKET_SCHEME, SecurityScheme::ApiKey(ApiKey::Query(ticket))),
    ]
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
    let retried = responses.iter_mut().filter(|(status, _)| matches!(status.as_str(), "409" | "429" | "503"));
    for (_, response) in retried.filter(|(_, response)| is_problem(response)) {
        add_header(response, "Retry-After", Type::Integer, "Seconds after which to try again, where that can help.");
    }
}

/// Adds what is left of a key's limit to operations that need one. Refusals tell it too, but only one is about it.
fn add_rate(operation: &mut Operation) {
    let needs_none = |requirements: &Vec<_>| requirements.contains(&SecurityRequirement::default());
    if operation.security.as_ref().is_none_or(needs_none) {
        return;
    }
    let responses = operation.responses.responses.iter_mut();
    for (_, response) in responses.filter(|(status, _)| status.starts_with('2') || *status == "429") {
        let policy = "The key's limit, such as `\"default\";q=600;w=60`: `q` requests in `w` seconds.";
        add_header(response, "RateLimit-Policy", Type::String, policy);
        let left = "What is left, such as `\"default\";r=150;t=8`: `r` requests now, all of them in `t` seconds.";
        add_header(response, "RateLimit", Type::String, left);
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
    for name in ["LearningAnswer", "ToldLesson"] {
        merge(components, name);
    }
    schema("JobResult", components, &any_of_them);
    schema("DocumentForm", components, &closed);
    taken::complete(components);
}

/// An object that has the fields of another one beside its own is told as one object.
fn merge(components: &mut Components, name: &str) {
    let Some(RefOr::T(Schema::AllOf(parts))) = components.schemas.get(name) else { return };
    let object = |part: &RefOr<Schema>| match part {
        RefOr::T(Schema::Object(object)) => Some(object.clone()),
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next()?;
            match components.schemas.get(name)? {
                RefOr::T(Schema::Object(object)) => Some(object.clone()),
                _ => None,
            }
        }
        RefOr::T(_) => None,
    };
    let merged = parts.items.iter().filter_map(object).reduce(|mut merged, next| {
        merged.properties.extend(next.properties);
        merged.required.extend(next.required);
        merged
    });
    if let Some(mut merged) = merged {
        merged.description.clone_from(&parts.description);
        components.schemas.insert(name.to_owned(), Schema::Object(merged).into());
    }
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
