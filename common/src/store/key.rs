//! The table `api_keys`: who may do what. Every change of a key grows the revision, by a trigger.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use copydesk_domain::access::{ApiKey, Grant, KeyId, Reach};
use copydesk_domain::business::BusinessId;
use serde_json::json;

use super::audit::Seen;
use super::job::named;
use super::{Store, StoreError};
use crate::key::{Hash, Secret};

const TABLE: &str = "api_keys";

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// What it allows.
    pub grant: Grant,
    /// Requests in a minute, in place of the default.
    pub requests_per_minute: Option<u32>,
    /// The key that makes it.
    pub created_by: Option<KeyId>,
}

/// A key with what its secrets are compared to.
#[derive(Debug, Clone)]
pub struct StoredKey {
    /// The key.
    pub key: ApiKey,
    hash: Hash,
    previous: Option<Hash>,
    /// The revision of all keys when it was read.
    pub revision: i64,
}

/// Until when a secret counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// As long as the key.
    WithTheKey,
    /// It was rotated out, and counts until then.
    Until(DateTime<Utc>),
    /// It is not the key's secret.
    Not,
}

impl StoredKey {
    /// The hash of its present secret.
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// Whether a secret is the key's, compared in constant time.
    pub fn holds(&self, hash: &Hash) -> Holds {
        if constant_time_eq::constant_time_eq_32(&self.hash, hash) {
            return Holds::WithTheKey;
        }
        let previous = self.previous.is_some_and(|previous| constant_time_eq::constant_time_eq_32(&previous, hash));
        self.key.previous_until.filter(|_| previous).map_or(Holds::Not, Holds::Until)
    }
}

struct Row {
    id: String,
    kind: String,
    name: String,
    hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    previous_until: Option<DateTime<Utc>>,
    scopes: Vec<String>,
    businesses: Option<Vec<String>>,
    requests_per_minute: Option<i32>,
    created_by: Option<String>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
    revision: i64,
}

macro_rules! keys {
    ($rest:tt $(, $argument:expr)* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"select id, kind, name, hash, previous_hash, previous_until, scopes, businesses, requests_per_minute,
                      created_by, created_at, expires_at, revoked_at, last_used_at,
                      (select revision from key_revision) as "revision!" from api_keys "# + $rest
            $(, $argument)*
        )
    };
}

fn unreadable(what: &'static str) -> StoreError {
    StoreError::unreadable(TABLE, what)
}

impl TryFrom<Row> for StoredKey {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let hash = |bytes: Vec<u8>| Hash::try_from(bytes).map_err(|_| unreadable("a hash is not of 32 bytes"));
        // A scope of a later release allows nothing here.
        let scopes = row.scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
        let businesses = row.businesses.map(|ids| ids.into_iter().map(BusinessId::parse).collect::<Result<_, _>>());
        let businesses = businesses.transpose().map_err(|error| StoreError::unreadable(TABLE, error))?;
        let key = ApiKey {
            id: KeyId::parse(&row.id).ok_or_else(|| unreadable("an id is none"))?,
            name: row.name,
            grant: Grant {
                kind: named(TABLE, &row.kind)?,
                scopes,
                reach: businesses.map_or(Reach::All, Reach::Only),
                expires_at: row.expires_at,
            },
            requests_per_minute: row.requests_per_minute.map(i32::unsigned_abs),
            created_by: row.created_by.as_deref().and_then(KeyId::parse),
            created_at: row.created_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            previous_until: row.previous_until,
        };
        let previous = row.previous_hash.map(hash).transpose()?;
        Ok(Self { key, hash: hash(row.hash)?, previous, revision: row.revision })
    }
}

/// Stores a new key.
pub async fn create(store: &Store, new: &NewKey, secret: &Secret) -> Result<ApiKey, StoreError> {
    let scopes: Vec<_> = new.grant.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    let businesses = new.grant.reach.listed();
    let (hash, limit) = (secret.hash(), new.requests_per_minute.and_then(|limit| i32::try_from(limit).ok()));
    let after = json!({
        "name": new.name,
        "kind": new.grant.kind,
        "scopes": new.grant.scopes,
        "businesses": businesses,
        "expires_at": new.grant.expires_at,
        "requests_per_minute": new.requests_per_minute,
    });
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let made = sqlx::query!(
            "insert into api_keys (id, kind, name, hash, scopes, businesses, requests_per_minute, created_by, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             -- The answer to an earlier attempt was lost.
             on conflict (id) do nothing",
            secret.id().as_str(),
            new.grant.kind.as_str(),
            new.name,
            hash.as_slice(),
            &scopes,
            businesses.as_deref(),
            limit,
            new.created_by.as_ref().map(KeyId::as_str),
            new.grant.expires_at,
        )
        .execute(&mut *tx)
        .await?;
        if made.rows_affected() > 0 {
            note(store, &mut tx, secret.id(), None, after.clone()).await?;
        }
        tx.commit().await
    };
    store.retry(query).await?;
    let stored = get(store, secret.id()).await?.ok_or_else(|| unreadable("a key has gone"))?;
    match stored.holds(&hash) {
        Holds::WithTheKey => Ok(stored.key),
        _ => Err(unreadable("two keys were given one id")),
    }
}

/// Writes what became of a key: never its secret.
async fn note(
    store: &Store,
    tx: &mut sqlx::PgTransaction<'_>,
    id: &KeyId,
    before: Option<serde_json::Value>,
    after: serde_json::Value,
) -> Result<(), sqlx::Error> {
    store.note(tx, Seen { subject: Some(format!("keys/{id}")), before, after: Some(after) }).await
}

/// A key, also one that is revoked or expired.
pub async fn get(store: &Store, id: &KeyId) -> Result<Option<StoredKey>, StoreError> {
    let query = || async { keys!("where id = $1", id.as_str()).fetch_optional(&store.pool).await };
    store.retry(query).await?.map(StoredKey::try_from).transpose()
}

/// Several keys; those that do not exist are left out.
pub async fn several(store: &Store, ids: &BTreeSet<KeyId>) -> Result<Vec<StoredKey>, StoreError> {
    let ids: Vec<_> = ids.iter().map(|id| id.as_str().to_owned()).collect();
    let query = || async { keys!("where id = any($1)", &ids).fetch_all(&store.pool).await };
    store.retry(query).await?.into_iter().map(StoredKey::try_from).collect()
}

/// The keys that reach no business outside of `reach`, the newest first, from after `cursor`.
pub async fn list(store: &Store, reach: &Reach, cursor: Option<&KeyId>, limit: u16) -> Result<Vec<ApiKey>, StoreError> {
    let businesses = reach.listed();
    let query = || async {
        keys!(
            "where ($1::text[] is null or businesses <@ $1)
               and ($2::text is null or (created_at, id) < (
                   select created_at, id from api_keys where id = $2 and ($1::text[] is null or businesses <@ $1)))
             order by created_at desc, id desc limit $3",
            businesses.as_deref(),
            cursor.map(KeyId::as_str),
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?;
    rows.into_iter().map(|row| StoredKey::try_from(row).map(|stored| stored.key)).collect()
}

/// Whether no key was ever made.
pub async fn none_was_made(store: &Store) -> Result<bool, StoreError> {
    let query = || async {
        sqlx::query_scalar!(r#"select not exists (select 1 from api_keys) as "none!""#).fetch_one(&store.pool).await
    };
    store.retry(query).await
}

/// Revokes a key for good. False if it does not exist; a revoked key stays as it is.
pub async fn revoke(store: &Store, id: &KeyId) -> Result<bool, StoreError> {
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let before = sqlx::query_scalar!("select revoked_at from api_keys where id = $1 for update", id.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        if before == Some(None) {
            sqlx::query!(
                "update api_keys set revoked_at = now(), previous_hash = null, previous_until = null where id = $1",
                id.as_str(),
            )
            .execute(&mut *tx)
            .await?;
            note(store, &mut tx, id, Some(json!({ "revoked": false })), json!({ "revoked": true })).await?;
        }
        tx.commit().await?;
        Ok(before.is_some())
    };
    store.retry(query).await
}

/// Gives a key that is not revoked a new secret. The present one counts until `previous_until`, or no longer at all.
pub async fn rotate(
    store: &Store,
    secret: &Secret,
    previous_until: Option<DateTime<Utc>>,
) -> Result<Option<ApiKey>, StoreError> {
    let hash = secret.hash();
    let query = || async {
        let mut tx = store.pool.begin().await?;
        let rotated = sqlx::query!(
            "update api_keys
             set previous_hash = case when $3::timestamptz is not null then hash end, previous_until = $3, hash = $2
             -- An attempt whose answer was lost is not repeated: it would drop the secret that is in use.
             where id = $1 and revoked_at is null and hash <> $2",
            secret.id().as_str(),
            hash.as_slice(),
            previous_until,
        )
        .execute(&mut *tx)
        .await?;
        if rotated.rows_affected() > 0 {
            // A login, or a ticket, counts no longer than the secret that began it can. A link that logs in is made anew.
            sqlx::query!("delete from login_codes where key_id = $1", secret.id().as_str()).execute(&mut *tx).await?;
            sqlx::query!(
                "update sessions set expires_at = least(expires_at, coalesce($2, now())) where key_id = $1",
                secret.id().as_str(),
                previous_until,
            )
            .execute(&mut *tx)
            .await?;
            sqlx::query!(
                "update tickets set expires_at = least(expires_at, coalesce($2, now())),
                                    until = least(until, coalesce($2, now()))
                 where key_id = $1",
                secret.id().as_str(),
                previous_until,
            )
            .execute(&mut *tx)
            .await?;
            note(store, &mut tx, secret.id(), None, json!({ "previous_until": previous_until })).await?;
        }
        tx.commit().await
    };
    store.retry(query).await?;
    let stored = get(store, secret.id()).await?;
    Ok(stored.filter(|stored| stored.holds(&hash) == Holds::WithTheKey).map(|stored| stored.key))
}

/// Records when keys were last used. An earlier time changes nothing.
pub async fn touch(store: &Store, used: &[(KeyId, DateTime<Utc>)]) -> Result<(), StoreError> {
    let (ids, times): (Vec<_>, Vec<_>) = used.iter().map(|(id, at)| (id.as_str().to_owned(), *at)).unzip();
    let query = || async {
        sqlx::query!(
            "update api_keys k set last_used_at = u.at from unnest($1::text[], $2::timestamptz[]) as u (id, at)
             where k.id = u.id and (k.last_used_at is null or k.last_used_at < u.at)",
            &ids,
            &times,
        )
        .execute(&store.pool)
        .await
    };
    store.retry(query).await?;
    Ok(())
}
