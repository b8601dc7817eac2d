//! Passages from the business's own documents.

use copydesk_common::business::BusinessId;
use copydesk_common::document::DocumentId;
use copydesk_common::generation::Degradation;
use copydesk_common::stage::Stage;
use copydesk_knowledge::{Hit, Knowledge, KnowledgeError};
use serde::{Deserialize, Serialize};

use super::brief::Brief;
use super::calls::{Calls, StageError};
use super::voices::Voices;
use crate::voice::VoiceProfile;

/// Passages that the writer is given.
const MAX_PASSAGES: usize = 8;

/// What the business's documents say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recalled {
    /// The passages, best first; empty where there are none that fit.
    pub passages: Vec<OwnPassage>,
    /// How they sound; `None` where they are too few to tell.
    #[serde(default)]
    pub voice: Option<VoiceProfile>,
}

/// A passage of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OwnPassage {
    /// The document.
    pub document_id: DocumentId,
    /// The passage's place in it, from 0.
    pub ordinal: i32,
    /// `title › heading path`.
    pub heading_path: String,
    /// Where the document can be read.
    pub url: Option<String>,
    /// The passage.
    pub text: String,
    /// How well it fits, comparable within one search only.
    pub score: f32,
}

/// Searches the business's documents for the topic.
pub async fn run(
    knowledge: &Knowledge,
    voices: &Voices,
    calls: &Calls,
    business_id: &BusinessId,
    brief: &Brief,
) -> Result<Recalled, StageError> {
    let query = format!("{} {}", brief.topic, brief.keywords.join(" "));
    let found = match knowledge.search(business_id, &query, MAX_PASSAGES).await {
        Ok(found) => found,
        Err(KnowledgeError::Store(error)) => return Err(error.into()),
        Err(error) => {
            let error = StageError::from(error);
            if !calls.must_fall_back(&error) {
                return Err(error);
            }
            Calls::note_fallback(Stage::Knowledge, Some(Degradation::KnowledgeUnavailable), Some(&error));
            Vec::new()
        }
    };
    let voice = if found.is_empty() { None } else { voices.of(business_id).await? };
    Ok(Recalled {
        passages: found.into_iter().map(OwnPassage::from).collect(),
        voice: voice.map(|voice| (*voice).clone()),
    })
}

impl From<Hit> for OwnPassage {
    fn from(hit: Hit) -> Self {
        Self {
            document_id: hit.chunk.document_id,
            ordinal: hit.chunk.ordinal,
            heading_path: hit.chunk.heading_path,
            url: hit.chunk.url,
            text: hit.chunk.text,
            score: hit.score,
        }
    }
}
