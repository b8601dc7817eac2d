//! `/api/session`: a browser's login with a key. The key itself stays with the person: scripts see neither it nor the
//! cookie.

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use copydesk_common::key::Purpose;
use copydesk_common::store::session::{self, Session};
use copydesk_common::{clock, key};
use copydesk_domain::access::{ApiKey, KeyId, KeyKind, Scope};
use copydesk_domain::business::BusinessId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::audit::Audit;
use crate::auth::caller::Caller;
use crate::auth::presented::{SESSION_COOKIE, cookie, csrf_token};
use crate::error::ApiError;
use crate::peer::Client;
use crate::refusal::NoSession;
use crate::state::Services;

/// How long a session lasts.
const LASTS: TimeDelta = TimeDelta::hours(12);
/// Random characters of its secret.
const SECRET_CHARS: usize = 43;

/// Log in.
///
/// Takes a key, or once the code of a link that logs in (`cpd_login_…`), in the `Authorization` header, and sets a
/// cookie that stands for it for 12 hours, or until the key ends. No script can read the cookie, and no other site can
/// use it. A request that changes something, and is let in by the cookie, must send `csrf_token` as `x-csrf-token`.
#[utoipa::path(
    post,
    path = "/api/session",
    operation_id = "start_session",
    tag = "Sessions",
    responses(
        (
            status = 200,
            description = "The session, and what its key allows.",
            body = SessionBody,
            headers(("Set-Cookie" = String, description = "The session's cookie.")),
        ),
        NoSession,
    )
)]
pub async fn start(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    client: Option<Extension<Client>>,
) -> Result<Response, ApiError> {
    let Some(key) = caller.key() else {
        return Err(ApiError::Conflict("access is open: no session is needed".to_owned()));
    };
    if !caller.may_log_in() {
        return Err(ApiError::Unauthenticated("a session begins with a key in the Authorization header".to_owned()));
    }
    let (secret, now) = (key::random(SECRET_CHARS), clock::now());
    let end = caller.until().map_or(now + LASTS, |until| until.min(now + LASTS));
    let session = Session { key_id: key.id.clone(), expires_at: end };
    let change = audit.change("sessions.start", format!("keys/{}/sessions", key.id)).store();
    services.within(session::create(&change, &key::hash_for(Purpose::Session, &secret), &session)).await?;
    let is_https = client.is_some_and(|Extension(client)| client.is_https);
    let cookie = set_cookie(&secret, (end - now).num_seconds(), is_https)?;
    Ok(([(header::SET_COOKIE, cookie)], Json(SessionBody::of(key, Some(&secret), Some(end)))).into_response())
}

/// The session, and what its key allows.
///
/// The same as at its start, so that a page can be loaded again. With a key in the `Authorization` header: what that key
/// allows.
#[utoipa::path(
    get,
    path = "/api/session",
    operation_id = "get_session",
    tag = "Sessions",
    responses((status = 200, description = "The session, and what its key allows.", body = SessionBody))
)]
pub async fn get(caller: Caller, headers: HeaderMap) -> Json<SessionBody> {
    let Some(key) = caller.key() else { return Json(SessionBody::default()) };
    let secret = cookie(&headers).filter(|_| !caller.shows_a_secret());
    Json(SessionBody::of(key, secret, caller.until()))
}

/// Log out.
///
/// Ends the session at once, in every tab. The key goes on.
#[utoipa::path(
    delete,
    path = "/api/session",
    operation_id = "end_session",
    tag = "Sessions",
    responses((
        status = 204,
        description = "There is no session any more.",
        headers(("Set-Cookie" = String, description = "Takes the cookie away.")),
    ))
)]
pub async fn end(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    client: Option<Extension<Client>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    // A key in the header has no session: a cookie beside it may be of another key.
    if let (Some(secret), Some(key)) = (cookie(&headers), caller.key())
        && !caller.shows_a_secret()
    {
        let change = audit.change("sessions.end", format!("keys/{}/sessions", key.id)).store();
        services.within(session::end(&change, &key::hash_for(Purpose::Session, secret))).await?;
    }
    let is_https = client.is_some_and(|Extension(client)| client.is_https);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, set_cookie("", 0, is_https)?)]).into_response())
}

fn set_cookie(secret: &str, seconds: i64, is_https: bool) -> Result<HeaderValue, ApiError> {
    let secure = if is_https { "; Secure" } else { "" };
    let cookie = format!("{SESSION_COOKIE}={secret}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&cookie).map_err(|error| ApiError::Internal(error.into()))
}

/// A session.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct SessionBody {
    /// The key; null where access is open: everything is allowed.
    #[schema(required = true)]
    key: Option<SessionKey>,
    /// What requests that change something send as `x-csrf-token`; null where no cookie lets them in.
    #[schema(required = true)]
    csrf_token: Option<String>,
    /// When the session, or the key, ends; null for never.
    #[schema(required = true)]
    expires_at: Option<DateTime<Utc>>,
}

/// What a key allows.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionKey {
    /// Its id.
    id: KeyId,
    /// What people call it.
    name: String,
    /// Whom it is for.
    kind: KeyKind,
    /// What it allows.
    scopes: Vec<Scope>,
    /// The businesses that it reaches; null for all.
    #[schema(required = true)]
    businesses: Option<Vec<BusinessId>>,
}

impl SessionBody {
    fn of(key: &ApiKey, secret: Option<&str>, expires_at: Option<DateTime<Utc>>) -> Self {
        let businesses = key.grant.reach.only().map(|ids| ids.iter().cloned().collect());
        let key = SessionKey {
            id: key.id.clone(),
            name: key.name.clone(),
            kind: key.grant.kind,
            scopes: key.grant.scopes.iter().copied().collect(),
            businesses,
        };
        Self { key: Some(key), csrf_token: secret.map(csrf_token), expires_at }
    }
}
