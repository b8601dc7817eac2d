//! `GET /api/audit`: what operators and keys have changed.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use copydesk_common::store::audit::{self, Filter, Outcome, Record};
use copydesk_domain::access::KeyId;
use copydesk_domain::business::BusinessId;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::Parameters;
use crate::page;
use crate::state::Services;
use crate::validate::{chars, number};

/// What was changed, and by whom, newest first.
///
/// Every change by an operator or of a key, a profile, a document, a job, limits, shares, breakers and queues. Texts
/// are never in it: of a text only its length. A key that reaches some businesses sees the changes of those.
#[utoipa::path(
    get,
    path = "/api/audit",
    operation_id = "list_audit",
    tag = "Operators",
    params(AuditQuery),
    responses((status = 200, description = "A page of changes.", body = AuditPage))
)]
pub async fn list(
    State(services): State<Services>,
    caller: Caller,
    Parameters(query): Parameters<AuditQuery>,
) -> Result<Json<AuditPage>, ApiError> {
    let (limit, cursor) = (page::limit(query.limit), query.cursor);
    let AuditQuery { business_id, key_id, action, since, until, .. } = query;
    let filter = Filter { business_id, key_id, action, since, until };
    let found = audit::page(&services.store, &caller.grant().reach, &filter, cursor, page::read_limit(limit));
    let (data, next_cursor) = page::cut(services.within(found).await?, limit, |last| last.id.to_string());
    Ok(Json(AuditPage { data: data.into_iter().map(AuditRecord::from).collect(), next_cursor }))
}

/// Filters of changes, and the page.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Those of this business only.
    #[garde(skip)]
    business_id: Option<BusinessId>,
    /// Those by this key only.
    #[garde(skip)]
    key_id: Option<KeyId>,
    /// Those only whose `action` begins so: `queues.` for all changes of queues.
    #[garde(inner(custom(chars(1..=50))))]
    #[param(min_length = 1, max_length = 50, example = "queues.")]
    action: Option<String>,
    /// Those made since then only.
    #[garde(skip)]
    since: Option<DateTime<Utc>>,
    /// Those made before then only.
    #[garde(skip)]
    until: Option<DateTime<Utc>>,
    /// Changes on a page.
    #[garde(inner(custom(number(1..=200))))]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[garde(skip)]
    #[param(value_type = Option<String>, pattern = "^[0-9]{1,18}$")]
    cursor: Option<i64>,
}

/// A page of changes.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditPage {
    /// The changes.
    data: Vec<AuditRecord>,
    /// The `cursor` of the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<String>,
}

/// A change.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditRecord {
    /// Grows with every change.
    id: i64,
    /// When it was made.
    at: DateTime<Utc>,
    /// The key; null on the command line, or where access is open.
    #[schema(required = true)]
    key_id: Option<KeyId>,
    /// The key's name at that time; `command line` or `open` without a key.
    #[schema(example = "production operators")]
    key_name: String,
    /// What was done.
    #[schema(example = "queues.pause")]
    action: String,
    /// What was changed, as a path.
    #[schema(example = "queues/generate")]
    subject: String,
    /// The business that it belongs to; null if it concerns all of them.
    #[schema(required = true)]
    business_id: Option<BusinessId>,
    /// How it was before; null if there was nothing, or nothing to tell.
    #[schema(required = true, value_type = Option<Object>)]
    before: Option<Value>,
    /// How it is since, what was asked for, or how many were changed; null if there is nothing to tell.
    #[schema(required = true, value_type = Option<Object>)]
    after: Option<Value>,
    /// Whether it was made.
    outcome: Outcome,
    /// The address of the client; null on the command line.
    #[schema(required = true, example = "203.0.113.7")]
    peer: Option<String>,
    /// The `x-request-id` of the request; null on the command line.
    #[schema(required = true)]
    request_id: Option<String>,
}

impl From<Record> for AuditRecord {
    fn from(record: Record) -> Self {
        let Record { id, at, key_id, key_name, action, subject, business_id, before, after, outcome, peer, request_id } =
            record;
        Self { id, at, key_id, key_name, action, subject, business_id, before, after, outcome, peer, request_id }
    }
}
