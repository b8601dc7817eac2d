//! What a job asks of the quota: a call, a turn or a spare call, and the rank by which it stands in the line.

use chrono::{DateTime, Utc};
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::Priority;
use copydesk_domain::named_enum;

use crate::money::MicroUsd;

/// Who asks for a call, and by what right it goes before others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rank {
    pub(super) ticket: JobId,
    pub(super) business_id: BusinessId,
    pub(super) accepted_at: DateTime<Utc>,
    pub(super) is_under_way: bool,
    pub(super) further_calls: u8,
    pub(super) priority: Priority,
}

impl Rank {
    /// A job that this provider has answered before: it goes before all new ones, by age.
    pub fn under_way(ticket: JobId, business_id: BusinessId, accepted_at: DateTime<Utc>) -> Self {
        Self { is_under_way: true, ..Self::new_job(ticket, business_id, accepted_at) }
    }

    /// A job's first call: new ones take turns by business.
    pub fn new_job(ticket: JobId, business_id: BusinessId, accepted_at: DateTime<Utc>) -> Self {
        let priority = Priority::Interactive;
        Self { ticket, business_id, accepted_at, is_under_way: false, further_calls: 0, priority }
    }

    /// The same of a job so urgent: bulk ones stand behind all interactive ones, and are paced over the
    /// window.
    #[must_use]
    pub fn of_priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Calls that the job is likely to make after this one, one upon the other's end: they keep their
    /// places in the line, so that no younger job's take what they will need.
    #[must_use]
    pub fn before(self, further_calls: u8) -> Self {
        Self { further_calls, ..self }
    }
}

/// What a caller asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Who asks.
    pub rank: Rank,
    /// Tokens that the call may take: reserved, and settled on what it really took.
    pub tokens: u32,
    /// What it may cost: reserved and settled in the same way.
    pub cost: MicroUsd,
    /// What for.
    pub asked_for: AskedFor,
}

impl From<Rank> for Ask {
    /// A call that takes no tokens and costs nothing.
    fn from(rank: Rank) -> Self {
        Self { rank, tokens: 0, cost: MicroUsd::default(), asked_for: AskedFor::Call }
    }
}

named_enum! {
    /// What is asked for.
    AskedFor {
        /// A call.
        Call = "call",
        /// A turn: no call, but that the job's calls would be granted now. They are promised for a while,
        /// in which it can buy what it needs for them.
        Turn = "turn",
        /// A call that the job can do without: granted only where nobody waits and more than half of the
        /// window is left. Who is refused stands in no line.
        Spare = "spare",
    }
}
