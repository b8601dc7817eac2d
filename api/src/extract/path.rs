//! Names in paths. An invalid id, or one that is not UTF-8, is a 404. A `business_id` is the
//! client's own string, so an invalid one is a 422 that states the rules.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use copydesk_domain::access::KeyId;
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::{DocumentId, FeedbackId, GenerationId, JobId};
use copydesk_domain::job::JobKind;
use copydesk_domain::lesson::LessonId;

use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::state::Services;

/// The path's `{business_id}`, if the caller reaches it.
#[derive(Debug)]
pub struct Business(pub BusinessId);

impl<S: Send + Sync> FromRequestParts<S> for Business {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let id = parameter(parts, state, "business_id").await.ok_or(ApiError::NotFound("business"))?;
        let id = BusinessId::parse(id).map_err(|error| ApiError::invalid("/business_id", error.to_string()))?;
        Caller::from_request_parts(parts, state).await?.check(&id)?;
        Ok(Self(id))
    }
}

/// The path's `{id}`.
#[derive(Debug)]
pub struct Id<T>(pub T);

/// A type of id that `{id}` can be.
pub trait Named: FromStr {
    /// Its name in error messages.
    const WHAT: &'static str;
}

impl Named for JobId {
    const WHAT: &'static str = "job";
}

impl Named for GenerationId {
    const WHAT: &'static str = "generation";
}

impl Named for KeyId {
    const WHAT: &'static str = "API key";
}

impl Named for FeedbackId {
    const WHAT: &'static str = "verdict";
}

impl Named for LessonId {
    const WHAT: &'static str = "lesson";
}

impl Named for DocumentId {
    const WHAT: &'static str = "document";
}

impl<S: Send + Sync, T: Named> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let id = parameter(parts, state, "id").await.and_then(|id| id.parse().ok());
        id.map(Self).ok_or(ApiError::NotFound(T::WHAT))
    }
}

/// The path's `{kind}` of job.
#[derive(Debug)]
pub struct Kind(pub JobKind);

impl<S: Send + Sync> FromRequestParts<S> for Kind {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let kind = parameter(parts, state, "kind").await.and_then(|kind| kind.parse().ok());
        kind.map(Self).ok_or(ApiError::NotFound("queue"))
    }
}

/// The path's `{provider}`: one that Copydesk calls.
#[derive(Debug)]
pub struct Provider(pub String);

impl FromRequestParts<Services> for Provider {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, services: &Services) -> Result<Self, ApiError> {
        let name = parameter(parts, services, "provider").await.unwrap_or_default();
        let is_known = services.quotas_of(&name).next().is_some();
        if is_known { Ok(Self(name)) } else { Err(ApiError::UnknownProvider(services.providers().join(", "))) }
    }
}

/// The path's `{slug}`, whatever it is.
#[derive(Debug)]
pub struct Slug(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Slug {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self(parameter(parts, state, "slug").await.unwrap_or_default()))
    }
}

/// The path's `{*rest}`, whatever it is.
#[derive(Debug)]
pub struct Rest(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Rest {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Ok(Self(parameter(parts, state, "rest").await.unwrap_or_default()))
    }
}

/// A parameter, percent-decoded; `None` if the result is not UTF-8.
async fn parameter<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Option<String> {
    let parameters = RawPathParams::from_request_parts(parts, state).await.ok()?;
    parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}
