//! A client of OpenAI's embeddings, as many others speak them: texts in, a vector each out. Which texts,
//! and where their vectors are kept, is [`crate::embed`]'s.

use std::time::Duration;

use copydesk_common::config::{EmbeddingsConfig, ProvidersConfig, SecretUrl};
use copydesk_common::embedding::Vector;
use copydesk_common::money::{MicroUsd, Price};
use copydesk_common::quota::{Ask, ProviderName, Quota, Rank};
use reqwest::header::HeaderMap;
use secrecy::SecretString;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::call::{self, CallError, Endpoint};
use super::gate::{Gate, Taken, Variables};
use super::{ClientError, ProviderError, body};

/// Texts of one call: so many vectors of the largest models stay within [`MAX_BODY_BYTES`]. OpenAI takes 2,048.
pub const MAX_INPUTS: usize = 512;
/// Tokens of one call, about; OpenAI takes 300,000.
const MAX_TOKENS: usize = 100_000;
/// A text is cut at this length, in bytes: models read 8,192 tokens at most, a byte is never more than one,
/// and the smaller ones cut what is too long for them by themselves.
const MAX_INPUT_BYTES: usize = 8_000;
/// The largest answer that is read, in bytes.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;

/// The model that makes vectors.
#[derive(Debug)]
pub struct Embeddings {
    client: EmbeddingsClient,
    gate: Gate,
    price: Option<Price>,
}

impl Embeddings {
    pub(super) fn new(
        config: &ProvidersConfig,
        http: reqwest::Client,
        quota: Option<Quota>,
    ) -> Result<Option<Self>, ClientError> {
        let (Some(client), Some(quota)) = (EmbeddingsClient::new(&config.embeddings, http)?, quota) else {
            return Ok(None);
        };
        let price = config.prices().of(&client.model);
        let variables = Variables {
            key: "COPYDESK_EMBEDDINGS_API_KEY",
            target: "COPYDESK_EMBEDDINGS_MODEL",
            address: "COPYDESK_EMBEDDINGS_BASE_URL",
        };
        Ok(Some(Self { client, gate: Gate::new(quota, variables), price }))
    }

    /// The provider's name.
    pub fn provider(&self) -> &ProviderName {
        self.gate.provider()
    }

    /// The model's own name: vectors of different models say nothing beside each other.
    pub fn model(&self) -> &str {
        &self.client.model
    }

    /// The vectors of texts, in their order and all of one dimension; at most `timeout` long. The texts are
    /// those of one [`batch`].
    pub async fn embed(&self, rank: Rank, timeout: Duration, texts: &[String]) -> Result<Embedded, ProviderError> {
        let tokens = u32::try_from(texts.iter().map(|text| tokens(text)).sum::<usize>()).unwrap_or(u32::MAX);
        let ask = Ask { tokens, cost: self.cost(tokens.into()), ..rank.into() };
        let took = |embedded: &Embedded| Taken {
            tokens: embedded.tokens.and_then(|tokens| u32::try_from(tokens).ok()),
            cost: embedded.tokens.map(|tokens| self.cost(tokens)),
            closed_for: embedded.closed_for,
            ..Taken::default()
        };
        self.gate.call(ask, self.client.embed(texts, timeout), took).await
    }

    /// What tokens cost; nothing where no price is known.
    pub fn cost(&self, tokens: u64) -> MicroUsd {
        self.price.map(|price| price.of(tokens, 0, 0)).unwrap_or_default()
    }
}

/// How many of the texts, from the first, one call takes; at least one of any.
pub fn batch<'a>(texts: impl IntoIterator<Item = &'a str>) -> usize {
    let sums = texts.into_iter().take(MAX_INPUTS).scan(0, |sum, text| {
        *sum += tokens(text);
        Some(*sum)
    });
    // Any one text fits, since it is cut.
    sums.take_while(|sum| *sum <= MAX_TOKENS).count()
}

/// About four bytes make a token, in English.
fn tokens(text: &str) -> usize {
    text.len().min(MAX_INPUT_BYTES).div_ceil(4)
}

/// Vectors, and what they took.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// One a text, in order, all of one dimension.
    pub vectors: Vec<Vector>,
    /// Tokens read, where the provider says so.
    pub tokens: Option<u64>,
    /// How long the provider takes no further calls, where that is what it said.
    closed_for: Option<Duration>,
}

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EmbeddingsClient {
    endpoint: Endpoint,
    model: String,
}

impl EmbeddingsClient {
    /// `None` where no API and model are set.
    pub fn new(config: &EmbeddingsConfig, http: reqwest::Client) -> Result<Option<Self>, ClientError> {
        let Some((base_url, model)) = config.target() else { return Ok(None) };
        Self::at(base_url, model, config.api_key.as_ref(), http).map(Some)
    }

    fn at(
        base_url: &SecretUrl,
        model: &str,
        key: Option<&SecretString>,
        http: reqwest::Client,
    ) -> Result<Self, ClientError> {
        let endpoint = Endpoint::new(http, base_url, "embeddings", key, "COPYDESK_EMBEDDINGS_API_KEY")?;
        Ok(Self { endpoint, model: model.to_owned() })
    }

    /// The vectors of the texts of one [`batch`]. Asks no quota: that is [`Embeddings`]' part, or a tool's own.
    pub async fn embed(&self, texts: &[String], timeout: Duration) -> Result<Embedded, CallError> {
        let input = texts.iter().map(|text| &text[..text.floor_char_boundary(MAX_INPUT_BYTES)]).collect();
        let body = WireRequest { model: &self.model, input, encoding_format: "float" };
        let response = call::open(self.endpoint.post(&body), timeout).await?;
        let headers = response.headers().clone();
        let answer = answer(&call::read(response, MAX_BODY_BYTES).await?, &headers)?;
        let tokens = answer.usage.get("prompt_tokens").or_else(|| answer.usage.get("total_tokens"));
        let vectors = in_order(answer.data, texts.len()).ok_or(CallError::WrongVectors)?;
        Ok(Embedded { vectors, tokens: tokens.and_then(Value::as_u64), closed_for: call::closed_for(&headers) })
    }
}

/// Vectors are many numbers: they are read as such where the body is as it should be, and looked at closely only
/// where it is not.
fn answer(bytes: &[u8], headers: &HeaderMap) -> Result<WireAnswer, CallError> {
    match serde_json::from_slice::<WireAnswer>(body::without_mark(bytes)) {
        Ok(answer) if !answer.data.is_empty() => Ok(answer),
        _ => {
            let body = body::json(bytes).map_err(CallError::Malformed)?;
            // Its error would quote the body, which may hold anything.
            serde_json::from_value(call::sound(body, headers, "data")?)
                .map_err(|_| CallError::Malformed(serde_json::Error::custom("the vectors are no lists of numbers")))
        }
    }
}

/// The vectors by their index: providers may answer in any order. `None` unless there is exactly one for each
/// input, and all have one dimension.
fn in_order(data: Vec<WireEmbedding>, inputs: usize) -> Option<Vec<Vector>> {
    let mut vectors = vec![None; inputs];
    // A server that numbers none of them sends them in order.
    let is_numbered = data.iter().any(|embedding| embedding.index.as_u64().is_some());
    for (at, WireEmbedding { index, embedding }) in data.into_iter().enumerate() {
        let index = if is_numbered { usize::try_from(index.as_u64()?).ok()? } else { at };
        let place = vectors.get_mut(index)?;
        if place.replace(Vector::parse(embedding).ok()?).is_some() {
            return None;
        }
    }
    let vectors = vectors.into_iter().collect::<Option<Vec<_>>>()?;
    let dimension = vectors.first().map(Vector::dimension);
    vectors.iter().all(|vector| Some(vector.dimension()) == dimension).then_some(vectors)
}

#[derive(Serialize)]
struct WireRequest<'a> {
    model: &'a str,
    input: Vec<&'a str>,
    encoding_format: &'static str,
}

#[derive(Deserialize)]
struct WireAnswer {
    data: Vec<WireEmbedding>,
    #[serde(default)]
    usage: Value,
}

#[derive(Deserialize)]
struct WireEmbedding {
    #[serde(default)]
    index: Value,
    embedding: Vec<f32>,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn answer(vectors: &[(usize, &[f32])]) -> Option<Vec<Vec<f32>>> {
        let data =
            vectors.iter().map(|&(index, numbers)| WireEmbedding { index: index.into(), embedding: numbers.to_vec() });
        let vectors = in_order(data.collect(), 2)?;
        Some(vectors.iter().map(|vector| vector.numbers().to_vec()).collect())
    }

    #[test]
    fn vectors_are_put_in_the_order_of_their_texts() {
        let vectors = answer(&[(1, &[0.0, 2.0]), (0, &[1.0, 0.0])]).unwrap();
        assert_eq!(vectors, [[1.0, 0.0], [0.0, 1.0]]);
    }

    #[test]
    fn other_vectors_than_were_asked_for_are_refused() {
        assert_eq!(answer(&[(0, &[1.0, 0.0])]), None, "one is missing");
        assert_eq!(answer(&[(0, &[1.0, 0.0]), (2, &[1.0, 0.0])]), None, "no such text");
        assert_eq!(answer(&[(0, &[1.0, 0.0]), (0, &[1.0, 0.0])]), None, "one twice");
        assert_eq!(answer(&[(0, &[1.0, 0.0]), (1, &[1.0])]), None, "two dimensions");
        assert_eq!(answer(&[(0, &[1.0, 0.0]), (1, &[0.0, 0.0])]), None, "no direction");
    }

    #[test]
    fn a_batch_holds_what_one_call_takes() {
        assert_eq!(batch([]), 0);
        assert_eq!(batch(vec!["short"; 10_000]), MAX_INPUTS);
        assert_eq!(batch(vec!["x".repeat(4_000).as_str(); 1_000]), MAX_TOKENS / 1_000);
        assert_eq!(batch(["x".repeat(10_000_000).as_str()]), 1, "cut, and never left out");
    }
}
