//! The table `audit`: what operators and keys have changed. Rows are only added.
//!
//! A handle of [`Store::audited`] writes the row in the transaction of the change itself: there is no change without its
//! row, and no row of a change that was rolled back. If the answer to a commit is lost, the change is tried again, and
//! its row may be there twice. What is changed outside of Postgres has its row first, from [`insert`]: a crash between
//! the two leaves a row of a change that was not made, never the other way round. A row holds no texts and no secrets.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use copydesk_domain::access::{KeyId, Reach};
use copydesk_domain::business::BusinessId;
use copydesk_domain::named_enum;
use serde_json::Value;
use sqlx::PgConnection;

use super::job::named;
use super::{Store, StoreError};

const TABLE: &str = "audit";
/// Who changes what without a key, by hand.
const COMMAND_LINE: &str = "command line";

named_enum! {
    /// What became of a change.
    Outcome {
        /// It was made, or, outside of Postgres, begun.
        Done = "done",
        /// It was begun, and failed: it may have been made in part.
        Failed = "failed",
    }
}

/// A change, and who makes it.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// The key.
    pub key_id: Option<KeyId>,
    /// The key's name; without a key, what else it is.
    pub key_name: String,
    /// What is done, such as `limits.set`.
    pub action: &'static str,
    /// What is changed, as a path.
    pub subject: String,
    /// The business that it belongs to.
    pub business_id: Option<BusinessId>,
    /// How it was.
    pub before: Option<Value>,
    /// How it is, or how many were changed.
    pub after: Option<Value>,
    /// The address of the client.
    pub peer: Option<IpAddr>,
    /// The id of the request.
    pub request_id: Option<String>,
}

impl Entry {
    /// A change by hand.
    pub fn by_command_line(action: &'static str, subject: impl Into<String>) -> Self {
        Self { key_name: COMMAND_LINE.to_owned(), action, subject: subject.into(), ..Self::default() }
    }
}

/// What only the statement that makes a change knows of it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) subject: Option<String>,
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

impl Store {
    /// A handle whose changes write their row.
    #[must_use]
    pub fn audited(&self, entry: Entry) -> Self {
        Self { audit: Some(Arc::new(entry)), ..self.clone() }
    }

    /// Writes the row of a change in its own transaction, if the handle is audited.
    pub(super) async fn note(&self, connection: &mut PgConnection, seen: Seen) -> Result<(), sqlx::Error> {
        let Some(entry) = &self.audit else { return Ok(()) };
        let entry = Entry {
            subject: seen.subject.unwrap_or_else(|| entry.subject.clone()),
            before: seen.before.or_else(|| entry.before.clone()),
            after: merged(entry.after.clone(), seen.after),
            ..Entry::clone(entry)
        };
        write(connection, &entry, Outcome::Done).await
    }
}

/// What was asked for, with what came of it.
fn merged(asked: Option<Value>, seen: Option<Value>) -> Option<Value> {
    match (asked, seen) {
        (Some(Value::Object(mut asked)), Some(Value::Object(seen))) => {
            asked.extend(seen);
            Some(Value::Object(asked))
        }
        (asked, seen) => seen.or(asked),
    }
}

async fn write(connection: &mut PgConnection, entry: &Entry, outcome: Outcome) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into audit (key_id, key_name, action, subject, business_id, before, after, outcome, peer, request_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        entry.key_id.as_ref().map(KeyId::as_str),
        entry.key_name,
        entry.action,
        entry.subject,
        entry.business_id.as_ref().map(BusinessId::as_str),
        entry.before,
        entry.after,
        outcome.as_str(),
        entry.peer.map(|peer| peer.to_string()),
        entry.request_id,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes the row of a change outside of Postgres.
pub async fn insert(store: &Store, entry: &Entry, outcome: Outcome) -> Result<(), StoreError> {
    let query = || async {
        let mut connection = store.pool.acquire().await?;
        write(&mut connection, entry, outcome).await
    };
    store.retry(query).await
}

/// A row.
#[derive(Debug, Clone)]
pub struct Record {
    /// Grows with every row; rows of concurrent changes may be seen in another order.
    pub id: i64,
    /// When the change was made.
    pub at: DateTime<Utc>,
    /// What was changed, and by whom: its action is `action`.
    pub key_id: Option<KeyId>,
    /// The key's name at that time.
    pub key_name: String,
    /// What was done.
    pub action: String,
    /// What was changed.
    pub subject: String,
    /// The business that it belongs to.
    pub business_id: Option<BusinessId>,
    /// How it was.
    pub before: Option<Value>,
    /// How it was left.
    pub after: Option<Value>,
    /// What became of it.
    pub outcome: Outcome,
    /// The address of the client.
    pub peer: Option<String>,
    /// The id of the request.
    pub request_id: Option<String>,
}

/// Which rows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this business.
    pub business_id: Option<BusinessId>,
    /// By this key.
    pub key_id: Option<KeyId>,
    /// Whose action begins so.
    pub action: Option<String>,
    /// From then on.
    pub since: Option<DateTime<Utc>>,
    /// Before then.
    pub until: Option<DateTime<Utc>>,
}

/// Up to `limit` rows, the newest first, from before the row `cursor`. Of some businesses only their rows.
pub async fn page(
    store: &Store,
    reach: &Reach,
    filter: &Filter,
    cursor: Option<i64>,
    limit: u16,
) -> Result<Vec<Record>, StoreError> {
    let reach = reach.listed();
    let query = || async {
        sqlx::query!(
            "select id, at, key_id, key_name, action, subject, business_id, before, after, outcome, peer, request_id
             from audit
             where id < $1 and ($2::text[] is null or business_id = any($2)) and ($3::text is null or business_id = $3)
               and ($4::text is null or key_id = $4) and ($5::text is null or starts_with(action, $5))
               and ($6::timestamptz is null or at >= $6) and ($7::timestamptz is null or at < $7)
             order by id desc limit $8",
            cursor.unwrap_or(i64::MAX),
            reach.as_deref(),
            filter.business_id.as_ref().map(BusinessId::as_str),
            filter.key_id.as_ref().map(KeyId::as_str),
            filter.action,
            filter.since,
            filter.until,
            i64::from(limit),
        )
        .fetch_all(&store.pool)
        .await
    };
    let rows = store.retry(query).await?.into_iter().map(|row| {
        let business_id = row.business_id.map(BusinessId::parse).transpose();
        Ok(Record {
            id: row.id,
            at: row.at,
            key_id: row.key_id.as_deref().and_then(KeyId::parse),
            key_name: row.key_name,
            action: row.action,
            subject: row.subject,
            business_id: business_id.map_err(|error| StoreError::unreadable(TABLE, error))?,
            before: row.before,
            after: row.after,
            outcome: named(TABLE, &row.outcome)?,
            peer: row.peer,
            request_id: row.request_id,
        })
    });
    rows.collect()
}
