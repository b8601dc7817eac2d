//! `POST /v1/embeddings`, as OpenAI serves it. A vector adds up a fixed direction for each word, cut to its
//! stem, so that texts with the same words lie near each other. That is all it knows: of meaning, nothing.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Shared;
use crate::calls::Outcome;
use crate::chat::GroqError;
use crate::delivery;
use crate::faults::{Call, Endpoint, FaultKind};

/// What one call takes.
const MAX_INPUTS: usize = 2_048;
/// The numbers of a vector.
const DIMENSION: usize = 256;
/// A word's first letters stand for its stem.
const STEM_CHARS: usize = 5;

/// A request; what OpenAI takes beyond these fields is without effect here.
#[derive(Debug, Deserialize)]
struct EmbeddingsRequest {
    model: String,
    input: Input,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<String>),
}

/// `POST /v1/embeddings`.
pub(crate) async fn embeddings(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let (model, inputs) = match accept(&headers, body) {
        Ok(accepted) => accepted,
        Err(error) => {
            shared.calls.record(Endpoint::Embeddings, Outcome::Refused);
            return error.into_response();
        }
    };
    shared.calls.record(Endpoint::Embeddings, Outcome::Accepted { at_ms: shared.clock.now_ms() });
    let call = Call { endpoint: Endpoint::Embeddings, stage: None, model: Some(&model), prompt: "", streaming: false };
    match &shared.spoil(&call).await {
        Some(FaultKind::Hang) => shared.hang().await,
        fault => answer(&model, &inputs, fault.as_ref()),
    }
}

fn accept(headers: &HeaderMap, body: Result<Bytes, BytesRejection>) -> Result<(String, Vec<String>), GroqError> {
    crate::bearer(headers).ok_or_else(GroqError::invalid_api_key)?;
    let body = body.map_err(|_| GroqError::too_large())?;
    let json = &mut serde_json::Deserializer::from_slice(&body);
    let request: EmbeddingsRequest = serde_path_to_error::deserialize(json)
        .map_err(|e| GroqError::bad_request(format!("Invalid request at `{}`: {}", e.path(), e.inner())))?;
    let inputs = match request.input {
        Input::One(input) => vec![input],
        Input::Many(inputs) => inputs,
    };
    if !(1..=MAX_INPUTS).contains(&inputs.len()) {
        return Err(GroqError::bad_request(format!("'input' takes 1 to {MAX_INPUTS} texts.")));
    }
    if inputs.iter().any(String::is_empty) {
        return Err(GroqError::bad_request("'input' cannot hold an empty string."));
    }
    if request.model.starts_with("no-such-model") {
        return Err(GroqError::model_not_found(&request.model));
    }
    Ok((request.model, inputs))
}

fn answer(model: &str, inputs: &[String], fault: Option<&FaultKind>) -> Response {
    if let Some(error) = fault.and_then(|fault| GroqError::of_fault(fault, model)) {
        return error.into_response();
    }
    delivery::json_object(&compose(model, inputs, fault), fault)
}

/// Vectors last first: nobody may take them by their place.
fn compose(model: &str, inputs: &[String], fault: Option<&FaultKind>) -> Value {
    let mut data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .rev()
        .map(|(index, input)| json!({ "object": "embedding", "index": index, "embedding": vector(input) }))
        .collect();
    if matches!(fault, Some(FaultKind::EmptyText)) {
        data.clear();
    }
    let tokens = inputs.iter().map(|input| input.len().div_ceil(4)).sum::<usize>();
    json!({ "object": "list", "data": data, "model": model,
        "usage": { "prompt_tokens": tokens, "total_tokens": tokens } })
}

/// Of length one; a text without words has a direction of its own.
fn vector(text: &str) -> Vec<f32> {
    let mut sum = vec![0.0_f32; DIMENSION];
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| word.chars().count() > 2);
    for word in words {
        add(&mut sum, &word.chars().take(STEM_CHARS).collect::<String>());
    }
    if sum.iter().all(|number| *number == 0.0) {
        add(&mut sum, "");
    }
    let length = sum.iter().map(|number| number * number).sum::<f32>().sqrt();
    sum.iter().map(|number| number / length).collect()
}

/// Adds a stem's direction: one or minus one in each place, by the bits of its hash.
fn add(sum: &mut [f32], stem: &str) {
    let hash = Sha256::digest(stem);
    for (place, number) in sum.iter_mut().enumerate() {
        let bit = hash.get(place / 8 % hash.len()).map_or(0, |byte| byte >> (place % 8) & 1);
        *number += if bit == 1 { 1.0 } else { -1.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn likeness(a: &str, b: &str) -> f32 {
        vector(a).iter().zip(vector(b)).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn texts_with_the_same_words_lie_near_each_other() {
        assert!((likeness("Scans are read twice.", "scans are read twice") - 1.0).abs() < 1e-5);
        assert!(likeness("scanning rooms", "rooms for scanning") > 0.6);
        assert!(likeness("scanning rooms", "prices of coffee").abs() < 0.4);
        assert!((likeness("", "") - 1.0).abs() < 1e-5);
    }
}
