//! The tables `sessions`, `tickets` and `login_codes`: what stands for a key in a browser. All hold hashes of secrets. The
//! end of a session grows the revision of keys, by a trigger.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use copydesk_domain::access::KeyId;
use copydesk_domain::id::JobId;

use super::audit::Seen;
use super::{Store, StoreError};
use crate::key::Hash;

/// A browser's login.
#[derive(Debug, Clone)]
pub struct Session {
    /// The key that logged in.
    pub key_id: KeyId,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
}

/// Stores a session.
pub async fn create(store: &Store, hash: &Hash, session: &Session) -> Result<(), StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let made = sqlx::query!(
            "insert into sessions (hash, key_id, expires_at) values ($1, $2, $3) on conflict (hash) do nothing",
            hash.as_slice(),
            session.key_id.as_str(),
            session.expires_at,
        )
        .execute(&mut *tx)
        .await?;
        if made.rows_affected() > 0 {
            store.note(&mut tx, Seen::default()).await?;
        }
        tx.commit().await
    };
    store.retry(query).await
}

/// The sessions among these that have not ended, by their hash.
pub async fn several(store: &Store, hashes: &[Hash]) -> Result<HashMap<Hash, Session>, StoreError> {
    let hashes: Vec<_> = hashes.iter().map(|hash| hash.to_vec()).collect();
    let query = || async {
        sqlx::query!(
            "select hash, key_id, expires_at from sessions where hash = any($1) and expires_at > now()",
            &hashes
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?;
    let session = |key_id: &str, expires_at| KeyId::parse(key_id).map(|key_id| Session { key_id, expires_at });
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((row.hash.try_into().ok()?, session(&row.key_id, row.expires_at)?)))
        .collect())
}

/// Ends a session.
pub async fn end(store: &Store, hash: &Hash) -> Result<(), StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let ended = sqlx::query!("delete from sessions where hash = $1", hash.as_slice()).execute(&mut *tx).await?;
        if ended.rows_affected() > 0 {
            store.note(&mut tx, Seen::default()).await?;
        }
        tx.commit().await
    };
    store.retry(query).await
}

/// Stores a ticket for the events of a job. The stream that it opens ends with `until`, as what showed the key does.
pub async fn issue(
    store: &Store,
    hash: &Hash,
    key_id: &KeyId,
    job_id: JobId,
    expires_at: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!(
            "insert into tickets (hash, key_id, job_id, expires_at, until) values ($1, $2, $3, $4, $5)
             on conflict (hash) do nothing",
            hash.as_slice(),
            key_id.as_str(),
            job_id.0,
            expires_at,
            until,
        )
        .execute(&store.pool)
        .await
    };
    store.retry(query).await?;
    Ok(())
}

/// A ticket that was taken.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// The key for which it was issued.
    pub key_id: KeyId,
    /// Until when its stream may go on.
    pub until: Option<DateTime<Utc>>,
}

/// Takes a ticket, once, if it is for this job and still counts. Not repeated after a failure: a ticket that may have
/// been taken is taken.
pub async fn redeem(store: &Store, hash: &Hash, job_id: JobId) -> Result<Option<Ticket>, StoreError> {
    let row = sqlx::query!(
        "delete from tickets where hash = $1 and job_id = $2 and expires_at > now() returning key_id, until",
        hash.as_slice(),
        job_id.0,
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(row.and_then(|row| Some(Ticket { key_id: KeyId::parse(&row.key_id)?, until: row.until })))
}

/// Stores the code of a link that logs in for a key. False, and nothing is stored, if there is no such key or it counts no
/// longer.
pub async fn issue_login(
    store: &Store,
    hash: &Hash,
    key_id: &KeyId,
    expires_at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let made = sqlx::query!(
            "insert into login_codes (hash, key_id, expires_at)
             select $1, id, $3 from api_keys
             where id = $2 and revoked_at is null and (expires_at is null or expires_at > now())
             on conflict (hash) do nothing",
            hash.as_slice(),
            key_id.as_str(),
            expires_at,
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if made > 0 {
            store.note(&mut tx, Seen::default()).await?;
        }
        tx.commit().await?;
        Ok(made > 0)
    };
    store.retry(query).await
}

/// Takes a code, once, if it still counts. Returns its key. Not repeated after a failure, as a ticket is not.
pub async fn redeem_login(store: &Store, hash: &Hash) -> Result<Option<KeyId>, StoreError> {
    let key_id = sqlx::query_scalar!(
        "delete from login_codes where hash = $1 and expires_at > now() returning key_id",
        hash.as_slice(),
    )
    .fetch_optional(&store.pool)
    .await?;
    Ok(key_id.as_deref().and_then(KeyId::parse))
}

/// Deletes sessions, tickets and codes that have ended: at most `most` of each.
pub async fn forget(store: &Store, most: u16) -> Result<(), StoreError> {
    let query = || async {
        sqlx::query!(
            "with ended as (
                 delete from sessions where hash in (
                     select hash from sessions where expires_at < now()
                     order by expires_at limit $1 for update skip locked)
             ), codes as (
                 delete from login_codes where hash in (
                     select hash from login_codes where expires_at < now()
                     order by expires_at limit $1 for update skip locked)
             )
             delete from tickets where hash in (
                 select hash from tickets where expires_at < now() order by expires_at limit $1 for update skip locked)",
            i64::from(most),
        )
        .execute(&store.pool)
        .await
    };
    store.retry(query).await?;
    Ok(())
}
