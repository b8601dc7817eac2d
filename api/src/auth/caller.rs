//! Whose request it is. Handlers ask it for every business that they touch.

use std::sync::{Arc, LazyLock};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};
use copydesk_domain::access::{ApiKey, Grant, KeyId, Reach};
use copydesk_domain::business::BusinessId;

use super::holder::{Claim, Holder};
use crate::error::ApiError;

/// The holder of a key that was let in; with `COPYDESK_AUTH=open` anybody.
#[derive(Debug, Clone)]
pub struct Caller(Who);

#[derive(Debug, Clone)]
enum Who {
    Anybody,
    Holder(Arc<Holder>),
}

static EVERYTHING: LazyLock<Grant> = LazyLock::new(Grant::everything);

impl Caller {
    /// Anybody: access is open.
    pub const fn anybody() -> Self {
        Self(Who::Anybody)
    }

    pub(super) const fn holder(holder: Arc<Holder>) -> Self {
        Self(Who::Holder(holder))
    }

    /// What it may do.
    pub fn grant(&self) -> &Grant {
        match &self.0 {
            Who::Anybody => &EVERYTHING,
            Who::Holder(holder) => &holder.key.grant,
        }
    }

    /// Its key, if access needs one.
    pub fn key(&self) -> Option<&ApiKey> {
        match &self.0 {
            Who::Anybody => None,
            Who::Holder(holder) => Some(&holder.key),
        }
    }

    /// Its key's id.
    pub fn key_id(&self) -> Option<&KeyId> {
        self.key().map(|key| &key.id)
    }

    /// Whether it sent the secret of its key, not a session or a ticket that stands for it.
    pub fn shows_a_secret(&self) -> bool {
        matches!(&self.0, Who::Holder(holder) if holder.claim == Claim::Secret)
    }

    /// Whether it may begin a session: with the secret of its key, or by a link that was made for that.
    pub fn may_log_in(&self) -> bool {
        matches!(&self.0, Who::Holder(holder) if matches!(holder.claim, Claim::Secret | Claim::Login))
    }

    /// Until when its secret or session counts; `None` for no end.
    pub fn until(&self) -> Option<DateTime<Utc>> {
        match &self.0 {
            Who::Anybody => None,
            Who::Holder(holder) => holder.until,
        }
    }

    /// Whether it reaches a business.
    pub fn reaches(&self, business_id: &BusinessId) -> bool {
        self.grant().reach.holds(business_id)
    }

    /// Refuses a business that it does not reach, as if there were none of that id.
    pub fn check(&self, business_id: &BusinessId) -> Result<(), ApiError> {
        if self.reaches(business_id) { Ok(()) } else { Err(ApiError::NotFound("business")) }
    }

    /// Refuses what concerns one business, if it is named, or else all of them.
    pub fn check_within(&self, business_id: Option<&BusinessId>) -> Result<(), ApiError> {
        match business_id {
            Some(business_id) => self.check(business_id),
            None if self.grant().reach == Reach::All => Ok(()),
            None => Err(ApiError::ReachMissing),
        }
    }

    /// What was found, if it is of a business that the caller reaches: else there is no such thing.
    pub fn only<T>(
        &self,
        found: Option<T>,
        business_id: impl FnOnce(&T) -> &BusinessId,
        what: &'static str,
    ) -> Result<T, ApiError> {
        let found = found.ok_or(ApiError::NotFound(what))?;
        if self.reaches(business_id(&found)) { Ok(found) } else { Err(ApiError::NotFound(what)) }
    }

    /// Completes once the key counts no longer. Never, if access is open.
    pub async fn ended(&self) {
        match &self.0 {
            Who::Anybody => std::future::pending().await,
            Who::Holder(holder) => holder.ended.cancelled().await,
        }
    }

    /// The answer to a request whose key has ended meanwhile.
    pub fn no_longer(&self) -> ApiError {
        ApiError::Unauthenticated("the API key, or the session, has ended meanwhile".to_owned())
    }

    /// Fails if the key of a request counts no longer: its body may have come for a long time.
    pub fn still(caller: Option<&Self>) -> Result<(), ApiError> {
        match caller {
            Some(caller) if caller.has_ended() => Err(caller.no_longer()),
            _ => Ok(()),
        }
    }

    /// Whether the key counts no longer.
    pub fn has_ended(&self) -> bool {
        matches!(&self.0, Who::Holder(holder) if holder.ended.is_cancelled())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // A route that needs nothing has no caller: its handler must not ask.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::Internal("a route has no caller".into()))
    }
}
