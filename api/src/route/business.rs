//! `PUT` and `GET /api/businesses/{business_id}`: a business's profile. `DELETE`: the end of all that is stored of it.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use copydesk_common::store::business::Listed;
use copydesk_common::store::job::Submission;
use copydesk_common::{clock, store};
use copydesk_domain::business::{BusinessId, BusinessProfile};
use copydesk_domain::erasure::ErasePayload;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{NewJob, Priority};
use copydesk_domain::trace::TraceParent;
use copydesk_domain::work::Work;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::accepted::{Accepted, JobAccepted, accept};
use crate::audit::Audit;
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::extract::{Body, Business, Parameters, RequestBody};
use crate::page;
use crate::refusal::{AnotherBusiness, NoProfile, UnknownBusiness};
use crate::representation::JobBody;
use crate::state::Services;
use crate::validate::{self, chars, number};

/// Attempts of an erasure: the most that there can be, since nothing else removes what it leaves.
const ERASE_ATTEMPTS: u16 = 20;
/// The language of a business that names none.
const DEFAULT_LANGUAGE: &str = "en";

/// Store a business's profile.
///
/// The whole profile is replaced: missing fields become empty.
#[utoipa::path(
    put,
    path = "/api/businesses/{business_id}",
    operation_id = "put_business",
    tag = "Businesses",
    params(("business_id" = BusinessId, Path, description = "Your own name for the business.")),
    request_body = BusinessBody,
    responses(
        (status = 200, description = "The profile as it is now.", body = BusinessProfile),
        AnotherBusiness,
    )
)]
pub async fn put(
    State(services): State<Services>,
    audit: Audit,
    Business(business_id): Business,
    Body(body): Body<BusinessBody>,
) -> Result<Json<BusinessProfile>, ApiError> {
    let profile = body.into_profile(business_id)?;
    let change = audit.change_of("businesses.put", &profile.business_id, "").store();
    services.within(store::business::put(&change, &profile)).await?;
    Ok(Json(profile))
}

/// List profiles of businesses.
///
/// By their ids. A key that reaches some businesses sees those. A business that jobs name needs no profile: one without is
/// not listed.
#[utoipa::path(
    get,
    path = "/api/businesses",
    operation_id = "list_businesses",
    tag = "Businesses",
    params(BusinessesQuery),
    responses((status = 200, description = "A page of profiles.", body = BusinessPage))
)]
pub async fn list(
    State(services): State<Services>,
    caller: Caller,
    Parameters(query): Parameters<BusinessesQuery>,
) -> Result<Json<BusinessPage>, ApiError> {
    let limit = page::limit(query.limit);
    let (reach, after) = (&caller.grant().reach, query.cursor.as_ref());
    let found = services.within(store::business::list(&services.store, reach, after, page::read_limit(limit))).await?;
    let (data, next_cursor) = page::cut(found, limit, |last| last.profile.business_id.clone());
    Ok(Json(BusinessPage { data: data.into_iter().map(ListedBusiness::from).collect(), next_cursor }))
}

/// The page.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct BusinessesQuery {
    /// Profiles on a page.
    #[garde(inner(custom(number(1..=200))))]
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<i64>,
    /// The `next_cursor` of the page before.
    #[garde(skip)]
    cursor: Option<BusinessId>,
}

/// A page of profiles.
#[derive(Debug, Serialize, ToSchema)]
pub struct BusinessPage {
    /// The profiles.
    data: Vec<ListedBusiness>,
    /// The `cursor` of the next page; null on the last one.
    #[schema(required = true)]
    next_cursor: Option<BusinessId>,
}

// The fields are written out: flattened, the document would have them as two schemas of which each refuses the
// other's fields.
/// A profile with its times.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListedBusiness {
    /// The client's own string.
    business_id: BusinessId,
    /// The name of the business, as texts use it.
    name: String,
    /// What it does and for whom.
    description: String,
    /// The voice used if a request names none.
    voice: String,
    /// The audience used if a request names none.
    audience: String,
    /// Rules that every text must follow.
    guidelines: String,
    /// Words and phrases that no text may contain.
    banned_phrases: Vec<String>,
    /// BCP 47 tag of the language used if a request names none.
    default_language: String,
    /// When the profile was first stored.
    created_at: DateTime<Utc>,
    /// When it was last stored.
    updated_at: DateTime<Utc>,
}

impl From<Listed> for ListedBusiness {
    fn from(listed: Listed) -> Self {
        let Listed { profile, created_at, updated_at } = listed;
        Self {
            business_id: profile.business_id,
            name: profile.name,
            description: profile.description,
            voice: profile.voice,
            audience: profile.audience,
            guidelines: profile.guidelines,
            banned_phrases: profile.banned_phrases,
            default_language: profile.default_language,
            created_at,
            updated_at,
        }
    }
}

/// A business's profile.
#[utoipa::path(
    get,
    path = "/api/businesses/{business_id}",
    operation_id = "get_business",
    tag = "Businesses",
    params(("business_id" = BusinessId, Path, description = "Your own name for the business.")),
    responses(
        (status = 200, description = "The profile.", body = BusinessProfile),
        NoProfile,
    )
)]
pub async fn get(
    State(services): State<Services>,
    Business(business_id): Business,
) -> Result<Json<BusinessProfile>, ApiError> {
    let profile = services.within(store::business::get(&services.store, &business_id)).await?;
    profile.map(Json).ok_or(ApiError::NotFound("business"))
}

/// Erase a business.
///
/// A job removes everything that is stored of it: profile, documents, texts, verdicts, what was learned, jobs, shares,
/// cached searches. Open jobs are cancelled first. Its `result` has the counts by table. Nothing can be brought back:
/// export it first.
///
/// Whatever names the business when the job looks at it is removed, also what is made while the job runs: use the
/// business again once the job has succeeded, and it starts from nothing. The row of the job itself stays, without any
/// text, until it is removed as other finished jobs are. A business of which nothing is stored is a 404; so is one that
/// was erased.
#[utoipa::path(
    delete,
    path = "/api/businesses/{business_id}",
    operation_id = "erase_business",
    tag = "Businesses",
    params(("business_id" = BusinessId, Path, description = "Your own name for the business.")),
    responses(JobAccepted, UnknownBusiness)
)]
pub async fn delete(
    State(services): State<Services>,
    audit: Audit,
    Business(business_id): Business,
    Extension(trace): Extension<TraceParent>,
) -> Result<Accepted<JobBody>, ApiError> {
    if !services.within(store::erase::exists(&services.store, &business_id)).await? {
        return Err(ApiError::NotFound("business"));
    }
    let change = audit.change_of("businesses.erase", &business_id, "");
    change.around(accept(&services, Submission { job: erase_job(business_id, trace), key: None })).await
}

/// Without a deadline: it is done when it can be.
fn erase_job(business_id: BusinessId, trace: TraceParent) -> NewJob {
    let work = Work::Erase(ErasePayload { business_id: business_id.clone(), removed: BTreeMap::new() });
    NewJob {
        id: JobId::new(),
        kind: work.kind(),
        business_id,
        generation_id: None,
        priority: Priority::Interactive,
        payload: work.payload(),
        metadata: json!({}),
        max_attempts: ERASE_ATTEMPTS,
        created_at: clock::now(),
        run_at: None,
        deadline_at: None,
        trace,
    }
}

/// A business's profile. Every field may be missing.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = BusinessRequest, example = <BusinessBody as RequestBody>::example)]
pub struct BusinessBody {
    /// The same as in the path, so that a profile can be sent back as it was read.
    #[garde(skip)]
    business_id: Option<BusinessId>,
    /// The name of the business, as texts use it.
    #[garde(inner(custom(chars(0..=200))))]
    #[serde(default, deserialize_with = "validate::trimmed_option")]
    #[schema(max_length = 200)]
    name: Option<String>,
    /// What it does and for whom.
    #[garde(inner(custom(chars(0..=5000))))]
    #[serde(default, deserialize_with = "validate::trimmed_option")]
    #[schema(max_length = 5000)]
    description: Option<String>,
    /// The voice used if a request names none.
    #[garde(inner(custom(chars(0..=1000))))]
    #[serde(default, deserialize_with = "validate::trimmed_option")]
    #[schema(max_length = 1000)]
    voice: Option<String>,
    /// The audience used if a request names none.
    #[garde(inner(custom(chars(0..=1000))))]
    #[serde(default, deserialize_with = "validate::trimmed_option")]
    #[schema(max_length = 1000)]
    audience: Option<String>,
    /// Rules that every text must follow.
    #[garde(inner(custom(chars(0..=10_000))))]
    #[serde(default, deserialize_with = "validate::trimmed_option")]
    #[schema(max_length = 10_000)]
    guidelines: Option<String>,
    /// Words and phrases that no text may contain: at most 200, of 1 to 100 characters each.
    #[garde(inner(custom(chars(1..=100))))]
    #[serde(default, deserialize_with = "validate::trimmed_items::<_, 200>")]
    #[schema(value_type = Option<Vec<String>>, max_items = 200)]
    banned_phrases: Vec<String>,
    /// BCP 47 tag of the language used if a request names none.
    #[garde(inner(custom(validate::language)))]
    #[serde(default, deserialize_with = "validate::trimmed_option")]
    #[schema(max_length = 35, pattern = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", default = "en")]
    default_language: Option<String>,
}

impl RequestBody for BusinessBody {
    fn example() -> Value {
        json!({
            "name": "Acme Clinics",
            "description": "Twelve outpatient clinics in Ohio, for families.",
            "voice": "warm and plain",
            "audience": "parents of young children",
            "guidelines": "Never promise a cure. Write out numbers up to twelve.",
            "banned_phrases": ["world-class", "game changer"],
            "default_language": "en",
        })
    }
}

impl BusinessBody {
    fn into_profile(self, business_id: BusinessId) -> Result<BusinessProfile, ApiError> {
        if self.business_id.is_some_and(|named| named != business_id) {
            return Err(ApiError::Conflict("the body names another business than the path".to_owned()));
        }
        Ok(BusinessProfile {
            business_id,
            name: self.name.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            voice: self.voice.unwrap_or_default(),
            audience: self.audience.unwrap_or_default(),
            guidelines: self.guidelines.unwrap_or_default(),
            banned_phrases: self.banned_phrases,
            default_language: self.default_language.unwrap_or_else(|| DEFAULT_LANGUAGE.to_owned()),
        })
    }
}
