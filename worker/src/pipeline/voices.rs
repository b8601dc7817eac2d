//! The businesses' voices, measured once a version of their knowledge and kept while there is room.
//! What a voice is, is [`copydesk_editorial::voice`]'s.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use copydesk_common::store::{Store, StoreError, knowledge};
use copydesk_domain::business::BusinessId;
use copydesk_domain::document::Chunk;
use copydesk_editorial::voice::{self, VoiceProfile};

/// Voices that are kept. Each takes a few kilobytes.
const MAX_KEPT: usize = 4_096;

/// How a business sounds, and how it wants to.
#[derive(Debug, Default)]
pub struct House {
    /// The voice of its documents; `None` where they are too few to tell.
    pub voice: Option<VoiceProfile>,
    /// Its rules for texts.
    pub guidance: Vec<String>,
}

/// A house, and the version of the knowledge in which it was measured.
type Kept = (i64, Arc<House>);

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
    pub async fn of(&self, business_id: &BusinessId, version: i64) -> Result<Arc<House>, StoreError> {
        let kept = self.kept().get(business_id).filter(|(known, _)| *known == version).map(|(_, house)| house.clone());
        if let Some(house) = kept {
            return Ok(house);
        }
        let chunks = knowledge::chunks(&self.store, business_id).await?;
        let house = Arc::new(tokio::task::spawn_blocking(move || house_of(&chunks)).await.unwrap_or_default());
        let mut kept = self.kept();
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(business_id.clone(), (version, house.clone()));
        Ok(house)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<BusinessId, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn house_of(chunks: &[Chunk]) -> House {
    House { voice: VoiceProfile::of_passages(chunks), guidance: voice::guidance(chunks) }
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
            kind: copydesk_domain::document::DocumentKind::Other,
        };
        let mut passages: Vec<Chunk> =
            (0..250).map(|n| passage(n, "About us", "We see you today. You meet one of us first.")).collect();
        passages.push(passage(250, "Words to avoid", "- leverage"));
        let voice = VoiceProfile::of_passages(&passages).unwrap();
        assert_eq!(voice.avoided.iter().map(|avoided| avoided.term.as_str()).collect::<Vec<_>>(), ["leverage"]);
    }
}
