//! `GET /api/businesses/{business_id}/voice`: how the business sounds, by its own documents.

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use copydesk_common::store::{document, knowledge};
use copydesk_domain::business::BusinessId;
use copydesk_domain::document::Chunk;
use copydesk_domain::format::Format;
use copydesk_domain::id::DocumentId;
use copydesk_editorial::voice::{self, VoiceProfile};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;
use crate::extract::{Business, Parameters};
use crate::state::Services;

/// How a business sounds.
///
/// Its voice as texts are held against it: counted in the passages of its own documents, those for readers first. `text`
/// says each trait in a plain sentence. With too little text there are no traits, and `degraded` says so.
#[utoipa::path(
    get,
    path = "/api/businesses/{business_id}/voice",
    operation_id = "get_voice",
    tag = "Businesses",
    params(("business_id" = BusinessId, Path, description = "Your own name for the business."), VoiceQuery),
    responses((status = 200, description = "The voice.", body = Voice))
)]
pub async fn get(
    State(services): State<Services>,
    Business(business_id): Business,
    Parameters(query): Parameters<VoiceQuery>,
) -> Result<Json<Voice>, ApiError> {
    let mut passages = services.within(knowledge::chunks(&services.store, &business_id)).await?;
    if let Some(content_type) = query.content_type {
        let of_type = services.within(document::of_content_type(&services.store, &business_id, content_type)).await?;
        let of_type: HashSet<DocumentId> = of_type.into_iter().collect();
        passages.retain(|passage| of_type.contains(&passage.document_id));
    }
    let told = tokio::task::spawn_blocking(move || Voice::of(business_id, query.content_type, &passages)).await;
    told.map(Json).map_err(|error| ApiError::Internal(error.into()))
}

/// Which documents.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VoiceQuery {
    /// Only those about one format, by slug or name.
    #[garde(skip)]
    #[param(value_type = Option<String>, example = "blog")]
    content_type: Option<Format>,
}

/// How a business sounds.
#[derive(Debug, Serialize, ToSchema)]
pub struct Voice {
    /// The business.
    business_id: BusinessId,
    /// Of which documents; null for all.
    #[schema(required = true)]
    content_type: Option<Format>,
    /// Words that were measured.
    words: u16,
    /// Documents with passages.
    documents: usize,
    /// What it sounds like.
    traits: Vec<VoiceTrait>,
    /// Words that its documents use far more than others do.
    terms: Vec<VoiceTerm>,
    /// `too_little_text` where its documents are too few to tell.
    degraded: Vec<String>,
}

/// A trait of a voice.
#[derive(Debug, Serialize, ToSchema)]
struct VoiceTrait {
    /// Its stable name.
    #[schema(example = "sentence_words")]
    name: String,
    /// What was measured.
    value: f64,
    /// Of what: `words`, `per 100 sentences` or `points`.
    #[schema(example = "words")]
    unit: String,
    /// The same in a plain sentence.
    #[schema(example = "Sentences are short: 11 words in the mean.")]
    text: String,
    /// Sentences of its documents that show it.
    examples: Vec<VoiceExample>,
}

/// A sentence of a document.
#[derive(Debug, Serialize, ToSchema)]
struct VoiceExample {
    /// The document.
    document_id: DocumentId,
    /// Its title.
    title: String,
    /// The sentence.
    text: String,
}

/// A term of the business's own.
#[derive(Debug, Serialize, ToSchema)]
struct VoiceTerm {
    /// The term.
    term: String,
    /// How often it occurs.
    count: usize,
}

impl Voice {
    fn of(business_id: BusinessId, content_type: Option<Format>, passages: &[Chunk]) -> Self {
        let documents = passages.iter().map(|passage| passage.document_id).collect::<HashSet<_>>().len();
        let empty = Self {
            business_id,
            content_type,
            words: 0,
            documents,
            traits: Vec::new(),
            terms: Vec::new(),
            degraded: vec!["too_little_text".to_owned()],
        };
        let Some(profile) = VoiceProfile::of_passages(passages) else { return empty };
        let traits = voice::traits(&profile.measure, passages).into_iter().map(VoiceTrait::from).collect();
        let terms = voice::terms(&profile.terms, passages).into_iter();
        let terms = terms.map(|voice::Term { term, count }| VoiceTerm { term, count }).collect();
        Self { words: profile.measure.words, traits, terms, degraded: Vec::new(), ..empty }
    }
}

impl From<voice::Trait> for VoiceTrait {
    fn from(told: voice::Trait) -> Self {
        let voice::Trait { name, value, unit, text, examples } = told;
        let examples = examples.into_iter().map(|voice::Example { document_id, title, text }| VoiceExample {
            document_id,
            title,
            text,
        });
        Self { name: name.to_owned(), value, unit: unit.to_owned(), text, examples: examples.collect() }
    }
}
