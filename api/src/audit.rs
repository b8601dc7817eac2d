//! The audit log, as handlers write it: [`Audit`] knows who sends the request. A change in Postgres gets its row in its
//! own transaction, from the handle of [`Change::store`]; one elsewhere gets its row first, from [`Change::around`], and
//! a second one if it fails. `copydesk_common::store::audit` says why.
//!
//! Rows hold no texts, no bodies of documents and no secrets: of a text its length at most.

use std::fmt::Display;
use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use copydesk_common::store::Store;
use copydesk_common::store::audit::{self, Entry, Outcome};
use copydesk_domain::business::BusinessId;
use serde::Serialize;

use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::peer::Client;
use crate::request_id::RequestId;
use crate::state::Services;

/// The name of whoever sends a request while access is open.
const OPEN: &str = "open";

/// Who sends a request that changes something.
#[derive(Debug, Clone)]
pub struct Audit {
    caller: Caller,
    peer: Option<IpAddr>,
    request_id: Option<String>,
    services: Services,
}

impl FromRequestParts<Services> for Audit {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, services: &Services) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, services).await?;
        let id = parts.extensions.get::<RequestId>().and_then(|RequestId(id)| id.to_str().ok());
        let peer = parts.extensions.get::<Client>().and_then(|client| client.address);
        Ok(Self { caller, peer, request_id: id.map(str::to_owned), services: services.clone() })
    }
}

impl Audit {
    /// A change: what is done, and to what.
    pub fn change(&self, action: &'static str, subject: impl Into<String>) -> Change<'_> {
        let key = self.caller.key();
        let entry = Entry {
            key_id: key.map(|key| key.id.clone()),
            key_name: key.map_or_else(|| OPEN.to_owned(), |key| key.name.clone()),
            action,
            subject: subject.into(),
            peer: self.peer,
            request_id: self.request_id.clone(),
            ..Entry::default()
        };
        Change { services: &self.services, entry }
    }

    /// A change of a business, or of what is `within` it: a path that begins with a slash, or nothing.
    pub fn change_of(&self, action: &'static str, business_id: &BusinessId, within: impl Display) -> Change<'_> {
        self.change(action, format!("businesses/{business_id}{within}")).of(Some(business_id))
    }
}

/// A change that is about to be made.
#[derive(Debug)]
#[must_use]
pub struct Change<'a> {
    services: &'a Services,
    entry: Entry,
}

impl Change<'_> {
    /// Of a business.
    pub fn of(self, business_id: Option<&BusinessId>) -> Self {
        Self { entry: Entry { business_id: business_id.cloned(), ..self.entry }, ..self }
    }

    /// What it changes things to, or what it is about.
    pub fn after(self, after: impl Serialize) -> Self {
        // Only strings and numbers are told.
        let after = serde_json::to_value(after).ok();
        Self { entry: Entry { after, ..self.entry }, ..self }
    }

    /// The store, for the one change: it is made with its row, or not at all.
    pub fn store(self) -> Store {
        self.services.store.audited(self.entry)
    }

    /// Makes a change outside of Postgres, after its row. A failure gets a second row.
    pub async fn around<T, E: Into<ApiError>>(self, change: impl Future<Output = Result<T, E>>) -> Result<T, ApiError> {
        let Self { services, entry } = self;
        services.within(audit::insert(&services.store, &entry, Outcome::Done)).await?;
        let made = services.within(change).await;
        if made.is_err()
            && let Err(error) = services.within(audit::insert(&services.store, &entry, Outcome::Failed)).await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, "the audit log does not say that a change failed");
        }
        made
    }
}
