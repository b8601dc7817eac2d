//! What a provider refuses until an operator mends it: the key, the model, the account. Kept in Redis for an hour
//! since the last such refusal, for `/health`; the first sound answer ends it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use copydesk_domain::named_enum;
use serde::{Deserialize, Serialize};

use crate::clock;

/// A trouble that nobody met again for so long is forgotten.
pub(super) const REMEMBERED_FOR: Duration = Duration::from_secs(3_600);

named_enum! {
    /// What kind of trouble it is: the last part of a problem's type.
    TroubleKind {
        /// The key, the model or the URL is wrong.
        Misconfigured = "provider-misconfigured",
        /// The account is empty, closed, or has used up what its plan holds.
        Account = "provider-account",
    }
}

/// A refusal that will not pass by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trouble {
    /// What kind of trouble it is.
    pub kind: TroubleKind,
    /// What the provider answered.
    pub status: u16,
    /// What the operator must look at: a variable, mostly.
    pub look_at: &'static str,
}

/// A trouble as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownTrouble {
    /// What kind of trouble it is.
    pub kind: TroubleKind,
    /// What the provider answered.
    pub status: u16,
    /// What the operator must look at.
    pub look_at: String,
    /// When it was met last, by the clock of the worker.
    pub seen_at: DateTime<Utc>,
}

impl Trouble {
    /// As it is kept.
    pub(super) fn written(self) -> String {
        let Self { kind, status, look_at } = self;
        let known = KnownTrouble { kind, status, look_at: look_at.to_owned(), seen_at: clock::now() };
        // Words and numbers only: that cannot fail.
        serde_json::to_string(&known).unwrap_or_default()
    }
}

impl KnownTrouble {
    /// `None` where there is none, or this release cannot read it.
    pub(super) fn read(written: &str) -> Option<Self> {
        serde_json::from_str(written).ok()
    }
}
