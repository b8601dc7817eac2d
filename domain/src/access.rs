//! Who may do what: the scopes of an API key, the businesses that it reaches, and which keys it may make. Knows
//! nothing of secrets, storage or requests.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::business::BusinessId;
use crate::named_enum;

named_enum! {
    /// Whom a key is for. It stands in the secret, so that a reader of a leak knows what has leaked.
    KeyKind {
        /// A tenant's frontend or client. It takes the scopes of tenants only.
        Tenant = "tenant",
        /// The people who run the service.
        Operator = "operator",
    }
}

named_enum! {
    /// What a key allows. Each operation needs one of them.
    Scope {
        /// Request texts, cancel and retry their jobs.
        Generate = "generate",
        /// Read jobs, texts and profiles.
        Read = "read",
        /// Give verdicts on texts.
        Feedback = "feedback",
        /// Change profiles and documents.
        Documents = "documents",
        /// Read and change what was learned.
        Learning = "learning",
        /// Change where results are sent.
        Webhooks = "webhooks",
        /// For operators: change queues, limits, breakers, dead letters, and erase businesses.
        Operate = "operate",
        /// For operators: read what is operated, and the audit log. No texts.
        Observe = "observe",
        /// For operators: make, rotate and revoke keys.
        Keys = "keys",
    }
}

impl Scope {
    /// Whether only keys of operators take it.
    pub const fn is_for_operators(self) -> bool {
        matches!(self, Self::Operate | Self::Observe | Self::Keys)
    }
}

/// A key's own id: 12 letters and digits. It stays the same when the secret changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, pattern = "^[0-9A-Za-z]{12}$", example = "4fzK9sQ0aBcD")]
pub struct KeyId(String);

impl KeyId {
    /// Its length in characters.
    pub const CHARS: usize = 12;

    /// The id, if the text is one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() == Self::CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_id.then(|| Self(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no [`KeyId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 12 letters and digits")]
pub struct InvalidKeyId;

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        Self::parse(text).ok_or(InvalidKeyId)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The businesses that a key reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Every business, also those to come.
    All,
    /// These.
    Only(BTreeSet<BusinessId>),
}

impl Reach {
    /// Whether it holds a business.
    pub fn holds(&self, business_id: &BusinessId) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(business_id),
        }
    }

    /// The businesses, unless it is all of them.
    pub const fn only(&self) -> Option<&BTreeSet<BusinessId>> {
        match self {
            Self::All => None,
            Self::Only(ids) => Some(ids),
        }
    }

    /// The same as text, as statements take it.
    pub fn listed(&self) -> Option<Vec<String>> {
        self.only().map(|ids| ids.iter().map(|id| id.as_str().to_owned()).collect())
    }

    /// Whether it holds everything that another one holds.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) => true,
            (Self::Only(_), Self::All) => false,
            (Self::Only(mine), Self::Only(theirs)) => theirs.is_subset(mine),
        }
    }
}

/// What a key allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whom it is for.
    pub kind: KeyKind,
    /// What may be done.
    pub scopes: BTreeSet<Scope>,
    /// To which businesses.
    pub reach: Reach,
    /// Until when; `None` for no end.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Why a grant cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantError {
    /// It allows nothing.
    #[error("must have at least one scope")]
    NoScope,
    /// It reaches nothing.
    #[error("must name at least one business, or be null for all")]
    NoBusiness,
    /// A tenant's key with a scope of operators.
    #[error("a tenant's key cannot have the scope {0}: make an operator's key")]
    ForOperators(Scope),
    /// The maker lacks a scope.
    #[error("the key that makes it does not have the scope {0}")]
    Scope(Scope),
    /// A tenant's key makes one for operators.
    #[error("a tenant's key makes no keys for operators")]
    Kind,
    /// The maker does not reach all of its businesses.
    #[error("the key that makes it does not reach all of these businesses")]
    Reach,
    /// It would have ended before it began.
    #[error("must be in the future")]
    Past,
    /// It would outlive its maker.
    #[error("must not outlive the key that makes it: that one expires at {0}")]
    Expiry(DateTime<Utc>),
}

impl GrantError {
    /// The field that is wrong.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::NoScope | Self::ForOperators(_) | Self::Scope(_) => "scopes",
            Self::NoBusiness | Self::Reach => "businesses",
            Self::Kind => "kind",
            Self::Past | Self::Expiry(_) => "expires_at",
        }
    }
}

impl Grant {
    /// Whether a key with this grant may end one with another, however long that would last.
    pub fn may_end(&self, other: &Self) -> bool {
        self.may_give(&Self { expires_at: self.expires_at, ..other.clone() }).is_ok()
    }

    /// Everything, for ever: what the first key of an installation allows.
    pub fn everything() -> Self {
        Self {
            kind: KeyKind::Operator,
            scopes: Scope::ALL.iter().copied().collect(),
            reach: Reach::All,
            expires_at: None,
        }
    }

    /// Whether a grant makes sense by itself.
    pub fn check(&self, now: DateTime<Utc>) -> Result<(), GrantError> {
        if self.expires_at.is_some_and(|end| end <= now) {
            return Err(GrantError::Past);
        }
        if self.scopes.is_empty() {
            return Err(GrantError::NoScope);
        }
        if matches!(&self.reach, Reach::Only(ids) if ids.is_empty()) {
            return Err(GrantError::NoBusiness);
        }
        let foreign = self.scopes.iter().find(|scope| self.kind == KeyKind::Tenant && scope.is_for_operators());
        foreign.map_or(Ok(()), |scope| Err(GrantError::ForOperators(*scope)))
    }

    /// Whether a key with this grant may make one with another: nobody gives away more than he has.
    pub fn may_give(&self, other: &Self) -> Result<(), GrantError> {
        if self.kind == KeyKind::Tenant && other.kind == KeyKind::Operator {
            return Err(GrantError::Kind);
        }
        if let Some(scope) = other.scopes.difference(&self.scopes).next() {
            return Err(GrantError::Scope(*scope));
        }
        if !self.reach.covers(&other.reach) {
            return Err(GrantError::Reach);
        }
        match self.expires_at {
            Some(end) if other.expires_at.is_none_or(|other| other > end) => Err(GrantError::Expiry(end)),
            _ => Ok(()),
        }
    }
}

/// An API key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// What people call it.
    pub name: String,
    /// What it allows.
    pub grant: Grant,
    /// Requests in a minute, in place of the default.
    pub requests_per_minute: Option<u32>,
    /// The key that made it; `None` if it was made on the command line.
    pub created_by: Option<KeyId>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// Until when its secret from before the last rotation counts.
    pub previous_until: Option<DateTime<Utc>>,
}

named_enum! {
    /// Whether a key counts.
    KeyStatus {
        /// It does.
        Active = "active",
        /// Its time is over.
        Expired = "expired",
        /// It was revoked, for good.
        Revoked = "revoked",
    }
}

impl ApiKey {
    /// Whether it counts at a time.
    pub fn status(&self, now: DateTime<Utc>) -> KeyStatus {
        match self.grant.expires_at {
            _ if self.revoked_at.is_some() => KeyStatus::Revoked,
            Some(end) if end <= now => KeyStatus::Expired,
            _ => KeyStatus::Active,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn only(ids: &[&str]) -> Reach {
        Reach::Only(ids.iter().map(|id| BusinessId::parse(*id).unwrap()).collect())
    }

    fn tenant(scopes: &[Scope], reach: Reach) -> Grant {
        Grant { kind: KeyKind::Tenant, scopes: scopes.iter().copied().collect(), reach, expires_at: None }
    }

    #[test]
    fn nobody_gives_away_more_than_he_has() {
        let now = Utc::now();
        let all = Grant::everything();
        let of_acme = Grant { reach: only(&["acme"]), ..all.clone() };
        let brief = Grant { expires_at: Some(now), ..all.clone() };
        let reads = Grant { scopes: [Scope::Read, Scope::Keys].into(), ..all.clone() };
        assert_eq!(all.may_give(&all), Ok(()));
        assert_eq!(of_acme.may_give(&tenant(&[Scope::Read], only(&["acme"]))), Ok(()));
        assert_eq!(of_acme.may_give(&tenant(&[Scope::Read], only(&["acme", "other"]))), Err(GrantError::Reach));
        assert_eq!(of_acme.may_give(&all), Err(GrantError::Reach));
        assert_eq!(reads.may_give(&tenant(&[Scope::Generate], Reach::All)), Err(GrantError::Scope(Scope::Generate)));
        assert_eq!(brief.may_give(&all), Err(GrantError::Expiry(now)));
        assert_eq!(brief.may_give(&brief), Ok(()));
        assert_eq!(tenant(&[Scope::Read], Reach::All).may_give(&reads), Err(GrantError::Kind));
    }

    #[test]
    fn a_grant_allows_something_and_a_tenant_operates_nothing() {
        assert_eq!(Grant::everything().check(Utc::now()), Ok(()));
        assert_eq!(tenant(&[], Reach::All).check(Utc::now()), Err(GrantError::NoScope));
        assert_eq!(tenant(&[Scope::Read], only(&[])).check(Utc::now()), Err(GrantError::NoBusiness));
        for scope in [Scope::Operate, Scope::Observe, Scope::Keys] {
            assert_eq!(tenant(&[scope], Reach::All).check(Utc::now()), Err(GrantError::ForOperators(scope)));
        }
    }

    #[test]
    fn ids_are_letters_and_digits() {
        assert!(KeyId::parse("4fzK9sQ0aBcD").is_some());
        for wrong in ["", "4fzK9sQ0aBc", "4fzK9sQ0aBcDe", "4fzK9sQ0aBc_", "4fzK9sQ0aBcé"] {
            assert_eq!(KeyId::parse(wrong), None, "{wrong}");
        }
    }
}
