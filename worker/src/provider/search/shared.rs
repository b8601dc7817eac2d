//! What searches of the web found, shared in Redis for an hour: a business's texts on one topic ask the same,
//! and pay for it once. It is a convenience: without Redis, everybody buys.

use std::time::{Duration, Instant};

use copydesk_common::redis::Redis;
use copydesk_domain::business::BusinessId;
use sha2::{Digest, Sha256};

use super::super::web_page::WebPage;
use crate::metric::{self, Look};

/// The web changes, but hardly within what texts on one topic come within.
const TIME_TO_LIVE: Duration = Duration::from_secs(60 * 60);
/// Who has waited so long for Redis is better off buying.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long somebody is believed to be buying the same, and is waited for.
const BUYING: Duration = Duration::from_secs(3);
/// How often a search that somebody else is buying is looked for.
const POLL: Duration = Duration::from_millis(100);
/// More is not kept, in bytes.
const MAX_BYTES: usize = 64 * 1024;
/// The first byte of a value: a release that writes others takes another one.
const FORMAT: u8 = 1;

/// The results of all businesses at one provider.
#[derive(Debug)]
pub(super) struct SharedPages {
    redis: Redis,
    provider: &'static str,
}

impl SharedPages {
    pub(super) fn new(redis: &Redis, provider: &'static str) -> Self {
        Self { redis: redis.clone(), provider }
    }

    /// How words are spaced makes no other query.
    pub(super) fn wanted(&self, business_id: &BusinessId, query: &str, language: &str) -> Wanted {
        let words = query.split_whitespace().flat_map(|word| [word, " "]);
        let mut hash = Sha256::new();
        for part in [language, "\0"].into_iter().chain(words) {
            hash.update(part);
        }
        let (hash, keys) = (hex::encode(hash.finalize()), self.redis.keys());
        Wanted {
            key: keys.web_search(business_id, self.provider, &hash),
            buyer: keys.web_search_buyer(business_id, self.provider, &hash),
            redis: self.redis.clone(),
        }
    }
}

/// A search that a business wants.
#[derive(Debug)]
pub struct Wanted {
    redis: Redis,
    key: String,
    /// Who has this key buys it.
    buyer: String,
}

impl Wanted {
    /// The pages that it found within the hour, where somebody searched. One round trip.
    pub async fn found(&self) -> Option<Vec<WebPage>> {
        let Ok(Ok(value)) = tokio::time::timeout(PATIENCE, self.redis.remembered(&self.key)).await else {
            metric::shared_search(Look::Unavailable);
            return None;
        };
        let pages = value.as_deref().and_then(decode);
        metric::shared_search(if pages.is_some() { Look::Hit } else { Look::Miss });
        pages
    }

    /// The pages where somebody bought them meanwhile or is buying them now; else it is the caller's to buy
    /// them. Where the other one fails or is slow, both buy.
    pub async fn of_another_buyer(&self) -> Option<Vec<WebPage>> {
        if let Some(pages) = self.found().await {
            return Some(pages);
        }
        let is_free = tokio::time::timeout(PATIENCE, self.redis.take(&self.buyer, BUYING)).await;
        if !matches!(is_free, Ok(Ok(false))) {
            return None;
        }
        let give_up = Instant::now() + BUYING;
        while Instant::now() < give_up {
            tokio::time::sleep(POLL).await;
            if let Ok(Some(value)) = self.redis.remembered(&self.key).await {
                return decode(&value);
            }
        }
        None
    }

    /// Keeps what was bought. Nobody waits for it, and where it fails, the next one to ask buys.
    pub fn keep(&self, pages: &[WebPage]) {
        match encode(pages) {
            Some(value) => {
                let (redis, key) = (self.redis.clone(), self.key.clone());
                tokio::spawn(async move { redis.remember(&key, &value, TIME_TO_LIVE).await });
            }
            // There is nothing to wait for.
            None => self.leave(),
        }
    }

    /// Lets others buy: the caller did not.
    pub fn leave(&self) {
        let (redis, buyer) = (self.redis.clone(), self.buyer.clone());
        tokio::spawn(async move { redis.give_back(&buyer).await });
    }
}

/// As many of the first pages as there is room for; `None` where that is none.
fn encode(pages: &[WebPage]) -> Option<Vec<u8>> {
    let mut room = MAX_BYTES;
    let fitting: Vec<&WebPage> = pages
        .iter()
        .take_while(|page| {
            let left = room.checked_sub(page.title.len() + page.url.len() + page.content.len());
            room = left.unwrap_or(0);
            left.is_some()
        })
        .collect();
    if fitting.is_empty() {
        return None;
    }
    let mut value = vec![FORMAT];
    serde_json::to_writer(&mut value, &fitting).ok()?;
    Some(value)
}

/// `None` where this release did not write it.
fn decode(value: &[u8]) -> Option<Vec<WebPage>> {
    let (&FORMAT, pages) = value.split_first()? else { return None };
    serde_json::from_slice(pages).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn pages_survive_storage_within_bounds_and_other_bytes_are_none() {
        let page = |content: String| WebPage {
            title: "Tides".into(),
            url: "https://a.example".into(),
            content,
            score: Some(0.5),
        };
        let pages = [page("The sea \u{1F30A} rises.".into()), page(String::new())];
        let value = encode(&pages).unwrap();
        assert_eq!(decode(&value).unwrap(), pages);
        let large = [page("x".repeat(40_000)), page("y".repeat(40_000)), page("z".into())];
        assert_eq!(decode(&encode(&large).unwrap()).unwrap(), large[..1]);
        assert_eq!((encode(&[]), encode(&[page("x".repeat(MAX_BYTES))])), (None, None));
        assert_eq!(decode(&value[..value.len() - 1]), None, "cut off");
        assert_eq!(decode(&[&[FORMAT + 1], &value[1..]].concat()), None, "another release's");
    }
}
