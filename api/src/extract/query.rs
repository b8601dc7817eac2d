//! Query strings: typed and checked. [`refused`] refuses unknown parameters for all routes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::body::HttpBody;
use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::http::Method;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, RefOr};

use super::body::{is_json, violations};
use super::explain::{escaped, pointer};
use super::walk::NUL;
use crate::error::ApiError;
use crate::faults::Faults;

/// The route's query parameters.
#[derive(Debug)]
pub struct Parameters<T>(pub T);

impl<S, T> FromRequestParts<S> for Parameters<T>
where
    S: Send + Sync,
    T: DeserializeOwned + garde::Validate<Context = ()>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let query: T = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs))
            .map_err(|error| ApiError::invalid(pointer(error.path()), error.inner().to_string()))?;
        match violations(&query) {
            errors if errors.is_empty() => Ok(Self(query)),
            errors => Err(ApiError::Invalid(errors)),
        }
    }
}

/// What each operation of the reference takes.
pub type Operations = Arc<HashMap<(Method, String), Takes>>;

/// What an operation takes.
#[derive(Debug)]
pub struct Takes {
    /// Its query parameters.
    parameters: HashSet<String>,
    /// Whether it takes a body.
    body: bool,
}

/// The operations of the API reference: what else a request holds is refused.
pub fn operations(reference: &OpenApi) -> Operations {
    let mut known = HashMap::new();
    for (path, item) in &reference.paths.paths {
        for (method, operation) in [
            (Method::GET, &item.get),
            (Method::HEAD, &item.get),
            (Method::PUT, &item.put),
            (Method::POST, &item.post),
            (Method::PATCH, &item.patch),
            (Method::DELETE, &item.delete),
        ] {
            if let Some(operation) = operation {
                let takes = Takes { parameters: names(operation), body: operation.request_body.is_some() };
                known.insert((method, path.clone()), takes);
            }
        }
    }
    Arc::new(known)
}

fn names(operation: &Operation) -> HashSet<String> {
    let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) if matches!(parameter.parameter_in, ParameterIn::Query) => Some(parameter.name.clone()),
        _ => None,
    });
    parameters.collect()
}

/// The error of a request with unknown or duplicate query parameters: if a misspelt `?wiat=30` were
/// ignored, the mistake would be found much later. Or with a body that its operation does not take:
/// one of JSON does no harm, and many clients send `{}`; other ones a foreign page can send unasked.
pub fn refused(known: &Operations, request: &Request) -> Option<ApiError> {
    let has_body = !request.body().is_end_stream();
    if request.uri().query().is_none() && !has_body {
        return None;
    }
    let route = request.extensions().get::<MatchedPath>()?.as_str();
    let takes = known.get(&(request.method().clone(), route.to_owned()))?;
    if has_body && !takes.body && !is_json(request.headers()) {
        return Some(ApiError::UnsupportedMediaType("application/json, and this route needs no body"));
    }
    let errors = misused(request.uri().query().unwrap_or_default(), &takes.parameters);
    if errors.is_empty() { None } else { Some(ApiError::Invalid(errors)) }
}

fn misused(query: &str, names: &HashSet<String>) -> Faults {
    let mut seen = HashSet::new();
    let mut faults = Faults::default();
    // The parser skips empty pairs, and takes U+FFFD for what is no UTF-8.
    let raw = query.split('&').filter(|pair| !pair.is_empty());
    let is_utf8 =
        |value: &str, raw: &str| !value.contains('\u{fffd}') || raw.to_ascii_uppercase().contains("%EF%BF%BD");
    for ((name, value), raw) in form_urlencoded::parse(query.as_bytes()).zip(raw) {
        let detail = if !names.contains(&*name) {
            format!("unknown query parameter {name:?}")
        } else if !seen.insert(name.clone()) {
            "must occur only once".to_owned()
        } else if !is_utf8(&value, raw) {
            "must be UTF-8, percent-encoded".to_owned()
        } else if value.contains('\0') {
            NUL.to_owned()
        } else {
            continue;
        };
        faults.push(escaped(&name), detail);
    }
    faults
}
