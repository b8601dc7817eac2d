//! What a request presents: a key, the session of a browser, or a ticket.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Method, header};
use copydesk_common::key::{self, Hash, Purpose, Secret};
use copydesk_domain::access::KeyId;
use copydesk_domain::id::JobId;

use super::need::Need;
use crate::error::ApiError;

/// The cookie of a session.
pub const SESSION_COOKIE: &str = "copydesk_session";
/// The header of the token that a session's own page knows.
pub const CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");
/// The parameter of a ticket.
pub const TICKET: &str = "ticket";
/// Where a code is taken.
const LOGIN_PATH: &str = "/api/session";
/// The longest secret of a session or a ticket that is looked up.
const MAX_SECRET_CHARS: usize = 200;

/// A claim that is not yet checked: only hashes are kept.
#[derive(Debug, Clone)]
pub enum Presented {
    /// The secret of a key.
    Key(KeyId, Hash),
    /// The secret of a session.
    Session(Hash),
    /// The secret of a ticket for a job's events.
    Ticket(Hash, JobId),
    /// The code of a link that logs in.
    Login(Hash),
}

impl Presented {
    /// What a request presents, if anything.
    pub fn of(request: &Request, need: Need) -> Result<Option<Self>, ApiError> {
        let headers = request.headers();
        if headers.contains_key(header::AUTHORIZATION) {
            // A login takes no parameters: a request that is refused for them must not use the code up.
            let logs_in = request.method() == Method::POST
                && request.uri().path() == LOGIN_PATH
                && request.uri().query().is_none();
            return bearer(headers, logs_in).map(Some);
        }
        if matches!(need, Need::ScopeOrTicket(_))
            && let Some(ticket) = ticket(request)
        {
            return Ok(Some(ticket));
        }
        Ok(cookie(headers).map(|secret| Self::Session(key::hash_for(Purpose::Session, secret))))
    }
}

fn bearer(headers: &HeaderMap, logs_in: bool) -> Result<Presented, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(ApiError::Unauthenticated("there are two Authorization headers".to_owned()));
    };
    let text = value.to_str().unwrap_or_default().trim();
    let secret = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, secret)) = secret else {
        return Err(ApiError::Unauthenticated("the Authorization header takes `Bearer cpd_…`".to_owned()));
    };
    // A code is good for a login, and for nothing else.
    if let Some(hash) = key::login_hash(secret.trim()).filter(|_| logs_in) {
        return Ok(Presented::Login(hash));
    }
    let secret = Secret::parse(secret.trim()).map_err(|error| ApiError::Unauthenticated(error.to_string()))?;
    Ok(Presented::Key(secret.id().clone(), secret.hash()))
}

fn ticket(request: &Request) -> Option<Presented> {
    let query = form_urlencoded::parse(request.uri().query()?.as_bytes());
    let ticket = query.into_iter().find(|(name, _)| name == TICKET).map(|(_, ticket)| ticket)?;
    // The path is `/api/jobs/{id}/events`.
    let id = request.uri().path().split('/').nth(3)?.parse().ok()?;
    (ticket.len() <= MAX_SECRET_CHARS).then(|| Presented::Ticket(key::hash_for(Purpose::Ticket, &ticket), id))
}

/// The secret of the session; the first one, as browsers send the most specific first.
pub fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let secret = pairs.into_iter().find(|(name, _)| *name == SESSION_COOKIE).map(|(_, secret)| secret)?;
    (secret.len() <= MAX_SECRET_CHARS).then_some(secret)
}

/// The token of a session: made from its secret, so that nothing more is stored. It tells nothing of the secret.
pub fn csrf_token(secret: &str) -> String {
    hex::encode(key::hash_for(Purpose::Csrf, secret))
}

/// Whether a request carries the token of the session in its cookie, compared in constant time.
pub fn has_csrf_token(headers: &HeaderMap) -> bool {
    let (Some(secret), Some(token)) = (cookie(headers), headers.get(CSRF_TOKEN)) else { return false };
    constant_time_eq::constant_time_eq(csrf_token(secret).as_bytes(), token.as_bytes())
}
