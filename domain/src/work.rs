//! The work of a job: each kind has its own type of payload. Payloads are written and read only
//! here.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::document::IngestPayload;
use crate::erasure::ErasePayload;
use crate::feedback::Verdict;
use crate::generation::GenerateRequest;
use crate::job::JobKind;

/// The work of a job, with everything that its handler needs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Work {
    /// Write a text.
    Generate(GenerateRequest),
    /// Learn from a verdict.
    Feedback(Verdict),
    /// Index a document.
    Ingest(IngestPayload),
    /// Remove everything of a business.
    Erase(ErasePayload),
}

/// A payload that does not match its kind: another version wrote it, or somebody changed it.
#[derive(Debug, thiserror::Error)]
#[error("the payload is not that of a {kind} job")]
pub struct UnreadablePayload {
    /// The kind of the job.
    pub kind: JobKind,
    #[source]
    error: serde_json::Error,
}

impl Work {
    /// The kind of the job that does it.
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::Generate(_) => JobKind::Generate,
            Self::Feedback(_) => JobKind::Feedback,
            Self::Ingest(_) => JobKind::Ingest,
            Self::Erase(_) => JobKind::Erase,
        }
    }

    /// The payload as the job's row stores it: without the kind, which has its own column.
    pub fn payload(&self) -> Value {
        serde_json::json!(self)
    }

    /// Parses the payload of a job of this kind.
    pub fn read(kind: JobKind, payload: &Value) -> Result<Self, UnreadablePayload> {
        let read = match kind {
            JobKind::Generate => GenerateRequest::deserialize(payload).map(Self::Generate),
            JobKind::Feedback => Verdict::deserialize(payload).map(Self::Feedback),
            JobKind::Ingest => IngestPayload::deserialize(payload).map(Self::Ingest),
            JobKind::Erase => ErasePayload::deserialize(payload).map(Self::Erase),
        };
        read.map_err(|error| UnreadablePayload { kind, error })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use serde_json::json;

    use super::*;

    /// Rows of the release before: they stay readable.
    fn stored(kind: JobKind) -> Value {
        match kind {
            JobKind::Generate => json!({
                "topic": "AI in Healthcare", "format": "blog", "voice": "professional", "audience": null,
                "keywords": ["scans"], "language": "en", "length_words": 800, "instructions": null,
                "max_rounds": 2, "min_score": 7.5,
            }),
            JobKind::Feedback => json!({
                "feedback_id": "01938c5e-7a00-7000-8000-000000000001",
                "generation_id": "01938c5e-7a00-7000-8000-000000000002",
                "human_approved": true, "human_score": 9.5, "human_feedback": null,
            }),
            JobKind::Ingest => json!({ "document_id": "01938c5e-7a00-7000-8000-000000000003" }),
            JobKind::Erase => json!({ "business_id": "company_123", "removed": { "chunks": 7 } }),
        }
    }

    #[test]
    fn payloads_are_read_as_they_were_written() {
        for &kind in JobKind::ALL {
            let work = Work::read(kind, &stored(kind)).unwrap();
            assert_eq!(work.kind(), kind);
            assert_eq!(work.payload(), stored(kind));
        }
    }

    #[test]
    fn a_payload_of_another_kind_is_refused() {
        for &kind in JobKind::ALL {
            for other in JobKind::ALL.iter().filter(|other| **other != kind) {
                let refused = Work::read(kind, &stored(*other)).unwrap_err();
                assert_eq!(refused.kind, kind);
            }
            Work::read(kind, &json!("nonsense")).unwrap_err();
        }
    }
}
