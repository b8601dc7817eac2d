//! A key in use: what it allows, until when, and when it was last used.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use copydesk_common::clock;
use copydesk_common::key::Hash;
use copydesk_common::store::key::{Holds, StoredKey};
use copydesk_domain::access::{ApiKey, KeyId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::ApiError;

/// What times of lookups are counted from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A key in use, by one of its secrets, a session or a ticket.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) key: ApiKey,
    pub(super) claim: Claim,
    /// The hash of the key's present secret when it was read.
    secret: Hash,
    /// Until when what was shown counts.
    pub(super) until: Option<DateTime<Utc>>,
    /// Cancelled once it counts no longer.
    pub(super) ended: CancellationToken,
    /// When it was last used, in seconds since 1970.
    used: AtomicI64,
    /// When its last lookup began, in ms since [`START`].
    looked_up_ms: AtomicU64,
    /// The revision of keys at which it was read.
    pub(super) revision: i64,
}

/// What was shown for the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    Secret,
    Session,
    Ticket,
    Login,
}

/// The same, with what is known of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shown {
    /// The hash of a secret.
    Secret(Hash),
    /// The end of a session.
    Session(DateTime<Utc>),
    /// The end of what the ticket was issued for.
    Ticket(Option<DateTime<Utc>>),
    /// The code of a link, which was taken.
    Login,
}

impl Holder {
    /// The holder of a key, if the key counts, and what was shown for it too.
    pub(super) fn of(stored: &StoredKey, shown: Shown) -> Result<Self, ApiError> {
        let end = stored.key.grant.expires_at;
        let (claim, until) = match shown {
            Shown::Secret(hash) => (Claim::Secret, until_of(stored, &hash)?),
            Shown::Session(until) => (Claim::Session, earlier(Some(until), end)),
            Shown::Ticket(until) => (Claim::Ticket, earlier(until, end)),
            Shown::Login => (Claim::Login, end),
        };
        counts(&stored.key)?;
        Ok(Self {
            key: stored.key.clone(),
            claim,
            secret: stored.hash(),
            until,
            ended: CancellationToken::new(),
            used: AtomicI64::new(clock::now().timestamp()),
            looked_up_ms: AtomicU64::default(),
            revision: stored.revision,
        })
    }

    /// Whether the same thing was shown for it and it allows the same, as it is read again. A stream that a ticket opened
    /// ends with the secret of its key: it is opened anew, with another ticket.
    pub(super) fn is_same(&self, read: &Self) -> bool {
        self.key.grant == read.key.grant
            && self.key.requests_per_minute == read.key.requests_per_minute
            && self.until == read.until
            && (self.claim != Claim::Ticket || self.secret == read.secret)
    }

    /// Notes a use now, if it counts now.
    pub(super) fn use_now(&self) -> Result<(), ApiError> {
        let now = clock::now();
        if self.has_expired(now) {
            counts(&self.key)?;
            return Err(ApiError::Unauthenticated("the session or the secret has expired".to_owned()));
        }
        self.used.store(now.timestamp(), Ordering::Relaxed);
        Ok(())
    }

    /// The key, and when it was last used, in seconds since 1970.
    pub(super) fn last_use(&self) -> (KeyId, i64) {
        (self.key.id.clone(), self.used.load(Ordering::Relaxed))
    }

    pub(super) fn was_used_since(&self, seconds: i64) -> bool {
        self.used.load(Ordering::Relaxed) > seconds
    }

    pub(super) fn has_expired(&self, now: DateTime<Utc>) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Notes when its last lookup began.
    pub(super) fn was_looked_up(&self, began: Instant) {
        let since = began.saturating_duration_since(*START);
        self.looked_up_ms.store(u64::try_from(since.as_millis()).unwrap_or(0), Ordering::Relaxed);
    }

    /// Whether its last lookup began within this time.
    pub(super) fn is_looked_up_within(&self, time: Duration) -> bool {
        let at = Duration::from_millis(self.looked_up_ms.load(Ordering::Relaxed));
        START.elapsed().saturating_sub(at) < time
    }
}

/// Until when a secret of the key counts; `None` for no end.
fn until_of(stored: &StoredKey, hash: &Hash) -> Result<Option<DateTime<Utc>>, ApiError> {
    let end = stored.key.grant.expires_at;
    match stored.holds(hash) {
        Holds::WithTheKey => Ok(end),
        Holds::Until(until) if until > clock::now() => Ok(earlier(Some(until), end)),
        Holds::Until(until) => {
            counts(&stored.key)?;
            let until = shown(until);
            Err(ApiError::Unauthenticated(format!("the API key has a new secret: this one counted until {until}")))
        }
        Holds::Not => Err(unknown()),
    }
}

/// There is no key of the shown id, or the secret is not its own.
pub(super) fn unknown() -> ApiError {
    ApiError::Unauthenticated("there is no such API key, or it has another secret by now".to_owned())
}

/// Whether a key counts.
fn counts(key: &ApiKey) -> Result<(), ApiError> {
    if let Some(at) = key.revoked_at {
        return Err(ApiError::Unauthenticated(format!("the API key was revoked at {}", shown(at))));
    }
    match key.grant.expires_at {
        Some(at) if at <= clock::now() => {
            Err(ApiError::Unauthenticated(format!("the API key expired at {}", shown(at))))
        }
        _ => Ok(()),
    }
}

/// The earlier end; `None` is none.
fn earlier(one: Option<DateTime<Utc>>, other: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    one.into_iter().chain(other).min()
}

fn shown(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
