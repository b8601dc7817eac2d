//! The table `businesses`: the tenants' profiles.

use copydesk_domain::business::{BusinessId, BusinessProfile};

use super::{Store, StoreError};

/// Stores the profile, replacing an older one.
pub async fn put(store: &Store, profile: &BusinessProfile) -> Result<(), StoreError> {
    let query = || async {
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
        .execute(&store.pool)
        .await
    };
    store.retry(query).await?;
    Ok(())
}

/// The profile of a business, if it has one.
pub async fn get(store: &Store, business_id: &BusinessId) -> Result<Option<BusinessProfile>, StoreError> {
    let query = || async {
        sqlx::query!("select * from businesses where business_id = $1", business_id.as_str())
            .fetch_optional(&store.pool)
            .await
    };
    let row = store.retry(query).await?;
    Ok(row.map(|row| BusinessProfile {
        business_id: business_id.clone(),
        name: row.name,
        description: row.description,
        voice: row.voice,
        audience: row.audience,
        guidelines: row.guidelines,
        banned_phrases: row.banned_phrases,
        default_language: row.default_language,
    }))
}
