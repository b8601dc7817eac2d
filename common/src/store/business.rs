//! The table `businesses`: the tenants' profiles.

use chrono::{DateTime, Utc};
use copydesk_domain::access::Reach;
use copydesk_domain::business::{BusinessId, BusinessProfile};
use serde_json::{Map, Value, json};

use super::audit::Seen;
use super::{Store, StoreError};

/// The profile of a business that a row of the table is.
macro_rules! profile_of {
    ($business_id:expr, $row:expr) => {
        BusinessProfile {
            business_id: $business_id,
            name: $row.name,
            description: $row.description,
            voice: $row.voice,
            audience: $row.audience,
            guidelines: $row.guidelines,
            banned_phrases: $row.banned_phrases,
            default_language: $row.default_language,
        }
    };
}

/// The profile of a business, as a statement that ends with `$rest` reads it.
macro_rules! profile {
    ($business_id:expr, $rest:tt, $executor:expr) => {{
        let query = sqlx::query!("select * from businesses where business_id = $1" + $rest, $business_id.as_str());
        query.fetch_optional($executor).await.map(|row| row.map(|row| profile_of!($business_id.clone(), row)))
    }};
}

/// Stores the profile, replacing an older one.
pub async fn put(store: &Store, profile: &BusinessProfile) -> Result<(), StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let before = profile!(profile.business_id, " for update", &mut *tx)?;
        sqlx::query!(
            "insert into businesses (business_id, name, description, voice, audience, guidelines, banned_phrases, default_language)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict (business_id) do update set
                 name = excluded.name, description = excluded.description, voice = excluded.voice,
                 audience = excluded.audience, guidelines = excluded.guidelines,
                 banned_phrases = excluded.banned_phrases, default_language = excluded.default_language,
                 updated_at = now()",
            profile.business_id.as_str(),
            profile.name,
            profile.description,
            profile.voice,
            profile.audience,
            profile.guidelines,
            &profile.banned_phrases,
            profile.default_language,
        )
        .execute(&mut *tx)
        .await?;
        let (before, after) = changed(before.as_ref(), profile);
        store.note(&mut tx, Seen { before, after: Some(after), subject: None }).await?;
        tx.commit().await
    };
    store.retry(query).await
}

/// A field that is a text.
type Text = fn(&BusinessProfile) -> &str;

/// The fields that differ, without their texts: of those only the length.
fn changed(before: Option<&BusinessProfile>, after: &BusinessProfile) -> (Option<Value>, Value) {
    let of = |profile: &BusinessProfile| {
        let is_other = |field: Text| before.is_none_or(|before| field(before) != field(after));
        let texts: [(&str, Text); 5] = [
            ("name", |profile| &profile.name),
            ("description", |profile| &profile.description),
            ("voice", |profile| &profile.voice),
            ("audience", |profile| &profile.audience),
            ("guidelines", |profile| &profile.guidelines),
        ];
        let texts = texts.into_iter().filter(|(_, field)| is_other(*field));
        let mut told: Map<_, _> =
            texts.map(|(name, field)| (name.to_owned(), json!({ "chars": field(profile).chars().count() }))).collect();
        if before.is_none_or(|before| before.banned_phrases != after.banned_phrases) {
            told.insert("banned_phrases".to_owned(), json!({ "phrases": profile.banned_phrases.len() }));
        }
        if is_other(|profile| &profile.default_language) {
            told.insert("default_language".to_owned(), json!(profile.default_language));
        }
        Value::Object(told)
    };
    (before.map(of), of(after))
}

/// A profile with its times.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The profile.
    pub profile: BusinessProfile,
    /// When it was first stored.
    pub created_at: DateTime<Utc>,
    /// When it was last stored.
    pub updated_at: DateTime<Utc>,
}

/// Up to `limit` profiles of the businesses in reach, by their ids, from after `after`.
pub async fn list(
    store: &Store,
    reach: &Reach,
    after: Option<&BusinessId>,
    limit: u16,
) -> Result<Vec<Listed>, StoreError> {
    let reach = reach.listed();
    let query = || async {
        sqlx::query!(
            r#"select * from businesses
               where ($1::text[] is null or business_id = any($1)) and business_id collate "C" > $2
               order by business_id collate "C" limit $3"#,
            reach.as_deref(),
            after.map_or("", BusinessId::as_str),
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?.into_iter().map(|row| {
        let business_id = BusinessId::parse(row.business_id).map_err(|e| StoreError::unreadable("businesses", e))?;
        Ok(Listed { profile: profile_of!(business_id, row), created_at: row.created_at, updated_at: row.updated_at })
    });
    rows.collect()
}

/// The profile of a business, if it has one.
pub async fn get(store: &Store, business_id: &BusinessId) -> Result<Option<BusinessProfile>, StoreError> {
    store.retry(|| async { profile!(business_id, "", &store.pool) }).await
}
