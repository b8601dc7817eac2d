//! Search results that the fleet shares in Redis: positions and scores of passages, never their
//! text. This is a cache: without Redis, each process searches.

use std::time::Duration;

use copydesk_common::redis::Redis;
use copydesk_domain::business::BusinessId;
use copydesk_domain::id::DocumentId;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Hit;
use crate::metric::{self, Look};

/// The number of passages stored for a result. Its first `n` are the result of a search with the
/// limit `n`.
pub(crate) const DEPTH: usize = 50;
/// How long a result is kept. A result belongs to one version, and earlier versions are never asked
/// for, so this only bounds memory: a result of [`DEPTH`] passages takes 1.2 kB. Texts on one topic
/// usually come within an hour.
const TIME_TO_LIVE: Duration = Duration::from_secs(60 * 60);
/// The longest wait for Redis; after it, searching is faster.
const PATIENCE: Duration = Duration::from_millis(250);
/// The first byte of a value: the version of its encoding.
const FORMAT: u8 = 1;
/// The document's id, the passage's ordinal, the score.
const PLACE_BYTES: usize = 16 + 4 + 4;

/// The position of a passage, and its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub(crate) document_id: DocumentId,
    pub(crate) ordinal: i32,
    pub(crate) score: f32,
}

/// The results of all businesses. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct SharedResults {
    redis: Redis,
}

impl SharedResults {
    pub(crate) fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// The key of a query's result at a version of a business's knowledge. `model` is the embedding
    /// model; `None` for a search by words. Queries that differ only in whitespace share a key.
    pub(crate) fn key(&self, business_id: &BusinessId, version: i64, model: Option<&str>, query: &str) -> String {
        let words = query.split_whitespace().flat_map(|word| [word, " "]);
        let mut hash = Sha256::new();
        for part in [model.unwrap_or_default(), "\0"].into_iter().chain(words) {
            hash.update(part);
        }
        self.redis.keys().search_result(business_id, version, &hex::encode(hash.finalize()))
    }

    /// The passages of the result at a key, best first, if there is one.
    pub(crate) async fn get(&self, key: &str) -> Option<Vec<Place>> {
        let Ok(Ok(value)) = tokio::time::timeout(PATIENCE, self.redis.remembered(key)).await else {
            metric::shared_result(Look::Unavailable);
            return None;
        };
        let places = value.as_deref().and_then(decode);
        if places.is_none() {
            metric::shared_result(Look::Miss);
        }
        places
    }

    /// Stores a result in the background. If that fails, the next caller searches.
    pub(crate) fn put(&self, key: String, hits: &[Hit]) {
        let (redis, value) = (self.redis.clone(), encode(hits));
        tokio::spawn(async move { redis.remember(&key, &value, TIME_TO_LIVE).await });
    }
}

fn encode(hits: &[Hit]) -> Vec<u8> {
    let place = |hit: &Hit| {
        let id = hit.chunk.document_id.0.into_bytes();
        id.into_iter().chain(hit.chunk.ordinal.to_le_bytes()).chain(hit.score.to_le_bytes())
    };
    [FORMAT].into_iter().chain(hits.iter().flat_map(place)).collect()
}

/// `None` if another version wrote it.
fn decode(value: &[u8]) -> Option<Vec<Place>> {
    let (&FORMAT, places) = value.split_first()? else { return None };
    let (places, []) = places.as_chunks::<PLACE_BYTES>() else { return None };
    let place = |bytes: &[u8; PLACE_BYTES]| {
        let (id, rest) = bytes.split_first_chunk()?;
        let (ordinal, score) = rest.split_first_chunk()?;
        Some(Place {
            document_id: DocumentId(Uuid::from_bytes(*id)),
            ordinal: i32::from_le_bytes(*ordinal),
            score: f32::from_le_bytes(score.try_into().ok()?),
        })
    };
    places.iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::chunk;

    #[test]
    fn places_survive_storage_and_other_bytes_are_no_result() {
        let hit = |score| Hit { chunk: chunk("Title", "Text."), score };
        let hits = [hit(0.5), hit(f32::MIN_POSITIVE)];
        let value = encode(&hits);
        assert_eq!(value.len(), 1 + 2 * PLACE_BYTES);
        let place = |hit: &Hit| Place { document_id: hit.chunk.document_id, ordinal: 0, score: hit.score };
        assert_eq!(decode(&value).unwrap(), hits.each_ref().map(place));
        assert_eq!(decode(&encode(&[])).unwrap(), []);
        assert_eq!(decode(&value[..value.len() - 1]), None, "cut off");
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&[&[FORMAT + 1], &value[1..]].concat()), None, "another release's");
    }
}
