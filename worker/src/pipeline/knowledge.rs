//! Passages from the business's own documents.

use std::collections::BTreeSet;
use std::sync::Arc;

use copydesk_domain::business::BusinessId;
use copydesk_domain::generation::Degradation;
use copydesk_domain::id::DocumentId;
use copydesk_domain::stage::Stage;
use copydesk_editorial::document;
use copydesk_editorial::voice::VoiceProfile;
use copydesk_knowledge::{Found, Hit, KnowledgeError, Snapshot, Unembedded};
use serde::{Deserialize, Serialize};

use super::brief::Brief;
use super::calls::Calls;
use super::deps::PipelineDeps;
use super::error::StageError;
use crate::embed::Embedder;
use crate::provider::embeddings;

/// Passages that the writer is given.
const MAX_PASSAGES: usize = 8;
/// Passages that are looked at: those of style guides and policies are passed over.
const MAX_FOUND: usize = 50;

/// What the business's documents say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recalled {
    /// The passages, best first; empty where there are none that fit.
    pub passages: Vec<OwnPassage>,
    /// How they sound; `None` where they are too few to tell.
    #[serde(default)]
    pub voice: Option<VoiceProfile>,
    /// The business's rules for its texts, out of its style guides and policies.
    #[serde(default)]
    pub guidance: Vec<String>,
    /// Titles of documents about other companies, among all that was found.
    #[serde(default)]
    pub others: Vec<String>,
    /// Whether some or all were looked for by their words alone although there is a search by meaning.
    #[serde(default)]
    pub lacks_vectors: bool,
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
    /// Whether its document speaks of other companies: its facts may be theirs.
    #[serde(default)]
    pub is_about_others: bool,
    /// How well it fits, comparable within one search only.
    pub score: f32,
}

/// What was found, and of which version of the business's knowledge.
#[derive(Default)]
struct FoundPassages {
    hits: Vec<Hit>,
    version: i64,
    lacks_vectors: bool,
}

impl FoundPassages {
    fn of(found: Found, snapshot: &Snapshot) -> Self {
        Self { hits: found.hits, version: snapshot.version(), lacks_vectors: found.lacks_vectors }
    }
}

/// Searches the business's documents for the topic.
pub async fn run(
    deps: &PipelineDeps,
    calls: &Calls,
    business_id: &BusinessId,
    brief: &Brief,
) -> Result<Recalled, StageError> {
    let query = format!("{} {}", brief.topic, brief.keywords.join(" "));
    let found = match Box::pin(find(deps, calls, business_id, &query)).await {
        Ok(found) => found,
        Err(StageError::Knowledge(KnowledgeError::Store(error))) => return Err(error.into()),
        Err(error) if !calls.must_fall_back(&error) => return Err(error),
        Err(error) => {
            Calls::note_fallback(Stage::Knowledge, Some(Degradation::KnowledgeUnavailable), Some(&error));
            FoundPassages::default()
        }
    };
    let house = if found.version == 0 { Arc::default() } else { deps.voices.of(business_id, found.version).await? };
    let told: Vec<(bool, Hit)> = found.hits.into_iter().map(|hit| (is_about_others(&hit), hit)).collect();
    let others: BTreeSet<&String> =
        told.iter().filter(|(is_about_others, _)| *is_about_others).map(|(_, hit)| &hit.chunk.title).collect();
    let others = others.into_iter().cloned().collect();
    // What guides the writer is no material.
    let content = told.into_iter().filter(|(_, hit)| !hit.chunk.kind.is_guidance()).take(MAX_PASSAGES);
    let passages: Vec<OwnPassage> =
        content.map(|(is_about_others, hit)| OwnPassage::of(hit, is_about_others)).collect();
    Ok(Recalled {
        voice: house.voice.clone().filter(|_| !passages.is_empty()),
        guidance: house.guidance.clone(),
        others,
        passages,
        lacks_vectors: found.lacks_vectors,
    })
}

/// The passages, and whether some could be found by their words alone although there is a search by meaning. A text is not
/// held up for that: whatever fails on the way to vectors, words are searched at once.
async fn find(
    deps: &PipelineDeps,
    calls: &Calls,
    business_id: &BusinessId,
    query: &str,
) -> Result<FoundPassages, StageError> {
    let Some(now) = deps.knowledge.current(business_id).await? else { return Ok(FoundPassages::default()) };
    if let Some(hits) = now.shared(query, MAX_FOUND).await? {
        return Ok(FoundPassages { hits, version: now.version(), lacks_vectors: false });
    }
    let now = now.passages().await?;
    let by_words = async || Ok(FoundPassages::of(now.search(query, MAX_FOUND).await?, &now));
    let Some(embedder) = deps.embedder.as_ref().filter(|_| !now.is_empty()) else { return by_words().await };
    let vector = match calls.embed(&[query.to_owned()]).await {
        Ok(embedded) => embedded.and_then(|embedded| embedded.vectors.into_iter().next()),
        Err(error) => {
            note_lack(&error);
            None
        }
    };
    let Some(vector) = vector else { return by_words().await };
    let missing = now.unembedded(vector.dimension(), embeddings::MAX_INPUTS).await?;
    let mut latest = now.clone();
    if !missing.is_empty() {
        if let Err(error) = Box::pin(fill(embedder, calls, business_id, vector.dimension(), &missing)).await {
            note_lack(&error);
        }
        // Vectors that came meanwhile, from here or from elsewhere, are searched too.
        if let Some(current) = deps.knowledge.current(business_id).await? {
            latest = current.passages().await?;
        }
    }
    Ok(FoundPassages::of(latest.search_hybrid(query, vector, MAX_FOUND).await?, &latest))
}

/// Makes vectors of passages that have none: of documents that came while the model was away or not set up
/// yet, and of all after a change of the model. One call a text, so that none waits for many.
async fn fill(
    embedder: &Embedder,
    calls: &Calls,
    business_id: &BusinessId,
    dimension: usize,
    missing: &[Unembedded],
) -> Result<(), StageError> {
    let embed = async |texts: &[String]| calls.embed(texts).await?.ok_or(StageError::OutOfTime);
    embedder.some(business_id, dimension, missing, embed).await
}

fn note_lack(error: &StageError) {
    Calls::note_fallback(Stage::Knowledge, Some(Degradation::EmbeddingsUnavailable), Some(error));
}

fn is_about_others(hit: &Hit) -> bool {
    let title = &hit.chunk.title;
    document::is_about_others(title) || document::replaces_its_subject(title, &hit.chunk.text)
}

impl OwnPassage {
    fn of(hit: Hit, is_about_others: bool) -> Self {
        Self {
            document_id: hit.chunk.document_id,
            ordinal: hit.chunk.ordinal,
            heading_path: hit.chunk.heading_path,
            url: hit.chunk.url,
            text: hit.chunk.text,
            is_about_others,
            score: hit.score,
        }
    }
}
