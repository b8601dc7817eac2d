//! The businesses' voices, measured once a version of their knowledge and kept while there is room.
//! What a voice is, is [`copydesk_editorial::voice`]'s.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use copydesk_common::store::{Store, StoreError, knowledge};
use copydesk_domain::business::BusinessId;
use copydesk_domain::document::Chunk;
use copydesk_editorial::voice::VoiceProfile;

/// Passages that a voice is measured in: more change nothing.
const MAX_PASSAGES: usize = 200;
/// Voices that are kept. Each takes a few kilobytes.
const MAX_KEPT: usize = 4_096;

/// A voice, and the version of the knowledge in which it was measured.
type Kept = (i64, Option<Arc<VoiceProfile>>);

/// Measures and keeps voices. Cheap to clone: clones share what is kept.
#[derive(Debug, Clone)]
pub struct Voices {
    store: Store,
    kept: Arc<Mutex<HashMap<BusinessId, Kept>>>,
}

impl Voices {
    /// Keeps none yet.
    pub fn new(store: Store) -> Self {
        Self { store, kept: Arc::default() }
    }

    /// The voice of a business's documents, of this version of its knowledge or a later one.
    pub async fn of(&self, business_id: &BusinessId, version: i64) -> Result<Option<Arc<VoiceProfile>>, StoreError> {
        let kept = self.kept().get(business_id).filter(|(known, _)| *known == version).map(|(_, voice)| voice.clone());
        if let Some(voice) = kept {
            return Ok(voice);
        }
        let chunks = knowledge::chunks(&self.store, business_id).await?;
        let voice = tokio::task::spawn_blocking(move || voice_of(&chunks)).await.unwrap_or_default().map(Arc::new);
        let mut kept = self.kept();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(business_id.clone(), (version, voice.clone()));
        Ok(voice)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<BusinessId, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn voice_of(chunks: &[Chunk]) -> Option<VoiceProfile> {
    let voice = VoiceProfile::of(chunks.iter().take(MAX_PASSAGES).map(|chunk| chunk.text.as_str()))?;
    Some(voice.guided_by(chunks))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use copydesk_domain::id::DocumentId;

    use super::*;

    #[test]
    fn a_style_guide_behind_the_measured_passages_counts_too() {
        let passage = |ordinal, heading_path: &str, text: &str| Chunk {
            document_id: DocumentId(uuid::Uuid::nil()),
            ordinal,
            heading_path: heading_path.to_owned(),
            text: text.to_owned(),
            title: String::new(),
            url: None,
            language: None,
        };
        let mut passages: Vec<Chunk> =
            (0..250).map(|n| passage(n, "About us", "We see you today. You meet one of us first.")).collect();
        passages.push(passage(250, "Words to avoid", "- leverage"));
        let voice = voice_of(&passages).unwrap();
        assert_eq!(voice.avoided.iter().map(|avoided| avoided.term.as_str()).collect::<Vec<_>>(), ["leverage"]);
    }
}
