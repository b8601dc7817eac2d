//! `/api/keys`: who may do what. A secret is shown once, in the answer that makes it.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use copydesk_common::clock;
use copydesk_common::config::MOST_REQUESTS_PER_MINUTE;
use copydesk_common::key::Secret;
use copydesk_common::store;
use copydesk_common::store::key::NewKey;
use copydesk_domain::access::{ApiKey, Grant, KeyId, KeyKind, KeyStatus, Reach, Scope};
use copydesk_domain::business::BusinessId;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::audit::Audit;
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::{Body, Id, Parameters, RequestBody};
use crate::page;
use crate::refusal::KeyRevoked;
use crate::state::Services;
use crate::validate::{self, chars, number};

/// How long the old secret counts after a rotation, if the request does not say: a day.
pub const OVERLAP_SECONDS: i64 = 86_400;
/// The longest: 30 days.
pub const MAX_OVERLAP_SECONDS: i64 = 2_592_000;

/// Make a key.
///
/// The new key may do no more than the one that makes it: no other scope, no other business, no later end. The
/// answer is the only one that shows its secret.
#[utoipa::path(
    post,
    path = "/api/keys",
    operation_id = "create_key",
    tag = "Access",
    request_body = KeyRequestBody,
    responses((status = 201, description = "The key and its secret.", body = NewKeyAnswer))
)]
pub async fn create(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    Body(body): Body<KeyRequestBody>,
) -> Result<Response, ApiError> {
    let new = body.into_key(&caller)?;
    let secret = Secret::mint(new.grant.kind);
    let change = audit.change("keys.create", subject(secret.id())).store();
    let key = services.within(store::key::create(&change, &new, &secret)).await?;
    tracing::info!(key.id = %key.id, key.name = key.name, "an API key was made");
    Ok((StatusCode::CREATED, shown_once(&key, &secret)).into_response())
}

/// A key's name in the audit log.
pub fn subject(id: &KeyId) -> String {
    format!("keys/{id}")
}

/// Nothing on the way may keep the secret.
fn shown_once(key: &ApiKey, secret: &Secret) -> impl IntoResponse + use<> {
    let answer = NewKeyAnswer { key: KeyBody::of(key), secret: secret.expose().to_owned() };
    (AppendHeaders([(header::CACHE_CONTROL, "no-store")]), Json(answer))
}

/// Keys, the newest first.
///
/// Those that reach no business outside of the caller's own; also revoked and expired ones.
#[utoipa::path(
    get,
    path = "/api/keys",
    operation_id = "list_keys",
    tag = "Access",
    params(KeysQuery),
    responses((status = 200, description = "A page of keys.", body = KeyPage))
)]
pub async fn list(
    State(services): State<Services>,
    caller: Caller,
    Parameters(query): Parameters<KeysQuery>,
) -> Result<Json<KeyPage>, ApiError> {
    let limit = page::limit(query.limit);
    let reach = &caller.grant().reach;
    let found = store::key::list(&services.store, reach, query.cursor.as_ref(), page::read_limit(limit));
    let (keys, next_cursor) = page::cut(services.within(found).await?, limit, |last| last.id.clone());
    Ok(Json(KeyPage { data: keys.iter().map(KeyBody::of).collect(), next_cursor }))
}

/// Revoke a key.
///
/// At once and for good. Within a second no API process takes it any more, and its open event streams, long polls
/// and sessions end. The key stays in the list.
#[utoipa::path(
    delete,
    path = "/api/keys/{id}",
    operation_id = "revoke_key",
    tag = "Access",
    params(("id" = KeyId, Path, description = "The key.")),
    responses((status = 204, description = "The key counts no longer."))
)]
pub async fn revoke(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    Id(id): Id<KeyId>,
) -> Result<StatusCode, ApiError> {
    read(&services, &caller, &id).await?;
    services.within(store::key::revoke(&audit.change("keys.revoke", subject(&id)).store(), &id)).await?;
    tracing::info!(key.id = %id, "an API key was revoked");
    Ok(StatusCode::NO_CONTENT)
}

/// Give a key a new secret.
///
/// Its id, scopes and businesses stay as they are. The old secret counts for `overlap_seconds` more, so that clients can
/// change over one by one; with 0 it ends at once.
#[utoipa::path(
    post,
    path = "/api/keys/{id}/rotate",
    operation_id = "rotate_key",
    tag = "Access",
    params(("id" = KeyId, Path, description = "The key.")),
    request_body = RotationBody,
    responses((status = 200, description = "The key and its new secret.", body = NewKeyAnswer), KeyRevoked)
)]
pub async fn rotate(
    State(services): State<Services>,
    caller: Caller,
    audit: Audit,
    Id(id): Id<KeyId>,
    Body(body): Body<RotationBody>,
) -> Result<Response, ApiError> {
    let key = read(&services, &caller, &id).await?;
    // Its holder could use the new secret for longer than his own.
    caller.grant().may_give(&key.grant).map_err(|error| ApiError::Conflict(format!("the new secret {error}")))?;
    let secret = Secret::mint_for(key.grant.kind, id);
    let until = previous_until(body.overlap_seconds.unwrap_or(OVERLAP_SECONDS));
    let change = audit.change("keys.rotate", subject(secret.id())).store();
    let rotated = services.within(store::key::rotate(&change, &secret, until)).await?;
    let key = rotated.ok_or_else(|| ApiError::Conflict("the key was revoked: make another one".to_owned()))?;
    tracing::info!(key.id = %key.id, "an API key has a new secret");
    Ok(shown_once(&key, &secret).into_response())
}

/// Until when the old secret counts; `None` for no longer.
pub fn previous_until(overlap_seconds: i64) -> Option<DateTime<Utc>> {
    (overlap_seconds > 0).then(|| clock::now() + TimeDelta::seconds(overlap_seconds))
}

/// A key that the caller may end. Others do not exist for it.
async fn read(services: &Services, caller: &Caller, id: &KeyId) -> Result<ApiKey, ApiError> {
    let stored = services.within(store::key::get(&services.store, id)).await?;
    let key = stored.map(|stored| stored.key).filter(|key| caller.grant().may_end(&key.grant));
    key.ok_or(ApiError::NotFound("API key"))
}

/// What a new key may do.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyRequest, example = <KeyRequestBody as RequestBody>::example)]
pub struct KeyRequestBody {
    /// `tenant` if it is missing.
    #[garde(skip)]
    kind: Option<KeyKind>,
    /// What people call it, in 1 to 100 characters.
    #[garde(custom(key_name))]
    #[serde(deserialize_with = "validate::trimmed")]
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What it allows.
    #[garde(skip)]
    #[schema(value_type = Vec<Scope>, min_items = 1)]
    scopes: BTreeSet<Scope>,
    /// The businesses that it reaches: at least one; null for all.
    #[garde(skip)]
    #[schema(value_type = Option<Vec<BusinessId>>, required = true, min_items = 1, max_items = 1000)]
    #[serde(deserialize_with = "Option::deserialize")]
    businesses: Option<BTreeSet<BusinessId>>,
    /// Requests in a minute; if it is missing, as many as the key that makes it has, which is the service's default if
    /// it has no limit of its own.
    #[garde(inner(custom(number(1..=i64::from(MOST_REQUESTS_PER_MINUTE)))))]
    #[schema(minimum = 1, maximum = 1_000_000)]
    requests_per_minute: Option<i64>,
    /// When it ends by itself; never if it is missing.
    #[garde(skip)]
    expires_at: Option<DateTime<Utc>>,
}

impl RequestBody for KeyRequestBody {
    fn example() -> Value {
        json!({ "name": "website", "scopes": ["generate", "read", "feedback"], "businesses": ["company_123"] })
    }
}

impl KeyRequestBody {
    fn into_key(self, caller: &Caller) -> Result<NewKey, ApiError> {
        if self.businesses.as_ref().is_some_and(|ids| ids.len() > 1_000) {
            return Err(ApiError::invalid("/businesses", "must name at most 1000 businesses"));
        }
        let grant = Grant {
            kind: self.kind.unwrap_or(KeyKind::Tenant),
            scopes: self.scopes,
            reach: self.businesses.map_or(Reach::All, Reach::Only),
            expires_at: self.expires_at,
        };
        grant
            .check(clock::now())
            .and_then(|()| caller.grant().may_give(&grant))
            .map_err(|error| ApiError::invalid(format!("/{}", error.field()), error.to_string()))?;
        let own = caller.key().and_then(|key| key.requests_per_minute).map(i64::from);
        let requests_per_minute = self.requests_per_minute.or(own);
        if own.zip(requests_per_minute).is_some_and(|(own, asked)| asked > own) {
            return Err(ApiError::invalid("/requests_per_minute", "must not be more than the key that makes it has"));
        }
        Ok(NewKey {
            name: validate::tidy(&self.name),
            grant,
            requests_per_minute: requests_per_minute.and_then(|limit| u32::try_from(limit).ok()),
            created_by: caller.key_id().cloned(),
        })
    }
}

/// A key's name stands in lists and logs, on one line.
pub fn key_name(name: &str, (): &()) -> garde::Result {
    chars(1..=100)(name, &())?;
    match () {
        () if name.chars().any(char::is_control) => Err(garde::Error::new("must not hold control characters")),
        () if name.trim().is_empty() => Err(garde::Error::new("must not be blank")),
        () => Ok(()),
    }
}

/// How to change over to a new secret.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = KeyRotationRequest, example = <RotationBody as RequestBody>::example)]
pub struct RotationBody {
    /// How much longer the old secret counts; a day if it is missing.
    #[garde(inner(custom(number(0..=MAX_OVERLAP_SECONDS))))]
    #[schema(minimum = 0, maximum = 2_592_000, default = 86_400)]
    overlap_seconds: Option<i64>,
}

impl RequestBody for RotationBody {
    fn example() -> Value {
        json!({ "overlap_seconds": 3600 })
    }
}

/// A key and its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewKeyAnswer {
    key: KeyBody,
    /// The secret. It is shown in no other answer: only its hash is stored.
    #[schema(example = "cpd_tenant_4fzK9sQ0aBcD_…")]
    secret: String,
}

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct KeyBody {
    id: KeyId,
    kind: KeyKind,
    name: String,
    status: KeyStatus,
    #[schema(value_type = Vec<Scope>)]
    scopes: BTreeSet<Scope>,
    /// Null for all.
    #[schema(required = true, value_type = Option<Vec<BusinessId>>)]
    businesses: Option<BTreeSet<BusinessId>>,
    /// Null for the service's default.
    #[schema(required = true)]
    requests_per_minute: Option<u32>,
    /// The key that made it; null if it was made on the command line.
    #[schema(required = true)]
    created_by: Option<KeyId>,
    created_at: DateTime<Utc>,
    #[schema(required = true)]
    expires_at: Option<DateTime<Utc>>,
    #[schema(required = true)]
    revoked_at: Option<DateTime<Utc>>,
    /// To the minute.
    #[schema(required = true)]
    last_used_at: Option<DateTime<Utc>>,
    /// Until when the secret from before the last rotation counts.
    #[schema(required = true)]
    previous_secret_until: Option<DateTime<Utc>>,
}

impl KeyBody {
    /// A key as clients see it.
    pub fn of(key: &ApiKey) -> Self {
        let now = clock::now();
        Self {
            id: key.id.clone(),
            kind: key.grant.kind,
            name: key.name.clone(),
            status: key.status(now),
            scopes: key.grant.scopes.clone(),
            businesses: key.grant.reach.only().cloned(),
            requests_per_minute: key.requests_per_minute,
            created_by: key.created_by.clone(),
            created_at: key.created_at,
            expires_at: key.grant.expires_at,
            revoked_at: key.revoked_at,
            last_used_at: key.last_used_at,
            previous_secret_until: key.previous_until.filter(|until| *until > now),
        }
    }
}

/// A page of keys.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyPage {
    /// The keys.
    data: Vec<KeyBody>,
    /// The `cursor` of the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<KeyId>,
}

/// Which page.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct KeysQuery {
    /// Keys on a page.
    #[garde(inner(custom(number(1..=200))))]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[garde(skip)]
    cursor: Option<KeyId>,
}
