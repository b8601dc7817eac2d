//! Businesses: the tenants. Their id is the client's own string and is part of every query, cache
//! key and prompt. Knows nothing of storage or of the business's documents.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A client's own name for a business: 1 to 128 of `A-Z a-z 0-9 _ - . :`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, min_length = 1, max_length = 128, pattern = "^[A-Za-z0-9_.:-]+$", example = "company_123")]
pub struct BusinessId(String);

/// The string is not a valid [`BusinessId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 128 characters of A-Z a-z 0-9 _ - . :")]
pub struct InvalidBusinessId;

impl BusinessId {
    /// The longest id, in characters.
    pub const MAX_CHARS: usize = 128;

    /// Accepts the client's string if it is a valid id.
    pub fn parse(id: impl Into<String>) -> Result<Self, InvalidBusinessId> {
        let id = id.into();
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-.:".contains(&b);
        if (1..=Self::MAX_CHARS).contains(&id.len()) && id.bytes().all(allowed) {
            Ok(Self(id))
        } else {
            Err(InvalidBusinessId)
        }
    }

    /// The id as the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BusinessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BusinessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for BusinessId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A business's profile. Every field but the id may be empty: a generation for a business without a
/// profile is written from the request alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BusinessProfile {
    /// The client's own string.
    pub business_id: BusinessId,
    /// The name of the business, as texts use it.
    pub name: String,
    /// What it does and for whom.
    pub description: String,
    /// The voice used if a request names none.
    pub voice: String,
    /// The audience used if a request names none.
    pub audience: String,
    /// Rules that every text must follow.
    pub guidelines: String,
    /// Words and phrases that no text may contain.
    pub banned_phrases: Vec<String>,
    /// BCP 47 tag of the language used if a request names none.
    pub default_language: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked_at_the_edge() {
        assert!(BusinessId::parse("company_123").is_ok());
        assert!(BusinessId::parse("a.b:c-D").is_ok());
        for bad in ["", "a b", "ü", "a/b", &"x".repeat(129)] {
            assert_eq!(BusinessId::parse(bad), Err(InvalidBusinessId), "{bad:?}");
        }
    }
}
