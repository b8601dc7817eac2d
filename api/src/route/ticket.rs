//! `POST /api/jobs/{id}/ticket`: a browser's `EventSource` sends no headers, and a key in an address would end up in
//! logs. A ticket opens one event stream, once, within a minute.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use copydesk_common::key::Purpose;
use copydesk_common::store::session;
use copydesk_common::{clock, key};
use copydesk_domain::id::JobId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::auth::caller::Caller;
use crate::auth::presented::TICKET;
use crate::error::ApiError;
use crate::extract::Id;
use crate::refusal::NoSession;
use crate::route::job::look;
use crate::state::Services;

/// How long a ticket can be used.
const LASTS: TimeDelta = TimeDelta::minutes(1);
/// Random characters of its secret.
const SECRET_CHARS: usize = 43;

/// Get a ticket for a job's events.
///
/// It opens `GET /api/jobs/{id}/events` once, within a minute, without a key: for a browser's `EventSource`. The stream
/// ends when the key does. To connect again, get another ticket.
#[utoipa::path(
    post,
    path = "/api/jobs/{id}/ticket",
    operation_id = "issue_ticket",
    tag = "Jobs",
    params(("id" = JobId, Path, description = "The job.")),
    responses((status = 201, description = "The ticket.", body = TicketBody), NoSession)
)]
pub async fn issue(
    State(services): State<Services>,
    caller: Caller,
    Id(id): Id<JobId>,
) -> Result<(StatusCode, Json<TicketBody>), ApiError> {
    look(&services, &caller, id).await?;
    let Some(key_id) = caller.key_id() else {
        return Err(ApiError::Conflict("access is open: no ticket is needed".to_owned()));
    };
    let (ticket, expires_at) = (key::random(SECRET_CHARS), clock::now() + LASTS);
    let ticket_hash = key::hash_for(Purpose::Ticket, &ticket);
    services.within(session::issue(&services.store, &ticket_hash, key_id, id, expires_at, caller.until())).await?;
    let events = format!("/api/jobs/{id}/events?{TICKET}={ticket}");
    Ok((StatusCode::CREATED, Json(TicketBody { ticket, events, expires_at })))
}

/// A ticket.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketBody {
    /// The ticket.
    ticket: String,
    /// The address of the events, with the ticket.
    events: String,
    /// Until when it can be used.
    expires_at: DateTime<Utc>,
}
