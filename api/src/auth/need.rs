//! What each route needs. The router cannot add a route without saying it.

use std::collections::HashMap;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use copydesk_domain::access::{Grant, Reach, Scope};

use crate::error::ApiError;

/// What lets a request in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: anybody may.
    Nothing,
    /// A key.
    Key,
    /// A key with this scope. The handler asks whether it reaches the business.
    Scope(Scope),
    /// The same, or a ticket for the job.
    ScopeOrTicket(Scope),
    /// A key with this scope that reaches every business: the operation concerns all of them.
    Service(Scope),
    /// What `COPYDESK_METRICS_ACCESS` says.
    Metrics,
}

impl Need {
    /// The scope that a key must have.
    pub const fn scope(self) -> Option<Scope> {
        match self {
            Self::Nothing | Self::Key => None,
            Self::Scope(scope) | Self::ScopeOrTicket(scope) | Self::Service(scope) => Some(scope),
            Self::Metrics => Some(Scope::Observe),
        }
    }

    /// Whether a grant is enough.
    pub fn check(self, grant: &Grant) -> Result<(), ApiError> {
        match self.scope() {
            Some(scope) if !grant.scopes.contains(&scope) => Err(ApiError::ScopeMissing(scope)),
            _ if matches!(self, Self::Service(_) | Self::Metrics) && grant.reach != Reach::All => {
                Err(ApiError::ReachMissing)
            }
            _ => Ok(()),
        }
    }
}

/// A route was added without its need.
#[derive(Debug, thiserror::Error)]
#[error("the route {} does not say what it needs", .0.as_str())]
struct Undeclared(MatchedPath);

/// The needs of all routes, by their path and method.
#[derive(Debug, Default)]
pub struct Needs(HashMap<String, Vec<(Method, Need)>>);

impl Needs {
    /// Declares an operation.
    pub fn declare(&mut self, path: &str, method: Method, need: Need) {
        self.0.entry(path.to_owned()).or_default().push((method, need));
    }

    /// The need of a request's route. A route that was not declared lets nobody in.
    pub fn of(&self, request: &Request) -> Result<Need, ApiError> {
        // No such route, or none with this method: the answer says so, and tells nothing else.
        let Some(path) = request.extensions().get::<MatchedPath>() else { return Ok(Need::Nothing) };
        let needs = self.0.get(path.as_str()).ok_or_else(|| ApiError::Internal(Undeclared(path.clone()).into()))?;
        // A request for the head alone is one for the whole.
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        Ok(needs.iter().find(|(of, _)| of == method).map_or(Need::Nothing, |(_, need)| *need))
    }

    /// Every operation and its need.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Method, Need)> {
        self.0.iter().flat_map(|(path, needs)| needs.iter().map(|(method, need)| (path.as_str(), method, *need)))
    }
}
