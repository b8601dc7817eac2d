//! Messages of the queue: ids, a version and the trace, never a payload. Old versions stay readable
//! for one release; the tests pin them.

use copydesk_domain::business::BusinessId;
use copydesk_domain::id::JobId;
use copydesk_domain::job::{JobKind, NewJob, Priority};
use copydesk_domain::trace::TraceParent;
use serde::{Deserialize, Serialize};

use crate::store::job::OpenJob;

/// A message, in one of the versions that this release can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "v")]
pub enum Message {
    /// The first version.
    #[serde(rename = "1")]
    V1(MessageV1),
}

/// The first version of the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageV1 {
    /// The job. Everything else is in its row.
    pub job_id: JobId,
    /// The queue that it belongs to.
    pub kind: JobKind,
    /// The business, by which fair turns are decided.
    pub business_id: BusinessId,
    /// The class that it is claimed in.
    pub priority: Priority,
    /// The trace of its request.
    pub trace: TraceParent,
}

/// A message that this release cannot read: it is newer, older than one release, or damaged.
#[derive(Debug, thiserror::Error)]
#[error("a message cannot be read")]
pub struct UnreadableMessage(#[from] serde_json::Error);

impl Message {
    /// The message of a job that was just accepted.
    pub fn of(job: &NewJob) -> Self {
        Self::V1(MessageV1 {
            job_id: job.id,
            kind: job.kind,
            business_id: job.business_id.clone(),
            priority: job.priority,
            trace: job.trace.child(),
        })
    }

    /// The message of a job that the sweep found.
    pub fn of_open(job: &OpenJob) -> Self {
        Self::V1(MessageV1 {
            job_id: job.id,
            kind: job.kind,
            business_id: job.business_id.clone(),
            priority: job.priority,
            trace: job.trace.child(),
        })
    }

    /// The job.
    pub fn job_id(&self) -> JobId {
        let Self::V1(message) = self;
        message.job_id
    }

    /// The queue that it belongs to.
    pub fn kind(&self) -> JobKind {
        let Self::V1(message) = self;
        message.kind
    }

    pub(super) fn encode(&self) -> String {
        // Serialising only strings, ids and enums cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Parses a message from the queue.
    pub fn decode(text: &str) -> Result<Self, UnreadableMessage> {
        Ok(serde_json::from_str(text)?)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// What a worker of this release finds in Redis when it runs beside an older one or replaces
    /// it. Never edit: add a version instead.
    const V1: &str = r#"{"v":"1","job_id":"01938c5e-7a00-7000-8000-000000000001","kind":"generate","business_id":"company_123","priority":"interactive","trace":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}"#;

    #[test]
    fn the_first_version_stays_readable_and_is_what_is_written() {
        let message = Message::decode(V1).unwrap();
        assert_eq!(message.job_id().to_string(), "01938c5e-7a00-7000-8000-000000000001");
        assert_eq!(message.encode(), V1);
    }

    #[test]
    fn other_versions_are_refused_not_guessed() {
        assert!(Message::decode(&V1.replace(r#""v":"1""#, r#""v":"99""#)).is_err());
        assert!(Message::decode("{}").is_err());
    }
}
